"""Questions about budgets: what a layer takes against its own, and in full by run, by shard, which tests, and what brought it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any, NamedTuple

from analysis import budgets as sums
from analysis import wishes
from analysis.answers.of_time import BudgetAnswer, BudgetStory, Growth, TimedTest
from analysis.queries import rows
from analysis.queries.summed import Told
from analysis.queries.summed import told as asked
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Layer

RUNS = 20  # whose median says what a run takes now
WEEKS = 12
MOST_NAMED = 50  # tests to move; a longer list is no advice
GROWTHS = 8
NAMES = 3  # tests named for a run that brought many

RUN_SECONDS = """
SELECT l.layer, u.day, l.seconds FROM projects_runlayer l
JOIN projects_run u ON u.project_id = l.project_id AND u.number = l.run_number
WHERE l.project_id = %(project_id)s AND l.layer = ANY(%(budgeted)s) AND u.is_default_branch AND NOT u.is_truncated
    AND NOT u.is_incomplete
    AND u.day BETWEEN %(first)s AND %(until)s
ORDER BY u.started_at, u.number
"""
# The dearest tests of a layer whose mean times together bring it back under its budget: those before which too little is freed.
FEWEST = """
WITH budgeted AS MATERIALIZED (SELECT id, layer FROM projects_test WHERE project_id = %(project_id)s AND layer = ANY(%(budgeted)s))
SELECT layer, count(*) FROM (
    SELECT layer, sum(each_s) OVER (PARTITION BY layer ORDER BY each_s DESC, test_id) - each_s AS freed, over_s FROM (
        SELECT t.layer, s.test_id, o.over_s, s.seconds / (s.n_results - s.n_skipped) AS each_s FROM ({sums}) s
        JOIN budgeted t ON t.id = s.test_id
        JOIN unnest(%(budgeted)s::int[], %(over)s::float8[]) AS o (layer, over_s) ON o.layer = t.layer
        WHERE s.n_results > s.n_skipped AND s.seconds > 0
    ) each
) freed WHERE freed < over_s GROUP BY layer
"""
# Each shard of a run is one machine: its first attempt is what people wait for.
SHARDS = """
WITH last_runs AS (
    SELECT number, started_at FROM projects_run
    WHERE project_id = %(project_id)s AND is_default_branch AND NOT is_truncated AND NOT is_incomplete
        AND day BETWEEN %(first)s AND %(until)s
    ORDER BY started_at DESC, number DESC LIMIT %(n_runs)s
), shards AS (
    SELECT u.run_number, CASE WHEN u.job = '' AND u.shard = '' THEN u.id::text ELSE u.job || ' ' || u.shard END AS shard,
        p.key::int AS layer, sum(p.value::float8) AS seconds
    FROM projects_upload u CROSS JOIN LATERAL jsonb_each_text(u.layer_seconds) p
    WHERE u.project_id = %(project_id)s AND u.run_number IN (SELECT number FROM last_runs)
        AND u.received_at >= (SELECT min(started_at) FROM last_runs) - interval '1 day' AND u.attempt = 1
    GROUP BY 1, 2, 3
), runs AS (
    SELECT run_number, layer, count(*) AS n, max(seconds) AS slowest FROM shards
    WHERE layer = ANY(%(budgeted)s) GROUP BY 1, 2
)
SELECT layer, percentile_disc(0.5) WITHIN GROUP (ORDER BY n), percentile_cont(0.5) WITHIN GROUP (ORDER BY slowest)
FROM runs GROUP BY layer
"""
DEAREST = """
WITH s AS ({summed}), ranked AS (
    SELECT t.layer, t.id, t.suite, t.classname, t.name, t.file, s.seconds / (s.n_results - s.n_skipped) AS each_s,
        row_number() OVER (PARTITION BY t.layer ORDER BY s.seconds / (s.n_results - s.n_skipped) DESC, t.id) AS place
    FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
    WHERE t.layer = ANY(%(budgeted)s) AND s.n_results > s.n_skipped AND s.seconds > 0
)
SELECT layer, id, suite, classname, name, file, each_s FROM ranked WHERE place <= %(most)s ORDER BY layer, place
"""
# What came with a run: tests first seen on the branch, unless the project itself began then, and shifts of durations.
GROWTH = """
WITH s AS ({summed})
SELECT t.layer, t.first_run, true, t.id, t.suite, t.classname, t.name, t.file, s.seconds / (s.n_results - s.n_skipped) AS more
FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
WHERE t.layer = ANY(%(budgeted)s) AND s.n_results > s.n_skipped AND t.first_main_on BETWEEN %(since)s AND %(until)s
    AND t.first_main_on > (SELECT min(day) FROM projects_run WHERE project_id = %(project_id)s AND is_default_branch)
