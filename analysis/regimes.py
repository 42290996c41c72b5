"""Where a test's failure rate changed: the best splits of its last results on the default branch.

Two streams are judged together, as LUCI's published analysis does: whether the first attempt failed, and
whether a retry failed again. Only failures are stored; everything between them passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from math import exp, lgamma, log
from typing import NamedTuple

from analysis.beta import ln_beta

WINDOW = 200  # ordered groups of the default branch
LN_PRIOR = log(1e-4)  # a change at any one place is rare: a split has to gain 9.21 nats
FIRST_PRIOR = (0.3, 0.5)
RETRY_PRIOR = (0.5, 0.5)
LN_FIRST, LN_RETRY = ln_beta(*FIRST_PRIOR), ln_beta(*RETRY_PRIOR)
# ln gamma of a prior and a count, since a window has few counts and is split at many places.
FIRST_FAILED, FIRST_PASSED = ([lgamma(prior + n) for n in range(WINDOW + 1)] for prior in FIRST_PRIOR)
RETRY_FAILED, RETRY_PASSED = ([lgamma(prior + n) for n in range(WINDOW + 1)] for prior in RETRY_PRIOR)
FIRST_ALL, RETRY_ALL = (
    [lgamma(sum(prior) + n) + ln for n in range(WINDOW + 1)]
    for prior, ln in ((FIRST_PRIOR, LN_FIRST), (RETRY_PRIOR, LN_RETRY))
)


class Ending(IntEnum):
    """How a failing group ended."""

    NOT_RETRIED = 0
    PASSED_ON_RETRY = 1
    FAILED_AGAIN = 2
    IN_A_BREAK = 3  # one of many that a commit broke: no part of the test's own rate


class Regime(NamedTuple):
    """The last stretch of one rate: where it began (with its 99 % range), its groups and failures."""

    start: int
    earliest: int
    latest: int
    n_groups: int
    n_failed: int
    is_new: bool  # False: no change of rate within the window


class Stretch(NamedTuple):
    """Failures at positions [low, high) of the window, and for each number of them how many were retried, and failed again."""

    low: int
    high: int
    failures: Sequence[tuple[int, int]]
    retried: Sequence[int]
    again: Sequence[int]


def last_regime(failures: Sequence[tuple[int, int]], *, end: int) -> Regime:
    """Return the stretch that the newest results belong to: the whole window where no split is sure.

    `failures` are (index, ending) with rising indexes below `end`, the number of groups seen so far.
    """
    first = max(0, end - WINDOW)
    recent = [(index - first, ending) for index, ending in failures if index >= first]
    whole = _stretch(0, end - first, recent)
    start, spread = _last_split(whole)
    if spread is None:
        return Regime(first, first, first, whole.high, len(recent), is_new=False)
    n_failed = sum(index >= start for index, _ in recent)
    return Regime(
        start + first, spread[0] + first, spread[1] + first, whole.high - start, n_failed, is_new=True
    )


def _last_split(whole: Stretch) -> tuple[int, tuple[int, int] | None]:
    """The right-most split of the recursion: after each split only the newer side matters."""
    best: tuple[int, tuple[int, int]] | None = _split(whole)
    if best is None:
        return 0, None
    newer = _stretch(best[0], whole.high, [failure for failure in whole.failures if failure[0] >= best[0]])
    start, spread = _last_split(newer)
    return (start, spread) if spread is not None else best


def _split(stretch: Stretch) -> tuple[int, tuple[int, int]] | None:
    """The best split of a stretch and its 99 % range, if the gain is worth its prior."""
    places, counts = _places(stretch)
    if not places:
        return None
    n, low, high = len(stretch.failures), stretch.low, stretch.high
    together = (
        FIRST_FAILED[n] + FIRST_PASSED[high - low - n] - FIRST_ALL[high - low] + _ln_retried(stretch, 0, n)
    )
    gains = [
        FIRST_FAILED[k]
        + FIRST_PASSED[place - low - k]
        - FIRST_ALL[place - low]
        + FIRST_FAILED[n - k]
        + FIRST_PASSED[high - place - n + k]
        - FIRST_ALL[high - place]
        for place, k in zip(places, counts, strict=True)
    ]
    if stretch.retried[n]:
        gains = [
            gain + _ln_retried(stretch, 0, k) + _ln_retried(stretch, k, n)
            for gain, k in zip(gains, counts, strict=True)
        ]
    top = max(gains)
    if top - together + LN_PRIOR <= 0:
        return None
    return places[gains.index(top)], _range_99(places, [exp(gain - top) for gain in gains])


def _places(stretch: Stretch) -> tuple[list[int], list[int]]:
    """Positions where neighbours differ, and the failures before each: a split within equal results is never better."""
    places, counts = list[int](), list[int]()
    after, ended = stretch.low, -1  # where a failure would follow the one before, and how that one ended
    for k, (index, ending) in enumerate(stretch.failures):
        if index != after:
            places += (after, index) if k else (index,)
            counts += (k, k) if k else (k,)
        elif ending != ended and k:
            places.append(index)
            counts.append(k)
        after, ended = index + 1, ending
    if stretch.failures and after < stretch.high:
        places.append(after)
        counts.append(len(stretch.failures))
    return places, counts


def _stretch(low: int, high: int, failures: Sequence[tuple[int, int]]) -> Stretch:
    endings = bytes([ending for _, ending in failures])
    if endings.count(Ending.NOT_RETRIED) == len(endings):
        none = [0] * (len(endings) + 1)
        return Stretch(low, high, failures, none, none)
    retried = [ending != Ending.NOT_RETRIED for ending in endings]
    again = [ending == Ending.FAILED_AGAIN for ending in endings]
    return Stretch(
        low, high, failures, list(accumulate(retried, initial=0)), list(accumulate(again, initial=0))
    )


def _ln_retried(stretch: Stretch, start: int, end: int) -> float:
    """Return the likelihood of what the retries of these failures told; 0 where there were none."""
    retried = stretch.retried[end] - stretch.retried[start]
    again = stretch.again[end] - stretch.again[start]
    return RETRY_FAILED[again] + RETRY_PASSED[retried - again] - RETRY_ALL[retried]


def _range_99(places: Sequence[int], weights: Sequence[float]) -> tuple[int, int]:
    total, sum_, low, high = sum(weights), 0.0, places[0], places[-1]
    for place, weight in zip(places, weights, strict=True):
        if sum_ < 0.005 * total:
            low = place
        sum_ += weight
        if sum_ >= 0.995 * total:
            high = place
            break
    return low, high
