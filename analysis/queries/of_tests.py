"""Questions about tests: which there are, and the story of one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis import rollups, timing
from analysis.answers.of_earlier import TestBefore
from analysis.answers.of_tests import EvidenceRow, FlakeAnswer, ProofRow, ReasonRow, ResultRow, TestAnswer
from analysis.answers.rows import Page, StripCell, TestRow
from analysis.quantiles import REACH, quantile, quantile_of_packed
from analysis.queries import of_renames, of_results, of_shifts, rows, summed
from analysis.queries.summed import SpanSums, Told
from analysis.slowdowns import unpacked
from analysis.window import Window
from projects.models import FlakeProof, Project
from projects.vocabulary import Boundary, FlakeRule, FlakeStatus, Layer

SORTS = {
    "name": "lower(t.name)",
    "layer": "t.layer",
    "pass": "(s.n_results - s.n_skipped - s.n_bad)::float / nullif(s.n_results - s.n_skipped, 0)",
    "total": "s.seconds",
    "last": "t.last_seen_on",
    "runs": "s.n_results",
}
TIMED_SORTS = {"median": ("near_median", 0.5), "p95": ("near_p95", 0.95)}
HISTORY = 120  # results drawn on a test's page
PROOFS = 20
REASONS = 20

# Narrow rows are ranked; the words of a test are looked up for the page alone.
TESTS = """
WITH s AS ({sums}), found AS (
    SELECT s.*, count(*) OVER () AS n FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
    WHERE {filters} ORDER BY {order}, t.id LIMIT %(size)s OFFSET %(offset)s
)
SELECT {test}, {sum_columns}, s.n FROM found s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
ORDER BY {order}, t.id
"""
# Of all tests by what they came to nothing else is asked before they are ranked, and nothing but the page is joined.
RANKED = """
WITH ranked AS MATERIALIZED (SELECT test_id, {key} AS key FROM ({sums}) s), found AS MATERIALIZED (
    SELECT test_id, key FROM ranked ORDER BY key {direction}, test_id LIMIT %(size)s OFFSET %(offset)s
)
SELECT {test}, {sum_columns}, (SELECT count(*) FROM ranked) FROM found f JOIN ({sums_of_found}) s ON s.test_id = f.test_id
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = f.test_id ORDER BY f.key {direction}, t.id
"""
THESE_TESTS = """
WITH s AS ({sums})
SELECT {test}, {sum_columns} FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
"""
# The bins that tell a quantile of each test; the sums are joined where a filter asks for them. The quantile is not below the bin
# that it comes to if all later values lie below those that the span kept, nor above that which it comes to if all lie above: `low`
# and `high`, two bytes that sort as their numbers do. In the order of what it is at best tests are looked at until none that
# follows can be on the page.
TIMED_TESTS = f"""
WITH b AS ({{near}}){{summed}}, placed AS (
    SELECT b.*, 2 * (greatest(1, ceil(%(q)s::float8 * (n_timed + length(timings) / 2) - 1e-9)::int)
        - greatest(1, ceil(%(q)s::float8 * n_timed - 1e-9)::int - {REACH})) + 1 AS place
    FROM b {{joined}} OFFSET 0
), told AS MATERIALIZED (
    SELECT test_id, n_timed, near, timings, n_timed > 0 OR timings <> '' AS is_timed, {{at_best}} AS at_best FROM placed
)
SELECT test_id, n_timed, near, timings, is_timed, at_best, (SELECT count(*) FROM told) FROM told {{part}}
ORDER BY is_timed DESC, at_best {{direction}}, test_id LIMIT %(limit)s
"""
RISING = {"at_best": "substr(near, place - length(timings), 2)", "direction": "ASC"}
FALLING = {"at_best": "coalesce(nullif(substr(near, place, 2), ''), '\\xffff')", "direction": "DESC"}
UP_TO = {
    "ASC": "WHERE at_best <= %(bound)s OR NOT is_timed",
    "DESC": "WHERE at_best >= %(bound)s OR NOT is_timed",
}
FIRST_LOOK = 1_000  # tests, or twice as many as there are up to the page
NEAR_ON_BRANCH = f"""
    SELECT test_id, 0 AS n_timed, ''::bytea AS near,
        coalesce(string_agg({rollups.TIMING.format(outcome="outcome", seconds="seconds")}, ''::bytea), '') AS timings
    FROM ({rows.RESULTS_OF_BRANCH.replace(f", {rollups.FLAKY} AS is_flaky", "")}) r GROUP BY test_id"""
UNTIMED = timing.LAST_BIN + 1  # after every bin
ALL_IDS = (1 << 32) - 1
THESE = "SELECT unnest(%(ids)s::int[])"

ONE_TEST = """
WITH days AS (SELECT * FROM ({days}) d WHERE test_id = %(test_id)s), s AS ({summed})
SELECT {test}, {sums}, (SELECT string_agg(timings, ''::bytea ORDER BY day) FROM days), ({all_seconds}),
    t.line, t.framework, t.markers, t.tags, t.first_seen_on, t.evidence,
    (SELECT max(id) FROM projects_test WHERE project_id = t.project_id AND id < t.id AND last_seen_on >= %(since)s),
    (SELECT min(id) FROM projects_test WHERE project_id = t.project_id AND id > t.id AND last_seen_on >= %(since)s),
    f.status, CASE WHEN f.status = 6 AND f.only_here <> '' THEN f.only_here || '; ' ELSE '' END || f.sentence,
    f.since_on, f.rate, f.rate_low, f.rate_high, f.note, ({shifts})::text, ({renames})::text, ({before})
