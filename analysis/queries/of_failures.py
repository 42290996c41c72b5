"""Questions about failures, whichever test they hit: what failed, at which boundary, and what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from analysis.answers.of_failures import BoundaryWeek, FailuresAnswer, SignatureRow
from analysis.answers.rows import NamedTest, Page
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Boundary

ACROSS_TESTS = (
    3  # two tests may fail alike by chance or by copying; from three on the cause lies outside of them
)
ACROSS_SHOWN = 5
NEW_DAYS = 7  # a week of the window's end: what nobody has seen before
TESTS_NAMED = 3
RUNS_NAMED = 5

SORTS: dict[str, Callable[[SignatureRow], Any]] = {
    "name": lambda row: row.title.lower(),
    "boundary": lambda row: (row.boundary.word, row.matched),
    "failures": lambda row: row.n_failures,
    "tests": lambda row: row.n_tests,
    "runs": lambda row: row.n_runs,
    "first": lambda row: row.first_on,
    "last": lambda row: row.last_on,
}
DEFAULT_SORT = "-runs"

# The failures of a window, as conditions on projects_failure f.
ON = {
    "default": "f.on_default",
    "all": "true",
    "branch": "f.run_number IN (SELECT number FROM projects_run WHERE project_id = %(project_id)s AND branch = %(branch)s"
    " AND day BETWEEN %(since)s AND %(until)s)",
}

# Counted per test first: distinct tests are then rows, and only the runs are left to be told apart.
SIGNATURES = """
WITH f AS (
    SELECT f.signature, f.test_id, f.run_number, f.day, f.in_incident FROM projects_failure f {join}
    WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(until)s AND {on} AND {filters}
), by_test AS (
    SELECT signature, test_id, count(*) AS n, count(*) FILTER (WHERE in_incident) AS n_held, max(day) AS last_on
    FROM f GROUP BY signature, test_id
), by_run AS (
    SELECT signature, count(*) AS n_runs FROM (SELECT DISTINCT signature, run_number FROM f) r GROUP BY signature
), counted AS (
    SELECT signature, sum(n)::int AS n, count(*)::int AS n_tests, sum(n_held)::int AS n_held, max(last_on) AS last_on
    FROM by_test GROUP BY signature
)
SELECT encode(c.signature, 'hex'), g.title, g.boundary, g.matched, g.is_infrastructure, c.n, c.n_tests, r.n_runs, c.n_held,
    g.first_on, c.last_on
FROM counted c JOIN by_run r USING (signature)
JOIN projects_signature g ON g.project_id = %(project_id)s AND g.digest = c.signature
WHERE {signatures}
"""
JOIN_TESTS = "JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id"

# Of the window before: nothing is told apart there, so that its failures are only counted.
COUNTED = """
SELECT (SELECT count(*) FROM projects_failure f {join}
    WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(until)s AND {on} AND {filters} AND {signatures}),
    EXISTS (SELECT FROM projects_run u WHERE {runs})
