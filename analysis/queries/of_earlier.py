"""Questions that compare a window with the one before it in a number or two, for the sentences over lists."""

from __future__ import annotations

from analysis.answers.of_earlier import RunTimes, TestCounts
from analysis.queries import of_suite, rows
from analysis.window import Window
from projects.models import Project

TEST_COUNTS = """
SELECT coalesce(sum(n) FILTER (WHERE is_now), 0)::int, coalesce(sum(n) FILTER (WHERE NOT is_now), 0)::int FROM ({amounts}) told
"""
# On a branch without rollups its results are read, so those of the window alone.
TEST_COUNT_OF_BRANCH = "WITH days AS ({days}) SELECT coalesce(sum(n), 0)::int, NULL FROM ({amounts}) told"
RUN_TIMES = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY u.seconds) FILTER (WHERE u.day >= %(since)s),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY u.seconds) FILTER (WHERE u.day < %(since)s)
FROM projects_run u WHERE {runs} AND NOT u.is_truncated AND NOT u.is_incomplete
"""


def test_counts(project: Project, window: Window) -> TestCounts:
    """How many tests ran in the window and in the one before it, each once, whatever number of environments it ran in?"""
    kind = rows.kind_of(window)
    if kind == "branch":
        days = of_suite.DAYS_OF_BRANCH.format(is_now="true", days=rows.DAYS[kind])
        statement = TEST_COUNT_OF_BRANCH.format(days=days, amounts=of_suite.AMOUNTS_OF_BRANCH)
    else:
        statement = TEST_COUNTS.format(amounts=of_suite.amounts(kind))
    (found,) = rows.fetch(statement, rows.values_of(project, window, ids=[project.pk]))
    return TestCounts(*found)


def run_times(project: Project, window: Window) -> RunTimes:
    """How long did the tests of a run take, in the median: in the window, and in the one before it?"""
    both = rows.RUNS[rows.kind_of(window)].replace("%(since)s", "%(before_since)s")
    (found,) = rows.fetch(RUN_TIMES.format(runs=both), rows.values_of(project, window))
    return RunTimes(*found)
