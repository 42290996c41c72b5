"""Look test by test for what a run lacks, where the counts of its files leave that in doubt.

Done when a run is judged, and for one with too few tests in some file alone: nearly no run is. What follows from what is
found here is analysis.completeness' to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from analysis import counting
from analysis.completeness import MISSING_SHARE, NEW_USUAL, Doubt, Missing, Seen, missing_tests
from analysis.renames import Known
from projects.models import Run
from projects.vocabulary import Layer

MOST = 20_000  # tests that came or went; with more, the suite was replaced

# What was in each of these runs has neither come nor gone.
CHANGED = f"""
WITH changed AS (
    SELECT test_id, array_agg(run_number) AS runs FROM projects_result
    WHERE project_id = %(project_id)s AND run_number = ANY(%(runs)s) AND ran_on = ANY(%(days)s)
    GROUP BY test_id HAVING count(*) < %(n_runs)s LIMIT %(most)s
)
SELECT t.id, t.suite, t.name, t.median_s, coalesce(nullif(t.file, ''), t.classname), c.runs, {counting.HASHED},
    (SELECT count(*) FROM changed)
FROM changed c JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = c.test_id
WHERE t.layer <> ALL(%(apart)s) ORDER BY t.id
"""


def look(project_id: int, number: int, doubt: Doubt) -> Missing | None:
    """Return what the run lacks; what the counts say where the tests of the runs before it are known no more."""
    newest = doubt.runs[:NEW_USUAL]
    days = dict(
        Run.objects.filter(project_id=project_id, number__in=[number, *doubt.runs]).values_list(
            "number", "day"
        )
    )
    values: dict[str, Any] = {
        "project_id": project_id,
        "runs": [number, *newest],
        "days": sorted({days[run] for run in (number, *newest)}),
        "n_runs": 1 + len(newest),
        "most": MOST,
        "apart": [int(Layer.STATIC), int(Layer.LOAD)],
    }
    with connection.cursor() as cursor:
        cursor.execute(CHANGED, values)
        rows = cursor.fetchall()
    gone = [row[0] for row in rows if number not in row[5]]
    if not gone or rows[0][-1] == MOST:
        return doubt.by_count
    if len(gone) <= MISSING_SHARE * doubt.n_usual:
        return None
    ran_in = counting.ran_in(project_id, gone, days={run: days[run] for run in doubt.runs})
    return missing_tests(doubt, [_seen(row, number, ran_in.get(row[0], row[5])) for row in rows])


def _seen(row: Sequence[Any], number: int, runs: Sequence[int]) -> Seen:
    return Seen(Known(*row[:5]), (row[6], row[7]), number in row[5], frozenset(runs))
