"""Which flaky tests fail in the same runs, kept with their verdicts: one cause, one entry, one repair.

A cluster bears the number of its first test. What makes one is analysis.clusters' to say; nightly upkeep calls here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction

from analysis.clusters import clusters

DAYS = 90  # what failed together a season ago may have been repaired apart

FAILING = """
SELECT array_agg(DISTINCT f.test_id) FROM projects_failure f
JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id AND t.flake_status IN (2, 6)
WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(today)s AND NOT f.in_incident
GROUP BY f.run_number
"""
KEEP = """
UPDATE projects_flake f SET cluster = c.cluster
FROM projects_flake o
LEFT JOIN unnest(%(ids)s::int[], %(clusters)s::int[]) AS c (test_id, cluster) ON c.test_id = o.test_id
WHERE f.project_id = %(project_id)s AND o.project_id = f.project_id AND o.test_id = f.test_id
    AND f.cluster IS DISTINCT FROM c.cluster
"""


@transaction.atomic
def join(project_id: int, *, today: date) -> int:
    """Find the project's flaky tests that fail together, and keep it; return how many groups there are."""
    values: dict[str, Any] = {
        "project_id": project_id,
        "today": today,
        "since": today - timedelta(days=DAYS - 1),
    }
    with connection.cursor() as cursor:
        cursor.execute(FAILING, values)
        found = clusters(frozenset(ids) for (ids,) in cursor.fetchall())
        pairs = [(test_id, min(group)) for group in found for test_id in sorted(group)]
        kept = {"ids": [one for one, _ in pairs], "clusters": [cluster for _, cluster in pairs]}
        cursor.execute(KEEP, {"project_id": project_id, **kept})
    return len(found)
