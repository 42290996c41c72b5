"""Questions about unreliable tests: which lie, since when, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from analysis.answers import FlakeCost, FlakeRow, FlakeTotals, FlakeWeek, NamedTest, Page
from analysis.queries import of_causes, rows
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Boundary, FlakeStatus

RERUN_SHARE = 0.5  # of a broken run's test time is spent again: the failed jobs, not all of them

SORTS = {
    "name": "lower(t.name)",
    "layer": "t.layer",
    "since": "f.since_on",
    "runs": "coalesce(c.n_broken, 0)",
    "rate": "f.rate",
    "cost": "coalesce(c.lost, 0)",
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
{costs}, days AS ({days}), s AS ({summed}), found AS (
    SELECT {test}, {sums}, f.status, f.sentence, f.since_on, coalesce(c.n_broken, 0) AS n_broken, f.n_flakes, f.rate,
        f.rate_low, f.rate_high, coalesce(c.lost, 0) AS lost, f.proof_runs, q.until_on, f.owner AS carer, f.cluster,
        row_number() OVER (PARTITION BY coalesce(f.cluster, -t.id) ORDER BY {order}, c.n_broken DESC, t.id) AS place,
        row_number() OVER (ORDER BY {order}, coalesce(c.n_broken, 0) DESC, t.id) AS rank
    FROM projects_flake f
    JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
    LEFT JOIN s ON s.test_id = t.id
    LEFT JOIN costs c ON c.test_id = t.id
    LEFT JOIN projects_quarantine q ON q.project_id = f.project_id AND q.test_id = f.test_id AND q.ended_at IS NULL
        AND q.until_on >= %(today)s
    WHERE f.project_id = %(project_id)s AND {wanted} AND {filters}
), shown AS (
    SELECT *, count(*) OVER () AS n_all FROM found WHERE NOT %(is_joined)s OR place = 1
    ORDER BY rank LIMIT %(size)s OFFSET %(offset)s
)
SELECT x.*, coalesce(g.boundary, 0), coalesce(g.title, '') FROM shown x
LEFT JOIN LATERAL (
    SELECT g.boundary, g.title FROM projects_failure x2
    JOIN projects_signature g ON g.project_id = x2.project_id AND g.digest = x2.signature
    WHERE x2.project_id = %(project_id)s AND x2.test_id = x.id AND NOT x2.in_incident
    GROUP BY g.digest, g.boundary, g.title ORDER BY count(*) DESC, max(x2.run_number) DESC LIMIT 1
) g ON true
ORDER BY x.rank
"""

# Without a status asked for, the list is of those that the overview counts: who flaked in the window.
WANTED = """EXISTS (SELECT FROM projects_flakeproof p
    JOIN projects_run u ON u.project_id = p.project_id AND u.number = p.run_number
    WHERE p.test_id = t.id AND {flaked} AND {runs})"""

MEMBERS = """
SELECT f.cluster, t.id, t.suite, t.classname, t.name, t.file FROM projects_flake f
JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
WHERE f.project_id = %(project_id)s AND f.cluster = ANY(%(clusters)s) ORDER BY f.cluster, t.id
"""

TOTALS = """
{costs}
SELECT (SELECT count(*) FROM projects_test t WHERE t.project_id = %(project_id)s AND t.flake_status IN (2, 4, 5, 6)
            AND {wanted}),
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


def flakes(
    project: Project, window: Window, *, is_joined: bool = False, is_dressed: bool = True
) -> Page[FlakeRow]:
    """Which tests lie, and what did they cost in the window? The dearest first; tests that flake together as one if joined.

    Undressed rows lack what only a page shows: percentiles, strips and likely causes.
    """
    condition, more = rows.filters(replace(window, statuses=(), outcomes=()))
    statement = FLAKES.format(
        costs=_costs(window),
        days=rows.DAYS[rows.kind_of(window)],
        summed=rows.SUMMED,
        test=rows.TEST_COLUMNS,
        sums=rows.SUM_COLUMNS,
        wanted="f.status = ANY(%(wanted)s)" if window.statuses else _flaked(window),
        filters=condition,
        order=rows.order(window.sort, SORTS, default="-cost"),
    )
    values = _values(
        project, window, size=window.size, offset=(window.page - 1) * window.size, is_joined=is_joined, **more
    )
    found = rows.fetch(statement, values)
    plain = [rows.test_row(row) for row in found]
    tests = rows.dressed(project, window, plain) if is_dressed else tuple(plain)
    hints = of_causes.causes(project, [row.id for row in plain], until=window.until) if is_dressed else {}
    members = _members(project, [row[29] for row in found if row[29] is not None])
    page = tuple(
        replace(
            _flake_row(row, test),
            cause=hints.get(test.id),
            beside=tuple(one for one in members.get(row[29], ()) if one.id != test.id),
        )
        for row, test in zip(found, tests, strict=True)
    )
    return Page(page, found[0][32] if found else 0, window.page, window.size)


def _flaked(window: Window) -> str:
    return WANTED.format(flaked=rows.FLAKED, runs=rows.RUNS[rows.kind_of(window)])


def _members(project: Project, clusters: Sequence[int]) -> dict[int, list[NamedTest]]:
    """Return the tests that flake together, by cluster."""
    members: dict[int, list[NamedTest]] = {}
    if clusters:
        for cluster, test_id, suite, classname, name, file in rows.fetch(
            MEMBERS, {"project_id": project.pk, "clusters": list(clusters)}
        ):
            title = title_of(suite=suite, classname=classname, name=name, file=file)
            members.setdefault(cluster, []).append(NamedTest(test_id, title))
    return members


def _costs(window: Window) -> str:
    return COSTS.format(runs=rows.RUNS[rows.kind_of(window)])


def _values(project: Project, window: Window, **more: Any) -> dict[str, Any]:
    return rows.values_of(
        project,
        window,
        rerun_share=RERUN_SHARE,
        after=window.until + timedelta(days=1),
        wanted=[int(status) for status in window.statuses],
        today=window.today,
        **more,
    )


def _flake_row(row: Sequence[Any], test: Any) -> FlakeRow:
    status, sentence, since_on, n_broken, n_flakes, rate, low, high, lost, runs, muted_until, carer = row[
        17:29
    ]
    boundary, reason = row[33:35]
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
        owner=carer or test.owner,
        muted_until=muted_until,
    )


def flake_costs(project: Project, window: Window) -> dict[int, FlakeCost]:
    """What did each test that lies cost in the window?"""
    statement = f"{_costs(window)} SELECT test_id, n_broken, lost FROM costs"
    found = rows.fetch(statement, _values(project, window))
    return {test_id: FlakeCost(n_broken, float(lost)) for test_id, n_broken, lost in found}


def flake_totals(project: Project, window: Window) -> FlakeTotals:
    """How many tests lie, how many runs did they break, and what did that cost?"""
    found = rows.fetch(TOTALS.format(costs=_costs(window), wanted=_flaked(window)), _values(project, window))[
        0
    ]
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
