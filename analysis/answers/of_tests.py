"""The story of one test: what it did, why it has its layer, what it failed of; and whose tests there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from analysis.answers.of_earlier import TestBefore
from analysis.answers.of_renames import RenameRow
from analysis.answers.of_time import ShiftRow
from analysis.answers.rows import Page, TestRow
from analysis.causes import CauseHint
from projects.vocabulary import Boundary, FlakeRule, FlakeStatus, Layer, Outcome


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One reason for a layer as it is kept with the Test."""

    words: str
    layer: Layer
    weight: float


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """Failures of one Test that share a Signature."""

    signature: str
    title: str
    boundary: Boundary
    matched: str
    n: int
    first_on: date
    last_on: date
    sample_run: int | None
    sample_kind: str
    sample_message: str
    sample_text: str
    n_runs: int = 0  # outside of incidents
    rate: float | None = None  # of the window's results; None without any
    cause: CauseHint | None = None


@dataclass(frozen=True, slots=True)
class ProofRow:
    """The runs that prove one Flake."""

    rule: FlakeRule
    run_number: int
    other_run: int
    commit: str
    day: date
    in_incident: bool

    @property
    def words(self) -> str:
        """Say what was seen."""
        if self.rule is FlakeRule.RETRY:
            return f"failed, then passed on a retry in run #{self.run_number}"
        if self.rule is FlakeRule.EPISODE:
            return (
                f"failed and passed in runs #{self.other_run} and #{self.run_number},"
                " with no sign of a break or a repair between"
            )
        if self.other_run == self.run_number:
            return f"passed and failed on one commit, in run #{self.run_number}"
        return f"passed and failed on one commit, in runs #{self.other_run} and #{self.run_number}"


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One result of a Test, or of a Run."""

    run_number: int
    test_id: int
    title: str
    at: datetime
    branch: str
    commit: str
    outcome: Outcome
    seconds: float | None
    n_attempts: int
    is_flaky: bool
    layer: Layer


@dataclass(frozen=True, slots=True)
class FlakeAnswer:
    """The verdict on one Test, with its proof."""

    status: FlakeStatus
    sentence: str
    since_on: date | None
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    proofs: tuple[ProofRow, ...]
    note: str


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """The story of one Test; `earlier` is None where it is not compared with the window before."""

    row: TestRow
    suite: str
    classname: str
    name: str
    file: str
    line: int | None
    framework: str
    markers: tuple[str, ...]
    tags: tuple[str, ...]
    first_seen_on: date
    evidence: tuple[EvidenceRow, ...]
    flake: FlakeAnswer | None
    reasons: tuple[ReasonRow, ...]
    history: tuple[ResultRow, ...]
    results: Page[ResultRow]
    share_of_time: float | None
    id_before: int | None
    id_after: int | None
    shifts: tuple[ShiftRow, ...]
    renames: tuple[RenameRow, ...] = ()
    earlier: TestBefore | None = None

    @property
    def goes_on_as(self) -> int | None:
        """Return the test that has this one's history by now, where it changed its name."""
        mine = (one for one in self.renames if one.is_applied and one.other_id == self.row.id)
        return next((one.test_id for one in mine), None)


@dataclass(frozen=True, slots=True)
class OwnedTests:
    """How many tests an owner has, and how many of them are flaky or broken."""

    owner: str
    n_tests: int
    n_unwell: int
