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
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from django.db import connection, transaction

from analysis import buckets, day_rows, slowdowns, totals
from analysis.durations import LEAST_S, RING
from analysis.rollups import ADD_TO_DAY, AT_MOST, Place
from analysis.totals import Part, Passes
from projects import columns, locks
from projects.columns import fetching_columns
from projects.cursors import PackedArray, binding_cursor, without_loops
from projects.models import Project, ResultBatch
from projects.vocabulary import Layer

FEW = 16  # uploads that wait to be folded before a worker that is busy with others does it
MOST_LAID = 100_000  # passes in a row; enough to know a machine's speed by
MOST_HELD = 1_600_000  # results held at once, eight bytes each
LARGE, A_PIECE = 500_000, 50_000  # an upload with more than the one is folded alone, and read by the other

# A staged result is its outcome, and 8 more for a retry that mended it, 16 for several attempts, 32 for a load test.
CODE = "(outcome + 8 * is_flaky::int + 16 * (n_attempts > 1)::int + 32 * (layer = %(load)s)::int)::smallint"
LAY_ASIDE = f"""
INSERT INTO projects_resultbatch (project_id, id, noted_at, run_number, day, on_default, test_ids, seconds, codes, numbers,
    number_seconds)
SELECT %(project_id)s, gen_random_uuid(), clock_timestamp(), %(run_number)s, %(day)s, %(on_default)s,
    coalesce(array_agg(test_id), '{{}}'), coalesce(array_agg(seconds), '{{}}'), coalesce(array_agg({CODE}), '{{}}'),
    %(numbers)b::int[], %(number_seconds)b::real[]
FROM incoming WHERE NOT is_merge
"""  # noqa: S608 - words of our own

BATCH = """
SELECT numbers[%(first)s:%(last)s], number_seconds[%(first)s:%(last)s], test_ids[%(first)s:%(last)s],
    array_replace(seconds[%(first)s:%(last)s], NULL, 0), codes[%(first)s:%(last)s]
FROM projects_resultbatch WHERE project_id = %(project_id)s AND id = %(id)s
"""
BEGIN = f"{day_rows.TABLE}; DELETE FROM folded; SET LOCAL work_mem = '64MB'"  # noqa: S608
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
HAS_DAYS = f"SELECT EXISTS (SELECT FROM projects_testday d WHERE {OF_DAY})"  # noqa: S608
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
PACED = """
SELECT coalesce(array_agg(test_id), '{}') FROM projects_testpace
WHERE project_id = %(project_id)s AND test_id = ANY(%(tests)b::int[])
"""
# Most projects have no load tests, and the sums by layer know that at once.
LOAD_TESTS = """
SELECT coalesce(array_agg(id), '{}') FROM projects_test
WHERE project_id = %(project_id)s AND id = ANY(%(tests)b::int[]) AND layer = %(load)s
    AND EXISTS (SELECT FROM projects_layerday WHERE project_id = %(project_id)s AND layer = %(load)s)
"""
# A pace that begins now knows the passes of its test from before that: of the days, and of the batches.
BEGIN_PACES = f"""
INSERT INTO projects_testpace (project_id, test_id, bins, n_held)
SELECT %(project_id)s, test_id, substr(timings, greatest(1, length(timings) - {2 * RING - 1})), 0
FROM (
    SELECT test_id, coalesce(d.timings, '') || coalesce(b.timings, '') AS timings
    FROM unnest(%(tests)b::int[]) AS w (test_id)
    LEFT JOIN unnest(%(late)s::int[], %(before)s::bytea[]) AS b (test_id, timings) USING (test_id)
    LEFT JOIN (
        SELECT test_id, string_agg(timings, ''::bytea ORDER BY day) AS timings FROM projects_testday
        WHERE project_id = %(project_id)s AND on_default AND day BETWEEN %(first_day)s AND %(day)s
            AND test_id = ANY(%(tests)b::int[])
        GROUP BY test_id
    ) d USING (test_id)
) known ORDER BY test_id
ON CONFLICT (project_id, test_id) DO NOTHING
"""  # noqa: S608
LAY_PASSES = """
INSERT INTO projects_passbatch (project_id, id, noted_at, run_number, test_ids, seconds)
VALUES (%(project_id)s, gen_random_uuid(), %(noted_at)s, %(run_number)s, %(tests)b::int[], %(seconds)b::real[])
"""


class Waiting(NamedTuple):
    """A batch that waits, without its columns."""

    id: uuid.UUID
    noted_at: datetime
    run_number: int
    n_numbers: int
    n_staged: int

    @property
    def n(self) -> int:
        """How many results it has."""
        return self.n_numbers + self.n_staged


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
    columns_of = "id", "noted_at", "run_number", "numbers__len", "test_ids__len", "day", "on_default"
    batches = list(waiting.values_list(*columns_of))
    if not batches:
        return
    project = Project.objects.get(pk=project_id)
    for (day, on_default), together in groupby(batches, key=itemgetter(5, 6)):
        for some in _some(Waiting(*batch[:5]) for batch in together):
            _fold(project, some, Place(project_id, 0, day, on_default))
    waiting.filter(id__in=[batch[0] for batch in batches]).delete()


