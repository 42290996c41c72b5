"""Questions about the whole suite: how large, which shape, where it goes. What changed in it is of_changes' affair.

One statement answers for a window and the one before it, and for any number of projects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from analysis.answers.of_suite import Frame, ProjectCounts, ProjectRow, Seen, Suite, Totals, ViewRow
from analysis.answers.rows import LayerAmount
from analysis.queries import rows
from analysis.queries.summed import Told
from analysis.queries.summed import told as asked
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import Layer

SEEN = """
SELECT (SELECT count(*) FROM projects_upload WHERE project_id = %(project_id)s),
    (SELECT count(*) FROM projects_upload WHERE project_id = %(project_id)s AND state = 4),
    (SELECT count(*) FROM projects_run WHERE project_id = %(project_id)s),
    (SELECT max(started_at) FROM projects_run WHERE project_id = %(project_id)s),
    (SELECT max(u.started_at) FROM projects_run u WHERE {runs}),
    coalesce((SELECT sentence FROM projects_problem WHERE project_id = %(project_id)s AND level = 2 ORDER BY at DESC LIMIT 1), '')
"""

FRAME = """
SELECT ARRAY(SELECT branch FROM projects_run WHERE project_id = %(project_id)s GROUP BY branch
        ORDER BY count(*) DESC, branch LIMIT %(limit)s),
    (SELECT count(*) FROM projects_test WHERE project_id = %(project_id)s AND flake_status IN (2, 6)),
    (SELECT jsonb_agg(jsonb_build_array(id, name, query, is_shared, user_id = %(user_id)s) ORDER BY lower(name), id)
        FROM projects_savedview WHERE project_id = %(project_id)s AND page = %(page)s AND (user_id = %(user_id)s OR is_shared))