FROM projects_test t LEFT JOIN s ON s.test_id = t.id
LEFT JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
WHERE t.project_id = %(project_id)s AND t.id = %(test_id)s
"""
# How often the test ran to an end in the window before, and failed.
OF_ONE_BEFORE = """SELECT ARRAY[coalesce(sum(n_passed + n_failed + n_error), 0), coalesce(sum(n_failed + n_error), 0)]::int[]
    FROM ({days}) d WHERE test_id = %(test_id)s"""
# The time of all tests in the window, of which this one has a share.
ALL_SECONDS = {
    "default": "SELECT sum(seconds) FROM projects_layerday WHERE project_id = %(project_id)s AND on_default"
    " AND day BETWEEN %(since)s AND %(until)s",
    "all": "SELECT sum(seconds) FROM projects_layerday WHERE project_id = %(project_id)s"
    " AND on_default IN (false, true) AND day BETWEEN %(since)s AND %(until)s",
    "branch": f"SELECT sum(seconds) FROM projects_run u WHERE {rows.RUNS['branch']}",
}

REASONS_OF = """
SELECT encode(f.signature, 'hex'), g.title, g.boundary, g.matched, count(*), min(f.day), max(f.day),
    p.run_number, coalesce(p.kind, ''), coalesce(p.message, ''), coalesce(p.text, ''),
    count(DISTINCT f.run_number) FILTER (WHERE NOT f.in_incident)
FROM projects_failure f
JOIN projects_signature g ON g.project_id = f.project_id AND g.digest = f.signature
LEFT JOIN LATERAL (
    SELECT * FROM projects_failuresample s
    WHERE s.project_id = f.project_id AND s.test_id = f.test_id AND s.signature = f.signature
    ORDER BY s.run_number DESC LIMIT 1
) p ON true
WHERE f.project_id = %(project_id)s AND f.test_id = %(test_id)s AND f.day BETWEEN %(since)s AND %(until)s {branch}
GROUP BY f.signature, g.title, g.boundary, g.matched, p.run_number, p.kind, p.message, p.text
ORDER BY count(*) DESC, max(f.day) DESC, f.signature LIMIT %(limit)s
"""


def tests(project: Project, window: Window) -> Page[TestRow]:
    """Which tests ran in the window, and how did they behave?"""
    if window.sort.removeprefix("-") in TIMED_SORTS:
        return _tests_by_percentile(project, window)
    told = summed.told(project, window)
    found = rows.fetch(
        _ranked(window, told) or _statement(TESTS, window, told), _values(project, window, told)
    )
    page = [rows.test_row(row) for row in found]
    n_total = found[0][-1] if found else 0
    return Page(rows.dressed(project, window, page), n_total, window.page, window.size)


def _ranked(window: Window, told: Told) -> str:
    """Return the statement for all tests by what they came to; nothing where other tests or another order is wanted."""
    key, direction = rows.sort_key(window.sort, SORTS, default="-total")
    if rows.filters(window)[0] != "true" or "t." in key:
        return ""
    return RANKED.format(
        key=key,
        direction=direction,
        sums=told.sums(),
        sums_of_found=told.sums(only="SELECT test_id FROM found"),
        test=rows.TEST_COLUMNS,
        sum_columns=rows.SUM_COLUMNS,
    )


def _statement(statement: str, window: Window, told: Told, *, only: str = "") -> str:
    return statement.format(
        sums=told.sums(only=only),
        test=rows.TEST_COLUMNS,
        sum_columns=rows.SUM_COLUMNS,
        filters=rows.filters(window)[0],
        order=rows.order(window.sort, SORTS, default="-total"),
    )


def _values(project: Project, window: Window, told: Told, **more: Any) -> dict[str, Any]:
    values = rows.filters(window)[1] | told.values() | more
    return rows.values_of(project, window, size=window.size, offset=(window.page - 1) * window.size, **values)


def _tests_by_percentile(project: Project, window: Window) -> Page[TestRow]:
    """Sort by a percentile of the window, which the timings of all its tests tell, and look up the page's tests."""
    told = summed.of_few(project, window, with_bins=True)
    ordered, n_total = _by_percentile(project, window, told)
    start = (window.page - 1) * window.size
    ids = ordered[start : start + window.size]
    statement = _statement(THESE_TESTS, window, told, only=THESE)
    values = _values(project, window, told, ids=ids)
    found = {row[0]: rows.test_row(row) for row in rows.fetch(statement, values)}
    page = [found[test_id] for test_id in ids]
    return Page(rows.dressed(project, window, page), n_total, window.page, window.size)


