"""Timing buckets, medians and bins."""

from __future__ import annotations

import math
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import timing
from analysis.timing import Limits
from projects.vocabulary import Layer, TimingBucket

SECONDS = st.floats(min_value=timing.SHORTEST_S, max_value=timing.LONGEST_S)


@pytest.mark.parametrize(
    ("layer", "median_s", "expected"),
    [
        (Layer.UNIT, 0.0099, TimingBucket.FAST),
        (Layer.UNIT, 0.010, TimingBucket.ACCEPTABLE),
        (Layer.UNIT, 0.100, TimingBucket.SLOW),
        (Layer.INTEGRATION, 0.0999, TimingBucket.FAST),
        (Layer.INTEGRATION, 1.0, TimingBucket.ACCEPTABLE),
        (Layer.INTEGRATION, 1.001, TimingBucket.SLOW),
        (Layer.E2E, 4.999, TimingBucket.FAST),
        (Layer.E2E, 30.0, TimingBucket.ACCEPTABLE),
        (Layer.E2E, 30.01, TimingBucket.SLOW),
        (Layer.UNKNOWN, 0.5, TimingBucket.ACCEPTABLE),
        (Layer.STATIC, 0.9, TimingBucket.FAST),
    ],
)
def test_a_median_is_judged_by_the_limits_of_its_layer(
    layer: Layer, median_s: float, expected: TimingBucket
) -> None:
    assert timing.bucket(median_s, layer=layer, n_timed=3) is expected


@pytest.mark.parametrize("median_s", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_test_without_a_time_is_untimed_and_not_fast(median_s: float | None) -> None:
    assert timing.bucket(median_s, layer=Layer.UNIT, n_timed=10) is TimingBucket.UNTIMED


def test_two_timed_passes_are_too_few() -> None:
    assert timing.bucket(5.0, layer=Layer.UNIT, n_timed=2) is TimingBucket.UNTIMED


def test_a_load_test_is_never_slow() -> None:
    assert timing.bucket(3600.0, layer=Layer.LOAD, n_timed=10) is TimingBucket.UNTIMED


@pytest.mark.parametrize(
    ("median_s", "expected"),
    [(0.81, TimingBucket.SLOW), (0.80, TimingBucket.SLOW), (0.79, TimingBucket.ACCEPTABLE)],
)
def test_slow_is_left_only_below_four_fifths_of_the_limit(median_s: float, expected: TimingBucket) -> None:
    before = TimingBucket.SLOW

    after = timing.bucket(median_s, layer=Layer.INTEGRATION, n_timed=10, before=before)

    assert after is expected


def test_a_project_may_set_its_own_limits() -> None:
    limits = {Layer.UNIT: Limits(fast_s=1.0, slow_s=2.0)}

    assert timing.bucket(0.5, layer=Layer.UNIT, n_timed=3, limits=limits) is TimingBucket.FAST


@pytest.mark.parametrize(("fast_s", "slow_s"), [(0.0, 1.0), (2.0, 1.0), (1.0, math.inf)])
def test_limits_that_cannot_be_met_are_refused(fast_s: float, slow_s: float) -> None:
    with pytest.raises(ValueError, match="limits need"):
        Limits(fast_s=fast_s, slow_s=slow_s)


@given(SECONDS)
def test_a_bin_gives_back_its_duration_within_half_its_width(seconds: float) -> None:
    again = timing.from_bin(timing.to_bin(seconds))

    assert math.isclose(again, seconds, rel_tol=0.0002)


@given(st.integers(min_value=0, max_value=timing.LAST_BIN))
def test_the_middle_of_a_bin_falls_into_that_bin(number: int) -> None:
    assert timing.to_bin(timing.from_bin(number)) == number


@given(SECONDS, SECONDS)
def test_a_longer_duration_never_has_a_lower_bin(one: float, other: float) -> None:
    short, long = sorted((one, other))

    assert timing.to_bin(short) <= timing.to_bin(long)


def test_durations_beyond_the_bins_fall_into_the_outermost() -> None:
    assert (timing.to_bin(0.0), timing.to_bin(1e9)) == (0, timing.LAST_BIN)


def test_a_percentile_is_the_nearest_rank() -> None:
    bins = [timing.to_bin(float(second)) for second in range(1, 101)]

    assert [round(timing.percentile(bins, q)) for q in (0.0, 0.07, 0.5, 0.95, 1.0)] == [1, 7, 50, 95, 100]


def test_percentiles_stay_within_a_bin_of_the_exact_ones() -> None:
    seconds = [0.001 * 1.01**step for step in range(999)]
    exact = quantiles(seconds, n=100, method="inclusive")

    binned = timing.percentile([timing.to_bin(value) for value in seconds], 0.5)

    assert math.isclose(binned, exact[49], rel_tol=0.01)


@pytest.mark.parametrize(("bins", "q"), [([], 0.5), ([1], 1.5)])
def test_a_percentile_of_nothing_or_beyond_all_is_refused(bins: list[int], q: float) -> None:
    with pytest.raises(ValueError, match=r"percentile|quantile"):
        timing.percentile(bins, q)
