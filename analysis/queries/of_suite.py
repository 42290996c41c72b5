"""Questions about the whole suite: how large, which shape, where it goes, what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from analysis.answers import Change, LayerAmount, ProjectRow, Seen, TestRow, Totals, TrendWeek
from analysis.queries import rows
from analysis.window import Window, read
from projects.models import Project
from projects.vocabulary import Layer

VANISHED_DAYS = 14  # a test unseen for so long has left the suite
SLOWER_RATIO = 1.5
SLOWER_SECONDS = 0.1
SHOWN = 3  # tests named for each kind of change

SEEN = """
SELECT (SELECT count(*) FROM projects_upload WHERE project_id = %(project_id)s),
    (SELECT count(*) FROM projects_upload WHERE project_id = %(project_id)s AND state = 4),
    (SELECT count(*) FROM projects_run WHERE project_id = %(project_id)s),
    (SELECT max(started_at) FROM projects_run WHERE project_id = %(project_id)s),
    (SELECT max(u.started_at) FROM projects_run u WHERE {runs}),
    coalesce((SELECT sentence FROM projects_problem WHERE project_id = %(project_id)s AND level = 2 ORDER BY at DESC LIMIT 1), '')
"""

# A test counts once, whatever number of environments it runs in.
AMOUNTS = {
    "default": """
    SELECT layer, count(DISTINCT base) FROM projects_test
    WHERE project_id = %(project_id)s AND last_main_on >= %(since)s AND first_main_on <= %(until)s GROUP BY layer""",
    "all": """
    SELECT layer, count(DISTINCT base) FROM projects_test
    WHERE project_id = %(project_id)s AND last_seen_on >= %(since)s AND first_seen_on <= %(until)s GROUP BY layer""",
}
AMOUNTS["branch"] = f"""
    SELECT t.layer, count(DISTINCT t.base) FROM (SELECT DISTINCT test_id FROM ({rows.DAYS["branch"]}) days) d
    JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = d.test_id GROUP BY t.layer"""

LAYER_SUMS = {
    "default": """
    SELECT layer, sum(n_passed), sum(n_failed + n_error), sum(n_skipped), sum(seconds) FROM projects_layerday
    WHERE project_id = %(project_id)s AND on_default AND day BETWEEN %(since)s AND %(until)s GROUP BY layer""",
    "all": """
    SELECT layer, sum(n_passed), sum(n_failed + n_error), sum(n_skipped), sum(seconds) FROM projects_layerday
    WHERE project_id = %(project_id)s AND day BETWEEN %(since)s AND %(until)s GROUP BY layer""",
    "branch": f"""
    SELECT t.layer, sum(n_passed), sum(n_failed + n_error), sum(n_skipped), sum(seconds) FROM ({rows.DAYS["branch"]}) d
    JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = d.test_id GROUP BY t.layer""",
}

RUN_TIMES = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY u.seconds) FILTER (WHERE NOT u.is_truncated)
FROM projects_run u WHERE {runs}
"""

FLAKED = """
SELECT count(DISTINCT p.test_id) FROM projects_flakeproof p
JOIN projects_run u ON u.project_id = p.project_id AND u.number = p.run_number
JOIN projects_test t ON t.project_id = p.project_id AND t.id = p.test_id
WHERE p.project_id = %(project_id)s AND p.day BETWEEN %(since)s AND %(until)s AND NOT p.in_incident AND {runs}
    AND t.flake_status IN (2, 4, 5)
"""

TREND = """
SELECT w.monday, t.layer, count(DISTINCT t.base)
FROM unnest(%(mondays)s::date[]) AS w (monday)
JOIN projects_test t ON t.project_id = %(project_id)s AND t.last_main_on >= w.monday AND t.first_main_on < w.monday + 7
GROUP BY w.monday, t.layer
"""
TREND_SECONDS = """
SELECT date_trunc('week', day)::date, layer, sum(seconds) FROM projects_layerday
WHERE project_id = %(project_id)s AND on_default AND day >= %(first)s AND day <= %(last)s GROUP BY 1, 2
"""
TREND_RUNS = """
SELECT date_trunc('week', day)::date, count(*) FROM projects_run
WHERE project_id = %(project_id)s AND is_default_branch AND day >= %(first)s AND day <= %(last)s GROUP BY 1
"""

