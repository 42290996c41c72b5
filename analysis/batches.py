"""The results of uploads on their way into the days of their tests: laid aside by each upload, folded in for many at once.

A day's row of a test changes with each run of the day, and writing a row costs more than everything else that an upload does
with a passing result. So an upload lays its results aside, a few arrays in one row, and folding adds those of all uploads that
wait to the days, to the days of sight of the tests and to their timing buckets: in the transaction of the upload behind which
none waits, so that pages know of it as soon as it is done; of each FEWth otherwise; and once a minute for those that nobody
came to fold. A batch goes with the transaction that adds it up, so each counts once. Whoever changes days in another way folds
first, under the same lock.

What passes say of a test's pace is laid aside once more, for analysis.slowdowns.
"""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import connection, transaction

from analysis import buckets, slowdowns
from analysis.durations import LEAST_S, RING
from analysis.rollups import ADD_TO_DAY, AT_MOST, TIMING, Place
from projects import locks
from projects.cursors import PackedArray, binding_cursor, without_loops
from projects.models import Project, ResultBatch
from projects.vocabulary import Layer

FEW = 16  # uploads that wait to be folded before a worker that is busy with others does it

# A staged result is its outcome, and 8 more for a retry that mended it, 16 for several attempts, 32 for a load test.
CODE = "(outcome + 8 * is_flaky::int + 16 * (n_attempts > 1)::int + 32 * (layer = %(load)s)::int)::smallint"
FIRST_ATTEMPT_PASSED = 1
LAY_ASIDE = f"""
INSERT INTO projects_resultbatch (project_id, id, noted_at, run_number, day, on_default, test_ids, seconds, codes, numbers,
    number_seconds)
SELECT %(project_id)s, gen_random_uuid(), clock_timestamp(), %(run_number)s, %(day)s, %(on_default)s,
    coalesce(array_agg(test_id), '{{}}'), coalesce(array_agg(seconds), '{{}}'), coalesce(array_agg({CODE}), '{{}}'),
    %(numbers)b::int[], %(number_seconds)b::real[]
FROM incoming WHERE NOT is_merge
"""  # noqa: S608 - words of our own

