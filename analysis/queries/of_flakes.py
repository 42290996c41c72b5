"""Questions about unreliable tests: which lie, since when, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from analysis.answers.of_flakes import FlakeCost, FlakeRow, FlakeTotals, FlakeWeek
from analysis.answers.rows import NamedTest, Page, TestRow
from analysis.causes import RECIPES, CauseHint
from analysis.queries import of_causes, rows, summed
from analysis.queries.of_costs import Costs, costs
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Boundary, Cause, FlakeStatus

SORTS = {
    "name": "lower(t.name)",
    "layer": "t.layer",
    "since": "f.since_on",
    "runs": "coalesce(c.n_broken, 0)",
    "rate": "f.rate",
    "cost": "coalesce(c.lost + c.developer, 0)",
    "people": "coalesce(c.developer, 0)",
}

# What tests cost comes as arrays, since the totals are made of the same numbers. Sums are looked up for the shown alone.
FLAKES = """
WITH c AS (
    SELECT * FROM unnest(%(cost_ids)s::int[], %(n_broken)s::int[], %(lost)s::float8[], %(developer)s::float8[])
        AS c (test_id, n_broken, lost, developer)
), found AS (
    SELECT {test}, f.status, f.sentence, f.since_on, f.n_flakes, f.rate, f.rate_low, f.rate_high, f.proof_runs, q.until_on,
        f.owner AS carer, f.cluster, f.few_runs, f.only_here, f.cause, f.cause_evidence,
        row_number() OVER (PARTITION BY coalesce(f.cluster, -t.id) ORDER BY {order}, c.n_broken DESC NULLS LAST, t.id) AS place,
        row_number() OVER (ORDER BY {order}, c.n_broken DESC NULLS LAST, t.id) AS rank
    FROM projects_flake f
    JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
    LEFT JOIN c ON c.test_id = t.id
    LEFT JOIN projects_quarantine q ON q.project_id = f.project_id AND q.test_id = f.test_id AND q.ended_at IS NULL
        AND q.until_on >= %(today)s
    WHERE f.project_id = %(project_id)s AND {wanted} AND {filters}
), shown AS MATERIALIZED (
    SELECT *, count(*) OVER () AS n_all FROM found WHERE NOT %(is_joined)s OR place = 1
    ORDER BY rank LIMIT %(size)s OFFSET %(offset)s
), s AS MATERIALIZED ({sums_of_shown})
SELECT {columns}, {sums}, x.status, x.sentence, x.since_on, x.n_flakes, x.rate, x.rate_low, x.rate_high, x.proof_runs, x.until_on,
    x.carer, x.cluster, x.few_runs, x.only_here, x.cause, x.cause_evidence, x.n_all, {of_page}
