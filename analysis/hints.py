"""Likely causes of all unreliable tests, found every night and kept with their verdicts, so that a list need not search for them.

What speaks for a cause is analysis.causes' to say; analysis.queries.of_causes gathers it. A test's own page asks afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from django.db import connection

from analysis.causes import CauseHint
from analysis.queries import of_causes
from projects.models import Flake, Project
from projects.vocabulary import FlakeStatus

BATCH = 200  # tests asked about at once

KEEP = """
UPDATE projects_flake f SET cause = c.cause, cause_evidence = coalesce(c.evidence, '')
FROM unnest(%(ids)s::int[], %(causes)s::smallint[], %(sentences)s::text[]) AS c (test_id, cause, evidence)
WHERE f.project_id = %(project_id)s AND f.test_id = c.test_id
"""


def keep(project: Project, *, today: date) -> int:
    """Look for a cause of every unreliable test that failed lately, and keep it; return how many have one."""
    unwell = Flake.objects.filter(
        project=project, last_on__gte=today - timedelta(days=of_causes.HISTORY_DAYS)
    ).exclude(status=FlakeStatus.HEALTHY)
    ids = list(unwell.order_by("test_id").values_list("test_id", flat=True))
    n_found = 0
    for start in range(0, len(ids), BATCH):
        found = of_causes.causes(project, ids[start : start + BATCH], until=today)
        _keep(project.pk, found)
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
