"""Give tests their owners by the project's CODEOWNERS file, where their report names none.

Runs in the background: after the file changed over all tests, after new tests came over these, and nightly again over all,
since files move. What a person wrote on a test's page stands before both, and is kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from analysis import codeowners
from projects.models import CodeOwners, Project, Test

BATCH = 5_000  # tests read at once
LONGEST = 200  # characters of a test's owners, as of those that people write
FIELDS = ("id", "file", "classname", "framework", "owner", "code_owner")

# An owner that the file gave is told by being what the file gave; one of the report is another, and stays.
OWN = """
UPDATE projects_test t SET code_owner = o.owner,
    owner = CASE WHEN t.owner = '' OR t.owner = t.code_owner THEN o.owner ELSE t.owner END
FROM unnest(%(ids)s::int[], %(owners)s::text[]) AS o (id, owner)
WHERE t.project_id = %(project_id)s AND t.id = o.id
"""


def own(project_id: int, *, afresh: bool = False) -> int:
    """Own the tests that came since the file was last gone through, or all of them; return how many changed."""
    kept = CodeOwners.objects.filter(project_id=project_id).first()
    project = Project.objects.filter(pk=project_id).first()
    if kept is None or project is None or (kept.owned_to >= project.n_tests and not afresh):
        return 0
    reader = Reader(kept.text)
    last, n_changed = 0 if afresh else kept.owned_to, 0
    tests = Test.objects.filter(project_id=project_id).order_by("id")
    while batch := list(tests.filter(id__gt=last).values_list(*FIELDS)[:BATCH]):
        last = batch[-1][0]
        n_changed += _own_batch(project_id, batch, reader)
    # Another file that came meanwhile begins at the first test again.
    CodeOwners.objects.filter(pk=kept.pk, digest=kept.digest).update(owned_to=max(last, project.n_tests))
    return n_changed


def with_unowned_tests() -> Sequence[int]:
    """Return the projects whose file was not gone through for all of their tests."""
    found = CodeOwners.objects.filter(owned_to__lt=F("project__n_tests")).order_by("project_id")
    return list(found.values_list("project_id", flat=True))


class Reader:
    """Says whose a path is; tests share files, and a file of owners may have a thousand lines."""

    def __init__(self, text: str) -> None:
        self._owners = codeowners.read(text)
        self.owner_of = lru_cache(maxsize=20_000)(self._owner_of)

    def _owner_of(self, path: str) -> str:
        found: list[str] = []
        for name in self._owners.owners_of(path) if path else ():
            if len(" ".join([*found, name])) <= LONGEST:
                found.append(name)
        return " ".join(found)


def _own_batch(project_id: int, batch: Sequence[tuple[Any, ...]], reader: Reader) -> int:
    changed: dict[int, str] = {}
    for test_id, file, classname, framework, owner, code_owner in batch:
        path = codeowners.path_of(file=file, classname=classname, framework=framework)
        given = reader.owner_of(path)
        if given != code_owner or (given and not owner):
            changed[test_id] = given
    if changed:
        values: dict[str, Any] = {
            "project_id": project_id,
            "ids": list(changed),
            "owners": list(changed.values()),
        }
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(OWN, values)
    return len(changed)
