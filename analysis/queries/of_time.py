"""Questions about time: which tests take it, and how it is spread over tests, layers and buckets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from analysis.answers.of_time import SlowRow, SlowTotals
from analysis.answers.rows import Page, TestRow
from analysis.queries import rows
from analysis.queries.summed import Told
from analysis.queries.summed import told as asked
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import Layer, TimingBucket

SLOW_SHARE = 0.05  # the top 5 % is a page that people finish
CHANGE_SHOWN = 1.5  # a p95 that grew by less is noise on shared runners

SORTS = {
    "name": "lower(t.name)",
    "layer": "t.layer",
    "total": "s.seconds",
    "share": "s.seconds",
    "run": "s.seconds / nullif(s.n_results - s.n_skipped, 0)",
}

# Narrow rows are ranked; the words of a test are looked up for the page alone.
WITH_TOTALS = """
WITH s AS ({sums}), {shown}{totals}, found AS (
    SELECT * FROM shown WHERE seconds > 0 AND is_wanted ORDER BY key {direction}, test_id LIMIT %(size)s OFFSET %(offset)s
), counted AS (
    SELECT sum(seconds) AS seconds, count(*) FILTER (WHERE seconds > 0 AND is_wanted) AS n FROM shown
)
SELECT {test}, {sum_columns}, c.seconds, c.n, {told}
FROM found s CROSS JOIN counted c
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id ORDER BY s.key {direction}, t.id
"""
SHOWN = """shown AS MATERIALIZED (
    SELECT s.*, t.layer, t.bucket, {filters} AS is_wanted, {key} AS key FROM s
    JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
)"""
# Without totals only the tests that the filters leave are joined; of the others the time alone counts.
SLOW = """
WITH s AS MATERIALIZED ({sums}), wanted AS MATERIALIZED (
    SELECT s.*, {key} AS key FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
    WHERE s.seconds > 0 AND {filters}
), found AS (SELECT * FROM wanted ORDER BY key {direction}, test_id LIMIT %(size)s OFFSET %(offset)s)
SELECT {test}, {sum_columns}, (SELECT sum(seconds) FROM s), (SELECT count(*) FROM wanted), NULL
FROM found s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id ORDER BY s.key {direction}, t.id
"""
# Of all tests by their time nothing else is asked before they are ranked, and of those ranked nothing but the page is joined.
SLOWEST = """
WITH ranked AS MATERIALIZED (SELECT test_id, seconds FROM ({sums}) every_test), found AS MATERIALIZED (
    SELECT test_id, seconds FROM ranked WHERE seconds > 0 ORDER BY seconds {direction}, test_id LIMIT %(size)s OFFSET %(offset)s
), counted AS (SELECT sum(seconds) AS seconds, count(*) FILTER (WHERE seconds > 0) AS n FROM ranked)
SELECT {test}, {sum_columns}, c.seconds, c.n, NULL
FROM found f CROSS JOIN counted c JOIN ({sums_of_found}) s ON s.test_id = f.test_id
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = f.test_id ORDER BY f.seconds {direction}, t.id
"""
TOTALS = """, wanted AS (
    SELECT count(*) AS n, coalesce(sum(seconds), 0) AS seconds, ceil(count(*) * %(share)s)::int AS n_slowest
    FROM shown WHERE is_wanted
), slowest AS (
    SELECT seconds FROM shown WHERE is_wanted ORDER BY seconds DESC LIMIT (SELECT n_slowest FROM wanted)
), totals AS (
    SELECT NULL::int AS layer, NULL::int AS bucket, n, seconds, n_slowest,
        (SELECT coalesce(sum(seconds), 0) FROM slowest) AS of_slowest
    FROM wanted
    UNION ALL
    SELECT layer, bucket, count(*), sum(seconds), 0, 0 FROM shown GROUP BY layer, bucket
)"""
TOLD = (
    "(SELECT json_agg(json_build_array(layer, bucket, n, seconds, n_slowest, of_slowest))::text FROM totals)"
)
ONLY_TOTALS = f"WITH s AS ({{sums}}), {{shown}}{TOTALS} SELECT {TOLD}"


def slow(project: Project, window: Window, *, told: Told | None = None) -> Page[SlowRow]:
    """Which tests take the time of the window?

    `told` is how to know what tests came to, where the caller has asked.
    """
    return _slow_page(window, _slow(project, window, told or asked(project, window)), project)


def slow_and_totals(
    project: Project, window: Window, *, told: Told | None = None
) -> tuple[Page[SlowRow], SlowTotals]:
    """Which tests take the time of the window, and how is it spread over tests, layers and buckets?"""
    told = told or asked(project, window)
    found = _slow(project, window, told, with_totals=True)
    totals = _totals(found[0][19]) if found else slow_totals(project, window, told=told)
    return _slow_page(window, found, project), totals


def _slow(
    project: Project, window: Window, told: Told, *, with_totals: bool = False
) -> list[tuple[Any, ...]]:
    condition, more = rows.filters(window)
    key, direction = rows.sort_key(window.sort, SORTS, default="-total")
    is_of_all = condition == "true" and key == SORTS["total"]
    statement = (WITH_TOTALS if with_totals else SLOWEST if is_of_all else SLOW).format(
        sums=told.sums(),
        sums_of_found=told.sums(only="SELECT test_id FROM found"),
        shown=SHOWN.format(filters=condition, key=key),
        filters=condition,
        key=key,
        direction=direction,
        totals=TOTALS,
        told=TOLD,
        test=rows.TEST_COLUMNS,
        sum_columns=rows.SUM_COLUMNS,
    )
    offset = (window.page - 1) * window.size
    values = rows.values_of(project, window, size=window.size, offset=offset, share=SLOW_SHARE, **more)
    return rows.fetch(statement, values | told.values())


def _slow_page(window: Window, found: Sequence[Sequence[Any]], project: Project) -> Page[SlowRow]:
    bins = rows.timings(project, window, [row[0] for row in found], both=window.compare)
    page = tuple(_slow_row(row, *bins.get(row[0], ([], []))) for row in found)
    return Page(page, found[0][18] if found else 0, window.page, window.size)


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


def slow_totals(project: Project, window: Window, *, told: Told | None = None) -> SlowTotals:
    """How is the time of the window spread over tests, layers and buckets?"""
    condition, more = rows.filters(window)
    told = told or asked(project, window)
    statement = ONLY_TOTALS.format(sums=told.sums(), shown=SHOWN.format(filters=condition, key="NULL"))
    values = rows.values_of(project, window, share=SLOW_SHARE, **more)
    return _totals(rows.fetch(statement, values | told.values())[0][0])


def _totals(found: str) -> SlowTotals:
    buckets: dict[Layer, dict[TimingBucket, tuple[int, float]]] = {layer: {} for layer in Layer}
    n_tests, seconds, n_slowest, of_slowest = 0, 0.0, 0, 0.0
    for layer, bucket, n, spent, *slowest in json.loads(found):
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
