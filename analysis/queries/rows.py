"""What the questions share: the results of a window as day rows, test rows made of them, and how statements are run.

A window on the default branch, or on all branches, reads the day rollup. A window on one other branch sums the results of that
branch's runs, at most RUNS_OF_A_BRANCH of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.db import connection

from analysis import rollups, timing
from analysis.answers.rows import StripCell, TestRow
from analysis.slowdowns import unpacked
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import FlakeStatus, Layer, Outcome, TimingBucket

RUNS_OF_A_BRANCH = 200  # newest runs summed for a branch that has no rollup
STRIP = 20  # results in a history strip: what the eye takes in
RUNS_OF_A_STRIP = 60  # a test of a nightly job is in every third run or so

# The results of the newest runs of a branch that has no rollup.
RESULTS_OF_BRANCH = f"""
        SELECT r.*, {rollups.FLAKY} AS is_flaky
        FROM projects_result r
        WHERE r.project_id = %(project_id)s AND r.ran_on BETWEEN %(since)s AND %(until)s AND r.run_number = ANY(ARRAY(
            SELECT number FROM projects_run
            WHERE project_id = %(project_id)s AND branch = %(branch)s AND day BETWEEN %(since)s AND %(until)s
            ORDER BY started_at DESC LIMIT {RUNS_OF_A_BRANCH}))"""

DAYS = {
    "default": "SELECT * FROM projects_testday WHERE project_id = %(project_id)s AND on_default"
    " AND day BETWEEN %(since)s AND %(until)s",
    "all": "SELECT * FROM projects_testday WHERE project_id = %(project_id)s AND on_default IN (false, true)"
    " AND day BETWEEN %(since)s AND %(until)s",
    "branch": f"""
    SELECT project_id, false AS on_default, ran_on AS day, test_id, {rollups.SUMS},
        coalesce(string_agg({rollups.TIMING.format(outcome="outcome", seconds="seconds")}, ''::bytea ORDER BY run_number), '')
            AS timings
    FROM ({RESULTS_OF_BRANCH}) judged GROUP BY project_id, ran_on, test_id""",
}
# The runs of a branch, and those of a window, as conditions on projects_run u.
RUNS_OF_KIND = {"default": "u.is_default_branch", "all": "true", "branch": "u.branch = %(branch)s"}
RUNS = {
    "default": "u.project_id = %(project_id)s AND u.is_default_branch AND u.day BETWEEN %(since)s AND %(until)s",
    "all": "u.project_id = %(project_id)s AND u.day BETWEEN %(since)s AND %(until)s",
    "branch": "u.project_id = %(project_id)s AND u.branch = %(branch)s AND u.day BETWEEN %(since)s AND %(until)s",
}

# Who flaked: a proof among the runs u, outside of incidents, of a test that is flaky, or was until it was fixed or left.
FLAKED = """p.project_id = t.project_id AND NOT p.in_incident AND t.flake_status IN (2, 4, 5, 6)"""

TEST_COLUMNS = """t.id, t.suite, t.classname, t.name, t.file, t.layer, t.confidence, t.bucket, t.flake_status, t.variant,
    t.owner, t.last_seen_on"""

SUMMED = """
    SELECT test_id, sum(n_passed + n_failed + n_error + n_skipped) AS n_results, sum(n_failed + n_error) AS n_bad,
        sum(n_skipped) AS n_skipped, sum(n_flaky) AS n_flaky, sum(seconds::float8) AS seconds
    FROM days GROUP BY test_id"""

SUM_COLUMNS = "s.n_results, s.n_bad, s.n_skipped, s.n_flaky, s.seconds"

# Looking up the few tests that are asked for is faster than summing all.
OF_BUDGETED = "SELECT id FROM projects_test WHERE project_id = %(project_id)s AND layer = ANY(%(budgeted)s)"

STRIPS = """
WITH last_runs AS (
    SELECT u.number, u.started_at, u.day FROM projects_run u WHERE {runs} ORDER BY u.started_at DESC, u.number DESC LIMIT %(n_runs)s
)
SELECT test_id, run_number, outcome, is_flaky, started_at FROM (
    SELECT r.test_id, r.run_number, r.outcome, r.n_attempts > 1 AND {flaky} AS is_flaky, u.started_at,
        row_number() OVER (PARTITION BY r.test_id ORDER BY u.started_at DESC, u.number DESC) AS place
    FROM projects_result r JOIN last_runs u ON u.number = r.run_number
    WHERE r.project_id = %(project_id)s AND r.test_id = ANY(%(ids)s)
        AND r.ran_on BETWEEN (SELECT min(day) FROM last_runs) AND (SELECT max(day) FROM last_runs)
) placed WHERE place <= %(n_cells)s ORDER BY test_id, place DESC
"""


def kind_of(window: Window) -> str:
    """Say which of DAYS and RUNS answer for the window's branch."""
    if window.is_all_branches:
        return "all"
    return "default" if window.is_default_branch else "branch"


