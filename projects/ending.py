"""The end of a project: out of sight at once, its rows deleted in the background.

A marked project is hidden by `Project.objects`, so nobody sees it, its tokens open nothing and nothing more is recorded. Its
rows go in batches, each a transaction of its own; what breaks off is taken up where it stopped, since what is gone is gone.
The row of the project goes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from projects import locks, partitions
from projects.models import Channel, LetterDelivery, Membership, Project, Token, Trust

BATCH = 5_000  # rows a statement: some 50 ms
MOST_BATCHES = 1_000  # of one call; a task has ten minutes
UNCHECKED = "projects_testpace"  # no constraint tells that beat has just written some once more

# By the partition's own name: a row's place in a table is only its own within one partition.
SOME = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE project_id = %(project_id)s LIMIT %(batch)s))
"""


@transaction.atomic
def mark(project: Project, *, now: datetime) -> None:
    """Take the project out of sight, and let nothing more be sent to or from it; its slug is free again."""
    Project.objects.filter(pk=project.pk).update(deleted_at=now, slug=f"-{project.pk}")
    Token.objects.filter(project=project, revoked_at=None).update(revoked_at=now)
    Trust.objects.filter(project=project).delete()
    Channel.objects.filter(project=project).update(is_on=False)
    LetterDelivery.objects.filter(letter__project=project, sent_at=None).delete()
    Membership.objects.filter(project=project).delete()


def waiting() -> list[int]:
    """Return the projects that are marked and not yet gone."""
    marked = Project.every.exclude(deleted_at=None).order_by("deleted_at", "id")
    return list(marked.values_list("id", flat=True))


def delete_rows(project_id: int, *, most: int = MOST_BATCHES) -> bool:
    """Delete rows of a marked project, `most` batches of them; True when nothing is left of it."""
    left = most
    for table in _tables():
        left = _delete_some(table, project_id, left)
        if not left:
            return False
    return _delete_last(project_id)


def _tables() -> Iterator[str]:
    """Yield the tables that grow with a project, and the partitions of those that have any."""
    for model in apps.get_app_config("projects").get_models():
        table = model._meta.db_table
        if table in partitions.TABLES:
            yield from partitions.partitions(table)
        elif _begins_with_project(model):
            yield table


def _begins_with_project(model: type[models.Model]) -> bool:
    meta: Any = model._meta
    return bool(meta.pk_fields[0].attname == "project_id")


def _delete_some(table: str, project_id: int, most: int) -> int:
    """Delete the project's rows of the table; return how many full batches are left for others."""
    values = {"project_id": project_id, "batch": BATCH}
    with connection.cursor() as cursor:
        for left in range(most, 0, -1):
            cursor.execute(SOME.format(table=table), values)
            if cursor.rowcount < BATCH:
                return left
    return 0


def _delete_last(project_id: int) -> bool:
    """Delete what came in meanwhile, the small tables and the project; False where something came in even now."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            locks.hold(
                project_id
            )  # an upload that was being recorded has ended, and the next one finds no project
            locks.hold(project_id, lock=locks.Lock.PACES)
            for table in (*partitions.TABLES, UNCHECKED):
                cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [project_id])  # noqa: S608 - our own names
            Project.every.filter(pk=project_id).exclude(deleted_at=None).delete()
    except IntegrityError:
        return False
    return True