UNION ALL
SELECT t.layer, d.run_number, false, t.id, t.suite, t.classname, t.name, t.file, d.since_s - d.before_s
FROM projects_durationshift d JOIN projects_test t ON t.project_id = d.project_id AND t.id = d.test_id
WHERE d.project_id = %(project_id)s AND d.told_on BETWEEN %(since)s AND %(until)s AND t.layer = ANY(%(budgeted)s)
ORDER BY more DESC NULLS LAST
"""
NEW_ONES = """
SELECT id FROM projects_test WHERE project_id = %(project_id)s AND layer = ANY(%(budgeted)s)
    AND first_main_on BETWEEN %(since)s AND %(until)s"""


class Part(NamedTuple):
    """What one test brought with one run."""

    run_number: int
    is_new: bool
    test: TimedTest


def budgets(
    project: Project, window: Window, *, wants_moves: bool = True, told: Told | None = None
) -> tuple[BudgetAnswer, ...]:
    """What does each layer with a budget take in a run, when will that be too much, and how few tests bring it back?

    `told` is how to know what tests came to, where the caller has asked.
    """
    limits = wishes.budgets(project.budgets)
    if not limits:
        return ()
    spent = _spent(limits, _values(project, window, limits))
    takes = {layer: _now(of) for layer, of in spent.items() if of}
    over = {layer: takes[layer] - limits[layer] for layer in takes if takes[layer] > limits[layer]}
    to_move = _fewest(project, window, over, told) if over and wants_moves else {}
    return tuple(
        _budget(layer, limit, takes.get(layer), spent[layer], to_move.get(layer, 0), today=window.until)
        for layer, limit in sorted(limits.items(), key=lambda item: item[0].word)
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
    crosses = sums.forecast(spent, run_s=run_s, limit_s=limit_s, until=today)
    crosses_on = crosses.crosses_on if crosses else None
    return BudgetAnswer(layer, limit_s, run_s, run_s / limit_s, crosses_on, n_to_move)


def _fewest(
    project: Project, window: Window, over: Mapping[Layer, float], told: Told | None
) -> dict[Layer, int]:
    """Count the fewest tests whose mean times together bring a layer back under its budget: the dearest ones."""
    told = told or asked(project, window)
    values = rows.values_of(
        project,
        window,
        budgeted=[int(layer) for layer in over],
        over=list(over.values()),
        **told.values(),
    )
    found = rows.fetch(FEWEST.format(sums=told.sums(only="SELECT id FROM budgeted")), values)
    return {Layer(layer): n for layer, n in found}


def _values(project: Project, window: Window, limits: Mapping[Layer, float]) -> dict[str, Any]:
    first = window.until - timedelta(weeks=WEEKS)
    return rows.values_of(project, window, first=first, budgeted=[int(layer) for layer in limits])


def _spent(limits: Mapping[Layer, float], values: Mapping[str, Any]) -> dict[Layer, list[tuple[date, float]]]:
    """Return what each layer took, run by run, the oldest first."""
    spent: dict[Layer, list[tuple[date, float]]] = {layer: [] for layer in limits}
    for layer, day, seconds in rows.fetch(RUN_SECONDS, values):
        spent[Layer(layer)].append((day, float(seconds)))
    return spent


def _now(spent: Sequence[tuple[date, float]]) -> float:
    return median(seconds for _, seconds in spent[-RUNS:])


def budget_stories(project: Project, window: Window) -> tuple[BudgetStory, ...]:
    """What does each layer with a budget take, when is it too much, what brought it, and which tests take it back?"""
    limits = wishes.budgets(project.budgets)
    if not limits:
        return ()
    told = asked(project, window)
    values = _values(project, window, limits) | {"n_runs": RUNS, "most": MOST_NAMED} | told.values()
    spent = _spent(limits, values)
    shards = {Layer(layer): (n, float(slowest)) for layer, n, slowest in rows.fetch(SHARDS, values)}
    dearest = _dearest(rows.fetch(DEAREST.format(summed=told.sums(only=rows.OF_BUDGETED)), values))
    new = told.sums(only=NEW_ONES)
    growth = _growth(rows.fetch(GROWTH.format(summed=new), values))
    return tuple(
        _story(layer, limits[layer], spent[layer], shards, dearest.get(layer, []), growth, window)
        for layer in sorted(limits)
    )


def _dearest(found: Sequence[Sequence[Any]]) -> dict[Layer, list[TimedTest]]:
    dearest: dict[Layer, list[TimedTest]] = {}
    for layer, *test, seconds in found:
        dearest.setdefault(Layer(layer), []).append(_named(test, seconds))
    return dearest


def _named(test: Sequence[Any], seconds: float) -> TimedTest:
    test_id, suite, classname, name, file = test
    return TimedTest(
        test_id, title_of(suite=suite, classname=classname, name=name, file=file), float(seconds or 0)
    )


def _growth(found: Sequence[Sequence[Any]]) -> dict[Layer, tuple[Growth, ...]]:
    """Gather what tests brought by the run they brought it with."""
    parts: dict[Layer, dict[int, list[Part]]] = {}
    for layer, run_number, is_new, *test, seconds in found:
        of_run = parts.setdefault(Layer(layer), {}).setdefault(run_number, [])
        of_run.append(Part(run_number, is_new, _named(test, seconds)))
    return {layer: _largest(list(map(_together, runs.values()))) for layer, runs in parts.items()}


def _together(parts: Sequence[Part]) -> Growth:
    return Growth(
        run_number=parts[0].run_number,
        seconds=sum(part.test.seconds for part in parts),
        n_new=sum(part.is_new for part in parts),
        n_slower=sum(not part.is_new and part.test.seconds > 0 for part in parts),
        n_faster=sum(not part.is_new and part.test.seconds < 0 for part in parts),
        tests=tuple(part.test for part in parts[:NAMES]),
    )


def _largest(found: Sequence[Growth]) -> tuple[Growth, ...]:
    return tuple(sorted(found, key=lambda growth: (-abs(growth.seconds), growth.run_number))[:GROWTHS])


def _story(
    layer: Layer,
    limit_s: float,
    spent: Sequence[tuple[date, float]],
    shards: Mapping[Layer, tuple[int, float]],
    dearest: Sequence[TimedTest],
    growth: Mapping[Layer, tuple[Growth, ...]],
    window: Window,
) -> BudgetStory:
    today = window.until
    earlier = [run for run in spent if run[0] < window.since]
    run_s = _now(spent) if spent else None
    n_shards, shard_s = shards.get(layer, (0, None))
    wanted_s = sums.too_much(run_s, limit_s) if run_s is not None else 0.0
    points = sums.weekly(spent, until=today)
    return BudgetStory(
        layer=layer,
        limit_s=limit_s,
        run_s=run_s,
        run_s_before=_now(earlier) if earlier and window.compare else None,
        shard_s=shard_s,
        n_shards=n_shards,
        weeks=tuple((today + timedelta(weeks=week), seconds) for week, seconds in points),
        forecast=sums.forecast(spent, run_s=run_s, limit_s=limit_s, until=today)
        if run_s is not None
        else None,
        to_move=tuple(dearest[: sums.fewest([test.seconds for test in dearest], wanted_s)]),
        growth=growth.get(layer, ()),
    )