"""

NOW = "(true, %(since)s::date, %(until)s::date)"
BEFORE = "(false, %(before_since)s::date, %(before_until)s::date)"

# A test counts once, whatever number of environments it runs in. One pass serves both windows; only tests that know
# environments are gathered by their base, which takes longer than reading them.
IN_ENVIRONMENTS = (
    """(SELECT project_id, base FROM projects_test WHERE project_id = ANY(%(ids)s) AND variant <> '')"""
)
AMOUNTS = f"""
    SELECT c.project_id, v.is_now, c.layer, v.n FROM (
        SELECT project_id, layer, sum(n) FILTER (WHERE is_there)::bigint AS n,
            sum(n) FILTER (WHERE was_there)::bigint AS n_before
        FROM (
            SELECT project_id, layer, {{is_there}} AS is_there, {{was_there}} AS was_there, count(*) AS n FROM projects_test
            WHERE {{lived}} AND variant = '' AND (project_id, base) NOT IN {IN_ENVIRONMENTS}
            GROUP BY project_id, layer, is_there, was_there
            UNION ALL
            SELECT project_id, layer, bool_or({{is_there}}), bool_or({{was_there}}), 1 FROM projects_test
            WHERE {{lived}} AND (project_id, base) IN {IN_ENVIRONMENTS} GROUP BY project_id, layer, base
        ) b GROUP BY project_id, layer
    ) c CROSS JOIN LATERAL (VALUES (true, c.n), (false, c.n_before)) v (is_now, n)"""
IS_THERE = "({last} >= %(since)s AND {first} <= %(until)s)"
WAS_THERE = "({last} >= %(before_since)s AND {first} <= %(before_until)s)"
LIVED = "project_id = ANY(%(ids)s) AND {last} >= %(before_since)s AND {first} <= %(until)s"
# What a look at the tests has told already.
KNOWN_AMOUNTS = """
    SELECT %(project_id)s::int AS project_id, k.*
    FROM unnest(%(known_now)s::bool[], %(known_layers)s::int[], %(known_n)s::int[]) AS k (is_now, layer, n)"""
# Outcomes count in incomplete runs too; their time is taken out again, since it is the time of a part of the suite.
LAYER_SUMS = """
    SELECT project_id, is_now, layer, sum(n_passed) AS n_passed, sum(n_bad) AS n_bad, sum(n_skipped) AS n_skipped,
        greatest(0, sum(seconds)) AS seconds
    FROM (
        SELECT d.project_id, w.is_now, d.layer, d.n_passed, d.n_failed + d.n_error AS n_bad, d.n_skipped, d.seconds
        FROM w JOIN projects_layerday d ON d.day BETWEEN w.since AND w.until
        WHERE d.project_id = ANY(%(ids)s) AND {on_default}
        UNION ALL
        SELECT u.project_id, w.is_now, l.layer, 0, 0, 0, -l.seconds
        FROM w JOIN projects_run u ON u.day BETWEEN w.since AND w.until
        JOIN projects_runlayer l ON l.project_id = u.project_id AND l.run_number = u.number
        WHERE u.project_id = ANY(%(ids)s) AND u.is_incomplete AND {runs}
    ) summed GROUP BY project_id, is_now, layer"""
# Of another branch: its tests are found by what was told, since many are not its own, and those of a base are put together.
OF_LAYERS = """, told AS MATERIALIZED ({told}), of_layers AS MATERIALIZED (
    SELECT is_now, layer, count(*) AS n, sum(n_passed) AS n_passed, sum(n_bad) AS n_bad, sum(n_skipped) AS n_skipped,
        sum(seconds) AS seconds
    FROM (
        SELECT s.is_now, t.layer, t.base, sum(s.n_results - s.n_bad - s.n_skipped) AS n_passed, sum(s.n_bad) AS n_bad,
            sum(s.n_skipped) AS n_skipped, sum(s.seconds) AS seconds
        FROM told s JOIN (
            SELECT id, layer, base FROM projects_test WHERE project_id = %(project_id)s AND id IN (SELECT test_id FROM told)
        ) t ON t.id = s.test_id
        GROUP BY s.is_now, t.layer, t.base
    ) bases GROUP BY is_now, layer
)"""
AMOUNTS_OF_BRANCH = "SELECT %(project_id)s::int AS project_id, is_now, layer, n FROM of_layers"
SUMS_OF_BRANCH = "SELECT %(project_id)s::int AS project_id, * FROM of_layers"

SUITES = """
WITH w (is_now, since, until) AS (VALUES {windows}){days}, amounts AS ({amounts}), sums AS ({sums}),
times AS (
    SELECT u.project_id, w.is_now, count(*) AS n_runs,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY u.seconds) FILTER (WHERE NOT u.is_truncated AND NOT u.is_incomplete) AS p50
    FROM w JOIN projects_run u ON u.day BETWEEN w.since AND w.until
    WHERE u.project_id = ANY(%(ids)s) AND {runs} GROUP BY u.project_id, w.is_now
), flaked AS (
    SELECT p.project_id, w.is_now, count(DISTINCT p.test_id) AS n
    FROM w JOIN projects_flakeproof p ON p.day BETWEEN w.since AND w.until
    JOIN projects_test t ON t.project_id = p.project_id AND t.id = p.test_id
    WHERE p.project_id = ANY(%(ids)s) AND {proven} AND {flaked}
    GROUP BY p.project_id, w.is_now
)
SELECT p.id, w.is_now, l.layer, coalesce(amounts.n, 0), coalesce(sums.n_passed, 0), coalesce(sums.n_bad, 0),
    coalesce(sums.n_skipped, 0), coalesce(sums.seconds, 0), coalesce(times.n_runs, 0), times.p50, coalesce(flaked.n, 0)