def values_of(project: Project, window: Window, **more: Any) -> dict[str, Any]:
    """Return the parameters that every statement on a window knows, and more."""
    return {
        "project_id": project.pk,
        "since": window.since,
        "until": window.until,
        "before_since": window.previous.since,
        "before_until": window.previous.until,
        "branch": window.branch,
        "layers": [int(layer) for layer in window.layers or tuple(Layer)],
        **more,
    }


def before(statement: str) -> str:
    """Return the statement about the window before, which ends the day before this one begins."""
    for now, then in (
        ("%(since)s", "%(before_since)s"),
        ("%(until)s", "%(before_until)s"),
        ("%(now_", "%(before_"),
    ):
        statement = statement.replace(now, then)
    return statement


def days_of_both(kind: str) -> str:
    """Return the day rows of the window and the one before it."""
    if kind == "branch":
        return f"{DAYS[kind]} UNION ALL {before(DAYS[kind])}"
    return DAYS[kind].replace("%(since)s", "%(before_since)s")


def fetch(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def filters(window: Window) -> tuple[str, dict[str, Any]]:
    """Return the window's filters on tests as a condition on projects_test t and sums s, with its parameters."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    if window.layers:
        parts.append("t.layer = ANY(%(layers)s)")
    if window.buckets:
        parts.append("t.bucket = ANY(%(buckets)s)")
        values["buckets"] = [int(bucket) for bucket in window.buckets]
    if window.statuses:
        parts.append("t.flake_status = ANY(%(statuses)s)")
        values["statuses"] = [int(status) for status in window.statuses]
    if window.outcomes:
        parts.append("(" + " OR ".join(OUTCOME_SUMS[outcome] for outcome in window.outcomes) + ")")
    if window.rule is not None:
        parts.append("t.evidence -> 0 ->> 3 = '1' AND t.evidence -> 0 ->> 0 LIKE %(rule)s")
        values["rule"] = f"rule {window.rule}, %"
    if window.owner:
        parts.append(OWNED)
        values["owner"] = window.owner
    if window.q:
        parts.append(
            "t.file || ' › ' || t.suite || ' › ' || t.classname || ' › ' || t.name ILIKE ALL(%(words)s)"
        )
        values["words"] = words_of(window.q)
    return " AND ".join(parts) or "true", values


# What a person wrote on a test's page stands before what its report, or a file of owners, says.
OWNED = """(t.id IN (SELECT k.test_id FROM projects_flake k WHERE k.project_id = %(project_id)s AND k.owner <> ''
        AND (k.owner = %(owner)s OR %(owner)s = ANY(string_to_array(k.owner, ' '))))
    OR (t.owner = %(owner)s OR %(owner)s = ANY(string_to_array(t.owner, ' '))) AND t.id NOT IN (
        SELECT k.test_id FROM projects_flake k WHERE k.project_id = %(project_id)s AND k.owner <> ''))"""

OUTCOME_SUMS = {
    Outcome.PASSED: "s.n_results > s.n_bad + s.n_skipped",
    Outcome.FAILED: "s.n_bad > 0",
    Outcome.ERROR: "s.n_bad > 0",
    Outcome.SKIPPED: "s.n_skipped > 0",
}


def words_of(q: str) -> list[str]:
    """Return the words of a search as patterns of ILIKE."""
    return [f"%{_escaped(word)}%" for word in q.split()]


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def test_row(row: Sequence[Any]) -> TestRow:
    """Make a TestRow of TEST_COLUMNS and SUM_COLUMNS, without percentiles and strip."""
    test_id, suite, classname, name, file, layer, confidence, bucket, status, variant, owner, last_seen_on = (
        row[:12]
    )
    n_results, n_bad, n_skipped, n_flaky, seconds = row[12:17]
    return TestRow(
        id=test_id,
        title=title_of(suite=suite, classname=classname, name=name, file=file),
        home=file or classname or suite,
        layer=Layer(layer),
        confidence=confidence,
        bucket=TimingBucket(bucket),
        status=FlakeStatus(status),
        variant=variant,
        owner=owner,
        n_results=int(n_results or 0),
        n_bad=int(n_bad or 0),
        n_skipped=int(n_skipped or 0),
        n_flaky=int(n_flaky or 0),
        median_s=None,
        p95_s=None,
        seconds=float(seconds or 0),
        last_seen_on=last_seen_on,
    )


TIMINGS = """
WITH days AS ({days})
SELECT test_id, string_agg(timings, ''::bytea ORDER BY day) FILTER (WHERE day >= %(since)s),
    string_agg(timings, ''::bytea ORDER BY day) FILTER (WHERE day < %(since)s)
FROM days WHERE test_id = ANY(%(ids)s) GROUP BY test_id
"""


def timings(
    project: Project, window: Window, test_ids: Sequence[int], *, both: bool = False
) -> dict[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the duration bins of these tests' timed passes: in the window, and, for `both`, in the one before it."""
    if not test_ids:
        return {}
    kind = kind_of(window)
    statement = TIMINGS.format(days=days_of_both(kind) if both else DAYS[kind])
    found = fetch(statement, values_of(project, window, ids=list(test_ids)))
    return {test_id: (_bins(now), _bins(earlier)) for test_id, now, earlier in found}


def _bins(packed: bytes | None) -> tuple[int, ...]:
    return unpacked(packed) if packed else ()


def percentile(bins: Iterable[int], q: float) -> float | None:
    """Return the q-quantile of the durations in these bins; None where nothing was timed."""
    found = list(bins)
    return timing.percentile(found, q) if found else None


def dressed(project: Project, window: Window, rows: Sequence[TestRow]) -> tuple[TestRow, ...]:
    """Add median, 95th percentile and history strip to the rows of one page."""
    ids = [row.id for row in rows]
    bins = timings(project, window, ids)
    cells = strips(project, window, ids)
    return tuple(
        replace(timed(row, bins.get(row.id, ([], []))[0]), strip=cells.get(row.id, ())) for row in rows
    )


def timed(row: TestRow, bins: Sequence[int]) -> TestRow:
    """Add median and 95th percentile to a row."""
    return replace(row, median_s=percentile(bins, 0.5), p95_s=percentile(bins, 0.95))


def strips(project: Project, window: Window, test_ids: Sequence[int]) -> dict[int, tuple[StripCell, ...]]:
    """Return the last results of each test, oldest first."""
    if not test_ids:
        return {}
    statement = STRIPS.format(runs=RUNS[kind_of(window)], flaky=rollups.FLAKY)
    values = values_of(project, window, ids=list(test_ids), n_runs=RUNS_OF_A_STRIP, n_cells=STRIP)
    cells: dict[int, list[StripCell]] = {}
    for test_id, run_number, outcome, is_flaky, at in fetch(statement, values):
        cells.setdefault(test_id, []).append(StripCell(run_number, Outcome(outcome), bool(is_flaky), at))
    return {test_id: tuple(found) for test_id, found in cells.items()}


def order(sort: str, columns: Mapping[str, str], *, default: str) -> str:
    """Return the ORDER BY for a sort word, "-" in front for descending; unknown words give the default."""
    return " ".join(sort_key(sort, columns, default=default))


def sort_key(sort: str, columns: Mapping[str, str], *, default: str) -> tuple[str, str]:
    """Return what a sort word orders by, and in which direction."""
    word = sort.removeprefix("-")
    if word not in columns:
        sort, word = default, default.removeprefix("-")
    return columns[word], "DESC NULLS LAST" if sort.startswith("-") else "ASC NULLS LAST"


def mondays(until: date, n_weeks: int) -> list[date]:
    """Return the Mondays of the last n weeks up to and with the week of `until`, oldest first."""
    last = until - timedelta(days=until.weekday())
    return [last - timedelta(weeks=back) for back in range(n_weeks - 1, -1, -1)]
