"""How long is long: timing buckets, medians and the logarithmic bins that durations are stored in.

Knows the limits of each layer and how a bucket is left and entered. What a layer is, and which results were
timed passes, is decided elsewhere; no clock and no rows here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from projects.vocabulary import Layer, TimingBucket

ENOUGH_TIMED = 3  # the median of two is their mean: one hiccup would decide
LAST_PASSES = 10  # long enough to outvote a noisy runner, short enough to follow a change within days
LEAVE_SHARE = 0.8  # slow is left below 80 % of its limit, so that a test on the edge does not flap


@dataclass(frozen=True, slots=True)
class Limits:
    """Below `fast_s` is fast; above `slow_s` is slow; `slow_s` itself is slow where `limit_is_slow`."""

    fast_s: float
    slow_s: float
    limit_is_slow: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.fast_s <= self.slow_s < math.inf:
            raise ValueError(f"limits need 0 < fast ≤ slow, not {self.fast_s} and {self.slow_s}")


# UNKNOWN is judged as the layer in the middle: whichever it turns out to be, that is one step away at most.
# STATIC checks read a whole file or tree; ten seconds is what people bear in a pre-commit hook.
# LOAD has no limits: its duration is chosen in its script and says nothing about the test.
DEFAULTS: Mapping[Layer, Limits] = {
    Layer.UNIT: Limits(fast_s=0.010, slow_s=0.100, limit_is_slow=True),
    Layer.INTEGRATION: Limits(fast_s=0.100, slow_s=1.0),
    Layer.E2E: Limits(fast_s=5.0, slow_s=30.0),
    Layer.UNKNOWN: Limits(fast_s=0.100, slow_s=1.0),
    Layer.STATIC: Limits(fast_s=1.0, slow_s=10.0),
}


def bucket(
    median_s: float | None,
    *,
    layer: Layer,
    n_timed: int,
    before: TimingBucket = TimingBucket.UNTIMED,
    limits: Mapping[Layer, Limits] = DEFAULTS,
) -> TimingBucket:
    """Judge a median by the limits of its layer; a layer without limits is not judged and stays untimed.

    Pass `before` only while layer and limits are the same as then: an edited limit starts afresh.
    """
    limit = limits.get(layer)
    if limit is None or n_timed < ENOUGH_TIMED or median_s is None or not is_timed(median_s):
        return TimingBucket.UNTIMED
    if before is TimingBucket.SLOW and median_s >= LEAVE_SHARE * limit.slow_s:
        return TimingBucket.SLOW
    if median_s < limit.fast_s:
        return TimingBucket.FAST
    if median_s < limit.slow_s or (median_s == limit.slow_s and not limit.limit_is_slow):
        return TimingBucket.ACCEPTABLE
    return TimingBucket.SLOW


def is_timed(seconds: float | None) -> bool:
    """True for a duration that was measured; absent, zero and nonsense times were not."""
    return seconds is not None and 0 < seconds < math.inf


def middle(bins: Sequence[int]) -> int:
    """Return the bin in the middle of some: the median, rounded where it lies between two."""
    ordered = sorted(bins)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else round((ordered[half - 1] + ordered[half]) / 2)


# Durations are stored as one of 65,536 bins, each 0.039 % wider than the one before, from 10 µs to 10⁶ s
# (eleven and a half days). Counts in these bins add up, so percentiles of any window come from sums.
SHORTEST_S = 1e-5
LONGEST_S = 1e6
LAST_BIN = 65_535
LOG_SHORTEST = math.log(SHORTEST_S)
LOG_STEP = (math.log(LONGEST_S) - LOG_SHORTEST) / LAST_BIN


def to_bin(seconds: float) -> int:
    """Return the bin of a duration; shorter and longer ones fall into the first and the last."""
    if math.isnan(seconds):
        raise ValueError("a duration is a number")
    if seconds <= SHORTEST_S:
        return 0
    if seconds >= LONGEST_S:
        return LAST_BIN
    return round((math.log(seconds) - LOG_SHORTEST) / LOG_STEP)


def from_bin(number: int) -> float:
    """Return the duration in the middle of a bin."""
    if not 0 <= number <= LAST_BIN:
        raise ValueError(f"bins run from 0 to {LAST_BIN}, not {number}")
    return math.exp(LOG_SHORTEST + number * LOG_STEP)


def percentile(bins: Iterable[int], q: float) -> float:
    """Return the duration at quantile `q` (0..1) by nearest rank: always a bin that occurred."""
    ordered = sorted(bins)
    return from_bin(ordered[rank(len(ordered), q) - 1])


def rank(n: int, q: float) -> int:
    """Return which of n values in order, counted from 1, is the q-quantile by nearest rank."""
    if n == 0:
        raise ValueError("no durations, so no percentile")
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile lies between 0 and 1, not {q}")
    # 0.07 * 100 is a hair over 7 in floating point and must not become rank 8.
    return max(1, math.ceil(q * n - 1e-9))
