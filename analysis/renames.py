"""Which new test is an old one under another name, so that its history can follow it.

Pure: compares the tests that vanished from a run with those that appeared in it. Where several fit, or the likeness is weak, a
person decides.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

LEAST_ALIKE = 0.85
LEAST_ALONE = 0.5  # where nothing else vanished from, or appeared in, the class or file
LEAST_HOME = 0.5  # of a test that kept its name and moved elsewhere: less alike, and a person decides
MOST_TIMES = 2.0  # a renamed test takes about as long as before
LEAST_S = 0.1  # shorter durations say nothing
MOST_COMPARED = (
    200  # tests of a suite compared by their words; where more change at once, names must be the same
)
TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class Known(NamedTuple):
    """A test as a rename looks at it; its home is its file and class."""

    test: int
    suite: str
    name: str
    median_s: float | None
    home: str = ""


class Rename(NamedTuple):
    """A new test, and the old ones that it may be; sure when there is one alike, and no other new test claims it."""

    new: int
    candidates: tuple[int, ...]
    is_sure: bool
    likeness: float = 1.0


def renames(*, vanished: Iterable[Known], appeared: Iterable[Known]) -> list[Rename]:
    """Return the new tests that look like old ones: the same name elsewhere, or a name alike in the same place."""
    old, new = list(vanished), list(appeared)
    by_name = _grouped(old, [one.name for one in old])
    by_suite = _grouped(old, [one.suite for one in old])
    gone, came = Counter(_place(one) for one in old), Counter(_place(one) for one in new)
    found: dict[int, tuple[tuple[int, ...], float, bool]] = {}
    for one in new:
        moved = [other for other in by_name[one.name] if _takes_as_long(other, one)]
        is_alone = gone[_place(one)] == came[_place(one)] == 1
        least = LEAST_ALONE if is_alone else LEAST_ALIKE
        fitting = moved or _alike(by_suite[one.suite], one, least=least, is_alone=is_alone)
        if fitting:
            best = _best(fitting, one)
            is_near = not moved or _is_near(best[0], one)
            found[one.test] = tuple(other.test for other in best), likeness(best[0].name, one.name), is_near
    claims = Counter(other for candidates, _, _ in found.values() for other in candidates)
    told = [
        Rename(test, candidates, is_near and len(candidates) == 1 and claims[candidates[0]] == 1, alike)
        for test, (candidates, alike, is_near) in found.items()
    ]
    names = {one.test: one.name for one in (*old, *new)}
    return [one for one in told if one.is_sure or not _is_of_one(one, names)]


def _is_of_one(rename: Rename, names: Mapping[int, str]) -> bool:
    """True where only the parameters changed of one test function: nobody wants to be asked which is which."""
    new = names[rename.new]
    others = [names[old] for old in rename.candidates]
    return new not in others and all(new.partition("[")[0] == old.partition("[")[0] for old in others)


def likeness(one: str, other: str) -> float:
    """Return the share of words that two names have in common (Dice)."""
    first, second = (Counter(word.lower() for word in TOKEN.findall(name)) for name in (one, other))
    total = sum(first.values()) + sum(second.values())
    return 2 * sum((first & second).values()) / total if total else float(one == other)


def _grouped(tests: Sequence[Known], keys: Sequence[str]) -> dict[str, list[Known]]:
    groups: dict[str, list[Known]] = defaultdict(list)
    for test, key in zip(tests, keys, strict=True):
        groups[key].append(test)
    return groups


def _place(test: Known) -> tuple[str, str]:
    return test.suite, test.home


def _alike(suite: Sequence[Known], new: Known, *, least: float, is_alone: bool) -> list[Known]:
    """Find old tests of the suite whose names are alike; the only one of a place need share but half of its words."""
    near = [old for old in suite if old.home == new.home] if is_alone else suite
    if len(near) > MOST_COMPARED:
        return []
    return [old for old in near if likeness(old.name, new.name) >= least and _takes_as_long(old, new)]


def _is_near(old: Known, new: Known) -> bool:
    """True for a test that moved within its suite, or to a place of a name alike."""
    return old.suite == new.suite or likeness(old.home, new.home) >= LEAST_HOME


def _takes_as_long(old: Known, new: Known) -> bool:
    if not old.median_s or not new.median_s or max(old.median_s, new.median_s) < LEAST_S:
        return True
    return 1 / MOST_TIMES <= new.median_s / old.median_s <= MOST_TIMES


def _best(fitting: Sequence[Known], new: Known) -> list[Known]:
    """Those of the greatest likeness; the same suite, and then the likeness of their places, break a tie."""
    scores = [
        (likeness(old.name, new.name), old.suite == new.suite, likeness(old.home, new.home))
        for old in fitting
    ]
    top = max(scores)
    return [old for old, score in zip(fitting, scores, strict=True) if score == top]
