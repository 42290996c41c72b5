"""Questions about unreliable tests: which lie, since when, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from analysis.answers import FlakeRow, FlakeTotals, FlakeWeek, Page
from analysis.queries import of_causes, rows
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import Boundary, FlakeStatus

RERUN_SHARE = 0.5  # of a broken run's test time is spent again: the failed jobs, not all of them
UNWELL = (FlakeStatus.FLAKY, FlakeStatus.ENVIRONMENT_SPECIFIC)  # a suspicion is asked for by name

SORTS = {
    "name": "lower(t.name)",
    "layer": "t.layer",
    "since": "f.since_on",
    "runs": "n_broken",
    "rate": "f.rate",
    "cost": "lost",
}

# A run is broken by flakes when each test that failed in it to the end is an unreliable one. Its cost, half of its test time
# for running the failed jobs again, is shared by those tests; retries cost what they took.
COSTS = """
WITH failed AS (
    SELECT f.test_id, f.run_number, f.is_final, f.seconds, t.flake_status IN (1, 2, 4, 5, 6) AS is_flaky
    FROM projects_failure f
    JOIN projects_run u ON u.project_id = f.project_id AND u.number = f.run_number
    JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
    WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(until)s AND NOT f.in_incident AND NOT u.is_incident
        AND {runs}
), broken AS (
    SELECT run_number, count(DISTINCT test_id) AS n FROM failed WHERE is_final GROUP BY run_number HAVING bool_and(is_flaky)
), costs AS (
    SELECT x.test_id, count(DISTINCT b.run_number) AS n_broken,
        coalesce(sum(u.seconds * %(rerun_share)s / b.n) FILTER (WHERE x.is_final), 0)
            + coalesce(sum(x.seconds) FILTER (WHERE NOT x.is_final), 0) AS lost
    FROM failed x
    LEFT JOIN broken b ON b.run_number = x.run_number AND x.is_final
    LEFT JOIN projects_run u ON u.project_id = %(project_id)s AND u.number = b.run_number
    WHERE x.is_flaky GROUP BY x.test_id
)
"""

FLAKES = """
{costs}, days AS ({days}), s AS ({summed})
SELECT {test}, {sums}, f.status, f.sentence, f.since_on, coalesce(c.n_broken, 0) AS n_broken, f.n_flakes, f.rate, f.rate_low,
    f.rate_high, coalesce(c.lost, 0) AS lost, f.proof_runs, coalesce(g.boundary, 0), coalesce(g.title, ''), count(*) OVER ()
FROM projects_flake f
JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
LEFT JOIN s ON s.test_id = t.id
LEFT JOIN costs c ON c.test_id = t.id
LEFT JOIN LATERAL (
    SELECT g.boundary, g.title FROM projects_failure x
    JOIN projects_signature g ON g.project_id = x.project_id AND g.digest = x.signature
    WHERE x.project_id = f.project_id AND x.test_id = f.test_id AND NOT x.in_incident
    GROUP BY g.digest, g.boundary, g.title ORDER BY count(*) DESC, max(x.run_number) DESC LIMIT 1
) g ON true
WHERE f.project_id = %(project_id)s AND f.status = ANY(%(wanted)s) AND {filters}
ORDER BY {order}, n_broken DESC, t.id LIMIT %(size)s OFFSET %(offset)s
"""

TOTALS = """
{costs}
SELECT (SELECT count(*) FROM projects_flake f JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
            WHERE f.project_id = %(project_id)s AND f.status = 2 AND f.last_on >= %(since)s),
    (SELECT count(*) FROM broken), coalesce((SELECT sum(lost) FROM costs), 0),
    (SELECT count(DISTINCT test_id) FROM projects_flake
        WHERE project_id = %(project_id)s AND status = 2 AND since_on BETWEEN %(since)s AND %(until)s),
    (SELECT count(DISTINCT test_id) FROM projects_flakeevent
        WHERE project_id = %(project_id)s AND after = 4 AND at >= %(since)s AND at < %(after)s),
    (SELECT count(*) FROM projects_flake WHERE project_id = %(project_id)s AND status = 1),
    (SELECT count(*) FROM projects_flake WHERE project_id = %(project_id)s AND status = 3)
