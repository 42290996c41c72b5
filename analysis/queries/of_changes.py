"""Questions about what changed in the suite: new flakes, slower tests, new ones and those that vanished."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analysis.answers.of_suite import Change
from analysis.durations import LEAST_PASSES
from analysis.queries import of_shifts, rows
from analysis.queries.summed import SpanSums, Told
from analysis.queries.summed import told as asked_before
from analysis.window import Window
from projects.models import Project

VANISHED_DAYS = 14  # a test unseen for so long has left the suite
SLOWER_RATIO = 1.5
SLOWER_SECONDS = 0.1
SHOWN = 3  # tests named for each kind of change

NEW_FLAKES = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
WHERE t.project_id = %(project_id)s AND f.status IN (2, 6) AND f.since_on BETWEEN %(since)s AND %(until)s
ORDER BY f.n_flakes DESC, t.id LIMIT %(limit)s
"""
# One pass over the tests for both.
MOVED = """moved AS MATERIALIZED (
    SELECT id, layer, first_main_on, last_main_on FROM projects_test
    WHERE project_id = %(project_id)s AND (first_main_on BETWEEN %(since)s AND %(until)s
        OR last_main_on BETWEEN %(gone_since)s AND %(gone_until)s)
)"""
NEW_TESTS = """
SELECT {test}, 0, 0, 0, 0, 0, m.n FROM (
    SELECT *, count(*) OVER () AS n FROM moved WHERE first_main_on BETWEEN %(since)s AND %(until)s
        AND EXISTS (SELECT FROM projects_test o WHERE o.project_id = %(project_id)s AND o.first_main_on < %(since)s)
    ORDER BY layer DESC, first_main_on DESC, id LIMIT %(limit)s
) m JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = m.id
ORDER BY t.layer DESC, t.first_main_on DESC, t.id
"""
VANISHED = """
SELECT {test}, 0, 0, 0, 0, 0, m.n FROM (
    SELECT *, count(*) OVER () AS n FROM moved WHERE last_main_on BETWEEN %(gone_since)s AND %(gone_until)s
        AND last_main_on < (SELECT max(day) FROM projects_run
            WHERE project_id = %(project_id)s AND is_default_branch AND NOT is_incomplete AND NOT is_truncated)
    ORDER BY last_main_on DESC, id LIMIT %(limit)s
) m JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = m.id
ORDER BY t.last_main_on DESC, t.id
"""
# Both windows are summed for those tests alone that can have become slower by so much.
NOW = """now AS MATERIALIZED (SELECT test_id, seconds, n_results - n_skipped AS n FROM ({sums}) sums),
able AS MATERIALIZED (SELECT * FROM now s WHERE n >= 3 AND seconds >= %(least)s::float8 * n AND {is_young}),
before AS (SELECT test_id, seconds, n_results - n_skipped AS n FROM ({sums_before}) sums)"""
# Added up and not joined: of tests that are new the planner expects none, and would ask for the window before once for each.
SLOWER = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM (
    SELECT test_id, seconds - seconds_before / n_before * n AS added FROM (
        SELECT test_id, sum(seconds) AS seconds, sum(n) AS n, sum(seconds_before) AS seconds_before,
            nullif(sum(n_before), 0) AS n_before
        FROM (
            SELECT test_id, seconds, n, 0 AS seconds_before, 0 AS n_before FROM able
            UNION ALL SELECT test_id, 0, 0, seconds, n FROM before
        ) either GROUP BY test_id
    ) s
    WHERE n_before >= 3 AND seconds_before > 0 AND seconds / nullif(n, 0) >= %(ratio)s * seconds_before / n_before
        AND seconds / nullif(n, 0) - seconds_before / n_before >= %(least)s::float8
    {told}
) slower
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = slower.test_id
ORDER BY slower.added DESC, t.id LIMIT %(limit)s
"""
# On the default branch, tests with enough passes are told of by their shifts; the means speak for those with few.
YOUNG = f"""NOT EXISTS (SELECT FROM projects_testpace p WHERE p.project_id = %(project_id)s AND p.test_id = s.test_id
            AND length(p.bins) >= {2 * LEAST_PASSES})"""
ASKED_OF = f"""SELECT s.test_id FROM ({{long}}) s WHERE {YOUNG} UNION SELECT d.test_id FROM projects_durationshift d
    WHERE {of_shifts.TOLD}"""
SHIFTED = f"""UNION ALL
    SELECT d.test_id, (d.since_s - d.before_s) * coalesce((SELECT n FROM now WHERE now.test_id = d.test_id), 1)
    FROM projects_durationshift d WHERE {of_shifts.TOLD}"""


def changes(project: Project, window: Window, *, told: Told | None = None) -> tuple[Change, ...]:
    """What changed in the window that is worth a line?

    `told` is how to know what tests came to, where the caller has asked.
    """
    told = told or asked_before(project, window, with_before=True)
    values = rows.values_of(
        project,
        window,
        limit=SHOWN,
        gone_since=window.since - timedelta(days=VANISHED_DAYS),
        gone_until=window.until - timedelta(days=VANISHED_DAYS),
        ratio=SLOWER_RATIO,
        least=SLOWER_SECONDS,
        **told.values(),
    )
    is_by_days = isinstance(told, SpanSums)
    is_young, shifted = (YOUNG, SHIFTED) if is_by_days else ("true", "")
    asked_of = ASKED_OF.format(long=told.long()) if isinstance(told, SpanSums) else ""
    asked = {
        "new-flakes": NEW_FLAKES,
        "slower": SLOWER.replace("{told}", shifted),
        "new-tests": NEW_TESTS,
        "vanished": VANISHED,
    }
    now = NOW.format(
        sums=told.sums(only=asked_of),
        sums_before=told.sums(only="SELECT test_id FROM able", is_before=True),
        is_young=is_young,
    )
    statement = f"WITH {MOVED}, {now} " + " UNION ALL ".join(
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
