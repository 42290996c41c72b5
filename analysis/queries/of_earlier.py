"""Questions that compare a window with the one before it in a number or two, for the sentences over lists."""

from __future__ import annotations

from analysis.answers.of_earlier import RunTimes, TestCounts
from analysis.queries import of_suite, rows
from analysis.queries.of_branch import BranchResults
from analysis.window import Window
from projects.models import Project

KNOWS_ENVIRONMENTS = "EXISTS (SELECT FROM projects_test WHERE project_id = %(project_id)s AND variant <> '')"
# Where no test knows environments, as in most projects, each counts as itself: the days between which it was seen tell.
TEST_COUNTS = f"""
SELECT coalesce(sum(n) FILTER (WHERE is_now), 0)::int, coalesce(sum(n) FILTER (WHERE NOT is_now), 0)::int FROM ({{amounts}}) told
HAVING {KNOWS_ENVIRONMENTS}
UNION ALL
SELECT count(*) FILTER (WHERE {{is_there}}), count(*) FILTER (WHERE {{was_there}}) FROM projects_test
WHERE project_id = %(project_id)s HAVING NOT {KNOWS_ENVIRONMENTS}
"""
# A branch without rollups has its results read, so those of the window alone, and a second time only where tests have environments.
TEST_COUNT_OF_BRANCH = f"""
SELECT CASE WHEN {KNOWS_ENVIRONMENTS} THEN (
        SELECT count(DISTINCT (t.layer, t.base)) FROM ({{sums}}) s
        JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id)
    ELSE %(n_listed)s END::int, NULL
"""
RUN_TIMES = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u.seconds) FILTER (WHERE u.day >= %(since)s),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY u.seconds) FILTER (WHERE u.day < %(since)s)
FROM projects_run u WHERE {runs} AND NOT u.is_truncated AND NOT u.is_incomplete
"""


def test_counts(project: Project, window: Window, *, n_listed: int) -> TestCounts:
    """How many tests ran in the window and in the one before it, each once, whatever number of environments it ran in?

    `n_listed` counts a test for each of its environments.
    """
    kind = rows.kind_of(window)
    if kind == "branch":
        statement = TEST_COUNT_OF_BRANCH.format(sums=BranchResults().sums())
    else:
        statement = TEST_COUNTS.format(amounts=of_suite.amounts(kind), **of_suite.lives(kind))
    (found,) = rows.fetch(statement, rows.values_of(project, window, ids=[project.pk], n_listed=n_listed))
    return TestCounts(*found)


def run_times(project: Project, window: Window) -> RunTimes:
    """How long did the tests of a run take, in the median: in the window, and in the one before it?"""
    both = rows.RUNS[rows.kind_of(window)].replace("%(since)s", "%(before_since)s")
    (found,) = rows.fetch(RUN_TIMES.format(runs=both), rows.values_of(project, window))
    return RunTimes(*found)
