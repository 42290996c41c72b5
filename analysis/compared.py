"""What differs between two runs: the values that the comparison answers with.

Pure. "Earlier" and "later" are the two sides as they were asked for, whatever their times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from analysis.answers.of_runs import RunRow
from analysis.answers.rows import LayerAmount
from projects.vocabulary import Layer, Outcome


class Difference(Enum):
    """How a test differs between two runs, in the order in which it is told."""

    NEWLY_FAILING = "newly-failing"
    STILL_FAILING = "still-failing"
    FIXED = "fixed"
    SLOWER = "slower"
    FASTER = "faster"
    ADDED = "added"
    MISSING = "missing"
    NEWLY_SKIPPED = "newly-skipped"


@dataclass(frozen=True, slots=True)
class ComparedTest:
    """One test in two runs; None where it was not in one of them."""

    id: int
    title: str
    home: str
    layer: Layer
    earlier: Outcome | None
    later: Outcome | None
    earlier_s: float | None
    later_s: float | None


@dataclass(frozen=True, slots=True)
class Differences:
    """The tests that differ in one way: how many, and the first of them."""

    kind: Difference
    n: int
    tests: tuple[ComparedTest, ...]


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer in two runs."""

    earlier: LayerAmount
    later: LayerAmount


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs."""

    earlier: RunRow
    later: RunRow
    differences: Mapping[Difference, Differences]
    layers: tuple[LayerChange, ...]
    n_common: int