def _by_percentile(project: Project, window: Window, told: Told) -> tuple[list[int], int]:
    """Return the tests up to the window's page in the order of a percentile, those without one last, and how many all are."""
    most = window.page * window.size
    is_bound = (
        isinstance(told, SpanSums) and told.now.span is not None
    )  # without a span all are looked at anyway
    limit = max(FIRST_LOOK, 2 * most) if is_bound else None
    found = _looked_at(project, window, told, limit=limit)
    ordered = _ordered(project, window, found)
    if len(found) == limit and _can_follow(found[-1], ordered[most - 1], window):
        bound = _bin_of(ordered[most - 1], window).to_bytes(2, "big")
        found = _looked_at(project, window, told, bound=bound)
        ordered = _ordered(project, window, found)
    return [place & ALL_IDS for place in ordered], found[0][-1] if found else 0


def _looked_at(project: Project, window: Window, told: Told, **more: Any) -> list[tuple[Any, ...]]:
    """Return the first tests in the order of their percentiles at best, or, with a `bound`, all that can come before it."""
    column, q = TIMED_SORTS[window.sort.removeprefix("-")]
    condition, _ = rows.filters(window)
    joined = "JOIN s USING (test_id) " if window.outcomes else ""
    if condition != "true":
        joined += (
            f"JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = b.test_id WHERE {condition}"
        )
    way = FALLING if window.sort.startswith("-") else RISING
    statement = TIMED_TESTS.format(
        near=told.near(column) if isinstance(told, SpanSums) else NEAR_ON_BRANCH,
        summed=f", s AS ({told.sums()})" if window.outcomes else "",
        joined=joined,
        part=UP_TO[way["direction"]] if "bound" in more else "",
        **way,
    )
    return rows.fetch(statement, _values(project, window, told, q=q, **{"limit": None} | more))


def _ordered(project: Project, window: Window, found: Sequence[Sequence[Any]]) -> list[int]:
    """Return the places of the tests, the first first."""
    _, q = TIMED_SORTS[window.sort.removeprefix("-")]
    bins: dict[int, int | None] = {}
    for test_id, n_timed, near, timings, is_timed, *_ in found:
        bins[test_id] = quantile_of_packed(n_timed, near, timings, q) if is_timed else UNTIMED
    untold = [test_id for test_id, bin_number in bins.items() if bin_number is None]
    for test_id, (every, _) in rows.timings(project, window, untold).items():
        bins[test_id] = quantile(0, (), every, q)
    is_falling = window.sort.startswith("-")
    return sorted(_places(bins, is_falling=is_falling))


def _can_follow(last: Sequence[Any], place: int, window: Window) -> bool:
    """True where a test that follows the last one that was looked at can come before this place."""
    if not last[4]:  # all that follow are untimed as well
        return False
    at_best = int.from_bytes(last[5], "big")
    is_falling = window.sort.startswith("-")
    return next(_places({last[0]: at_best}, is_falling=is_falling)) < place


def _bin_of(place: int, window: Window) -> int:
    """Return the bin of which a place was made."""
    number = place >> 32
    return timing.LAST_BIN - number if window.sort.startswith("-") and number != UNTIMED else number


def _places(told: Mapping[int, int | None], *, is_falling: bool) -> Iterator[int]:
    """Yield a number a test that sorts by its percentile and then its id: half as long to sort as pairs."""
    for test_id, found in told.items():
        bin_number = UNTIMED if found is None else found
        is_turned = is_falling and bin_number != UNTIMED
        yield (timing.LAST_BIN - bin_number if is_turned else bin_number) << 32 | test_id