FROM shown x LEFT JOIN s ON s.test_id = x.id {reasons}
ORDER BY x.rank
"""
OF_PAGE = """coalesce(g.boundary, 0), coalesce(g.title, ''),
    ARRAY(SELECT json_build_array(t.id, t.suite, t.classname, t.name, t.file)::text FROM projects_flake o
        JOIN projects_test t ON t.project_id = o.project_id AND t.id = o.test_id
        WHERE o.project_id = %(project_id)s AND o.cluster = x.cluster AND o.test_id <> x.id ORDER BY t.id)"""
NOT_OF_PAGE = "0, '', ARRAY[]::text[]"
REASONS = """
LEFT JOIN LATERAL (
    SELECT g.boundary, g.title FROM (
        SELECT signature, count(*) AS n, max(run_number) AS newest FROM (
            SELECT x2.signature, x2.run_number FROM projects_failure x2
            WHERE x2.project_id = %(project_id)s AND x2.test_id = x.id AND NOT x2.in_incident
            ORDER BY x2.run_number DESC LIMIT %(n_failures)s
        ) newest GROUP BY signature ORDER BY n DESC, newest DESC LIMIT 1
    ) top JOIN projects_signature g ON g.project_id = %(project_id)s AND g.digest = top.signature
) g ON true"""

# Without a status asked for, the list is of those that the overview counts: who flaked in the window.
# A proof knows the day and the branch of its run; only another branch has to be looked up.
PROVEN = {
    "default": "p.on_default AND p.day BETWEEN %(since)s AND %(until)s",
    "all": "p.day BETWEEN %(since)s AND %(until)s",
    "branch": "EXISTS (SELECT FROM projects_run u WHERE u.project_id = p.project_id AND u.number = p.run_number"
    f" AND {rows.RUNS['branch']})",
}
WANTED = "EXISTS (SELECT FROM projects_flakeproof p WHERE p.test_id = t.id AND {flaked} AND {proven})"

TOTALS = """
SELECT (SELECT count(*) FROM projects_test t WHERE t.project_id = %(project_id)s AND t.flake_status IN (2, 4, 5, 6)
            AND {wanted}),
    (SELECT count(*) FROM projects_flake f
        WHERE f.project_id = %(project_id)s AND f.status IN (2, 6) AND f.since_on BETWEEN %(since)s AND %(until)s
            AND NOT EXISTS (SELECT FROM projects_flakeevent e WHERE e.project_id = f.project_id AND e.test_id = f.test_id
                AND e.before = 4 AND e.after = 2 AND e.at >= %(since)s AND e.at < %(after)s)),
    (SELECT count(DISTINCT test_id) FROM projects_flakeevent
        WHERE project_id = %(project_id)s AND after = 4 AND at >= %(since)s AND at < %(after)s),
    (SELECT count(*) FROM projects_flake WHERE project_id = %(project_id)s AND status = 1),
    (SELECT count(*) FROM projects_flake WHERE project_id = %(project_id)s AND status = 3),
    (SELECT count(DISTINCT test_id) FROM projects_flakeevent
        WHERE project_id = %(project_id)s AND before = 4 AND after = 2 AND at >= %(since)s AND at < %(after)s)
"""

PROVEN_WEEKS = """
SELECT p.test_id, array_agg(DISTINCT date_trunc('week', p.day)::date), min(f.since_on),
    max(f.last_on) FILTER (WHERE f.status = 4)
