"""The results of remembered tests of one upload: kept as they are, without a temporary table in between.

Of a remembered pass everything is known but its time, so it goes from the report's bytes to finished rows of Result in packed
columns, and its sums by layer are added up here. Where an upload is not that plain, because a test comes twice, or the run
has results of these tests already, or a failure waits for a test to pass, ingest.staging lays them with the others instead.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from itertools import compress
from operator import itemgetter
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from analysis.rollups import LayerSum
from ingest.recall import Memory, Recalled
from projects import columns
from projects.cursors import binding_cursor
from projects.models import Run
from projects.vocabulary import Outcome

COPY = """
COPY projects_result (project_id, test_id, run_number, ran_on, seconds, outcome, n_attempts) FROM STDIN (FORMAT BINARY)
"""
# The join reads both sides whole: the numbers come without an index, and the run's results are as many.
IS_IN = """
SELECT EXISTS (
    SELECT FROM (
        SELECT test_id FROM projects_result
        WHERE project_id = %(project_id)s AND run_number = %(run_number)s AND ran_on = %(day)s OFFSET 0
    ) r JOIN unnest(%(numbers)b::int[]) AS n (number) ON abs(n.number) = r.test_id
)
"""
# Seven fields, each after its length; what differs from row to row is zero here and stands at these places, in words of two
# bytes.
ROW = struct.Struct(">h ii ii ii ii if ih ih").pack
TEST_AT, SECONDS_AT, OUTCOME_AT = 7, 19, 23
# What a byte that says whether a test was skipped becomes.
OUTCOMES = bytes.maketrans(b"\0\1", bytes([Outcome.PASSED, Outcome.SKIPPED]))


class Remembered:
    """Results of remembered tests by framework, with their places in the upload; the caller empties what it stages."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._found: dict[str, Recalled] = {}
        self._is_in_order = True  # by places, of each framework: what is looked up first comes a little late

    def __len__(self) -> int:
        return sum(len(found.ids) for found in self._found.values())

    def add(self, recalled: Mapping[str, Recalled], *, start: int) -> None:
        """Take over what a reading recalled; its places count from `start`."""
        for framework, more in recalled.items():
            found = self._found.setdefault(framework, Recalled())
            found.ids.extend(more.ids)
            found.seconds.extend(more.seconds)
            places = array("i", [start + at for at in more.at]) if start else more.at
            self._is_in_order &= not found.at or not places or found.at[-1] < places[0]
            found.at.extend(places)
            more.clear()

    def numbers(self) -> array[int]:
        """Return the numbers of the tests in one column; a skipped one's with a minus."""
        return _joined(array("i"), [found.ids for found in self._found.values()])

    def seconds(self) -> array[float]:
        """Return the seconds in the order of `numbers`."""
        return _joined(array("f"), [found.seconds for found in self._found.values()])

    def n_skipped(self) -> int:
        """Count the skipped ones."""
        return sum(sum(map((0).__gt__, found.ids)) for found in self._found.values())

    def take(self) -> Iterator[tuple[str, Recalled]]:
        """Yield everything by framework, to be staged, and forget it here."""
        for framework, found in self._found.items():
            self._found[framework] = Recalled()
            if found.ids:
                yield framework, found

    def take_some(
        self, test_ids: Collection[int], *, after: Collection[int], places: Collection[int]
    ) -> Iterator[tuple[str, Recalled]]:
        """Yield the results of these tests, those right before the tests `after`, and those of some places; forget them here."""
        wanted = {*test_ids, *(-test_id for test_id in test_ids)}
        hits = {
            framework: list(compress(range(len(found.ids)), map(wanted.__contains__, found.ids)))
            for framework, found in self._found.items()
        }
        near, awaited = set(places), set(after)
        for framework, found in self._found.items():
            near.update(found.at[n] - 1 for n in hits[framework] if found.ids[n] in awaited)
        for framework, found in self._found.items():
            taken = sorted({*hits[framework], *self._at(found, near)})
            if taken:
                self._found[framework] = _without(found, taken)
                yield framework, _some(found, taken)

    def _at(self, found: Recalled, places: Collection[int]) -> Iterator[int]:
        """Yield which of the results stand at these places."""
        if not self._is_in_order:
            yield from compress(range(len(found.at)), map(places.__contains__, found.at))
            return
        for place in places:
            n = bisect_left(found.at, place)
            if n < len(found.at) and found.at[n] == place:
                yield n

    def sums(self) -> list[LayerSum]:
        """Add up by layer, in the order of the layers."""
        numbers, seconds = self.numbers(), self.seconds()
        kinds = bytes(map(self._memory.layers.__getitem__, map(abs, numbers)))
        skipped = bytes(compress(kinds, map((0).__gt__, numbers)))
        return [_sum(layer, kinds, skipped.count(layer), seconds) for layer in sorted(set(kinds))]

    def is_in(self, run: Run) -> bool:
        """True where the run has a result of one of these tests already."""
        if not run.n_uploads or not len(self):
            return False
        values = {
            "project_id": run.project_id,
            "run_number": run.number,
            "day": run.day,
            "numbers": columns.sent(self.numbers()),
        }
        with binding_cursor() as cursor:
            found = cursor.execute(IS_IN, values).fetchone()
        return bool(found and found[0])

    def keep(self, cursor: CursorWrapper, *, project_id: int, run_number: int, day: date) -> None:
        """Write the rows, in the order of the tests, so that the index grows at one place instead of all over."""
        numbers, seconds = _in_order(self.numbers(), self.seconds())
        if numbers:
            rows = _rows(project_id, run_number, day, numbers, seconds)
            with connection.wrap_database_errors, cursor.copy(COPY) as copy:
                copy.write(b"".join((columns.SIGNATURE, rows, columns.TRAILER)))


