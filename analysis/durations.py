"""Since when a test is slower: a shift of its passing durations, told from the noise of the machines.

Works on the ring of a test's last passing first attempts, each divided by the speed of its run's machine. Three
windows look for a large shift soon and a small one later; a rank test keeps noise out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from statistics import median
from typing import NamedTuple

from analysis import timing

RING = 60  # the longest window and its reference
LEAST_PASSES = 20
LEAST_CHANGE_S = 0.1  # nobody notices less
HOLD = 15  # runs after an alarm in which the same shift would only ring again
SLOW_RUNNER = 1.3
LEAST_TESTS, LEAST_S = 20, 0.05  # a machine's speed is read from this many tests of this length
NOISY = 0.25  # log-sd of the ring above which the p of a window is divided by three


class Window(NamedTuple):
    """How many recent passes are held against how many before, and what makes a shift of them."""

    recent: int
    before: int
    ratio: float
    p: float


WINDOWS = (Window(5, 30, 1.35, 1.5e-3), Window(10, 30, 1.2, 1e-3), Window(20, 40, 1.15, 1e-4))


class Shift(NamedTuple):
    """A test became slower or faster: medians before and since, and how long ago."""

    before_s: float
    since_s: float
    n_since: int  # passes of the new speed, the newest included
    p: float
    window: int

    @property
    def ratio(self) -> float:
        """How many times as long it takes now."""
        return self.since_s / self.before_s

    @property
    def is_slower(self) -> bool:
        """True for a test that takes longer now."""
        return self.since_s > self.before_s


def runner_factor(seconds: Mapping[int, float], medians: Mapping[int, float]) -> float:
    """Return how slow the machine of a run was: the median ratio over its tests, 1.0 where too few can tell."""
    ratios = [
        log(s / usual)
        for test, s in seconds.items()
        if s >= LEAST_S and (usual := medians.get(test, 0.0)) >= LEAST_S
    ]
    return exp(median(ratios)) if len(ratios) >= LEAST_TESTS else 1.0


def is_slow_runner(factor: float) -> bool:
    """True for a run whose machine explains slower tests: one note instead of an alarm for each."""
    return factor >= SLOW_RUNNER


def shift(ring: Sequence[float], *, least_change_s: float = LEAST_CHANGE_S) -> Shift | None:
    """Return the shift that the newest durations show; `ring` is oldest first, at machine speed 1."""
    if len(ring) < LEAST_PASSES:
        return None
    for window in WINDOWS:
        found = _look(ring, window, least_change_s)
        if found is not None:
            return found
    return None


def push(ring: Sequence[float], seconds: Sequence[float]) -> list[float]:
    """Return the ring with newer durations, the oldest falling out."""
    return [*ring, *seconds][-RING:]


@dataclass(frozen=True, slots=True)
class Pace:
    """The last passing durations of one Test at machine speed 1, oldest first, as bins of analysis.timing.

    `n_held` passes must come before the next shift is told.
    """

    bins: tuple[int, ...] = ()
    n_held: int = 0

    def after(self, seconds: float, *, least_change_s: float = LEAST_CHANGE_S) -> tuple[Pace, Shift | None]:
        """Return the pace with one more pass, and the shift that this pass shows."""
        bins = (*self.bins, timing.to_bin(seconds))[-RING:]
        if self.n_held or not may_have_shifted(bins):
            return Pace(bins, max(0, self.n_held - 1)), None
        found = shift([timing.from_bin(number) for number in bins], least_change_s=least_change_s)
        if found is None:
            return Pace(bins), None
        return Pace(bins[-found.window :], HOLD), found

    @property
    def usual_s(self) -> float | None:
        """Return the median; None where nothing is known."""
        return timing.from_bin(round(median(self.bins))) if self.bins else None


def may_have_shifted(bins: Sequence[int]) -> bool:
    """True where the medians of a window differ enough: cheap, and nearly always false."""
    n = len(bins)
    if n < LEAST_PASSES:
        return False
    for window, steps in zip(WINDOWS, STEPS, strict=True):
        if n >= window.recent + max(15, window.before // 2):
            before = _middle(bins[-window.recent - window.before : -window.recent])
            if abs(_middle(bins[-window.recent :]) - before) >= steps:
                return True
    return False


def _middle(bins: Sequence[int]) -> float:
    ordered = sorted(bins)
    return (ordered[len(bins) // 2] + ordered[(len(bins) - 1) // 2]) / 2


# The ratios of the windows in bins; one less, since a bin is rounded.
STEPS = tuple(log(window.ratio) / timing.LOG_STEP - 1 for window in WINDOWS)


def mann_whitney_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p that two samples are of one kind (normal approximation, ties corrected)."""
    n, m = len(one), len(other)
    rank_sum, ties = _ranks(one, other)
    u = rank_sum - n * (n + 1) / 2
    variance = n * m / 12 * ((n + m + 1) - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 1.0
    z = (abs(u - n * m / 2) - 0.5) / sqrt(variance)
    return erfc(max(0.0, z) / sqrt(2))


def _look(ring: Sequence[float], window: Window, least_change_s: float) -> Shift | None:
    if len(ring) < window.recent + max(15, window.before // 2):
        return None
    recent, before = ring[-window.recent :], ring[-window.recent - window.before : -window.recent]
    usual, now = median(before), median(recent)
    # The medians are cheap, and nearly always say no.
    if usual <= 0 or now <= 0 or abs(now - usual) < least_change_s:
        return None
    if 1 / window.ratio < now / usual < window.ratio:
        return None
    p = mann_whitney_p(before, recent)
    if p >= (window.p / 3 if _log_sd(before) >= NOISY else window.p):
        return None
    return _dated(ring, window, p)


def _dated(ring: Sequence[float], window: Window, p: float) -> Shift:
    """Move the start from the window's edge to the split that tells the two sides best apart."""
    tail = [log(max(s, 1e-6)) for s in ring[-window.recent - window.before :]]
    edge = len(tail) - window.recent
    starts = range(max(3, edge - window.recent), min(len(tail) - 3, edge + window.recent // 2) + 1)
    start = min(starts, key=lambda at: _spread(tail[:at]) + _spread(tail[at:]))
    seconds = ring[-len(tail) :]
    return Shift(median(seconds[:start]), median(seconds[start:]), len(tail) - start, p, window.recent)


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return sum(abs(value - middle) for value in values)


def _log_sd(values: Sequence[float]) -> float:
    """The spread of the logarithms, from the quartiles: a single outlier is no noise."""
    ordered = sorted(log(max(value, 1e-6)) for value in values)
    quarter = len(ordered) // 4
    return (ordered[-1 - quarter] - ordered[quarter]) / 1.349


def _ranks(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """The sum of ranks of the first sample, and the correction for ties."""
    ordered = sorted([(value, True) for value in one] + [(value, False) for value in other])
    rank_sum, ties, start = 0.0, 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        rank_sum += (start + end + 1) / 2 * sum(is_first for _, is_first in ordered[start:end])
        ties += (end - start) ** 3 - (end - start)
        start = end
    return rank_sum, ties