FROM projects_flakeproof p JOIN projects_flake f ON f.project_id = p.project_id AND f.test_id = p.test_id
WHERE p.project_id = %(project_id)s AND p.day BETWEEN %(first)s AND %(last)s AND NOT p.in_incident AND f.status IN (2, 4, 5, 6)
GROUP BY p.test_id
"""


def flakes(
    project: Project,
    window: Window,
    *,
    is_joined: bool = False,
    is_dressed: bool = True,
    spent: Costs | None = None,
    told: summed.Told | None = None,
) -> Page[FlakeRow]:
    """Which tests lie, and what did they cost in the window? The dearest first; tests that flake together as one if joined.

    Undressed rows lack what only a page shows: percentiles, strips, causes, the reason, and the tests beside; so a letter may
    ask for all there are. `spent` are the costs, where known.
    """
    spent = spent or costs(project, window)
    told = told or summed.of_few(project, window)
    values = _list_values(project, window, spent, is_joined=is_joined) | told.values()
    found = rows.fetch(_statement(window, told, is_dressed=is_dressed), values)
    plain = [rows.test_row(row) for row in found]
    tests = rows.dressed(project, window, plain) if is_dressed else tuple(plain)
    page = tuple(
        replace(
            _flake_row(row, test, spent.of_tests.get(test.id, NOTHING)),
            cause=_hint(row) if is_dressed else None,
            beside=tuple(map(_named, row[BESIDE])),
        )
        for row, test in zip(found, tests, strict=True)
    )
    return Page(page, found[0][N_ALL] if found else 0, window.page, window.size)


CAUSE, N_ALL, BESIDE = 30, 32, 35  # places of columns in FLAKES
NOTHING = FlakeCost(0, 0.0)


def _statement(window: Window, told: summed.Told, *, is_dressed: bool) -> str:
    condition, _ = rows.filters(replace(window, statuses=(), outcomes=()))
    return FLAKES.format(
        sums_of_shown=told.sums(only="SELECT id FROM shown"),
        test=rows.TEST_COLUMNS,
        columns=rows.TEST_COLUMNS.replace("t.", "x."),
        sums=rows.SUM_COLUMNS,
        wanted="f.status = ANY(%(wanted)s)" if window.statuses else _flaked(window),
        filters=condition,
        order=rows.order(window.sort, SORTS, default="-cost"),
        of_page=OF_PAGE if is_dressed else NOT_OF_PAGE,
        reasons=REASONS if is_dressed else "",
    )


def _list_values(project: Project, window: Window, spent: Costs, *, is_joined: bool) -> dict[str, Any]:
    _, more = rows.filters(replace(window, statuses=(), outcomes=()))
    return _values(
        project,
        window,
        size=window.size,
        offset=(window.page - 1) * window.size,
        is_joined=is_joined,
        n_failures=of_causes.FAILURES_READ,
        cost_ids=list(spent.of_tests),
        n_broken=[one.n_runs_broken for one in spent.of_tests.values()],
        lost=[one.seconds_lost for one in spent.of_tests.values()],
        developer=[one.developer_s for one in spent.of_tests.values()],
        **more,
    )


def _hint(row: Sequence[Any]) -> CauseHint | None:
    """Return the likely cause as analysis.hints kept it; None where it was not looked for yet."""
    if row[CAUSE] is None:
        return None
    found = Cause(row[CAUSE])
    return CauseHint(found, row[CAUSE + 1], RECIPES[found], "")


def _flaked(window: Window) -> str:
    return WANTED.format(flaked=rows.FLAKED, proven=PROVEN[rows.kind_of(window)])


def _named(told: str) -> NamedTest:
    test_id, suite, classname, name, file = json.loads(told)
    return NamedTest(test_id, title_of(suite=suite, classname=classname, name=name, file=file))


def _values(project: Project, window: Window, **more: Any) -> dict[str, Any]:
    return rows.values_of(
        project,
        window,
        after=window.until + timedelta(days=1),
        wanted=[int(status) for status in window.statuses],
        today=window.today,
        **more,
    )


def _flake_row(row: Sequence[Any], test: TestRow, spent: FlakeCost) -> FlakeRow:
    status, sentence, since_on, n_flakes, rate, low, high, runs, muted_until, carer = row[17:27]
    few_runs, only_here = row[28:30]
    boundary, reason = row[33:35]
    return FlakeRow(
        test=test,
        status=FlakeStatus(status),
        sentence=sentence,
        since_on=since_on,
        n_runs_broken=spent.n_runs_broken,
        n_flakes=n_flakes,
        rate=rate,
        rate_low=low,
        rate_high=high,
        seconds_lost=spent.seconds_lost,
        waited_s=spent.waited_s,
        developer_s=spent.developer_s,
        proof_runs=tuple(runs),
        boundary=Boundary(boundary),
        reason=reason,
        owner=carer or test.owner,
        muted_until=muted_until,
        few_runs=few_runs,
        only_here=only_here,
    )


def flake_totals(project: Project, window: Window, *, spent: Costs | None = None) -> FlakeTotals:
    """How many tests lie, how many runs did they break, and what did that cost, beside the window before?"""
    spent = spent or costs(project, window, with_before=True)
    found = rows.fetch(TOTALS.format(wanted=_flaked(window)), _values(project, window))[0]
    n_tests, n_new, n_fixed, n_suspected, n_failing, n_relapsed = found
    return FlakeTotals(
        n_tests=n_tests,
        n_runs_broken=spent.total.n_runs_broken,
        seconds_lost=spent.total.seconds_lost,
        n_new=n_new,
        n_fixed=n_fixed,
        n_suspected=n_suspected,
        n_broken=n_failing,
        n_relapsed=n_relapsed,
        waited_s=spent.total.waited_s,
        developer_s=spent.total.developer_s,
        before=spent.total_before,
    )


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
