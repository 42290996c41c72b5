"""Which tests flake together: three of four real flaky tests fail in groups, and a group has one cause.

Counts pairs of co-failures, and joins tests whose failures overlap enough.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Set
from itertools import combinations

MOST_AT_ONCE = 50  # beyond this a run says more of itself than of its tests, and pairs grow by the square
LEAST_TOGETHER = 3
LEAST_OVERLAP = 0.5  # Jaccard: runs with both, of the runs with either


def clusters(runs: Iterable[Set[int]]) -> list[frozenset[int]]:
    """Return the groups of two and more tests that fail together, largest first; `runs` are failing flaky tests."""
    alone: Counter[int] = Counter()
    together: Counter[tuple[int, int]] = Counter()
    for failing in runs:
        if len(failing) <= MOST_AT_ONCE:
            alone.update(failing)
            together.update(combinations(sorted(failing), 2))
    pairs = [
        pair
        for pair, n in together.items()
        if n >= LEAST_TOGETHER and n >= LEAST_OVERLAP * (alone[pair[0]] + alone[pair[1]] - n)
    ]
    return sorted(_joined(pairs), key=lambda tests: (-len(tests), min(tests)))


def _joined(pairs: Iterable[tuple[int, int]]) -> list[frozenset[int]]:
    """Union-find over the pairs."""
    parent: dict[int, int] = {}
    for one, other in pairs:
        parent[_root(parent, one)] = _root(parent, other)
    groups: dict[int, set[int]] = defaultdict(set)
    for test in parent:
        groups[_root(parent, test)].add(test)
    return [frozenset(group) for group in groups.values()]


def _root(parent: dict[int, int], test: int) -> int:
    parent.setdefault(test, test)
    while parent[test] != test:
        parent[test] = parent[parent[test]]
        test = parent[test]
    return test
