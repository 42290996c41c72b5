"""What each test of another branch came to, in a window and in the one before it, as analysis.queries.summed wants to know it.

A branch without rollups has its results read, which takes longer than anything else its page does. What was read goes back
to PostgreSQL as it spelt it, since making numbers of so many values would take Python longer than reading them. Which pages
ask more than one question of it is left to those pages. Of a few tests the statement that asks reads the results itself.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from analysis import rollups
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project

# Asked first and written into the next statement: a list that is known is looked up by hash, the answer of a subquery from end to
# end.
RUNS = f"""(SELECT number, day FROM projects_run
    WHERE project_id = %(project_id)s AND branch = %(branch)s AND day BETWEEN %(since)s AND %(until)s
    ORDER BY started_at DESC LIMIT {rows.RUNS_OF_A_BRANCH})"""
# Each month is asked for its own runs: the index of a partition is read from end to end for every run that it is asked for.
OF_MONTH = """SELECT test_id, outcome, n_attempts, run_number, seconds FROM projects_result
        WHERE project_id = %(project_id)s AND ran_on BETWEEN %(PART_first)s AND %(PART_last)s
            AND run_number = ANY(%(PART_runs)s::int[])"""
NO_MONTH = """SELECT NULL::int AS test_id, NULL::smallint AS outcome, NULL::smallint AS n_attempts, NULL::int AS run_number,
        NULL::real AS seconds WHERE false"""
# Few results have more than one attempt, and only those can be flaky.
TESTS = """
    SELECT test_id, count(*) AS n_results, count(*) FILTER (WHERE outcome IN (2, 3)) AS n_bad,
        count(*) FILTER (WHERE outcome = 4) AS n_skipped,
        count(*) FILTER (WHERE n_attempts > 1 AND outcome = 1 AND (test_id, run_number) IN (
            SELECT f.test_id, f.run_number FROM projects_failure f
            WHERE f.project_id = %(project_id)s AND f.run_number = ANY(%({runs})s::int[]))) AS n_flaky,
        coalesce(sum(seconds::float8), 0) AS seconds
    FROM ({results}) r GROUP BY test_id"""
# Without days and timings, which take as long as reading the results. Of few tests each has its results looked up by its index.
ALL_TESTS = rows.SUMMED.replace(
    "FROM days",
    f"FROM (SELECT test_id, {rollups.SUMS} FROM ({rows.RESULTS_OF_BRANCH}) judged GROUP BY test_id) days",
)
FEW_TESTS = f"""
    SELECT d.* FROM ({{only}}) w (id) CROSS JOIN LATERAL ({
    ALL_TESTS.replace(rows.RESULTS_OF_BRANCH, f"{rows.RESULTS_OF_BRANCH} AND r.test_id = w.id OFFSET 0")
}) d"""
SPELT = """(
    SELECT coalesce(array_agg(test_id), '{{}}')::text, coalesce(array_agg(n_results), '{{}}')::text,
        coalesce(array_agg(n_bad), '{{}}')::text, coalesce(array_agg(n_skipped), '{{}}')::text,
        coalesce(array_agg(n_flaky), '{{}}')::text, coalesce(array_agg(seconds), '{{}}')::text
    FROM ({tests}) tests)"""
N_ARRAYS = 6
# A statement that sets anything has no workers; starting them takes longer than they save.
ALONE = "set_config('max_parallel_workers_per_gather', '0', true) <> ''"
TOLD = """SELECT * FROM unnest(%(now_0)s::int[], %(now_1)s::int[], %(now_2)s::int[], %(now_3)s::int[], %(now_4)s::int[],
        %(now_5)s::float8[]) AS s (test_id, n_results, n_bad, n_skipped, n_flaky, seconds)"""


@dataclass(frozen=True, slots=True)
class BranchSums:
    """Arrays of the same length, for the window and for the one before it: test ids, then what rows.SUM_COLUMNS names."""

    now: tuple[str, ...]
    before: tuple[str, ...] = ()

    def sums(self, *, only: str = "", is_before: bool = False) -> str:
        """Return a SELECT for the window, or the one before it. `only` selects the ids of those wanted."""
        told = rows.before(TOLD) if is_before else TOLD
        return f"{told} WHERE test_id IN ({only})" if only else told

    def values(self) -> dict[str, Any]:
        """Return the arrays as parameters."""
        pairs = ((prefix, arrays) for prefix, arrays in (("now", self.now), ("before", self.before)))
        return {f"{prefix}_{place}": array for prefix, arrays in pairs for place, array in enumerate(arrays)}


@dataclass(frozen=True, slots=True)
class BranchResults:
    """The results of the window's runs, read by the statement itself: for a few tests, or for an answer that few pages want."""

    def sums(self, *, only: str = "", is_before: bool = False) -> str:
        """Return a SELECT for the window, or the one before it. `only` selects the ids of those wanted."""
        found = FEW_TESTS.format(only=only) if only else ALL_TESTS
        return rows.before(found) if is_before else found

    def values(self) -> dict[str, Any]:
        """Return no parameters: those of rows.values_of tell the runs."""
        return {}


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a branch in a window by month, each with its first and last day; `prefix` tells its parameters from others."""

    prefix: str
    window: Window
    numbers: Mapping[date, Sequence[int]]

    def spelt(self) -> str:
        """Return a SELECT of what each test came to, as arrays."""
        parts = (OF_MONTH.replace("PART", f"{self.prefix}_{place}") for place in range(len(self.numbers)))
        results = " UNION ALL ".join(parts) or NO_MONTH
        return SPELT.format(tests=TESTS.format(runs=f"{self.prefix}_runs", results=results))

    def values(self) -> dict[str, Any]:
        """Return the parameters of that SELECT."""
        found: dict[str, Any] = {f"{self.prefix}_runs": [one for of in self.numbers.values() for one in of]}
        for place, (first, numbers) in enumerate(self.numbers.items()):
            part = f"{self.prefix}_{place}"
            last = first.replace(day=monthrange(first.year, first.month)[1])
            found[f"{part}_first"] = max(first, self.window.since)
            found[f"{part}_last"] = min(last, self.window.until)
            found[f"{part}_runs"] = list(numbers)
        return found


def branch_sums(project: Project, window: Window, *, with_before: bool = True) -> BranchSums:
    """What did each test of another branch come to in the window, and, unless nobody asks, in the one before it?"""
    values = rows.values_of(project, window)
    asked = (
        f"SELECT * FROM {RUNS} now" + f" UNION ALL SELECT * FROM {rows.before(RUNS)} earlier" * with_before
    )
    months: dict[bool, dict[date, list[int]]] = {True: {}, False: {}}
    for number, day in rows.fetch(asked, values):
        months[day >= window.since].setdefault(day.replace(day=1), []).append(number)
    both = [Runs("runs_now", window, months[True])]
    both += [Runs("runs_before", window.previous, months[False])] * with_before
    for runs in both:
        values |= runs.values()
    parts = ", ".join(f"{runs.spelt()} {runs.prefix}" for runs in both)
    (found,) = rows.fetch(f"SELECT * FROM {parts} WHERE {ALONE}", values)
    return BranchSums(found[:N_ARRAYS], found[N_ARRAYS:])