"""
JOIN_SIGNATURES = "JOIN projects_signature g ON g.project_id = f.project_id AND g.digest = f.signature"

TESTS = """
SELECT encode(signature, 'hex'), test_id, suite, classname, name, file FROM (
    SELECT f.signature, t.id AS test_id, t.suite, t.classname, t.name, t.file,
        row_number() OVER (PARTITION BY f.signature ORDER BY count(*) DESC, t.id) AS place
    FROM projects_failure f JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
    WHERE f.project_id = %(project_id)s AND f.signature = ANY(%(digests)s) AND f.day BETWEEN %(since)s AND %(until)s AND {on}
    GROUP BY f.signature, t.id, t.suite, t.classname, t.name, t.file
) placed WHERE place <= %(n_tests)s ORDER BY signature, place
"""
RUNS = """
SELECT encode(signature, 'hex'), run_number FROM (
    SELECT f.signature, f.run_number, row_number() OVER (PARTITION BY f.signature ORDER BY f.run_number DESC) AS place
    FROM projects_failure f
    WHERE f.project_id = %(project_id)s AND f.signature = ANY(%(digests)s) AND f.day BETWEEN %(since)s AND %(until)s AND {on}
    GROUP BY f.signature, f.run_number
) placed WHERE place <= %(n_runs)s ORDER BY signature, place
"""
SAMPLES = """
SELECT encode(d.digest, 'hex'), s.test_id, s.run_number, s.kind, s.message, s.text
FROM unnest(%(digests)s::bytea[]) AS d (digest)
CROSS JOIN LATERAL (
    SELECT s.* FROM projects_failuresample s
    JOIN (SELECT DISTINCT test_id FROM projects_failure
        WHERE project_id = %(project_id)s AND signature = d.digest AND day BETWEEN %(since)s AND %(until)s) f USING (test_id)
    WHERE s.project_id = %(project_id)s AND s.signature = d.digest ORDER BY s.run_number DESC, s.test_id LIMIT 1
) s
"""

BOUNDARY_WEEKS = """
SELECT f.monday, g.boundary, sum(f.n)::int
FROM (
    SELECT date_trunc('week', f.day)::date AS monday, f.signature, count(*) AS n FROM projects_failure f {join}
    WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(until)s AND {on} AND {filters}
    GROUP BY 1, f.signature
) f
JOIN projects_signature g ON g.project_id = %(project_id)s AND g.digest = f.signature
GROUP BY f.monday, g.boundary
"""
RUNS_OF_WEEKS = """
SELECT date_trunc('week', u.day)::date, count(*) FROM projects_run u WHERE {runs} GROUP BY 1
"""


def failures(project: Project, window: Window) -> FailuresAnswer:
    """What failed in the window, the failures that broke most runs first? One scan of the window's failures."""
    found = [_signature_row(row, window.until) for row in _signatures(project, window)]
    ordered = _ordered(found, window.sort)
    start = (window.page - 1) * window.size
    across = sorted(
        (row for row in found if row.n_tests >= ACROSS_TESTS), key=lambda row: (-row.n_tests, -row.n_runs)
    )
    page = _dressed(project, window, ordered[start : start + window.size])
    boundaries: Counter[Boundary] = Counter()
    for row in found:
        boundaries[row.boundary] += row.n_failures
    return FailuresAnswer(
        rows=Page(page, len(found), window.page, window.size),
        across=tuple(across[:ACROSS_SHOWN]),
        n_failures=sum(row.n_failures for row in found),
        n_new=sum(row.is_new for row in found),
        n_infrastructure=sum(row.n_failures for row in found if row.is_infrastructure),
        boundaries=dict(boundaries),
    )


def failures_before(project: Project, window: Window) -> int | None:
    """How much failed in the window before, under the same filters? None where nothing ran then."""
    asked, kind = window.previous, rows.kind_of(window)
    joins = [JOIN_TESTS] if window.layers else []
    if window.boundaries or window.q:
        joins.append(JOIN_SIGNATURES)
    signatures, values = _signature_filter(window)
    statement = COUNTED.format(
        join=" ".join(joins),
        on=ON[kind],
        filters=_test_filter(window),
        signatures=signatures,
        runs=rows.RUNS[kind],
    )
    n_failures, has_runs = rows.fetch(statement, rows.values_of(project, asked, **values))[0]
    return n_failures if has_runs else None


def _signatures(project: Project, window: Window) -> list[tuple[Any, ...]]:
    signatures, values = _signature_filter(window)
    statement = SIGNATURES.format(
        join=JOIN_TESTS if window.layers else "",
        on=ON[rows.kind_of(window)],
        filters=_test_filter(window),
        signatures=signatures,
    )
    return rows.fetch(statement, rows.values_of(project, window, **values))


