"""Slower since: what is found, what is noise, and what the machine explains."""

from __future__ import annotations

import math
import random

import pytest

from analysis.durations import (
    RING,
    is_slow_runner,
    mann_whitney_p,
    push,
    runner_factor,
    shift,
)


def noise(n: int, *, middle: float, seed: int, sd: float = 0.1) -> list[float]:
    source = random.Random(seed)
    return [middle * math.exp(source.gauss(0, sd)) for _ in range(n)]


@pytest.mark.parametrize("seed", range(5))
def test_half_as_long_again_is_found_and_dated(seed: int) -> None:
    ring = noise(40, middle=2.0, seed=seed) + noise(8, middle=3.0, seed=seed + 50)

    found = shift(ring)

    assert found is not None
    assert found.is_slower
    assert found.ratio == pytest.approx(1.5, rel=0.15)
    assert found.n_since in (7, 8, 9)


def test_a_faster_test_is_found_too() -> None:
    found = shift(noise(40, middle=2.0, seed=1) + noise(10, middle=1.0, seed=2))

    assert found is not None
    assert not found.is_slower


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_shift(seed: int) -> None:
    assert shift(noise(60, middle=2.0, seed=seed, sd=0.15)) is None


@pytest.mark.parametrize("ring", [[], [1.0], [1.0] * 19, [1.0] * 60])
def test_few_or_equal_durations_are_no_shift(ring: list[float]) -> None:
    assert shift(ring) is None


def test_a_change_that_nobody_would_notice_is_not_told() -> None:
    ring = noise(40, middle=0.010, seed=3) + noise(10, middle=0.030, seed=4)

    assert shift(ring) is None
    assert shift(ring, least_change_s=0.01) is not None


def test_one_outlier_is_no_shift() -> None:
    assert shift([*noise(50, middle=1.0, seed=5), 30.0]) is None


def test_after_an_alarm_the_new_speed_is_the_usual_one() -> None:
    ring = noise(40, middle=2.0, seed=6) + noise(6, middle=4.0, seed=7)
    found = shift(ring)
    assert found is not None

    quiet = push(ring[-found.window :], noise(30, middle=4.0, seed=8))

    assert shift(quiet) is None


def test_the_ring_forgets_the_oldest() -> None:
    assert push([float(n) for n in range(RING)], [99.0])[0] == 1.0
    assert len(push([float(n) for n in range(RING)], [99.0])) == RING


def test_a_slow_machine_is_read_from_many_tests() -> None:
    usual = {test: 1.0 + test / 10 for test in range(30)}
    slow = {test: 1.5 * s for test, s in usual.items()}

    assert runner_factor(slow, usual) == pytest.approx(1.5)
    assert is_slow_runner(runner_factor(slow, usual))
    assert runner_factor({test: s for test, s in slow.items() if test < 19}, usual) == 1.0


def test_the_rank_test_agrees_with_its_table() -> None:
    # 1..5 against 6..10: U = 0, z = (12.5 - 0.5) / sqrt(25 * 11 / 12) = 2.507, two-sided p = 0.0122
    assert mann_whitney_p([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(0.0122, abs=1e-4)
    assert mann_whitney_p([1, 1, 1], [1, 1]) == 1.0