NEW_FLAKES = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
WHERE t.project_id = %(project_id)s AND f.status = 2 AND f.since_on BETWEEN %(since)s AND %(until)s
ORDER BY f.n_flakes DESC, t.id LIMIT %(limit)s
"""
NEW_TESTS = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
WHERE t.project_id = %(project_id)s AND t.first_main_on BETWEEN %(since)s AND %(until)s
    AND EXISTS (SELECT FROM projects_test o WHERE o.project_id = t.project_id AND o.first_main_on < %(since)s)
ORDER BY t.layer DESC, t.first_main_on DESC, t.id LIMIT %(limit)s
"""
VANISHED = """
SELECT {test}, 0, 0, 0, 0, 0, count(*) OVER () FROM projects_test t
WHERE t.project_id = %(project_id)s AND t.last_main_on BETWEEN %(gone_since)s AND %(gone_until)s
ORDER BY t.last_main_on DESC, t.id LIMIT %(limit)s
"""
SLOWER = """
WITH days AS ({days}), s AS ({summed}), before_days AS ({before}),
before AS (SELECT test_id, sum(seconds) AS seconds, sum(n_passed + n_failed + n_error) AS n FROM before_days GROUP BY test_id)
SELECT {test}, {sums}, count(*) OVER () FROM s JOIN before b USING (test_id)
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
WHERE s.n_results - s.n_skipped >= 3 AND b.n >= 3 AND b.seconds > 0
    AND s.seconds / (s.n_results - s.n_skipped) >= %(ratio)s * b.seconds / b.n
    AND s.seconds / (s.n_results - s.n_skipped) - b.seconds / b.n >= %(least)s
ORDER BY s.seconds - b.seconds / b.n * s.n_results DESC, t.id LIMIT %(limit)s
"""


def seen(project: Project, window: Window) -> Seen:
    """Which data is there at all, in this window or elsewhere?"""
    statement = SEEN.format(runs=_branch_only(window))
    return Seen(*rows.fetch(statement, rows.values_of(project, window))[0])


def _branch_only(window: Window) -> str:
    return rows.RUNS[rows.kind_of(window)].split(" AND u.day")[0]


def branches(project: Project, *, limit: int = 100) -> tuple[str, ...]:
    """Which branches have runs, the busiest first?"""
    statement = (
        "SELECT branch FROM projects_run WHERE project_id = %(project_id)s GROUP BY branch"
        " ORDER BY count(*) DESC, branch LIMIT %(limit)s"
    )
    return tuple(branch for (branch,) in rows.fetch(statement, {"project_id": project.pk, "limit": limit}))


def totals(project: Project, window: Window) -> Totals:
    """How many tests and runs were there, how many passed, how long is a run?"""
    kind = rows.kind_of(window)
    values = rows.values_of(project, window)
    amounts = {Layer(layer): n for layer, n in rows.fetch(AMOUNTS[kind], values)}
    sums = [
        row
        for row in rows.fetch(LAYER_SUMS[kind], values)
        if not window.layers or Layer(row[0]) in window.layers
    ]
    n_runs, p50 = rows.fetch(RUN_TIMES.format(runs=rows.RUNS[kind]), values)[0]
    wanted = window.layers or tuple(Layer)
    return Totals(
        n_tests=sum(amounts.get(layer, 0) for layer in wanted),
        n_runs=n_runs,
        n_passed=int(sum(row[1] for row in sums)),
        n_bad=int(sum(row[2] for row in sums)),
        n_skipped=int(sum(row[3] for row in sums)),
        run_seconds_p50=p50,
        n_flaky=rows.fetch(FLAKED.format(runs=rows.RUNS[kind]), values)[0][0],
        n_unknown=amounts.get(Layer.UNKNOWN, 0),
    )


