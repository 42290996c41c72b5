"""What results come to test by test: the same whether they are added up in columns or one by one."""

from __future__ import annotations

import random
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

from analysis import timing, totals
from analysis.totals import Batch, Part, Steady

LONG_S = 0.05
PASSED, FAILED, ERROR, SKIPPED, RETRIED, LOAD = 1, 2, 3, 4, 1 + 8 + 16, 1 + 32

Result = tuple[int, float, int]  # test, seconds, code


def a_batch(results: Sequence[Result], *, staged: Sequence[int] = ()) -> Batch:
    """Return the results as an upload lays them aside; plain ones of the tests `staged` with the rest."""
    plain = [one for one in results if one[2] in (PASSED, SKIPPED) and one[0] not in staged]
    rest = [one for one in results if one not in plain]
    return Batch(
        array("i", [test if code == PASSED else -test for test, _, code in plain]),
        array("f", [seconds for _, seconds, _ in plain]),
        array("i", [test for test, _, _ in rest]),
        array("f", [seconds for _, seconds, _ in rest]),
        array("h", [code for _, _, code in rest]),
    )


def short(seconds: float) -> float:
    """Return the duration in four bytes, as results have it."""
    return array("f", [seconds])[0]


def parts(batches: Sequence[Batch]) -> list[Part]:
    return list(totals.parts(totals.in_order(batches), long_s=LONG_S))


Row = tuple[list[int], int, float, tuple[int, ...]]  # by outcome, mended by a retry, seconds, bins


def of(part: Part) -> Iterator[tuple[int, Row]]:
    """Yield the totals of each test, however they were added up."""
    for steady, outcome in ((part.timed, 1), (part.untimed, 1), (part.skipped, 4)):
        for at, test in enumerate(steady.tests):
            counts = [0] * 8
            counts[outcome] = len(steady.columns)
            yield test, (counts, 0, steady.sums[at], bins_of(steady, at))
    for test, total in part.others.items():
        yield test, (total.n, total.n_flaky, total.seconds, numbers(total.timings))


def bins_of(steady: Steady, at: int) -> tuple[int, ...]:
    return numbers(b"".join(bins[2 * at : 2 * at + 2] for bins in steady.bins))


def numbers(timings: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(timings[at : at + 2], "big") for at in range(0, len(timings), 2))


def one_by_one(uploads: Sequence[Sequence[Result]]) -> dict[int, Row]:
    """Add up as a reader of the definition would."""
    found: dict[int, Row] = {}
    for results in uploads:
        for test, seconds, code in results:
            counts, n_flaky, total, bins = found.get(test, ([0] * 8, 0, 0.0, ()))
            counts[code & 7] += 1
            if code & 7 == PASSED and seconds > 0:
                bins = (*bins, timing.to_bin(short(seconds)))
            found[test] = counts, n_flaky + (code == RETRIED), total + short(seconds), bins
    return found


def some_uploads(chance: random.Random) -> list[list[Result]]:
    """Return uploads of mostly the same tests, some of which are new, skipped, too short for a clock, or go wrong."""
    tests = sorted(chance.sample(range(1, 60_000), chance.choice([3, 40])))
    kinds = {test: chance.choice([PASSED] * 6 + [SKIPPED, 0, FAILED]) for test in tests}
    uploads = []
    for _ in range(chance.choice([1, 2, 16])):
        some = [test for test in tests if chance.random() < chance.choice([1.0, 0.9])]
        if chance.random() < 0.2:
            chance.shuffle(some)
        uploads.append([a_result(chance, test, kinds[test]) for test in some])
    return uploads


def a_result(chance: random.Random, test: int, kind: int) -> Result:
    seconds = round(chance.choice([0.001, 0.2]) * chance.random(), 3)
    if kind == PASSED:
        return test, seconds + 0.001, PASSED
    if kind == SKIPPED:
        return test, 0.0, SKIPPED
    if kind == 0:
        return test, chance.choice([0.0, 0.0, seconds]), PASSED
    return test, seconds, chance.choice([PASSED, FAILED, ERROR, RETRIED, LOAD])


@pytest.mark.parametrize("seed", range(40))
def test_results_come_to_the_same_in_columns_and_one_by_one(seed: int) -> None:
    chance = random.Random(seed)
    uploads = some_uploads(chance)
    staged = chance.choice([(), range(1, 60_000), range(1, 60_000, 3)])

    found = [one for part in parts([a_batch(one, staged=staged) for one in uploads]) for one in of(part)]

    expected = one_by_one(uploads)
    assert len(found) == len(expected)
    for test, (counts, n_flaky, seconds, bins) in found:
        assert (counts, n_flaky, bins) == (*expected[test][:2], expected[test][3])
        assert seconds == pytest.approx(expected[test][2], abs=1e-12)


def expected_passes(
    uploads: Sequence[Sequence[Result]], paced: set[int]
) -> tuple[list[list[tuple[int, float]]], dict[int, tuple[int, ...]]]:
    """Follow result by result: passes of tests with a pace, and of the others from the first long one on."""
    since, found = set(paced), list[list[tuple[int, float]]]()
    bins: defaultdict[int, tuple[int, ...]] = defaultdict(tuple)
    before: dict[int, tuple[int, ...]] = {}
    for results in uploads:
        found.append([])
        for test, seconds, code in results:
            if code == PASSED and short(seconds) >= LONG_S and test not in since:
                since.add(test)
                before[test] = bins[test]
            if code == PASSED and seconds > 0 and test in since:
                found[-1].append((test, short(seconds)))
            if code & 7 == PASSED and seconds > 0:
                bins[test] += (timing.to_bin(short(seconds)),)
    return found, before


@pytest.mark.parametrize("seed", range(40))
def test_passes_are_those_of_tests_with_a_pace_and_of_others_from_the_first_long_one_on(seed: int) -> None:
    chance = random.Random(seed)
    uploads = some_uploads(chance)
    paced = {test for results in uploads for test, _, _ in results if test % 3 == 0}

    laid: list[list[tuple[int, float]]] = [[] for _ in uploads]
    before: dict[int, tuple[int, ...]] = {}
    for part in parts([a_batch(one) for one in uploads]):
        begun = set(totals.long_tests(part, long_s=LONG_S)) - paced
        found, bins = totals.passes(part, paced=paced, begun=begun, long_s=LONG_S)
        for one, more in zip(laid, found, strict=True):
            one.extend(zip(more.tests, more.seconds, strict=True))
        before |= {test: numbers(bins.get(test, b"")) for test in begun}

    expected, expected_before = expected_passes(uploads, paced)
    assert [sorted(one) for one in laid] == [sorted(one) for one in expected]
    assert before == expected_before


def test_the_least_and_the_most_of_timed_passes_are_told() -> None:
    uploads = [[(1, 0.3, PASSED), (2, 0.0, PASSED)], [(1, 0.1, PASSED), (2, 0.7, PASSED)]]

    (part,) = parts([a_batch(one) for one in uploads])

    assert (list(part.timed.least), list(part.timed.most)) == ([short(0.1)], [short(0.3)])
    assert (part.others[2].least, part.others[2].most) == (short(0.7), short(0.7))


def test_nothing_comes_to_nothing() -> None:
    assert parts([]) == []
    assert parts([a_batch([])]) == []