def _joined(column: array[Any], others: list[array[Any]]) -> array[Any]:
    for more in others:
        column.extend(more)
    return column


def _some(found: Recalled, taken: Sequence[int]) -> Recalled:
    some = Recalled()
    some.extend([(found.ids[n], found.seconds[n], found.at[n]) for n in taken])
    return some


def _without(found: Recalled, taken: Sequence[int]) -> Recalled:
    """Return the results but for those taken, which are few: what lies between them goes over whole."""
    rest = Recalled()
    for before, n in zip((-1, *taken), (*taken, len(found.ids)), strict=True):
        rest.ids.extend(found.ids[before + 1 : n])
        rest.seconds.extend(found.seconds[before + 1 : n])
        rest.at.extend(found.at[before + 1 : n])
    return rest


def _sum(layer: int, kinds: bytes, n_skipped: int, seconds: array[float]) -> LayerSum:
    is_mine = kinds.translate(bytes(kind == layer for kind in range(256)))
    return LayerSum(layer, kinds.count(layer) - n_skipped, n_skipped, sum(compress(seconds, is_mine)))


def _in_order(numbers: array[int], seconds: array[float]) -> tuple[array[int], array[float]]:
    tests = list(map(abs, numbers))
    if tests == sorted(tests):  # mostly, as tests get their numbers in the order of a report
        return numbers, seconds
    order = sorted(range(len(tests)), key=tests.__getitem__)
    pick = itemgetter(*order)
    return array("i", pick(numbers)), array("f", pick(seconds))


def _rows(project_id: int, run_number: int, day: date, numbers: array[int], seconds: array[float]) -> bytes:
    """Pack the rows column by column: a row is the same as the last one but for three fields."""
    row = ROW(
        7, 4, project_id, 4, 0, 4, run_number, 4, (day - columns.EPOCH).days, 4, 0.0, 2, Outcome.PASSED, 2, 1
    )
    words = array("H", row * len(numbers))
    size = len(row) // 2
    _put(words, size, TEST_AT, array("i", map(abs, numbers)))
    _put(words, size, SECONDS_AT, seconds)
    if min(numbers) < 0:
        outcomes = array("H", list(bytes(map((0).__gt__, numbers)).translate(OUTCOMES)))
        if sys.byteorder == "little":
            outcomes.byteswap()
        words[OUTCOME_AT::size] = outcomes
    return words.tobytes()


def _put(words: array[int], size: int, at: int, column: array[int] | array[float]) -> None:
    """Put a column of four bytes a value into its place of each row, the higher bytes first."""
    swapped = column[:]
    if sys.byteorder == "little":
        swapped.byteswap()
    halves = array("H", swapped.tobytes())
    words[at::size], words[at + 1 :: size] = halves[0::2], halves[1::2]
