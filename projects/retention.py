"""How long each project's rows are kept, and the nightly end of those whose time is over.

Bodies of uploads, results and sums each have a period of their own. A month of the partitioned tables is dropped as a whole once
it is over for every project; until then the rows of one project are deleted in batches, within a budget a night.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction

from projects import spans
from projects.models import Project
from projects.partitions import drop_months_before, partitions
from projects.vocabulary import UploadState

BATCH = 5_000  # rows a statement: some 50 ms, so that an upload is never kept waiting
MOST_BATCHES = 400  # of a table, project and night; what is left over waits for the next one

BODIES = """
DELETE FROM projects_uploadfile WHERE ctid = ANY(ARRAY(
    SELECT f.ctid FROM projects_uploadfile f JOIN projects_upload u ON u.project_id = f.project_id AND u.id = f.upload_id
    WHERE f.project_id = %(project_id)s AND u.received_at < %(cut)s AND u.state = ANY(%(ended)s) LIMIT %(batch)s))
"""
# By the partition's own name: a row's place in a table is only its own within one partition.
OLD_ROWS = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE project_id = %(project_id)s AND {day} < %(cut)s LIMIT %(batch)s))
"""
OLD_RUN_ROWS = """
DELETE FROM projects_runlayer WHERE ctid = ANY(ARRAY(
    SELECT l.ctid FROM projects_runlayer l JOIN projects_run u ON u.project_id = l.project_id AND u.number = l.run_number
    WHERE l.project_id = %(project_id)s AND u.day < %(cut)s LIMIT %(batch)s))
"""


def keep_house(now: datetime) -> None:
    """Delete what is older than its project keeps it, and drop the months that are over for everybody."""
    kept = list(Project.objects.order_by("id"))
    for project in kept:
        _delete_bodies(project, now - timedelta(days=project.keep_bodies_days))
        _delete_results(project, (now - timedelta(days=project.keep_results_days)).date())
        _delete_sums(project, (now - timedelta(days=project.keep_sums_days)).date())
    if kept:
        _drop("projects_result", (now - timedelta(days=max(p.keep_results_days for p in kept))).date())
        _drop("projects_testday", (now - timedelta(days=max(p.keep_sums_days for p in kept))).date())


def _delete_bodies(project: Project, cut: datetime) -> None:
    # An upload that failed by a fault of ours keeps its body, since it may be tried again.
    ended = [int(UploadState.DONE), int(UploadState.REJECTED)]
    _in_batches(BODIES, {"project_id": project.pk, "cut": cut, "ended": ended})


def _delete_results(project: Project, cut: date) -> None:
    """Note first that what is older is gone, so that no sum is made again from what is left of it."""
    if project.results_since is None or project.results_since < cut:
        Project.objects.filter(pk=project.pk).update(results_since=cut)
    for table in _partitions_until("projects_result", cut):
        _in_batches(OLD_ROWS.format(table=table, day="ran_on"), {"project_id": project.pk, "cut": cut})


def _delete_sums(project: Project, cut: date) -> None:
    values = {"project_id": project.pk, "cut": cut}
    for table in _partitions_until("projects_testday", cut):
        _in_batches(OLD_ROWS.format(table=table, day="day"), values)
    for table in ("projects_layerday", "projects_failure"):
        _in_batches(OLD_ROWS.format(table=table, day="day"), values)
    _in_batches(OLD_ROWS.format(table="projects_refusedhour", day="hour_at"), values)
    _in_batches(OLD_RUN_ROWS, values)
    spans.forget(project.pk, before=cut)


def _partitions_until(table: str, cut: date) -> Iterator[str]:
    """Yield the partitions that hold days before the cut."""
    yield from (name for name in partitions(table) if name <= f"{table}_{cut:%Y_%m}")


def _in_batches(statement: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        for _ in range(MOST_BATCHES):
            cursor.execute(statement, {**values, "batch": BATCH})
            if cursor.rowcount < BATCH:
                return


def _drop(table: str, cut: date) -> None:
    """Drop the months before the cut, unless somebody reads so long that it must wait for the next night."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '3s'")
            drop_months_before(table, cut)
    except OperationalError:
        return