"""

PROVEN_WEEKS = """
SELECT p.test_id, array_agg(DISTINCT date_trunc('week', p.day)::date), min(f.since_on),
    max(f.last_on) FILTER (WHERE f.status = 4)
FROM projects_flakeproof p JOIN projects_flake f ON f.project_id = p.project_id AND f.test_id = p.test_id
WHERE p.project_id = %(project_id)s AND p.day BETWEEN %(first)s AND %(last)s AND NOT p.in_incident AND f.status IN (2, 4, 5)
GROUP BY p.test_id
"""


def flakes(project: Project, window: Window) -> Page[FlakeRow]:
    """Which tests lie, and what did they cost in the window? The dearest first."""
    condition, more = rows.filters(replace(window, statuses=(), outcomes=()))
    statement = FLAKES.format(
        costs=_costs(window),
        days=rows.DAYS[rows.kind_of(window)],
        summed=rows.SUMMED,
        test=rows.TEST_COLUMNS,
        sums=rows.SUM_COLUMNS,
        filters=condition,
        order=rows.order(window.sort, SORTS, default="-cost"),
    )
    values = _values(project, window, size=window.size, offset=(window.page - 1) * window.size, **more)
    found = rows.fetch(statement, values)
    tests = rows.dressed(project, window, [rows.test_row(row) for row in found])
    hints = of_causes.causes(project, [test.id for test in tests], until=window.until)
    page = tuple(
        replace(_flake_row(row, test), cause=hints.get(test.id))
        for row, test in zip(found, tests, strict=True)
    )
    return Page(page, found[0][-1] if found else 0, window.page, window.size)


def _costs(window: Window) -> str:
    return COSTS.format(runs=rows.RUNS[rows.kind_of(window)])


def _values(project: Project, window: Window, **more: Any) -> dict[str, Any]:
    return rows.values_of(
        project,
        window,
        rerun_share=RERUN_SHARE,
        after=window.until + timedelta(days=1),
        wanted=[int(status) for status in window.statuses or UNWELL],
        **more,
    )


def _flake_row(row: Sequence[Any], test: Any) -> FlakeRow:
    status, sentence, since_on, n_broken, n_flakes, rate, low, high, lost, runs, boundary, reason = row[17:29]
    return FlakeRow(
        test=test,
        status=FlakeStatus(status),
        sentence=sentence,
        since_on=since_on,
        n_runs_broken=n_broken,
        n_flakes=n_flakes,
        rate=rate,
        rate_low=low,
        rate_high=high,
        seconds_lost=float(lost),
        proof_runs=tuple(runs),
        boundary=Boundary(boundary),
        reason=reason,
    )


def flake_totals(project: Project, window: Window) -> FlakeTotals:
    """How many tests lie, how many runs did they break, and what did that cost?"""
    found = rows.fetch(TOTALS.format(costs=_costs(window)), _values(project, window))[0]
    n_tests, n_broken, lost, n_new, n_fixed, n_suspected, n_failing = found
    return FlakeTotals(n_tests, n_broken, float(lost), n_new, n_fixed, n_suspected, n_failing)


def flake_weeks(project: Project, window: Window, n_weeks: int = 12) -> tuple[FlakeWeek, ...]:
    """How many tests flaked each week: for the first time, again, or for the last time?"""
    mondays = rows.mondays(window.until, n_weeks)
    values = {"project_id": project.pk, "first": mondays[0], "last": mondays[-1] + timedelta(days=6)}
    new, still, fixed = dict.fromkeys(mondays, 0), dict.fromkeys(mondays, 0), dict.fromkeys(mondays, 0)
    for _, weeks, since_on, fixed_after in rows.fetch(PROVEN_WEEKS, values):
        for monday in weeks:
            counts = new if _is_in_week(since_on, monday) else still
            counts[monday] += 1
        if (
            fixed_after is not None
            and (monday := fixed_after - timedelta(days=fixed_after.weekday())) in fixed
        ):
            fixed[monday] += 1
    return tuple(FlakeWeek(monday, new[monday], still[monday], fixed[monday]) for monday in mondays)


def _is_in_week(day: date | None, monday: date) -> bool:
    return day is not None and monday <= day < monday + timedelta(days=7)
