"""What the suite as a whole is: its headline numbers, its weeks, its frame on every page, and all one's projects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from analysis.answers.rows import LayerAmount, TestRow
from projects.vocabulary import Layer


@dataclass(frozen=True, slots=True)
class Totals:
    """The headline numbers of a window."""

    n_tests: int
    n_runs: int
    n_passed: int
    n_bad: int
    n_skipped: int
    run_seconds_p50: float | None
    n_flaky: int
    n_unknown: int

    @property
    def pass_rate(self) -> float | None:
        """Return passed / (passed + failed + error) over all results; None when nothing ran to an end."""
        ended = self.n_passed + self.n_bad
        return self.n_passed / ended if ended else None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite in a window: its headline numbers, and its layers whatever the filter."""

    totals: Totals
    layers: tuple[LayerAmount, ...]


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A saved view of a page."""

    id: int
    name: str
    query: str
    is_shared: bool
    is_mine: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """What the frame of a page says of a project: its branches, the busiest first, its flaky tests, and the saved views."""

    branches: tuple[str, ...]
    n_flaky: int
    views: tuple[ViewRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TrendWeek:
    """The suite in one week: tests alive and seconds spent, by layer. `monday` begins it."""

    monday: date
    n_tests: Mapping[Layer, int]
    seconds: Mapping[Layer, float]
    n_runs: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Which data there is at all, so that an empty page can say why it is empty."""

    n_uploads: int
    n_refused: int
    n_runs: int
    last_run_at: datetime | None
    last_run_on_branch_at: datetime | None
    last_refusal: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed in a window, worth a line on the overview."""

    kind: str
    n: int
    tests: tuple[TestRow, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ProjectCounts:
    """The size of a project in a window, and how often its runs failed."""

    n_tests: int
    n_flaky: int
    n_runs: int
    n_bad_runs: int


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project on the front page; `before` is None where nothing ran in the window before."""

    slug: str
    name: str
    now: ProjectCounts
    before: ProjectCounts | None
    last_run_at: datetime | None
    last_n_bad: int | None
    layers: tuple[LayerAmount, ...]
