"""Of the results of remembered tests, those of some tests and places are taken, and the others stay."""

from __future__ import annotations

from array import array
from random import Random

import pytest

from ingest.recall import Memory, Recalled
from ingest.remembered import Remembered


def a_column(results: list[tuple[int, float, int]]) -> Recalled:
    found = Recalled()
    if results:
        found.extend(results)
    return found


def of(found: Recalled) -> list[tuple[int, float, int]]:
    return list(zip(found.ids, found.seconds, found.at, strict=True))


@pytest.mark.parametrize("seed", range(60))
def test_what_is_wanted_is_taken_with_what_stands_before_it(seed: int) -> None:
    chance = Random(seed)
    n, is_late = chance.choice([1, 5, 80]), chance.random() < 0.3
    places = chance.sample(range(1, 200), n) if is_late else sorted(chance.sample(range(1, 200), n))
    results = {
        name: [(chance.choice([-1, 1]) * place, float(place), place) for place in places[start::2]]
        for start, name in enumerate(["pytest", "jest"])
    }
    remembered = Remembered(Memory(None))
    for name, rows in results.items():
        for part in range(0, len(rows), 7):
            remembered.add({name: a_column(rows[part : part + 7])}, start=0)
    tests = chance.sample(range(1, 200), chance.choice([0, 3, 60]))
    awake = chance.sample(tests, len(tests) // 2)
    wanted_places = chance.sample(range(200), chance.choice([0, 4]))
    rows = [row for column in results.values() for row in column]
    near = {*wanted_places, *(at - 1 for number, _, at in rows if number in awake)}

    taken = dict(remembered.take_some(tests, after=awake, places=wanted_places))

    is_taken = {row: abs(row[0]) in tests or row[2] in near for row in rows}
    assert {name: of(found) for name, found in taken.items()} == {
        name: kept for name, column in results.items() if (kept := [row for row in column if is_taken[row]])
    }
    assert remembered.numbers() == array("i", [row[0] for row in rows if not is_taken[row]])
    assert remembered.seconds() == array("f", [row[1] for row in rows if not is_taken[row]])
