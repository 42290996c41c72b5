"""What several answers are made of: a page of a list, a layer's amount, a test's row with its strip of results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, TypeVar

from projects.vocabulary import FlakeStatus, Layer, Outcome, TimingBucket

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a longer list."""

    rows: tuple[T, ...]
    n_total: int
    number: int
    size: int

    @property
    def n_pages(self) -> int:
        """Count the pages; an empty list has one."""
        return max(1, -(-self.n_total // self.size))

    @property
    def first(self) -> int:
        """Return the position of the first row shown, from 1; 0 when there is none."""
        return (self.number - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Return the position of the last row shown."""
        return (self.number - 1) * self.size + len(self.rows)


@dataclass(frozen=True, slots=True)
class LayerAmount:
    """How many tests of one layer ran in a window, and for how long in all."""

    layer: Layer
    n_tests: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StripCell:
    """One result in a history strip, oldest first."""

    run_number: int
    outcome: Outcome
    is_flaky: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class TestRow:
    """One Test in a list, with what it did in the window."""

    id: int
    title: str
    home: str
    layer: Layer
    confidence: float
    bucket: TimingBucket
    status: FlakeStatus
    variant: str
    owner: str
    n_results: int
    n_bad: int
    n_skipped: int
    n_flaky: int
    median_s: float | None
    p95_s: float | None
    seconds: float
    last_seen_on: date
    strip: tuple[StripCell, ...] = ()

    @property
    def pass_rate(self) -> float | None:
        """Return the share of ended results that passed; None when all were skipped."""
        ended = self.n_results - self.n_skipped
        return (ended - self.n_bad) / ended if ended else None


@dataclass(frozen=True, slots=True)
class NamedTest:
    """A Test by its name alone, for a link."""

    id: int
    title: str
