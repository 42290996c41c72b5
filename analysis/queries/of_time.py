"""Questions about time: where it goes, and what a layer may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

from analysis.answers import BudgetAnswer, Page, SlowRow, SlowTotals, TestRow
from analysis.budgets import forecast
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import Layer, TimingBucket

SLOW_SHARE = 0.05  # the top 5 % is a page that people finish
BUDGET_RUNS = 20  # whose median says what a run takes now
BUDGET_WEEKS = 12
CHANGE_SHOWN = 1.5  # a p95 that grew by less is noise on shared runners

SORTS = {
    "name": "lower(t.name)",
    "layer": "t.layer",
    "total": "s.seconds",
    "share": "s.seconds",
    "run": "s.seconds / nullif(s.n_results - s.n_skipped, 0)",
}

SLOW = """
WITH days AS ({days}), s AS ({summed})
SELECT {test}, {sums}, (SELECT sum(seconds) FROM s), count(*) OVER ()
FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
WHERE s.seconds > 0 AND {filters} ORDER BY {order}, t.id LIMIT %(size)s OFFSET %(offset)s
"""
TOTALS = """
WITH days AS ({days}), s AS ({summed}), shown AS (
    SELECT t.layer, t.bucket, s.seconds, {filters} AS is_wanted FROM s
    JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
), ranked AS (
    SELECT seconds, row_number() OVER (ORDER BY seconds DESC) AS place, count(*) OVER () AS n FROM shown WHERE is_wanted
)
SELECT NULL, NULL, coalesce(max(n), 0), coalesce(sum(seconds), 0), count(*) FILTER (WHERE place <= ceil(n * %(share)s)),
    coalesce(sum(seconds) FILTER (WHERE place <= ceil(n * %(share)s)), 0)
FROM ranked
UNION ALL
SELECT layer, bucket, count(*), sum(seconds), 0, 0 FROM shown GROUP BY layer, bucket
"""

RUN_SECONDS = """
SELECT l.layer, u.day, l.seconds FROM projects_runlayer l
JOIN projects_run u ON u.project_id = l.project_id AND u.number = l.run_number
WHERE l.project_id = %(project_id)s AND l.layer = ANY(%(budgeted)s) AND u.is_default_branch AND NOT u.is_truncated
    AND NOT u.is_incomplete
    AND u.day BETWEEN %(first)s AND %(until)s
