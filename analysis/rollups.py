"""The sums that pages read instead of results: per test and day, per layer and day, per run and layer.

Each is derived from Result, Failure, Test and Run alone. The sums by layer count new results in the transaction that records
them (`add_layers`), the days of tests a moment later (analysis.batches); `recount` replaces the sums that a changed result
touched, analysis.rebuilding makes all of them again; a test holds the three equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from analysis import timing
from projects.cursors import without_loops
from projects.models import Project

# A timed pass is two bytes: the bin of its duration, as analysis.timing numbers them.
TIMING = f"""CASE WHEN {{outcome}} = 1 AND {{seconds}} > 0 THEN substr(int4send(least({timing.LAST_BIN}, greatest(0,
    round((ln({{seconds}}::float8) - {timing.LOG_SHORTEST!r}) / {timing.LOG_STEP!r})))::int), 3) ELSE ''::bytea END"""

SUMS = """count(*) FILTER (WHERE outcome = 1) AS n_passed, count(*) FILTER (WHERE outcome = 2) AS n_failed,
    count(*) FILTER (WHERE outcome = 3) AS n_error, count(*) FILTER (WHERE outcome = 4) AS n_skipped,
    count(*) FILTER (WHERE is_flaky) AS n_flaky, coalesce(sum(seconds::float8), 0) AS seconds"""

# What went wrong or was skipped in a day's row of a test is counted in two bytes, so that a row is narrow: no further than this,
# which two of them can be added up at.
MOST_A_DAY = 16_383
RARE = ("n_failed", "n_error", "n_skipped", "n_flaky")
AT_MOST = ", ".join(f"least({MOST_A_DAY}, {name})" for name in RARE)
ADD_TO_DAY = (
    "n_passed = d.n_passed + {more}.n_passed, "
    + ", ".join(f"{name} = least({MOST_A_DAY}, d.{name} + {{more}}.{name})" for name in RARE)
    + ", seconds = d.seconds + {more}.seconds"
)

# One pass over the staged results for both sums by layer; those of remembered tests come added up.
ADD_LAYERS = f"""
WITH s AS MATERIALIZED (
    SELECT layer, sum(n_tests)::int AS n_tests, sum(n_passed)::int AS n_passed, sum(n_failed)::int AS n_failed,
        sum(n_error)::int AS n_error, sum(n_skipped)::int AS n_skipped, sum(n_flaky)::int AS n_flaky, sum(seconds) AS seconds
    FROM (
        SELECT layer, count(*) AS n_tests, {SUMS} FROM incoming WHERE NOT is_merge GROUP BY layer
        UNION ALL
        SELECT layer, n_passed + n_skipped, n_passed, 0, 0, n_skipped, 0, seconds
        FROM unnest(%(layers)s::smallint[], %(n_passed)s::int[], %(n_skipped)s::int[], %(seconds)s::float8[])
            AS r (layer, n_passed, n_skipped, seconds)
    ) parts GROUP BY layer
), days AS (
    INSERT INTO projects_layerday
        (project_id, on_default, day, layer, n_passed, n_failed, n_error, n_skipped, n_flaky, seconds)
    SELECT %(project_id)s, %(on_default)s, %(day)s, layer, n_passed, n_failed, n_error, n_skipped, n_flaky, seconds FROM s
    ON CONFLICT (project_id, on_default, day, layer) DO UPDATE SET
        n_passed = projects_layerday.n_passed + excluded.n_passed,
        n_failed = projects_layerday.n_failed + excluded.n_failed,
        n_error = projects_layerday.n_error + excluded.n_error,
        n_skipped = projects_layerday.n_skipped + excluded.n_skipped,
        n_flaky = projects_layerday.n_flaky + excluded.n_flaky,
        seconds = projects_layerday.seconds + excluded.seconds
)
INSERT INTO projects_runlayer (project_id, run_number, layer, n_tests, n_bad, n_skipped, seconds)
SELECT %(project_id)s, %(run_number)s, layer, n_tests, n_failed + n_error, n_skipped, seconds FROM s
ON CONFLICT (project_id, run_number, layer) DO UPDATE SET
    n_tests = projects_runlayer.n_tests + excluded.n_tests,
    n_bad = projects_runlayer.n_bad + excluded.n_bad,
    n_skipped = projects_runlayer.n_skipped + excluded.n_skipped,
    seconds = projects_runlayer.seconds + excluded.seconds
