"""Where the time goes: slow tests, shifts of durations, buckets week by week, misfits, budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from analysis.answers.rows import TestRow
from analysis.budgets import Forecast
from projects.vocabulary import Layer, TimingBucket


@dataclass(frozen=True, slots=True)
class SlowRow:
    """One Test by the time it takes."""

    test: TestRow
    p95_before_s: float | None
    seconds_per_run: float
    share: float
    note: str


@dataclass(frozen=True, slots=True)
class SlowTotals:
    """How the time of a window is spread."""

    n_tests: int
    seconds: float
    n_slowest: int
    share_of_slowest: float
    buckets: Mapping[Layer, Mapping[TimingBucket, tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class ShiftRow:
    """A Test that became slower or faster, with the runs and commits between which that happened."""

    test_id: int
    title: str
    home: str
    layer: Layer
    before_s: float
    since_s: float
    run_number: int
    run_before: int | None
    commit: str
    commit_before: str
    day: date
    added_s: float  # in the window

    @property
    def is_slower(self) -> bool:
        """True for a test that takes longer since."""
        return self.since_s > self.before_s


@dataclass(frozen=True, slots=True)
class SlowerTest:
    """A Test that took clearly longer in a Run than its median."""

    test_id: int
    title: str
    usual_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class BucketCounts:
    """The tests of one layer by timing bucket in one week: how many, and what they took."""

    monday: date
    layer: Layer
    tests: Mapping[TimingBucket, int]
    seconds: Mapping[TimingBucket, float]

    @property
    def n_timed(self) -> int:
        """Count the tests that were judged."""
        return sum(n for bucket, n in self.tests.items() if bucket is not TimingBucket.UNTIMED)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A Test that behaves unlike its layer, with both signals, and why it stays where somebody said so."""

    test: TestRow
    median_s: float
    limit_s: float
    other: str
    looks_like: Layer
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Misfits:
    """The misfits of a window, dearest first, and those that were looked at and stay."""

    found: tuple[Misfit, ...]
    dismissed: tuple[Misfit, ...]
    n_found: int


@dataclass(frozen=True, slots=True)
class TimedTest:
    """A Test with what it takes, or adds, in a run."""

    test_id: int
    title: str
    seconds: float


@dataclass(frozen=True, slots=True)
class MarkedTest:
    """A Test of a plan; rows with the same `base` are one test in several environments."""

    test_id: int
    base: str
    layer: Layer
    title: str
    seconds: float
    per_run_s: float


@dataclass(frozen=True, slots=True)
class BudgetAnswer:
    """The time a layer takes in a run against what it may take."""

    layer: Layer
    limit_s: float
    run_s: float | None
    share: float | None
    crosses_on: date | None
    n_to_move: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What one run brought to a layer: tests that are new since, and tests that became slower or faster."""

    run_number: int
    seconds: float
    n_new: int
    n_slower: int
    n_faster: int
    tests: tuple[TimedTest, ...]


@dataclass(frozen=True, slots=True)
class BudgetStory:
    """The time a layer takes in a run against its budget: summed, by the slowest shard, where it goes and came from.

    `run_s_before` is what it took when the window began; None where nothing is known of that.
    """

    layer: Layer
    limit_s: float
    run_s: float | None
    run_s_before: float | None
    shard_s: float | None
    n_shards: int
    weeks: tuple[tuple[date, float], ...]
    forecast: Forecast | None
    to_move: tuple[TimedTest, ...]
    growth: tuple[Growth, ...]

    @property
    def share(self) -> float | None:
        """Return the part of the budget that is spent; None without runs."""
        return None if self.run_s is None else self.run_s / self.limit_s
