"""Rows as COPY takes them: for the days of tests, for the temporary table from which these are added to, and for first paces.

Knows the columns of all three; what a total is, analysis.totals knows.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from analysis.durations import RING
from analysis.rollups import MOST_A_DAY, Place
from analysis.totals import PASSED, SKIPPED, Part, Steady, Total
from projects import columns
from projects.columns import DOUBLE, INT2, INT4, INT8, REAL, Field

TABLE = """
CREATE TEMP TABLE IF NOT EXISTS folded (
    test_id integer, n_passed integer, n_failed smallint, n_error smallint, n_skipped smallint, n_flaky smallint,
    timings bytea, seconds double precision, least_s real, most_s real
) ON COMMIT DELETE ROWS
"""
COUNTS = "test_id, n_passed, n_failed, n_error, n_skipped, n_flaky, timings"
FOLDED = f"folded ({COUNTS}, seconds, least_s, most_s)"
PACES = "projects_testpace (project_id, test_id, bins, n_held)"
DAYS = f"projects_testday ({COUNTS}, seconds, project_id, day, on_default)"


def folded(part: Part) -> Iterator[bytes]:
    """Yield rows of FOLDED, in no order."""
    for steady, outcome in _steady(part):
        times: list[Field] = [_reals(steady.least), _reals(steady.most)] if steady.bins else [None, None]
        fields = [*_counts_of(steady, outcome), [columns.column(steady.sums)], *times]
        yield columns.rows(len(steady.tests), fields)[0]
    for test, total in part.others.items():
        least_s, most_s = (REAL(total.least), REAL(total.most)) if total.timings else (None, None)
        yield columns.row([*_counts(test, total), DOUBLE(total.seconds), least_s, most_s])


def days(part: Part, place: Place) -> Iterator[bytes]:
    """Yield rows of DAYS in the order of the tests, so that the index grows at one place."""
    end = [INT4(place.project_id), columns.day(place.day), bytes([place.on_default])]
    most, *fewer = sorted(_steady(part), key=lambda one: -len(one[0].tests))
    packed, size = _days_of(*most, end)
    single = [
        (test, columns.row([*_counts(test, total), REAL(total.seconds), *end]))
        for test, total in part.others.items()
    ]
    for steady, outcome in fewer:
        other, width = _days_of(steady, outcome, end)
        single += ((test, other[width * at : width * (at + 1)]) for at, test in enumerate(steady.tests))
    start = 0
    for test, row in sorted(single):
        before = bisect_left(most[0].tests, test, start)
        yield packed[size * start : size * before]
        yield row
        start = before
    yield packed[size * start :]


def paces(project_id: int, begun: Iterable[int], before: Mapping[int, bytes]) -> Iterator[bytes]:
    """Yield rows of PACES for tests that have no day yet, with the bins of what came before their first long pass."""
    begin, none = INT8(project_id), INT2(0)
    tests = array("i", sorted(set(begun).difference(before)))
    yield columns.rows(len(tests), [begin, [columns.column(tests)], b"", none])[0]
    for test, bins in before.items():
        yield columns.row([begin, INT4(test), bins[-2 * RING :], none])


def _days_of(steady: Steady, outcome: int, end: Sequence[bytes]) -> tuple[bytes, int]:
    return columns.rows(len(steady.tests), [*_counts_of(steady, outcome), _reals(steady.sums), *end])


def _steady(part: Part) -> tuple[tuple[Steady, int], ...]:
    return (part.timed, PASSED), (part.untimed, PASSED), (part.skipped, SKIPPED)


def _counts_of(steady: Steady, outcome: int) -> list[Field]:
    none, n = INT2(0), len(steady.columns)
    counts = (
        INT4(n if outcome == PASSED else 0),
        none,
        none,
        INT2(min(MOST_A_DAY, n) if outcome == SKIPPED else 0),
    )
    timings = [columns.Column(bins, 2) for bins in steady.bins]
    return [[columns.column(steady.tests)], *counts, none, timings]


def _reals(values: array[float]) -> list[columns.Column]:
    return [columns.column(array("f", values))]


def _counts(test: int, total: Total) -> list[bytes]:
    rare = (*total.n[2:5], total.n_flaky)
    return [INT4(test), INT4(total.n[1]), *(INT2(min(MOST_A_DAY, n)) for n in rare), total.timings]
