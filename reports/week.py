"""What a letter is composed of: one week of one project as plain values, and what of it is a reader's own.

Pure. Where the values come from is weekly.py's, what a letter makes of them letter.py's and sections.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from typing import TypeVar

from analysis.answers.of_care import Muted
from analysis.answers.of_flakes import FlakeCost, FlakeRow
from analysis.answers.of_suite import Totals
from analysis.answers.of_time import BudgetAnswer, ShiftRow
from analysis.answers.rows import LayerAmount
from analysis.shape import Judgement

Row = TypeVar("Row", FlakeRow, ShiftRow)


class Fate(Enum):
    """What became of a test that the letter before asked to fix."""

    FIXED = "fixed"
    QUIET = "no flake since"
    FLAKY = "still flaky"
    BROKEN = "always failing"
    UNSEEN = "did not run"


@dataclass(frozen=True, slots=True)
class Asked:
    """A test that a letter asks to fix, with what it cost and how many letters in a row have asked."""

    test_id: int
    title: str
    seconds_lost: float
    n_weeks: int = 1


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """A test of the letter before, and what became of it since."""

    asked: Asked
    fate: Fate
    n_runs_broken: int = 0
    seconds_lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Links:
    """Where the lines of a letter lead; absolute."""

    overview: str
    flaky: str
    slow: str
    shape: str
    muted: str
    test: str  # with {id} in it

    def of_test(self, test_id: int) -> str:
        """Return the address of one test's page."""
        return self.test.replace("{id}", str(test_id))


@dataclass(frozen=True, slots=True)
class Own:
    """Which tests are a reader's own, under which names of owners, and whether the letter is about these alone."""

    owners: tuple[str, ...]
    test_ids: frozenset[int]
    is_only: bool = False


@dataclass(frozen=True, slots=True)
class Week:
    """Everything that a letter is composed of; `relapsed` were fixed and flaked again, `ending` are muted a week more at most."""

    project: str
    branch: str
    since: date
    until: date
    totals: Totals
    before: Totals
    layers: tuple[LayerAmount, ...]
    layers_before: tuple[LayerAmount, ...]
    verdict: str
    judgement: Judgement | None
    target: str
    flaky: tuple[FlakeRow, ...]
    fixed: tuple[FlakeRow, ...]
    slower: tuple[ShiftRow, ...]
    budgets: tuple[BudgetAnswer, ...]
    asked: tuple[AskedBefore, ...]
    links: Links
    relapsed: frozenset[int] = frozenset()
    ending: tuple[Muted, ...] = ()
    costs_before: Mapping[int, FlakeCost] = field(default_factory=dict)
    own: Own | None = None

    def is_own(self, test_id: int) -> bool:
        """True for a reader's own test, in a letter that has others too."""
        return self.own is not None and not self.own.is_only and test_id in self.own.test_ids


def seen_by(week: Week, own: Own) -> Week:
    """Return the week as one reader is told of it: their own tests first, or these alone."""
    mine = own.test_ids
    if own.is_only:
        return replace(
            week,
            own=own,
            flaky=_only(week.flaky, mine),
            fixed=_only(week.fixed, mine),
            slower=_only(week.slower, mine),
            ending=tuple(muted for muted in week.ending if muted.test_id in mine),
            asked=tuple(before for before in week.asked if before.asked.test_id in mine),
            budgets=(),
            judgement=None,
        )
    return replace(
        week,
        own=own,
        flaky=_first(week.flaky, mine),
        fixed=_first(week.fixed, mine),
        slower=_first(week.slower, mine),
        ending=tuple(sorted(week.ending, key=lambda muted: muted.test_id not in mine)),
    )


def _test_id(row: FlakeRow | ShiftRow) -> int:
    return row.test_id if isinstance(row, ShiftRow) else row.test.id


def _only(rows: Iterable[Row], mine: frozenset[int]) -> tuple[Row, ...]:
    return tuple(row for row in rows if _test_id(row) in mine)


def _first(rows: Iterable[Row], mine: frozenset[int]) -> tuple[Row, ...]:
    """Return the rows with the reader's own first; those of either kind stay in their order."""
    return tuple(sorted(rows, key=lambda row: _test_id(row) not in mine))