ORDER BY u.started_at, u.number
"""
DEAREST = """
WITH days AS ({days})
SELECT t.layer, s.seconds / nullif(s.n_results - s.n_skipped, 0) FROM ({summed}) s
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
WHERE t.layer = ANY(%(budgeted)s) ORDER BY 2 DESC NULLS LAST
"""


def slow(project: Project, window: Window) -> Page[SlowRow]:
    """Which tests take the time of the window?"""
    condition, more = rows.filters(window)
    statement = SLOW.format(
        days=rows.DAYS[rows.kind_of(window)],
        summed=rows.SUMMED,
        test=rows.TEST_COLUMNS,
        sums=rows.SUM_COLUMNS,
        filters=condition,
        order=rows.order(window.sort, SORTS, default="-total"),
    )
    values = rows.values_of(project, window, size=window.size, offset=(window.page - 1) * window.size, **more)
    found = rows.fetch(statement, values)
    bins = rows.timings(project, window, [row[0] for row in found], both=window.compare)
    page = tuple(_slow_row(row, *bins.get(row[0], ([], []))) for row in found)
    return Page(page, found[0][-1] if found else 0, window.page, window.size)


def _slow_row(row: Sequence[Any], bins: Sequence[int], bins_before: Sequence[int]) -> SlowRow:
    test, total = rows.timed(rows.test_row(row), bins), row[17] or 0
    p95_before = rows.percentile(bins_before, 0.95)
    ended = test.n_results - test.n_skipped
    return SlowRow(
        test=test,
        p95_before_s=p95_before,
        seconds_per_run=test.seconds / ended if ended else 0.0,
        share=test.seconds / total if total else 0.0,
        note=_note(test, p95_before),
    )


def _note(test: TestRow, p95_before: float | None) -> str:
    if p95_before and test.p95_s and test.p95_s >= CHANGE_SHOWN * p95_before:
        return f"{test.p95_s / p95_before:.1f} times slower than before"
    if test.bucket is TimingBucket.SLOW and test.layer is Layer.UNIT:
        return "slow for a unit test: does it cross a boundary?"
    if test.bucket is TimingBucket.SLOW and test.layer is Layer.INTEGRATION:
        return "slow for an integration test: an end-to-end test in disguise?"
    return ""


def slow_totals(project: Project, window: Window) -> SlowTotals:
    """How is the time of the window spread over tests, layers and buckets?"""
    condition, more = rows.filters(window)
    parts = {"days": rows.DAYS[rows.kind_of(window)], "summed": rows.SUMMED}
    values = rows.values_of(project, window, share=SLOW_SHARE, **more)
    buckets: dict[Layer, dict[TimingBucket, tuple[int, float]]] = {layer: {} for layer in Layer}
    n_tests, seconds, n_slowest, of_slowest = 0, 0.0, 0, 0.0
    for layer, bucket, n, spent, *slowest in rows.fetch(TOTALS.format(**parts, filters=condition), values):
        if layer is None:
            n_tests, seconds, (n_slowest, of_slowest) = n, spent, slowest
        else:
            buckets[Layer(layer)][TimingBucket(bucket)] = (n, float(spent))
    return SlowTotals(
        n_tests=n_tests,
        seconds=float(seconds),
        n_slowest=n_slowest,
        share_of_slowest=float(of_slowest) / float(seconds) if seconds else 0.0,
        buckets=buckets,
    )


def budgets(project: Project, window: Window, *, wants_moves: bool = True) -> tuple[BudgetAnswer, ...]:
    """What does each layer with a budget take in a run, when will that be too much, and how few tests bring it back?"""
    limits = {Layer.from_word(word): float(limit) for word, limit in sorted(project.budgets.items())}
    if not limits:
        return ()
    first = window.until - timedelta(weeks=BUDGET_WEEKS)
    values = rows.values_of(project, window, first=first, budgeted=[int(layer) for layer in limits])
    spent: dict[Layer, list[tuple[date, float]]] = {layer: [] for layer in limits}
    for layer, day, seconds in rows.fetch(RUN_SECONDS, values):
        spent[Layer(layer)].append((day, float(seconds)))
    takes = {layer: median(seconds for _, seconds in of[-BUDGET_RUNS:]) for layer, of in spent.items() if of}
    over = {layer: takes[layer] - limits[layer] for layer in takes if takes[layer] > limits[layer]}
    to_move = _fewest(project, window, over) if over and wants_moves else {}
    return tuple(
        _budget(layer, limit, takes.get(layer), spent[layer], to_move.get(layer, 0), today=window.until)
        for layer, limit in limits.items()
    )


def _budget(
    layer: Layer,
    limit_s: float,
    run_s: float | None,
    spent: Sequence[tuple[date, float]],
    n_to_move: int,
    *,
    today: date,
) -> BudgetAnswer:
    if run_s is None:
        return BudgetAnswer(layer, limit_s, None, None, None, 0)
    crosses = forecast(spent, run_s=run_s, limit_s=limit_s, until=today)
    crosses_on = crosses.crosses_on if crosses else None
    return BudgetAnswer(layer, limit_s, run_s, run_s / limit_s, crosses_on, n_to_move)


def _fewest(project: Project, window: Window, over: Mapping[Layer, float]) -> dict[Layer, int]:
    """Count the fewest tests whose mean times together bring a layer back under its budget: the dearest ones."""
    statement = DEAREST.format(days=rows.DAYS[rows.kind_of(window)], summed=rows.SUMMED)
    values = rows.values_of(project, window, budgeted=[int(layer) for layer in over])
    freed, n = dict.fromkeys(over, 0.0), dict.fromkeys(over, 0)
    for word, seconds in rows.fetch(statement, values):
        layer = Layer(word)
        if seconds and freed[layer] < over[layer]:
            freed[layer], n[layer] = freed[layer] + float(seconds), n[layer] + 1
    return n
