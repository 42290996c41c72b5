"""Questions about what changed in the suite: new flakes, slower tests, new ones and those that vanished."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analysis.answers import Change
from analysis.durations import LEAST_PASSES
from analysis.queries import of_shifts, rows
from analysis.window import Window
from projects.models import Project

VANISHED_DAYS = 14  # a test unseen for so long has left the suite
SLOWER_RATIO = 1.5
SLOWER_SECONDS = 0.1
SHOWN = 3  # tests named for each kind of change

NEW_FLAKES = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
WHERE t.project_id = %(project_id)s AND f.status = 2 AND f.since_on BETWEEN %(since)s AND %(until)s
ORDER BY f.n_flakes DESC, t.id LIMIT %(limit)s
"""
NEW_TESTS = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
WHERE t.project_id = %(project_id)s AND t.first_main_on BETWEEN %(since)s AND %(until)s
    AND EXISTS (SELECT FROM projects_test o WHERE o.project_id = t.project_id AND o.first_main_on < %(since)s)
ORDER BY t.layer DESC, t.first_main_on DESC, t.id LIMIT %(limit)s
"""
VANISHED = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
WHERE t.project_id = %(project_id)s AND t.last_main_on BETWEEN %(gone_since)s AND %(gone_until)s
    AND t.last_main_on < (SELECT max(day) FROM projects_run
        WHERE project_id = %(project_id)s AND is_default_branch AND NOT is_incomplete AND NOT is_truncated)
ORDER BY t.last_main_on DESC, t.id LIMIT %(limit)s
"""
SLOWER = """
WITH days AS ({days}), s AS (
    SELECT test_id,
        sum(seconds) FILTER (WHERE day >= %(since)s) AS seconds, sum(seconds) FILTER (WHERE day < %(since)s) AS before_s,
        sum(n_passed + n_failed + n_error) FILTER (WHERE day >= %(since)s) AS n,
        sum(n_passed + n_failed + n_error) FILTER (WHERE day < %(since)s) AS n_before
    FROM days GROUP BY test_id
)
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM (
    SELECT s.test_id, s.seconds - s.before_s / s.n_before * s.n AS added FROM s
    WHERE s.n >= 3 AND s.n_before >= 3 AND s.before_s > 0 AND s.seconds / s.n >= %(ratio)s * s.before_s / s.n_before
        AND s.seconds / s.n - s.before_s / s.n_before >= %(least)s AND {is_young}
    {told}
) slower
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = slower.test_id
ORDER BY slower.added DESC, t.id LIMIT %(limit)s
"""
# On the default branch, tests with enough passes are told of by their shifts; the means speak for those with few.
YOUNG = f"""NOT EXISTS (SELECT FROM projects_testpace p WHERE p.project_id = %(project_id)s AND p.test_id = s.test_id
            AND length(p.bins) >= {2 * LEAST_PASSES})"""
SHIFTED = f"""UNION ALL
    SELECT d.test_id, (d.since_s - d.before_s) * coalesce((SELECT n FROM s WHERE s.test_id = d.test_id), 1)
    FROM projects_durationshift d WHERE {of_shifts.TOLD}"""


def changes(project: Project, window: Window) -> tuple[Change, ...]:
    """What changed in the window that is worth a line?"""
    values = rows.values_of(
        project,
        window,
        limit=SHOWN,
        gone_since=window.since - timedelta(days=VANISHED_DAYS),
        gone_until=window.until - timedelta(days=VANISHED_DAYS),
        ratio=SLOWER_RATIO,
        least=SLOWER_SECONDS,
    )
    kind = rows.kind_of(window)
    is_young, told = ("true", "") if kind == "branch" else (YOUNG, SHIFTED)
    slower = SLOWER.replace("{is_young}", is_young).replace("{told}", told)
    slower = slower.replace("{days}", rows.days_of_both(kind))
    asked = {"new-flakes": NEW_FLAKES, "slower": slower, "new-tests": NEW_TESTS, "vanished": VANISHED}
    statement = " UNION ALL ".join(
        f"SELECT {place}, * FROM ({question.replace('{test}', rows.TEST_COLUMNS)}) q{place}"
        for place, question in enumerate(asked.values())
    )
    found: dict[int, list[tuple[Any, ...]]] = {}
    for place, *row in rows.fetch(statement, values):
        found.setdefault(place, []).append(tuple(row))
    return tuple(
        Change(name, found[place][0][-1], tuple(map(rows.test_row, found[place])))
        for place, name in enumerate(asked)
        if place in found
    )