def test(project: Project, window: Window, test_id: int) -> TestAnswer | None:
    """What is the story of this test? None where the project has no such test."""
    kind = rows.kind_of(window)
    statement = ONE_TEST.format(
        days=rows.DAYS[kind],
        summed=rows.SUMMED,
        test=rows.TEST_COLUMNS,
        sums=rows.SUM_COLUMNS,
        all_seconds=ALL_SECONDS[kind],
        shifts=of_shifts.OF_ONE,
        renames=of_renames.OF_ONE,
        # On a branch without sums it would be as many results again to be read.
        before="NULL" if kind == "branch" else OF_ONE_BEFORE.format(days=rows.before(rows.DAYS[kind])),
    )
    found = rows.fetch(statement, rows.values_of(project, window, test_id=test_id))
    return _answer(project, window, found[0]) if found else None


def _answer(project: Project, window: Window, found: Sequence[Any]) -> TestAnswer:
    test_id, suite, classname, name, file = found[:5]
    timings, all_seconds, line, framework, markers, tags, first_seen_on, evidence, before, after = found[
        17:27
    ]
    newest = of_results.results_of_test(
        project, replace(window, page=1, size=HISTORY, outcomes=(), sort=""), test_id
    )
    row = rows.timed(rows.test_row(found), unpacked(timings) if timings else ())
    return TestAnswer(
        row=replace(row, strip=tuple(map(_cell, reversed(newest.rows[: rows.STRIP])))),
        suite=suite,
        classname=classname,
        name=name,
        file=file,
        line=line,
        framework=framework,
        markers=tuple(markers),
        tags=tuple(tags),
        first_seen_on=first_seen_on,
        evidence=tuple(
            EvidenceRow(words, Layer(layer), weight) for words, layer, weight, *_ in json.loads(evidence)
        ),
        flake=_flake(project, test_id, found[27:34]),
        reasons=_reasons(project, window, test_id, n_results=row.n_results - row.n_skipped)
        if newest.n_total
        else (),
        history=tuple(reversed(newest.rows)),
        results=_results(project, window, test_id, newest),
        share_of_time=row.seconds / all_seconds if all_seconds else None,
        id_before=before,
        id_after=after,
        shifts=of_shifts.shifts_of_one(found[34]),
        renames=of_renames.renames_of_one(found[35]),
        earlier=TestBefore(*found[36]) if found[36] and window.compare else None,
    )


def _cell(result: ResultRow) -> StripCell:
    return StripCell(result.run_number, result.outcome, result.is_flaky, result.at)


def _results(project: Project, window: Window, test_id: int, newest: Page[ResultRow]) -> Page[ResultRow]:
    """Return the page of results that the window asks for; the newest ones are there already."""
    if window.outcomes or window.sort or window.page > 1 or window.size > HISTORY:
        return of_results.results_of_test(project, window, test_id)
    return Page(newest.rows[: window.size], newest.n_total, 1, window.size)


def _flake(project: Project, test_id: int, columns: Sequence[Any]) -> FlakeAnswer | None:
    status, sentence, since_on, rate, rate_low, rate_high, note = columns
    if status is None:
        return None
    proofs = FlakeProof.objects.filter(project=project, test_id=test_id).order_by("-run_number", "other_run")
    return FlakeAnswer(
        status=FlakeStatus(status),
        sentence=sentence,
        since_on=since_on,
        rate=rate,
        rate_low=rate_low,
        rate_high=rate_high,
        proofs=tuple(map(_proof, proofs[:PROOFS])),
        note=note,
    )


def _proof(proof: FlakeProof) -> ProofRow:
    return ProofRow(
        rule=FlakeRule(proof.rule),
        run_number=proof.run_number,
        other_run=proof.other_run,
        commit=proof.commit,
        day=proof.day,
        in_incident=proof.in_incident,
    )


def _reasons(project: Project, window: Window, test_id: int, *, n_results: int) -> tuple[ReasonRow, ...]:
    branch = "AND f.on_default" if rows.kind_of(window) == "default" else ""
    values = rows.values_of(project, window, test_id=test_id, limit=REASONS)
    return tuple(
        ReasonRow(
            signature=signature,
            title=title,
            boundary=Boundary(boundary),
            matched=matched,
            n=n,
            first_on=first_on,
            last_on=last_on,
            sample_run=sample_run,
            sample_kind=kind,
            sample_message=message,
            sample_text=text,
            n_runs=n_runs,
            rate=n_runs / n_results if n_results else None,
        )
        for signature, title, boundary, matched, n, first_on, last_on, sample_run, kind, message, text, n_runs in rows.fetch(
            REASONS_OF.format(branch=branch), values
        )
    )
