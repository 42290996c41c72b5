"""Likely causes of all unreliable tests, kept with their verdicts, so that a list need not search for them.

Every night they are looked for anew; those of tests that became unreliable since are looked for when their uploads are recorded.
What speaks for a cause is analysis.causes' to say; analysis.queries.of_causes gathers it. A test's own page asks afresh.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from django.db import connection
from django.db.models import QuerySet

from analysis.causes import CauseHint
from analysis.queries import of_causes
from projects.models import Flake, Project
from projects.vocabulary import Cause, FlakeStatus

BATCH = 200  # tests asked about at once
FEW = 40  # tests looked at again after uploads: some 2 ms each
NOTHING_SEEN = CauseHint(Cause.NOT_ENOUGH_EVIDENCE, "", "", "")

KEEP = """
UPDATE projects_flake f SET cause = c.cause, cause_evidence = coalesce(c.evidence, '')
FROM unnest(%(ids)s::int[], %(causes)s::smallint[], %(sentences)s::text[]) AS c (test_id, cause, evidence)
WHERE f.project_id = %(project_id)s AND f.test_id = c.test_id
"""


def keep(project: Project, *, today: date) -> int:
    """Look for a cause of every unreliable test that failed lately, and keep it; return how many have one."""
    return _look(project, list(_unwell(project, today=today).values_list("test_id", flat=True)), today=today)


def catch_up(project_id: int, *, today: date) -> int:
    """Look for a cause of tests that are unreliable since the last night, and of those whose failures of today may show one."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        return 0
    unwell = _unwell(project, today=today)
    unseen = unwell.filter(cause=None).values_list("test_id", flat=True)
    open_ones = unwell.filter(cause=Cause.NOT_ENOUGH_EVIDENCE, last_on=today).order_by("-n_flakes", "test_id")
    ids = [*unseen[:BATCH], *open_ones.values_list("test_id", flat=True)[:FEW]]
    return _look(project, ids, today=today)


def _unwell(project: Project, *, today: date) -> QuerySet[Flake]:
    lately = today - timedelta(days=of_causes.HISTORY_DAYS)
    found = Flake.objects.filter(project=project, last_on__gte=lately).exclude(status=FlakeStatus.HEALTHY)
    return found.order_by("test_id")


def _look(project: Project, ids: Sequence[int], *, today: date) -> int:
    n_found = 0
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        found = of_causes.causes(project, batch, until=today)
        # Those whose failures are all left out have an answer too, or they would be asked about for ever.
        _keep(project.pk, dict.fromkeys(batch, NOTHING_SEEN) | found)
        n_found += sum(bool(hint.cause) for hint in found.values())
    return n_found


def _keep(project_id: int, found: Mapping[int, CauseHint]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            KEEP,
            {
                "project_id": project_id,
                "ids": list(found),
                "causes": [int(hint.cause) for hint in found.values()],
                "sentences": [hint.evidence[:500] for hint in found.values()],
            },
        )