# The results of the batches in the order in which they were recorded, so that the newest pass of a test stands last.
ROWS = """
    FROM (
        SELECT run_number, noted_at, test_ids, seconds AS test_seconds, codes, numbers, number_seconds,
            row_number() OVER (ORDER BY noted_at) AS place
        FROM projects_resultbatch WHERE project_id = %(project_id)s AND id = ANY(%(ids)s) ORDER BY noted_at
    ) b CROSS JOIN LATERAL (
        SELECT test_id, seconds, code FROM unnest(b.test_ids, b.test_seconds, b.codes) AS s (test_id, seconds, code)
        UNION ALL
        SELECT abs(number), seconds, CASE WHEN number < 0 THEN 4 ELSE 1 END::smallint
        FROM unnest(b.numbers, b.number_seconds) AS r (number, seconds)
    ) r
"""
TABLE = """
CREATE TEMP TABLE IF NOT EXISTS folded (
    test_id integer, n_passed integer, n_failed integer, n_error integer, n_skipped integer, n_flaky integer,
    seconds double precision, timings bytea, least_s real, most_s real, first_long integer
) ON COMMIT DELETE ROWS
"""
FOLD = f"""
INSERT INTO folded
SELECT test_id, count(*) FILTER (WHERE code & 7 = 1), count(*) FILTER (WHERE code & 7 = 2),
    count(*) FILTER (WHERE code & 7 = 3), count(*) FILTER (WHERE code & 7 = 4), count(*) FILTER (WHERE code & 8 > 0),
    coalesce(sum(seconds::float8), 0),
    coalesce(string_agg({TIMING.format(outcome="(code & 7)", seconds="seconds")}, ''::bytea), ''),
    min(seconds) FILTER (WHERE code & 7 = 1 AND seconds > 0), max(seconds) FILTER (WHERE code & 7 = 1 AND seconds > 0),
    min(place) FILTER (WHERE code = {FIRST_ATTEMPT_PASSED} AND seconds >= %(least_s)s)
{ROWS} GROUP BY test_id
"""
# An upload has one result of a test at most, so that one batch needs no grouping.
FOLD_ONE = f"""
INSERT INTO folded
SELECT test_id, (code & 7 = 1)::int, (code & 7 = 2)::int, (code & 7 = 3)::int, (code & 7 = 4)::int, (code & 8 > 0)::int,
    coalesce(seconds, 0), {TIMING.format(outcome="(code & 7)", seconds="seconds")},
    CASE WHEN code & 7 = 1 AND seconds > 0 THEN seconds END, CASE WHEN code & 7 = 1 AND seconds > 0 THEN seconds END,
    CASE WHEN code = {FIRST_ATTEMPT_PASSED} AND seconds >= %(least_s)s THEN place END
{ROWS}
"""
# Grouped by hashing, the timings of a test stay in the order of the batches; sorting by test, as for few rows, would mix them.
BEGIN = "DELETE FROM folded; SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off"
OF_DAY = "d.project_id = %(project_id)s AND d.on_default = %(on_default)s AND d.day = %(day)s"
# A test's row of the day is there from the day's second run on; one statement for both cases takes half as long again.
ADD_TO_DAYS = f"""
UPDATE projects_testday d SET {ADD_TO_DAY.format(more="f")}, timings = d.timings || f.timings
FROM folded f WHERE {OF_DAY} AND d.test_id = f.test_id
"""  # noqa: S608
ADD_DAYS = f"""
INSERT INTO projects_testday (project_id, on_default, day, test_id, n_passed, n_failed, n_error, n_skipped, n_flaky,
    seconds, timings)
SELECT %(project_id)s, %(on_default)s, %(day)s, test_id, n_passed, {AT_MOST}, seconds, timings
FROM folded {{narrow}} ORDER BY test_id
"""  # noqa: S608
NEW_OF_DAY = f"WHERE test_id NOT IN (SELECT test_id FROM projects_testday d WHERE {OF_DAY})"  # noqa: S608
SEEN = """
UPDATE projects_test t SET
    first_seen_on = least(t.first_seen_on, %(day)s), last_seen_on = greatest(t.last_seen_on, %(day)s),
    first_main_on = CASE WHEN %(on_default)s THEN least(t.first_main_on, %(day)s) ELSE t.first_main_on END,
    last_main_on = CASE WHEN %(on_default)s THEN greatest(t.last_main_on, %(day)s) ELSE t.last_main_on END
FROM folded f
WHERE t.project_id = %(project_id)s AND t.id = f.test_id AND (t.last_seen_on < %(day)s OR t.first_seen_on > %(day)s
    OR (%(on_default)s AND (t.last_main_on IS NULL OR t.last_main_on < %(day)s OR t.first_main_on > %(day)s)))
"""


