"""Which new test is an old one under another name, so that its history can follow it.

Compares the tests that vanished from a suite with those that appeared. Where several fit, a person decides.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from analysis.states import Constants, State

LEAST_ALIKE = 0.85
MOST_TIMES = 2.0  # a renamed test takes about as long as before
CARRIED = 0.5  # half of the evidence follows: a rename often comes with a change
TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Known(NamedTuple):
    """A test as a rename looks at it."""

    test: int
    suite: str
    name: str
    median_s: float | None


class Rename(NamedTuple):
    """A new test, and the old ones that it may be; sure when there is one, and no other new test claims it."""

    new: int
    candidates: tuple[int, ...]
    is_sure: bool


def renames(*, vanished: Iterable[Known], appeared: Iterable[Known]) -> list[Rename]:
    """Return the new tests that look like old ones: the same name elsewhere, or a name alike in the same suite."""
    by_name: dict[str, list[Known]] = defaultdict(list)
    by_suite: dict[str, list[Known]] = defaultdict(list)
    for old in vanished:
        by_name[old.name].append(old)
        by_suite[old.suite].append(old)
    found: dict[int, tuple[int, ...]] = {}
    for new in appeared:
        moved = [old for old in by_name[new.name] if _takes_as_long(old, new)]
        fitting = moved or [old for old in by_suite[new.suite] if _is_alike(old, new)]
        if fitting:
            found[new.test] = tuple(old.test for old in _best(fitting, new))
    claims = Counter(old for candidates in found.values() for old in candidates)
    return [
        Rename(new, candidates, is_sure=len(candidates) == 1 and claims[candidates[0]] == 1)
        for new, candidates in found.items()
    ]


def carried(state: State, constants: Constants) -> State:
    """Return the state that a renamed test begins with: half of the evidence, and all of its proofs."""
    after = State.unpack(state.pack())
    a0, b0 = constants.first
    after.alpha = a0 + CARRIED * (state.alpha - a0)
    after.beta = b0 + CARRIED * (state.beta - b0)
    return after


def likeness(one: str, other: str) -> float:
    """Return the share of words that two names have in common (Dice)."""
    first, second = (Counter(word.lower() for word in TOKEN.findall(name)) for name in (one, other))
    total = sum(first.values()) + sum(second.values())
    return 2 * sum((first & second).values()) / total if total else float(one == other)


def _is_alike(old: Known, new: Known) -> bool:
    return likeness(old.name, new.name) >= LEAST_ALIKE and _takes_as_long(old, new)


def _takes_as_long(old: Known, new: Known) -> bool:
    if not old.median_s or not new.median_s:
        return True
    return 1 / MOST_TIMES <= new.median_s / old.median_s <= MOST_TIMES


def _best(fitting: Sequence[Known], new: Known) -> list[Known]:
    """Those of the greatest likeness; the same suite breaks a tie between moved tests."""
    scores = [(likeness(old.name, new.name), old.suite == new.suite) for old in fitting]
    top = max(scores)
    return [old for old, score in zip(fitting, scores, strict=True) if score == top]
