"""A quantile from the few values around it is the quantile of all values, or is not told."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from analysis.quantiles import REACH, around, quantile, quantile_of_packed
from analysis.timing import rank


@pytest.mark.parametrize("q", [0.5, 0.95])
@pytest.mark.parametrize("seed", range(60))
def test_what_is_told_is_the_quantile_of_all_values(seed: int, q: float) -> None:
    chance = random.Random(seed)
    spread = chance.choice([1, 3, 50, 60_000])
    many = sorted(chance.randrange(spread) for _ in range(chance.choice([0, 1, 2, 30, 400])))
    more = [chance.randrange(spread) for _ in range(chance.choice([0, 1, 5, 80]))]

    told = quantile(len(many), around(many, q), more, q) if many or more else None

    everything = sorted(many + more)
    assert told is None or told == everything[rank(len(everything), q) - 1]


def test_values_like_the_others_leave_the_quantile_told() -> None:
    chance = random.Random(7)
    many = sorted(round(chance.gauss(30_000, 400)) for _ in range(300))
    more = [round(chance.gauss(30_000, 400)) for _ in range(8)]

    assert quantile(300, around(many, 0.95), more, 0.95) is not None
    assert quantile(300, around(many, 0.5), more, 0.5) is not None


def test_packed_values_tell_the_same() -> None:
    chance = random.Random(11)
    many = sorted(chance.randrange(60_000) for _ in range(300))
    more = [chance.randrange(60_000) for _ in range(5)]

    told = quantile_of_packed(300, stored(around(many, 0.5)), stored(more), 0.5)

    assert told == quantile(300, around(many, 0.5), more, 0.5)


def stored(bins: Sequence[int]) -> bytes:
    """Return bins as PostgreSQL keeps them: two bytes each, the higher first."""
    return b"".join(number.to_bytes(2, "big") for number in bins)


def test_many_values_of_another_kind_leave_it_open() -> None:
    many = [10] * 200 + [20] * 200

    assert quantile(400, around(many, 0.5), [30] * 300, 0.5) is None


def test_little_is_kept_of_many_values() -> None:
    assert len(around(range(100_000), 0.95)) == 2 * REACH + 1
    assert list(around([], 0.95)) == []