# What paces follow: the passes of tests that have one, and from its first long pass on those of a test that has none yet.
# A pace that begins now knows the passes of its test from before that.
FOLLOW = f"""
WITH followed AS MATERIALIZED (
    SELECT f.test_id, CASE WHEN p.test_id IS NULL THEN f.first_long ELSE 0 END AS since
    FROM folded f LEFT JOIN projects_testpace p ON p.project_id = %(project_id)s AND p.test_id = f.test_id
    WHERE p.test_id IS NOT NULL OR f.first_long IS NOT NULL
), results AS MATERIALIZED (
    SELECT b.place, b.noted_at, b.run_number, r.test_id, r.seconds, r.code, w.since
    {ROWS} JOIN followed w ON w.test_id = r.test_id
), laid AS (
    INSERT INTO projects_passbatch (project_id, id, noted_at, run_number, test_ids, seconds)
    SELECT %(project_id)s, gen_random_uuid(), noted_at, run_number, array_agg(test_id), array_agg(seconds)
    FROM results WHERE code = {FIRST_ATTEMPT_PASSED} AND seconds > 0 AND place >= since
    GROUP BY place, noted_at, run_number
), begun AS MATERIALIZED (
    SELECT w.test_id FROM followed w
    JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = w.test_id AND t.layer <> %(load)s
    WHERE w.since > 0
), days AS (
    SELECT test_id, string_agg(timings, ''::bytea ORDER BY day) AS timings FROM projects_testday
    WHERE project_id = %(project_id)s AND on_default AND day BETWEEN %(first_day)s AND %(day)s
        AND test_id IN (SELECT test_id FROM begun)
    GROUP BY test_id
), before AS (
    SELECT test_id, string_agg({TIMING.format(outcome="(code & 7)", seconds="seconds")}, ''::bytea ORDER BY place) AS timings
    FROM results WHERE place < since GROUP BY test_id
), known AS (
    SELECT test_id, coalesce(days.timings, '') || coalesce(before.timings, '') AS timings
    FROM begun LEFT JOIN days USING (test_id) LEFT JOIN before USING (test_id)
)
INSERT INTO projects_testpace (project_id, test_id, bins, n_held)
SELECT %(project_id)s, test_id, substr(timings, greatest(1, length(timings) - {2 * RING - 1})), 0
FROM known ORDER BY test_id
ON CONFLICT (project_id, test_id) DO NOTHING
"""  # noqa: S608


def lay_aside(place: Place, *, numbers: PackedArray, seconds: PackedArray) -> None:
    """Lay aside the staged results that are new, and those of remembered tests: a skipped one's number with a minus."""
    values = {**place.values(), "load": int(Layer.LOAD), "numbers": numbers, "number_seconds": seconds}
    with binding_cursor() as cursor:
        cursor.execute(LAY_ASIDE, values)


def waiting() -> list[int]:
    """Return the projects that have results laid aside."""
    found = ResultBatch.objects.order_by("project_id").values_list("project_id", flat=True)
    return list(found.distinct())


def are_many(project_id: int) -> bool:
    """True where so many uploads wait to be folded that it is done though others wait to be read."""
    return ResultBatch.objects.filter(project_id=project_id).count() >= FEW


def fold(project_id: int) -> None:
    """Add to the days what the project's uploads laid aside; nothing for a project that is gone."""
    with transaction.atomic():
        locks.hold(project_id)
        fold_held(project_id)


def fold_held(project_id: int) -> None:
    """Fold in a transaction that holds the project's lock already."""
    waiting = ResultBatch.objects.filter(project_id=project_id).order_by("noted_at")
    batches = list(waiting.values_list("id", "day", "on_default"))
    if not batches:
        return
    project = Project.objects.get(pk=project_id)
    for (day, on_default), together in groupby(batches, key=itemgetter(1, 2)):
        _fold(project, [batch[0] for batch in together], day=day, on_default=on_default)
    waiting.filter(id__in=[batch[0] for batch in batches]).delete()


def _fold(project: Project, ids: list[uuid.UUID], *, day: date, on_default: bool) -> None:
    """Fold batches of one day, which follow each other."""
    values: dict[str, Any] = {
        "project_id": project.pk,
        "ids": ids,
        "day": day,
        "on_default": on_default,
        "least_s": LEAST_S,
        "load": int(Layer.LOAD),
        "first_day": day - timedelta(days=slowdowns.DAYS_OF_A_PACE),
    }
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute(BEGIN)
        with without_loops(cursor):
            cursor.execute(FOLD if len(ids) > 1 else FOLD_ONE, values)
            n_tests = cursor.rowcount
            cursor.execute("SET LOCAL enable_sort = on")
            if on_default:
                cursor.execute(FOLLOW, values)
            cursor.execute(ADD_TO_DAYS, values)
            if cursor.rowcount < n_tests:
                cursor.execute(ADD_DAYS.format(narrow=NEW_OF_DAY if cursor.rowcount else ""), values)
            cursor.execute(SEEN, values)
    buckets.judge_folded(project, day)
