"""What unreliable tests cost: the runs they broke, the machines' time, waiting, and the time of people.

A failure counts with the P(flaky) that the engine keeps with it, so a run that a real failure broke costs next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.answers.of_flakes import FlakeCost
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project

RERUN_SHARE = (
    0.5  # of a broken run's test time is spent again where no second run is known: the failed jobs, not all
)
BROKEN_P = 0.5  # from here on flakes broke the run rather than anything else
LONGEST_WAIT_S = 4 * 3600.0  # whoever waits longer has gone home
DEVELOPER_MINUTES = 10  # that a broken run takes from whoever looks at it; a project may set its own

# A run is broken by flakes with the probability that each test that failed in it to the end did so as a flake; in a run that
# was tried again, that is each test that failed at all. Its costs are shared by P(flaky). `is_now` tells the window from the
# one before it.
COSTS = """
WITH failed AS (
    SELECT f.run_number, f.test_id, f.day >= %(turn)s AS is_now, bool_or(f.is_final) OR u.n_attempts > 1 AS ends_badly,
        coalesce(max(f.p_flaky), 0) AS p, coalesce(sum(f.seconds) FILTER (WHERE NOT f.is_final), 0) AS retried_s
    FROM projects_failure f
    JOIN projects_run u ON u.project_id = f.project_id AND u.number = f.run_number
    WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(until)s AND NOT f.in_incident AND NOT u.is_incident
        AND {runs}
    GROUP BY f.run_number, f.test_id, f.day, u.n_attempts
), broken AS (
    SELECT run_number, exp(sum(ln(greatest(p, 1e-9)))) AS p, sum(p) AS mass FROM failed WHERE ends_badly
    GROUP BY run_number HAVING min(p) > 0.01
), dear AS (
    SELECT b.run_number, b.p, b.mass,
        coalesce(CASE WHEN u.n_attempts > 1 THEN u.seconds * tried.n_tests / greatest(u.n_tests, 1) ELSE again.seconds END,
            u.seconds * %(share)s) AS again_s,
        least(%(longest_s)s, greatest(0, coalesce(extract(epoch FROM coalesce(tried.at, again.at) - u.started_at)::float8, 0)))
            AS waited_s
    FROM broken b JOIN projects_run u ON u.project_id = %(project_id)s AND u.number = b.run_number
    LEFT JOIN LATERAL (
        SELECT w.seconds, w.started_at AS at FROM projects_run w
        WHERE u.n_attempts = 1 AND u.commit <> '' AND w.project_id = u.project_id AND w.commit = u.commit AND w.branch = u.branch
            AND w.started_at > u.started_at AND w.n_failed + w.n_error = 0
        ORDER BY w.started_at, w.number LIMIT 1
    ) again ON true
    LEFT JOIN LATERAL (
        SELECT sum(a.n_tests)::float8 AS n_tests, min(a.received_at) AS at
        FROM projects_upload a
        WHERE u.n_attempts > 1 AND a.project_id = u.project_id AND a.run_number = u.number AND a.attempt > 1
    ) tried ON true
)
SELECT f.test_id, f.is_now, count(*) FILTER (WHERE d.p >= %(broken_p)s)::int, coalesce(sum(f.p / d.mass * d.p), 0)::float8,
    (sum(f.retried_s * f.p) + coalesce(sum(f.p / d.mass * d.p * d.again_s), 0))::float8,
    coalesce(sum(f.p / d.mass * d.p * d.waited_s), 0)::float8,
    coalesce((SELECT developer_minutes FROM projects_mutingpolicy WHERE project_id = %(project_id)s), %(minutes)s)
FROM failed f LEFT JOIN dear d ON d.run_number = f.run_number AND f.ends_badly
GROUP BY f.test_id, f.is_now
UNION ALL
SELECT NULL, n.is_now, count(*) FILTER (WHERE b.p >= %(broken_p)s)::int, 0, 0, 0, 0
FROM broken b JOIN (SELECT DISTINCT run_number, is_now FROM failed) n USING (run_number) GROUP BY n.is_now
"""


@dataclass(frozen=True, slots=True)
class Costs:
    """What tests that lie cost a window, and the one before it."""

    of_tests: dict[int, FlakeCost]
    of_tests_before: dict[int, FlakeCost]
    total: FlakeCost
    total_before: FlakeCost


def costs(project: Project, window: Window, *, with_before: bool = False) -> Costs:
    """What did each test that lies cost in the window, and all of them? `with_before` asks it of the window before, too."""
    asked = replace(window, since=window.previous.since) if with_before else window
    values = rows.values_of(
        project,
        asked,
        turn=window.since,
        share=RERUN_SHARE,
        longest_s=LONGEST_WAIT_S,
        broken_p=BROKEN_P,
        minutes=DEVELOPER_MINUTES,
    )
    of_tests: dict[bool, dict[int, FlakeCost]] = {True: {}, False: {}}
    runs = {True: 0, False: 0}
    sums = {True: FlakeCost(0, 0.0), False: FlakeCost(0, 0.0)}
    for test_id, is_now, n_broken, n_blocked, lost_s, waited_s, minutes in rows.fetch(
        _statement(window), values
    ):
        if test_id is None:
            runs[is_now] = n_broken
            continue
        one = FlakeCost(n_broken, lost_s, waited_s, n_blocked * minutes * 60.0)
        sums[is_now] = _added(sums[is_now], one)
        of_tests[is_now][test_id] = one
    return Costs(
        of_tests[True],
        of_tests[False],
        replace(sums[True], n_runs_broken=runs[True]),
        replace(sums[False], n_runs_broken=runs[False]),
    )


def _statement(window: Window) -> str:
    return COSTS.format(runs=rows.RUNS[rows.kind_of(window)])


def _added(one: FlakeCost, other: FlakeCost) -> FlakeCost:
    return FlakeCost(
        0,
        one.seconds_lost + other.seconds_lost,
        one.waited_s + other.waited_s,
        one.developer_s + other.developer_s,
    )