def _signature_filter(window: Window) -> tuple[str, dict[str, Any]]:
    """Return the window's filters on signatures g as a condition, with its parameters."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    if window.boundaries:
        parts.append("g.boundary = ANY(%(boundaries)s)")
        values["boundaries"] = [int(boundary) for boundary in window.boundaries]
    if window.q:
        parts.append("concat_ws(' ', g.title, g.matched) ILIKE ALL(%(words)s)")
        values["words"] = rows.words_of(window.q)
    return " AND ".join(parts) or "true", values


def _test_filter(window: Window) -> str:
    return "t.layer = ANY(%(layers)s)" if window.layers else "true"


def _signature_row(row: Sequence[Any], until: date) -> SignatureRow:
    signature, title, boundary, matched, is_infrastructure, n, n_tests, n_runs, n_held, first_on, last_on = (
        row
    )
    return SignatureRow(
        signature=signature,
        title=title,
        boundary=Boundary(boundary),
        matched=matched,
        is_infrastructure=is_infrastructure,
        n_failures=n,
        n_tests=n_tests,
        n_runs=n_runs,
        n_in_incidents=n_held,
        first_on=first_on,
        last_on=last_on,
        is_new=first_on > until - timedelta(days=NEW_DAYS),
    )


def _ordered(found: list[SignatureRow], sort: str) -> list[SignatureRow]:
    if sort.removeprefix("-") not in SORTS:
        sort = DEFAULT_SORT
    found = sorted(found, key=lambda row: (-row.n_failures, -row.last_on.toordinal(), row.signature))
    return sorted(found, key=SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))


def _dressed(project: Project, window: Window, page: Sequence[SignatureRow]) -> tuple[SignatureRow, ...]:
    """Add to the rows of one page the tests they hit most, their newest runs and an example."""
    if not page:
        return ()
    values = rows.values_of(
        project,
        window,
        digests=[bytes.fromhex(row.signature) for row in page],
        n_tests=TESTS_NAMED,
        n_runs=RUNS_NAMED,
    )
    on = ON[rows.kind_of(window)]
    tests: dict[str, list[NamedTest]] = {}
    for signature, test_id, suite, classname, name, file in rows.fetch(TESTS.format(on=on), values):
        title = title_of(suite=suite, classname=classname, name=name, file=file)
        tests.setdefault(signature, []).append(NamedTest(test_id, title))
    runs: dict[str, list[int]] = {}
    for signature, number in rows.fetch(RUNS.format(on=on), values):
        runs.setdefault(signature, []).append(number)
    samples = {row[0]: row[1:] for row in rows.fetch(SAMPLES, values)}
    return tuple(
        _with_sample(
            replace(row, tests=tuple(tests.get(row.signature, ())), runs=tuple(runs.get(row.signature, ()))),
            samples.get(row.signature),
        )
        for row in page
    )


def _with_sample(row: SignatureRow, sample: Sequence[Any] | None) -> SignatureRow:
    if sample is None:
        return row
    _, run_number, kind, message, text = sample
    return replace(
        row,
        sample_run=run_number,
        sample_kind=kind,
        sample_message=message,
        sample_text=text,
    )


def boundary_weeks(project: Project, window: Window, n_weeks: int = 12) -> tuple[BoundaryWeek, ...]:
    """At which boundaries did failures break, week by week?"""
    mondays = rows.mondays(window.until, n_weeks)
    wide = replace(window, since=mondays[0], until=mondays[-1] + timedelta(days=6))
    kind = rows.kind_of(window)
    statement = BOUNDARY_WEEKS.format(
        join=JOIN_TESTS if window.layers else "", on=ON[kind], filters=_test_filter(window)
    )
    values = rows.values_of(project, wide)
    counts: dict[date, dict[Boundary, int]] = {monday: {} for monday in mondays}
    for monday, boundary, n in rows.fetch(statement, values):
        counts[monday][Boundary(boundary)] = n
    n_runs = dict(rows.fetch(RUNS_OF_WEEKS.format(runs=rows.RUNS[kind]), values))
    return tuple(BoundaryWeek(monday, counts[monday], n_runs.get(monday, 0)) for monday in mondays)