FROM unnest(%(ids)s::int[]) AS p (id) CROSS JOIN w CROSS JOIN unnest(%(every_layer)s::int[]) AS l (layer)
LEFT JOIN amounts ON (amounts.project_id, amounts.is_now, amounts.layer) = (p.id, w.is_now, l.layer)
LEFT JOIN sums ON (sums.project_id, sums.is_now, sums.layer) = (p.id, w.is_now, l.layer)
LEFT JOIN times ON (times.project_id, times.is_now) = (p.id, w.is_now)
LEFT JOIN flaked ON (flaked.project_id, flaked.is_now) = (p.id, w.is_now)
"""

# Which proofs are of the branch: a proof knows of the default branch itself.
PROVEN = {
    "default": "p.on_default",
    "all": "true",
    # OFFSET 0 has the branch's runs read once, and not each proof's run looked up.
    "branch": "(p.project_id, p.run_number) IN (SELECT u.project_id, u.number FROM projects_run u"
    " WHERE u.project_id = ANY(%(ids)s) AND u.branch = %(branch)s OFFSET 0)",
}


def seen(project: Project, window: Window) -> Seen:
    """Which data is there at all, in this window or elsewhere?"""
    statement = SEEN.format(runs=_branch_only(window))
    return Seen(*rows.fetch(statement, rows.values_of(project, window))[0])


def _branch_only(window: Window) -> str:
    return rows.RUNS[rows.kind_of(window)].split(" AND u.day")[0]


def frame(project: Project, *, user_id: int = 0, page: str = "", limit: int = 100) -> Frame:
    """Which branches have runs, the busiest first, how many tests are flaky now, and which views of the page are saved?"""
    values = {"project_id": project.pk, "limit": limit, "user_id": user_id, "page": page}
    branches, n_flaky, views = rows.fetch(FRAME, values)[0]
    return Frame(tuple(branches), n_flaky, tuple(ViewRow(*view) for view in json.loads(views or "[]")))


def branches(project: Project, *, limit: int = 100) -> tuple[str, ...]:
    """Which branches have runs, the busiest first?"""
    return frame(project, limit=limit).branches


def suite(project: Project, window: Window) -> Suite:
    """How large is the suite, how did it do, and which layers has it?"""
    told = asked(project, window) if rows.kind_of(window) == "branch" else None
    return _suites([project.pk], window, both=False, told=told)[project.pk, True]


def suites(
    project: Project,
    window: Window,
    *,
    known: Mapping[tuple[bool, Layer], int] | None = None,
    told: Told | None = None,
) -> tuple[Suite, Suite]:
    """How large is the suite, how did it do, and which layers has it: in the window, and in the one before it?

    `known` is how many tests a layer has now (True) and had before, where the caller has counted them, and `told` how to know
    what those of another branch came to, where the caller has asked.
    """
    if told is None and rows.kind_of(window) == "branch":
        told = asked(project, window, with_before=True)
    found = _suites([project.pk], window, both=True, known=known, told=told)
    return found[project.pk, True], found[project.pk, False]


def _suites(
    ids: Sequence[int],
    window: Window,
    *,
    both: bool,
    known: Mapping[tuple[bool, Layer], int] | None = None,
    told: Told | None = None,
) -> dict[tuple[int, bool], Suite]:
    values = {
        "ids": list(ids),
        "project_id": ids[0],
        "branch": window.branch,
        "since": window.since,
        "until": window.until,
        "before_since": window.previous.since,
        "before_until": window.previous.until,
        "every_layer": [int(layer) for layer in Layer],
        "known_now": [is_now for is_now, _ in known or ()],
        "known_layers": [int(layer) for _, layer in known or ()],
        "known_n": list((known or {}).values()),
        **(told.values() if told else {}),
    }
    found: dict[tuple[int, bool], list[Sequence[Any]]] = {}
    for project_id, is_now, *row in rows.fetch(
        _suites_statement(rows.kind_of(window), both=both, is_known=known is not None, told=told), values
    ):
        found.setdefault((project_id, is_now), []).append(row)
    return {key: _suite(got, window) for key, got in found.items()}


def _suites_statement(kind: str, *, both: bool, is_known: bool, told: Told | None) -> str:
    parts = {
        "windows": f"{NOW}, {BEFORE}" if both else NOW,
        "runs": rows.RUNS_OF_KIND[kind],
        "flaked": rows.FLAKED,
        "proven": PROVEN[kind],
        "days": "",
    }
    if kind == "branch" and told is not None:
        of_both = f"SELECT true AS is_now, n.* FROM ({told.sums()}) n"
        if both:
            of_both += f" UNION ALL SELECT false, n.* FROM ({told.sums(is_before=True)}) n"
        days = OF_LAYERS.format(told=of_both)
        return SUITES.format(**parts | {"days": days}, amounts=AMOUNTS_OF_BRANCH, sums=SUMS_OF_BRANCH)
    on_default = "d.on_default" if kind == "default" else "d.on_default IN (false, true)"
    sums = LAYER_SUMS.format(on_default=on_default, runs=rows.RUNS_OF_KIND[kind])
    counted = KNOWN_AMOUNTS if is_known else amounts(kind)
    return SUITES.format(**parts, amounts=counted, sums=sums)


def amounts(kind: str) -> str:
    """Return a SELECT of how many tests each layer has, in the window and in the one before it, but on one other branch."""
    return AMOUNTS.format(**lives(kind))


def lives(kind: str) -> dict[str, str]:
    """Return conditions on a test: that it ran within the window, in the one before it, in either."""
    of = "main" if kind == "default" else "seen"
    days = {"first": f"first_{of}_on", "last": f"last_{of}_on"}
    parts = {"is_there": IS_THERE, "was_there": WAS_THERE, "lived": LIVED}
    return {name: part.format(**days) for name, part in parts.items()}


def _suite(found: Sequence[Sequence[Any]], window: Window) -> Suite:
    """Make the answer of a row a layer; the filter on layers narrows the totals and not the layers."""
    wanted = window.layers or tuple(Layer)
    narrowed = [row for row in found if Layer(row[0]) in wanted]
    n_runs, p50, n_flaky = found[0][6:]
    totals = Totals(
        n_tests=sum(row[1] for row in narrowed),
        n_runs=n_runs,
        n_passed=int(sum(row[2] for row in narrowed)),
        n_bad=int(sum(row[3] for row in narrowed)),
        n_skipped=int(sum(row[4] for row in narrowed)),
        run_seconds_p50=p50,
        n_flaky=n_flaky,
        n_unknown=next(row[1] for row in found if row[0] == Layer.UNKNOWN),
    )
    by_layer = {row[0]: row for row in found}
    layers = tuple(LayerAmount(layer, by_layer[layer][1], float(by_layer[layer][5])) for layer in Layer)
    return Suite(totals, layers)


def totals(project: Project, window: Window) -> Totals:
    """How many tests and runs were there, how many passed, how long is a run?"""
    return suite(project, window).totals


def layer_amounts(project: Project, window: Window) -> tuple[LayerAmount, ...]:
    """How many tests does each layer have, and how much time does it take?"""
    return suite(project, window).layers


def projects(found: Sequence[Project], window: Window) -> tuple[ProjectRow, ...]:
    """Which project needs its people? One row a project, over the window on its default branch, and the one before it."""
    if not found:
        return ()
    ids = [project.pk for project in found]
    summed = _suites(ids, window, both=True)
    values = {
        "ids": ids,
        "since": window.since,
        "until": window.until,
        "before_since": window.previous.since,
    }
    last = {project_id: LastRun(*row) for project_id, *row in rows.fetch(LAST_RUNS, values)}
    return tuple(
        _project(
            project, summed[project.pk, True], summed[project.pk, False], last.get(project.pk, LastRun())
        )
        for project in found
    )


class LastRun(NamedTuple):
    """How the last run of a project ended, and how many of its runs failed in a window and in the one before it."""

    at: datetime | None = None
    n_bad: int | None = None
    n_bad_runs: int = 0
    n_bad_before: int = 0


LAST_RUNS = """
SELECT p.id, u.started_at, u.n_bad, f.n_now, f.n_before
FROM unnest(%(ids)s::int[]) AS p (id) CROSS JOIN LATERAL (
    SELECT started_at, n_failed + n_error AS n_bad FROM projects_run
    WHERE project_id = p.id AND is_default_branch ORDER BY started_at DESC, number DESC LIMIT 1) u
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE day >= %(since)s) AS n_now, count(*) FILTER (WHERE day < %(since)s) AS n_before
    FROM projects_run WHERE project_id = p.id AND is_default_branch AND day BETWEEN %(before_since)s AND %(until)s
        AND n_failed + n_error > 0) f
"""


def _project(project: Project, now: Suite, before: Suite, last: LastRun) -> ProjectRow:
    return ProjectRow(
        slug=project.slug,
        name=project.name,
        now=_counts(now.totals, last.n_bad_runs),
        before=_counts(before.totals, last.n_bad_before) if before.totals.n_runs else None,
        last_run_at=last.at,
        last_n_bad=last.n_bad,
        layers=now.layers,
    )


def _counts(totals: Totals, n_bad_runs: int) -> ProjectCounts:
    return ProjectCounts(totals.n_tests, totals.n_flaky, totals.n_runs, n_bad_runs)
