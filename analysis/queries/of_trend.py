"""How the suite grew, week by week, and how large it is now: both of one look at the tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from analysis.answers.of_suite import Suite, TrendWeek
from analysis.queries import of_suite, rows
from analysis.queries.summed import Told
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import Layer

WEEKS = 12

# Each test has a bit for every week in which it is alive on the default branch, and one each for the window and the one before
# it; the bits of a test's environments are put together. Tests without environments are counted by their days first.
BITS = """(
        CASE WHEN last_main_on >= %(first)s AND first_main_on <= %(last)s
            THEN ((1::bigint << least((last_main_on - %(first)s) / 7 + 1, %(n_weeks)s)) - 1)
                & ~((1::bigint << greatest((first_main_on - %(first)s) / 7, 0)) - 1)
            ELSE 0 END
        | CASE WHEN {last} >= %(since)s AND {first} <= %(until)s THEN 1::bigint << %(n_weeks)s ELSE 0 END
        | CASE WHEN {last} >= %(before_since)s AND {first} <= %(before_until)s THEN 1::bigint << %(n_weeks)s + 1 ELSE 0 END)"""
LIVED = """project_id = %(project_id)s AND {last} >= least(%(first)s, %(before_since)s)
        AND {first} <= greatest(%(last)s, %(until)s)"""
TREND = f"""
SELECT 'tests', mask, layer, sum(n)::float8 FROM (
    SELECT layer, {BITS} AS mask, n FROM (
        SELECT layer, {{days}}, count(*) AS n FROM projects_test
        WHERE {LIVED} AND variant = '' AND (project_id, base) NOT IN {of_suite.IN_ENVIRONMENTS}
        GROUP BY layer, {{days}}
    ) days
    UNION ALL
    SELECT layer, bit_or({BITS}), 1 FROM projects_test
    WHERE {LIVED} AND (project_id, base) IN {of_suite.IN_ENVIRONMENTS} GROUP BY layer, base
) alive GROUP BY mask, layer
UNION ALL
SELECT 'seconds', (day - %(first)s) / 7, layer, sum(seconds) FROM projects_layerday
WHERE project_id = %(project_id)s AND on_default AND day BETWEEN %(first)s AND %(last)s GROUP BY 2, layer
UNION ALL
SELECT 'incomplete', (u.day - %(first)s) / 7, l.layer, sum(l.seconds) FROM projects_run u
JOIN projects_runlayer l ON l.project_id = u.project_id AND l.run_number = u.number
WHERE u.project_id = %(project_id)s AND u.is_default_branch AND u.is_incomplete AND u.day BETWEEN %(first)s AND %(last)s
GROUP BY 2, l.layer
UNION ALL
SELECT 'runs', (day - %(first)s) / 7, 0, count(*) FROM projects_run
WHERE project_id = %(project_id)s AND is_default_branch AND NOT is_incomplete AND day BETWEEN %(first)s AND %(last)s GROUP BY 2
"""


@dataclass(frozen=True, slots=True)
class Alive:
    """How many tests of a layer have the same bits: those of the weeks, then the window's and that of the one before it."""

    layer: Layer
    mask: int
    n: int


def trend(project: Project, window: Window, n_weeks: int = WEEKS) -> tuple[TrendWeek, ...]:
    """How did the suite grow, week by week, on the default branch?"""
    _, found = _look(project, window, n_weeks)
    return found


def suites_and_trend(
    project: Project, window: Window, n_weeks: int = WEEKS, *, told: Told | None = None
) -> tuple[Suite, Suite, tuple[TrendWeek, ...]]:
    """How large is the suite, in the window and in the one before it, and how did it grow, week by week?

    `told` is how to know what tests came to, where the caller has asked.
    """
    alive, weeks = _look(project, window, n_weeks)
    if rows.kind_of(window) == "branch":  # tests of another branch are those of its runs
        return (*of_suite.suites(project, window, told=told), weeks)
    known = {
        (is_now, layer): sum(one.n for one in alive if one.layer is layer and one.mask >> bit & 1)
        for is_now, bit in ((True, n_weeks), (False, n_weeks + 1))
        for layer in Layer
    }
    return (*of_suite.suites(project, window, known=known), weeks)


def _look(project: Project, window: Window, n_weeks: int) -> tuple[Sequence[Alive], tuple[TrendWeek, ...]]:
    mondays = rows.mondays(window.until, n_weeks)
    of = "seen" if window.is_all_branches else "main"
    last = mondays[-1] + timedelta(days=6)
    values = rows.values_of(project, window, first=mondays[0], last=last, n_weeks=n_weeks, ids=[project.pk])
    days = "first_main_on, last_main_on" + ", first_seen_on, last_seen_on" * window.is_all_branches
    statement = TREND.format(first=f"first_{of}_on", last=f"last_{of}_on", days=days)
    alive: list[Alive] = []
    amounts: dict[tuple[str, int], dict[Layer, float]] = {}
    for kind, place, layer, amount in rows.fetch(statement, values):
        if kind == "tests":
            alive.append(Alive(Layer(layer), place, int(amount)))
        else:
            amounts.setdefault((kind, place), {})[Layer(layer)] = float(amount)
    return alive, tuple(_week(week, monday, alive, amounts) for week, monday in enumerate(mondays))


def _week(
    week: int,
    monday: date,
    alive: Sequence[Alive],
    amounts: Mapping[tuple[str, int], Mapping[Layer, float]],
) -> TrendWeek:
    counts: dict[Layer, int] = {}
    for one in alive:
        if one.mask >> week & 1:
            counts[one.layer] = counts.get(one.layer, 0) + one.n
    incomplete = amounts.get(("incomplete", week), {})
    spent = amounts.get(("seconds", week), {})
    seconds = {layer: max(0.0, s - incomplete.get(layer, 0.0)) for layer, s in spent.items()}
    n_runs = sum(amounts.get(("runs", week), {}).values())
    return TrendWeek(monday, counts, seconds, int(n_runs))