def layer_amounts(project: Project, window: Window) -> tuple[LayerAmount, ...]:
    """How many tests does each layer have, and how much time does it take?"""
    kind = rows.kind_of(window)
    values = rows.values_of(project, window)
    counts = dict(rows.fetch(AMOUNTS[kind], values))
    seconds = {row[0]: row[4] for row in rows.fetch(LAYER_SUMS[kind], values)}
    return tuple(
        LayerAmount(layer, counts.get(layer, 0), float(seconds.get(layer, 0) or 0)) for layer in Layer
    )


def trend(project: Project, window: Window, n_weeks: int = 12) -> tuple[TrendWeek, ...]:
    """How did the suite grow, week by week, on the default branch?"""
    mondays = rows.mondays(window.until, n_weeks)
    values = {
        "project_id": project.pk,
        "mondays": mondays,
        "first": mondays[0],
        "last": mondays[-1] + timedelta(days=6),
    }
    counts: dict[date, dict[Layer, int]] = {monday: {} for monday in mondays}
    seconds: dict[date, dict[Layer, float]] = {monday: {} for monday in mondays}
    for monday, layer, n in rows.fetch(TREND, values):
        counts[monday][Layer(layer)] = n
    for monday, layer, spent in rows.fetch(TREND_SECONDS, values):
        seconds[monday][Layer(layer)] = float(spent)
    n_runs = dict(rows.fetch(TREND_RUNS, values))
    return tuple(
        TrendWeek(monday, counts[monday], seconds[monday], n_runs.get(monday, 0)) for monday in mondays
    )


def changes(project: Project, window: Window) -> tuple[Change, ...]:
    """What changed in the window that is worth a line?"""
    values = rows.values_of(
        project,
        window,
        limit=SHOWN,
        gone_since=window.since - timedelta(days=VANISHED_DAYS),
        gone_until=window.until - timedelta(days=VANISHED_DAYS),
        before_since=window.previous.since,
        before_until=window.previous.until,
        ratio=SLOWER_RATIO,
        least=SLOWER_SECONDS,
    )
    kind = rows.kind_of(window)
    before = rows.DAYS[kind].replace("%(since)s", "%(before_since)s").replace("%(until)s", "%(before_until)s")
    slower = SLOWER.format(
        days=rows.DAYS[kind], summed=rows.SUMMED, before=before, test=rows.TEST_COLUMNS, sums=rows.SUM_COLUMNS
    )
    asked = (
        ("new-flakes", NEW_FLAKES.format(test=rows.TEST_COLUMNS)),
        ("slower", slower),
        ("new-tests", NEW_TESTS.format(test=rows.TEST_COLUMNS)),
        ("vanished", VANISHED.format(test=rows.TEST_COLUMNS)),
    )
    found = ((name, rows.fetch(statement, values)) for name, statement in asked)
    return tuple(Change(name, got[0][-1], _test_rows(got)) for name, got in found if got)


def _test_rows(found: Sequence[Sequence[Any]]) -> tuple[TestRow, ...]:
    return tuple(rows.test_row(row) for row in found)


def projects(found: Sequence[Project], *, today: date) -> tuple[ProjectRow, ...]:
    """Which project needs its people? One row a project, over the last 30 days."""
    return tuple(_project(project, today) for project in found)


LAST_RUN = """
SELECT started_at, n_failed + n_error FROM projects_run WHERE project_id = %(project_id)s AND is_default_branch
ORDER BY started_at DESC, number DESC LIMIT 1
"""


def _project(project: Project, today: date) -> ProjectRow:
    window = read({}, today=today, default_branch=project.default_branch)
    summed = totals(project, window)
    last = rows.fetch(LAST_RUN, {"project_id": project.pk})
    at, n_bad = last[0] if last else (None, None)
    return ProjectRow(
        slug=project.slug,
        name=project.name,
        n_tests=summed.n_tests,
        n_flaky=summed.n_flaky,
        n_runs=summed.n_runs,
        last_run_at=at,
        last_n_bad=n_bad,
        layers=layer_amounts(project, window),
    )