"""

# Results that changed in a run, as what they are less what they were. A pass that changed has its timing in the day's row,
# which cannot be taken out again: its day is counted anew instead.
WERE_PASSES = (
    "is_merge AND old_outcome = 1 AND (outcome <> 1 OR is_flaky OR seconds IS DISTINCT FROM old_seconds)"
)
MERGED_ANEW = f"SELECT test_id FROM incoming WHERE {WERE_PASSES}"
CHANGED = "is_merge AND old_outcome <> 1 AND (outcome <> old_outcome OR seconds IS DISTINCT FROM old_seconds)"
LESS = """sum((outcome = 1)::int - (old_outcome = 1)::int) AS n_passed,
    sum((outcome = 2)::int - (old_outcome = 2)::int) AS n_failed,
    sum((outcome = 3)::int - (old_outcome = 3)::int) AS n_error,
    sum((outcome = 4)::int - (old_outcome = 4)::int) AS n_skipped, sum((is_flaky AND outcome = 1)::int) AS n_flaky,
    sum(coalesce(seconds, 0)::float8 - coalesce(old_seconds, 0)) AS seconds"""
CHANGE_DAYS = f"""
UPDATE projects_testday d SET {ADD_TO_DAY.format(more="c")}, timings = d.timings || c.timing
FROM (
    SELECT test_id, {LESS}, {TIMING.format(outcome="min(outcome)", seconds="min(seconds)")} AS timing
    FROM incoming WHERE {{changed}} GROUP BY test_id
) c
WHERE d.project_id = %(project_id)s AND d.on_default = %(on_default)s AND d.day = %(day)s AND d.test_id = c.test_id
"""
CHANGE_LAYER_DAYS = f"""
UPDATE projects_layerday d SET n_passed = d.n_passed + c.n_passed, n_failed = d.n_failed + c.n_failed,
    n_error = d.n_error + c.n_error, n_skipped = d.n_skipped + c.n_skipped, n_flaky = d.n_flaky + c.n_flaky,
    seconds = d.seconds + c.seconds
FROM (SELECT layer, {LESS} FROM incoming WHERE {{changed}} GROUP BY layer) c
WHERE d.project_id = %(project_id)s AND d.on_default = %(on_default)s AND d.day = %(day)s AND d.layer = c.layer
"""
CHANGE_RUN_LAYERS = f"""
UPDATE projects_runlayer l SET n_bad = l.n_bad + c.n_failed + c.n_error, n_skipped = l.n_skipped + c.n_skipped,
    seconds = l.seconds + c.seconds
FROM (SELECT layer, {LESS} FROM incoming WHERE {{changed}} GROUP BY layer) c
WHERE l.project_id = %(project_id)s AND l.run_number = %(run_number)s AND l.layer = c.layer
"""
# The run's own counts are made of what is new in it and of what changed.
RUN_CHANGES = """
SELECT count(*) FILTER (WHERE NOT is_merge), sum((outcome = 1)::int - coalesce((old_outcome = 1)::int, 0)),
    sum((outcome = 2)::int - coalesce((old_outcome = 2)::int, 0)),
    sum((outcome = 3)::int - coalesce((old_outcome = 3)::int, 0)),
    sum((outcome = 4)::int - coalesce((old_outcome = 4)::int, 0)),
    sum(coalesce(seconds, 0)::float8 - coalesce(old_seconds, 0)),
    count(*) FILTER (WHERE is_flaky AND outcome = 1 AND old_outcome IS DISTINCT FROM 1)
FROM incoming
"""
RUN_FLAKY = """
SELECT count(*) FROM (SELECT DISTINCT test_id FROM projects_failure
    WHERE project_id = %(project_id)s AND run_number = %(run_number)s) f
WHERE EXISTS (SELECT FROM projects_result r WHERE r.project_id = %(project_id)s AND r.test_id = f.test_id
    AND r.run_number = %(run_number)s AND r.ran_on = %(day)s AND r.outcome = 1 OFFSET 0)
"""

# A result is flaky when it passed in the end and an attempt of it went wrong before.
FLAKY = """r.outcome = 1 AND EXISTS (SELECT FROM projects_failure f WHERE f.project_id = r.project_id
    AND f.test_id = r.test_id AND f.run_number = r.run_number)"""

DAYS_FROM_RESULTS = f"""
INSERT INTO projects_testday (project_id, on_default, day, test_id, n_passed, n_failed, n_error, n_skipped, n_flaky,
    seconds, timings)