def _some(batches: Iterable[Waiting]) -> Iterator[list[Waiting]]:
    """Yield as many batches together as are held at once."""
    some, n_held = list[Waiting](), 0
    for batch in batches:
        if some and n_held + batch.n > (MOST_HELD if batch.n <= LARGE else 0):
            yield some
            some, n_held = [], 0
        some.append(batch)
        n_held += batch.n if batch.n <= LARGE else MOST_HELD
    yield some


def _fold(project: Project, batches: Sequence[Waiting], place: Place) -> None:
    """Fold batches of one day, which follow each other in the order in which they were recorded."""
    laid = [Passes(array("i"), array("f")) for _ in batches]
    are_first = _are_first(project, place)
    n_tests = 0
    with connection.cursor() as cursor:
        cursor.execute(BEGIN)
    for part in _parts(place.project_id, batches):
        n_tests += part.n_tests
        if place.on_default:
            _follow(part, laid, place, are_first=are_first)
        if are_first:
            columns.copy(day_rows.DAYS, day_rows.days(part, place))
        else:
            columns.copy(day_rows.FOLDED, day_rows.folded(part))
    _lay_passes(place, batches, laid)
    if not are_first:
        _add(place, n_tests)
        buckets.judge_folded(project, place.day)


def _parts(project_id: int, batches: Sequence[Waiting]) -> Iterator[Part]:
    """Yield the totals of all tests; a large upload comes alone and has each test once, so that it can be read by pieces."""
    length = max(max(batch.n_numbers, batch.n_staged) for batch in batches)
    size = length if len(batches) > 1 or length <= LARGE else A_PIECE
    for start in range(0, length, max(1, size)):
        some = [_read(project_id, batch, first=start + 1, last=start + size) for batch in batches]
        yield from totals.parts(totals.in_order(some), long_s=LEAST_S)


def _read(project_id: int, batch: Waiting, *, first: int, last: int) -> totals.Batch:
    values = {"project_id": project_id, "id": batch.id, "first": first, "last": last}
    with fetching_columns() as cursor:
        (row,) = cursor.execute(BATCH, values, binary=True).fetchall()
    return totals.Batch(*row)


def _are_first(project: Project, place: Place) -> bool:
    """True for the first results of a project: no test has a day or a bucket yet, and all were seen first on this day."""
    if project.n_runs > 1:
        return False
    with connection.cursor() as cursor:
        cursor.execute(HAS_DAYS, place.values())
        return not cursor.fetchone()[0]


def _add(place: Place, n_tests: int) -> None:
    """Add what is folded to the days of that many tests, and to the days on which they were seen."""
    values = place.values()
    with connection.cursor() as cursor, without_loops(cursor):
        cursor.execute(ADD_TO_DAYS, values)
        if cursor.rowcount < n_tests:
            cursor.execute(ADD_DAYS.format(narrow=NEW_OF_DAY if cursor.rowcount else ""), values)
        cursor.execute(SEEN, values)


def _follow(part: Part, laid: Sequence[Passes], place: Place, *, are_first: bool) -> None:
    """Begin the paces of tests that have their first long pass, and lay passes of tests with a pace with those of each upload."""
    paced = set[int]() if are_first else set(_tests(PACED, place, totals.passing(part)))
    begun = set(totals.long_tests(part, long_s=LEAST_S)) - paced
    if begun:
        begun.difference_update(_tests(LOAD_TESTS, place, array("i", sorted(begun))))
    found, before = totals.passes(part, paced=paced, begun=begun, long_s=LEAST_S)
    for one, more in zip(laid, found, strict=True):
        one.tests.extend(more.tests)
        one.seconds.extend(more.seconds)
    if begun and are_first:
        columns.copy(day_rows.PACES, day_rows.paces(place.project_id, begun, before))
    elif begun:
        _begin(place, begun, before)


def _begin(place: Place, begun: Iterable[int], before: Mapping[int, bytes]) -> None:
    values = {
        **place.values(),
        "first_day": place.day - timedelta(days=slowdowns.DAYS_OF_A_PACE),
        "tests": columns.sent(array("i", sorted(begun))),
        "late": list(before),
        "before": list(before.values()),
    }
    with binding_cursor() as cursor:
        cursor.execute(BEGIN_PACES, values)


def _tests(statement: str, place: Place, tests: array[int]) -> array[int]:
    """Return those of the tests that a statement tells."""
    values = {"project_id": place.project_id, "tests": columns.sent(tests), "load": int(Layer.LOAD)}
    with fetching_columns() as cursor:
        found = cursor.execute(statement, values, binary=True).fetchone()
    return found[0] if found else array("i")


def _lay_passes(place: Place, batches: Sequence[Waiting], laid: Sequence[Passes]) -> None:
    with binding_cursor() as cursor:
        for batch, passed in zip(batches, laid, strict=True):
            for start in range(0, len(passed.tests), MOST_LAID):
                values = {
                    "project_id": place.project_id,
                    "noted_at": batch.noted_at,
                    "run_number": batch.run_number,
                    "tests": columns.sent(passed.tests[start : start + MOST_LAID]),
                    "seconds": columns.sent(passed.seconds[start : start + MOST_LAID]),
                }
                cursor.execute(LAY_PASSES, values)
