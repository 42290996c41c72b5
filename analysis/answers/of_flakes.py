"""Which tests are unreliable, what they cost, and how that goes week by week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from analysis.answers.rows import NamedTest, TestRow
from analysis.causes import CauseHint
from projects.vocabulary import Boundary, FlakeStatus


@dataclass(frozen=True, slots=True)
class FlakeRow:
    """One unreliable Test, ranked by what it cost."""

    test: TestRow
    status: FlakeStatus
    sentence: str
    since_on: date | None
    n_runs_broken: int
    n_flakes: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    seconds_lost: float
    proof_runs: tuple[int, ...]
    boundary: Boundary
    reason: str
    cause: CauseHint | None = None
    owner: str = ""
    muted_until: date | None = None
    beside: tuple[NamedTest, ...] = ()  # the tests that flake together with it
    waited_s: float = 0.0
    developer_s: float = 0.0
    few_runs: bool = False
    only_here: str = ""  # what sets its environment apart


@dataclass(frozen=True, slots=True)
class FlakeCost:
    """What unreliable tests cost a window: machines' time, waiting for a green run, and the time of people."""

    n_runs_broken: int
    seconds_lost: float
    waited_s: float = 0.0
    developer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FlakeTotals:
    """What unreliable tests did to a window, and what they had cost the one before."""

    n_tests: int
    n_runs_broken: int
    seconds_lost: float
    n_new: int
    n_fixed: int
    n_suspected: int
    n_broken: int
    n_relapsed: int = 0
    waited_s: float = 0.0
    developer_s: float = 0.0
    before: FlakeCost | None = None


@dataclass(frozen=True, slots=True)
class FlakeWeek:
    """Flaky tests in one week: newly flaky, still flaky, and fixed."""

    monday: date
    n_new: int
    n_still: int
    n_fixed: int