SELECT project_id, is_default_branch, ran_on, test_id, n_passed, {AT_MOST}, seconds, timings
FROM (
    SELECT project_id, is_default_branch, ran_on, test_id, {SUMS},
        coalesce(string_agg({TIMING.format(outcome="outcome", seconds="seconds")}, ''::bytea ORDER BY run_number), '')
            AS timings
    FROM (
        SELECT r.*, u.is_default_branch, {FLAKY} AS is_flaky
        FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
        WHERE r.project_id = %(project_id)s AND r.ran_on BETWEEN %(since)s AND %(until)s {{narrow}}
    ) judged
    GROUP BY project_id, is_default_branch, ran_on, test_id
) summed ORDER BY project_id, is_default_branch, ran_on, test_id
"""

LAYER_DAYS_FROM_DAYS = """
INSERT INTO projects_layerday (project_id, on_default, day, layer, n_passed, n_failed, n_error, n_skipped, n_flaky, seconds)
SELECT d.project_id, d.on_default, d.day, t.layer, sum(n_passed), sum(n_failed), sum(n_error), sum(n_skipped), sum(n_flaky),
    sum(seconds::float8)
FROM projects_testday d JOIN projects_test t ON t.project_id = d.project_id AND t.id = d.test_id
WHERE d.project_id = %(project_id)s AND d.day BETWEEN %(since)s AND %(until)s
GROUP BY d.project_id, d.on_default, d.day, t.layer
"""

RUN_LAYERS_FROM_RESULTS = """
INSERT INTO projects_runlayer (project_id, run_number, layer, n_tests, n_bad, n_skipped, seconds)
SELECT r.project_id, r.run_number, t.layer, count(*), count(*) FILTER (WHERE r.outcome IN (2, 3)),
    count(*) FILTER (WHERE r.outcome = 4), coalesce(sum(r.seconds::float8), 0)
FROM projects_result r JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s AND r.ran_on BETWEEN %(since)s AND %(until)s {narrow}
GROUP BY r.project_id, r.run_number, t.layer
"""

RUN_COUNTS = """
UPDATE projects_run u SET n_tests = coalesce(c.n_tests, 0), n_passed = coalesce(c.n_passed, 0),
    n_failed = coalesce(c.n_failed, 0), n_error = coalesce(c.n_error, 0), n_skipped = coalesce(c.n_skipped, 0),
    n_flaky = coalesce(c.n_flaky, 0), seconds = coalesce(c.seconds, 0)
