"""What the results of some uploads come to, test by test, and which passes paces are made of: columns in, columns out. Pure.

Nearly every test passes in each upload at the first attempt, and each upload has the same tests in the same order. Of those,
columns are added up by loops inside the interpreter; what is left, result by result.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, count, repeat
from operator import itemgetter, mul
from typing import Any, NamedTuple

from analysis import timing

# A result is its outcome, and 8 more for a retry that mended it, 16 for several attempts, 32 for a load test.
OUTCOME, RETRIED, PASSED, SKIPPED = 7, 8, 1, 4
AT_ONCE = 10_000  # numbers of tests that are added up together: some 10 MB where sixteen uploads wait
MOST_PIECES = 10_000  # durations whose bins are kept at hand, some 200 bytes each
NOT = bytes.maketrans(b"\0\1", b"\1\0")
BIN = struct.Struct(">H").pack

Result = tuple[int, float, int]  # test, seconds, code


class Laid(NamedTuple):
    """What one upload laid aside, in the order of the tests: numbers of tests, with a minus for skipped ones, and the rest."""

    numbers: array[int]
    seconds: array[float]
    others: Sequence[Result]


class Steady(NamedTuple):
    """Tests with the same outcome at the first attempt in each upload: a column of seconds an upload.

    Of timed passes there are a column of bins an upload too, of two bytes a test, and the least and the most seconds.
    """

    tests: array[int]
    columns: Sequence[Sequence[float]]
    sums: array[float]
    bins: Sequence[bytes] = ()
    least: array[float] = array("f")
    most: array[float] = array("f")


class Total:
    """What the results of one test come to."""

    __slots__ = ("first_long", "least", "most", "n", "n_before", "n_flaky", "passes", "seconds", "timings")

    def __init__(self) -> None:
        self.n = [0] * (OUTCOME + 1)  # by outcome
        self.n_flaky = 0
        self.seconds = 0.0
        self.timings = b""
        self.least = self.most = 0.0  # of timed passes
        self.passes: list[tuple[int, float]] = []  # timed ones at the first attempt: upload, seconds
        self.first_long: int | None = None  # among these
        self.n_before = 0  # bytes of timings from before that one


class Part(NamedTuple):
    """The totals of some tests; each test is in one of the four."""

    timed: Steady
    untimed: Steady
    skipped: Steady
    others: Mapping[int, Total]

    @property
    def n_tests(self) -> int:
        """How many tests these are."""
        return len(self.others) + sum(len(one.tests) for one in (self.timed, self.untimed, self.skipped))


class Passes(NamedTuple):
    """The passes of one upload that paces are made of."""

    tests: array[int]
    seconds: array[float]

    def add(self, test: int, seconds: float) -> None:
        """Add a pass."""
        self.tests.append(test)
        self.seconds.append(seconds)


class Pieces(dict[float, bytes]):
    """The bins of durations in two bytes each; reports round, so that few durations differ."""

    def __missing__(self, seconds: float) -> bytes:
        piece = BIN(timing.to_bin(seconds))
        if len(self) < MOST_PIECES:
            self[seconds] = piece
        return piece


class Batch(NamedTuple):
    """What one upload laid aside, as it was kept: numbers with their seconds, and tests with seconds and codes."""

    numbers: array[int]
    number_seconds: array[float]
    tests: array[int]
    seconds: array[float]
    codes: array[int]


def in_order(batches: Iterable[Batch]) -> list[Laid]:
    """Return what uploads laid aside in the order of the tests."""
    found = list[Laid]()
    before, order = array("i"), None
    for batch in batches:
        numbers, seconds, others = _parted(batch)
        if numbers != before:
            before, order = numbers, _order(numbers)
        found.append(
            Laid(
                numbers if order is None else array("i", map(numbers.__getitem__, order)),
                seconds if order is None else array("f", map(seconds.__getitem__, order)),
                others,
            )
        )
    return found


def _parted(batch: Batch) -> tuple[array[int], array[float], list[Result]]:
    """Return numbers with their seconds, and the rest; where most is with the rest, its plain passes are numbers too."""
    numbers, seconds = batch.numbers, batch.number_seconds
    rest = batch.tests, batch.seconds, batch.codes
    if len(batch.tests) > len(numbers):
        is_plain = bytes(map((PASSED, SKIPPED).__contains__, batch.codes))
        signs = map({PASSED: 1, SKIPPED: -1}.__getitem__, compress(batch.codes, is_plain))
        numbers = numbers + array("i", map(mul, compress(batch.tests, is_plain), signs))
        seconds = seconds + array("f", compress(batch.seconds, is_plain))
        left = is_plain.translate(NOT)
        rest = _some(batch.tests, left), _some(batch.seconds, left), _some(batch.codes, left)
    return numbers, seconds, sorted(zip(*rest, strict=True))


def _order(numbers: array[int]) -> list[int] | None:
    """Return the places of the numbers in the order of the tests; None where they are in order, as mostly."""
    last = 0
    for start in range(0, len(numbers), AT_ONCE):
        tests = list(map(abs, numbers[start : start + AT_ONCE]))
        if tests[0] < last or tests != sorted(tests):
            return sorted(range(len(numbers)), key=list(map(abs, numbers)).__getitem__)
        last = tests[-1]
    return None


def parts(uploads: Sequence[Laid], *, long_s: float) -> Iterator[Part]:
    """Yield the totals of all tests, some at a time; a pass is long from `long_s` on."""
    pieces = Pieces()
    edges = [abs(one.numbers[at]) for one in uploads if one.numbers for at in (0, -1)]
    edges += [one.others[at][0] for one in uploads if one.others for at in (0, -1)]
    for start in range(min(edges, default=0), max(edges, default=-1) + 1, AT_ONCE):
        some = [_between(one, start, start + AT_ONCE) for one in uploads]
        if any(one.numbers or one.others for one in some):
            yield _part(some, pieces, long_s=long_s)


def _between(one: Laid, start: int, end: int) -> Laid:
    at = slice(*(bisect_left(one.numbers, edge, key=abs) for edge in (start, end)))
    of_rest = slice(*(bisect_left(one.others, edge, key=itemgetter(0)) for edge in (start, end)))
    return Laid(one.numbers[at], one.seconds[at], one.others[of_rest])


def _part(uploads: Sequence[Laid], pieces: Pieces, *, long_s: float) -> Part:
    numbers, columns, left = _common(uploads)
    is_one = len(columns) == 1
    least = columns[0] if is_one else list(map(min, *columns))
    is_passed = bytes(map((0).__lt__, numbers))
    is_skipped = is_passed.translate(NOT)
    is_timed = _both(is_passed, bytes(map((0.0).__lt__, least)))
    timed, skipped = _those(numbers, columns, is_timed), _those(numbers, columns, is_skipped)
    timed = timed._replace(
        bins=[b"".join(map(pieces.__getitem__, column)) for column in timed.columns],
        least=array("f", timed.columns[0] if is_one else compress(least, is_timed)),
        most=array("f", timed.columns[0] if is_one else map(max, *timed.columns)),
    )
    rest = _those(numbers, columns, _both(is_passed, is_timed.translate(NOT)))
    is_untimed = bytes(not any(times) for times in zip(*rest.columns, strict=True))
    untimed = _those(rest.tests, rest.columns, is_untimed)
    wavering = _those(rest.tests, rest.columns, is_untimed.translate(NOT))
    totals = defaultdict[int, Total](Total)
    for place, one in enumerate(uploads):
        passed = zip(wavering.tests, wavering.columns[place], repeat(PASSED))
        _add(totals, place, chain(left[place], passed, one.others), pieces, long_s=long_s)
    return Part(timed, untimed, skipped, totals)


def _common(
    uploads: Sequence[Laid],
) -> tuple[array[int], list[Sequence[float]], Sequence[Iterable[Result]]]:
    """Return the numbers that all uploads have with a column of seconds for each upload, and what else each upload has."""
    different = [uploads[0].numbers]
    for one in uploads:
        if one.numbers != different[-1]:
            different.append(one.numbers)
    if len(different) == 1:
        return different[0], [one.seconds.tolist() for one in uploads], [()] * len(uploads)
    common = set(different[0]).intersection(*different[1:])
    masks = [bytes(map(common.__contains__, one.numbers)) for one in uploads]
    columns: list[Sequence[float]] = [
        list(compress(one.seconds, mask)) for one, mask in zip(uploads, masks, strict=True)
    ]
    left = [_left(one, mask.translate(NOT)) for one, mask in zip(uploads, masks, strict=True)]
    return array("i", compress(different[0], masks[0])), columns, left


def _left(one: Laid, mask: bytes) -> Iterator[Result]:
    for number, seconds in zip(compress(one.numbers, mask), compress(one.seconds, mask), strict=True):
        yield abs(number), seconds, PASSED if number > 0 else SKIPPED


def _those(numbers: array[int], columns: Sequence[Sequence[float]], mask: bytes) -> Steady:
    """Return the tests that the mask has."""
    some = [list(compress(column, mask)) for column in columns]
    sums = array("d", some[0] if len(some) == 1 else map(sum, zip(*some, strict=True)))
    return Steady(array("i", map(abs, compress(numbers, mask))), some, sums)


def _add(
    totals: defaultdict[int, Total], place: int, results: Iterable[Result], pieces: Pieces, *, long_s: float
) -> None:
    """Add the results of an upload one by one."""
    for test, seconds, code in results:
        total = totals[test]
        total.n[code & OUTCOME] += 1
        total.seconds += seconds
        if code & RETRIED:
            total.n_flaky += 1
        if code & OUTCOME != PASSED or seconds <= 0:
            continue
        if code == PASSED:
            if seconds >= long_s and total.first_long is None:
                total.first_long, total.n_before = len(total.passes), len(total.timings)
            total.passes.append((place, seconds))
        if not total.timings or seconds < total.least:
            total.least = seconds
        if seconds > total.most:
            total.most = seconds
        total.timings += pieces[seconds]


def _both(mask: bytes, other: bytes) -> bytes:
    """Return what both masks have."""
    return (int.from_bytes(mask, "big") & int.from_bytes(other, "big")).to_bytes(len(mask), "big")


def _some(values: array[Any], mask: bytes) -> array[Any]:
    return array(values.typecode, compress(values, mask))


def passing(part: Part) -> array[int]:
    """Return the tests that have a pass of which a pace could be made."""
    return part.timed.tests + array("i", [test for test, total in part.others.items() if total.passes])


def long_tests(part: Part, *, long_s: float) -> array[int]:
    """Return the tests that have a long pass."""
    found = array("i", compress(part.timed.tests, map(long_s.__le__, part.timed.most)))
    found.extend(test for test, total in part.others.items() if total.first_long is not None)
    return found


def passes(
    part: Part, *, paced: Collection[int], begun: Collection[int], long_s: float
) -> tuple[list[Passes], dict[int, bytes]]:
    """Return, for each upload, the passes of tests that have a pace, and of those whose pace begins from the first long one on.

    Of the latter comes the bins of their timed passes before that, where there are any.
    """
    timed, before = part.timed, dict[int, bytes]()
    late = _late(timed, begun, long_s=long_s)
    followed = {*paced, *begun}.difference(timed.tests[at] for at in late)
    mask = bytes(map(followed.__contains__, timed.tests))
    tests = array("i", compress(timed.tests, mask))
    found = [Passes(tests[:], array("f", compress(column, mask))) for column in timed.columns]
    for at in late:
        first = next(place for place, column in enumerate(timed.columns) if column[at] >= long_s)
        before[timed.tests[at]] = b"".join(bins[2 * at : 2 * at + 2] for bins in timed.bins[:first])
        for passed, column in zip(found[first:], timed.columns[first:], strict=True):
            passed.add(timed.tests[at], column[at])
    for test, total in part.others.items():
        if test in begun:
            before[test] = total.timings[: total.n_before]
        if test in paced or test in begun:
            for place, seconds in total.passes[total.first_long or 0 if test in begun else 0 :]:
                found[place].add(test, seconds)
    return found, {test: timings for test, timings in before.items() if timings}


def _late(timed: Steady, begun: Collection[int], *, long_s: float) -> list[int]:
    """Return the places of tests whose pace begins, but not with the first upload."""
    if not begun or len(timed.columns) == 1:
        return []
    are_begun = map(begun.__contains__, timed.tests)
    return [at for at in compress(count(), are_begun) if timed.columns[0][at] < long_s]