FROM (
    SELECT run_number, count(*) AS n_tests, {sums}
    FROM (
        SELECT r.*, {flaky} AS is_flaky FROM projects_result r
        WHERE r.project_id = %(project_id)s AND r.ran_on BETWEEN %(since)s AND %(until)s {narrow}
    ) judged
    GROUP BY run_number
) c
WHERE u.project_id = %(project_id)s AND u.number = c.run_number
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the results of one upload belong: project, run, day and whether it counts for the default branch."""

    project_id: int
    run_number: int
    day: date
    on_default: bool

    def values(self) -> dict[str, Any]:
        """Return what statements call these."""
        return {
            "project_id": self.project_id,
            "run_number": self.run_number,
            "day": self.day,
            "on_default": self.on_default,
        }


@dataclass(frozen=True, slots=True)
class LayerSum:
    """Results of remembered tests, all of one layer."""

    layer: int
    n_passed: int
    n_skipped: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RunChange:
    """What an upload adds to the counts of its run."""

    n_tests: int
    n_passed: int
    n_failed: int
    n_error: int
    n_skipped: int
    seconds: float
    n_flaky: int


def add_layers(place: Place, remembered: Sequence[LayerSum]) -> None:
    """Add the staged results that are new, and those of remembered tests, to the sums by layer."""
    values = {
        **place.values(),
        "layers": [one.layer for one in remembered],
        "n_passed": [one.n_passed for one in remembered],
        "n_skipped": [one.n_skipped for one in remembered],
        "seconds": [one.seconds for one in remembered],
    }
    with connection.cursor() as cursor:
        cursor.execute(ADD_LAYERS, values)


def change(place: Place) -> bool:
    """Count the staged results that changed earlier ones of the run, as what they are less what they were.

    Returns True where passes changed, so that days were counted anew and the run's flakes must be too.
    """
    values = place.values()
    with connection.cursor() as cursor:
        with without_loops(cursor):
            for statement in (CHANGE_DAYS, CHANGE_LAYER_DAYS, CHANGE_RUN_LAYERS):
                cursor.execute(statement.format(changed=CHANGED), values)
        cursor.execute(MERGED_ANEW)
        anew = [test_id for (test_id,) in cursor.fetchall()]
    if anew:
        recount(place, anew)
    return bool(anew)


def run_change() -> RunChange:
    """Return what the staged results add to the counts of their run."""
    with connection.cursor() as cursor:
        cursor.execute(RUN_CHANGES)
        return RunChange(*cursor.fetchone())


def n_flaky(place: Place) -> int:
    """Count the results of the run that a retry mended, from its failures."""
    with connection.cursor() as cursor:
        cursor.execute(RUN_FLAKY, place.values())
        return int(cursor.fetchone()[0])


def recount(place: Place, test_ids: Sequence[int]) -> None:
    """Make the sums again that these tests touch on this day and in this run, after a pass of them changed.

    Where retention has deleted other results of the day, only the difference is taken: what the sums alone know must stay.
    """
    if place.day < results_since(place.project_id):
        _take_difference(place)
        return
    values = place.values() | {"since": place.day, "until": place.day, "test_ids": list(test_ids)}
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM projects_testday WHERE project_id = %(project_id)s AND on_default IN (false, true)"
            " AND day = %(day)s AND test_id = ANY(%(test_ids)s)",
            values,
        )
        cursor.execute(DAYS_FROM_RESULTS.format(narrow="AND r.test_id = ANY(%(test_ids)s)"), values)
        replace_layer_days(values)
        cursor.execute(
            "DELETE FROM projects_runlayer WHERE project_id = %(project_id)s AND run_number = %(run_number)s",
            values,
        )
        cursor.execute(RUN_LAYERS_FROM_RESULTS.format(narrow="AND r.run_number = %(run_number)s"), values)


def relayer(project_id: int, *, since: date, until: date) -> None:
    """Sum by layer again, day by day and run by run, after tests changed their layer."""
    values: dict[str, Any] = {"project_id": project_id, "since": since, "until": until}
    with connection.cursor() as cursor:
        replace_layer_days(values)
        kept_since = results_since(project_id)
        if kept_since <= until:
            _replace_run_layers(cursor, values | {"since": max(since, kept_since)})


def results_since(project_id: int) -> date:
    """Return the first day whose results retention has left whole; what is older lives on in sums alone."""
    found = Project.objects.filter(pk=project_id).values_list("results_since", flat=True).first()
    return found or date.min


def _take_difference(place: Place) -> None:
    """Change the sums by what changed passes are less what they were; the timings of both stay with the day."""
    with connection.cursor() as cursor:
        for statement in (CHANGE_DAYS, CHANGE_LAYER_DAYS, CHANGE_RUN_LAYERS):
            cursor.execute(statement.format(changed=WERE_PASSES), place.values())


def replace_layer_days(values: dict[str, Any]) -> None:
    """Sum the days by layer again, from the sums of the tests."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM projects_layerday WHERE project_id = %(project_id)s AND day BETWEEN %(since)s AND %(until)s",
            values,
        )
        cursor.execute(LAYER_DAYS_FROM_DAYS, values)


def _replace_run_layers(cursor: Any, values: dict[str, Any]) -> None:
    cursor.execute(
        "DELETE FROM projects_runlayer l USING projects_run u WHERE l.project_id = %(project_id)s"
        " AND u.project_id = l.project_id AND u.number = l.run_number AND u.day BETWEEN %(since)s AND %(until)s",
        values,
    )
    cursor.execute(RUN_LAYERS_FROM_RESULTS.format(narrow=""), values)


def months(project_id: int) -> Iterator[tuple[date, date]]:
    """Yield the first and last day with runs of each month that has any."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(day), max(day) FROM projects_run WHERE project_id = %s GROUP BY date_trunc('month', day)"
            " ORDER BY 1",
            [project_id],
        )
        yield from cursor.fetchall()
