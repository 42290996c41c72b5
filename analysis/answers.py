"""The values that questions answer with: frozen, free of rows, ready to print.

Pure. Durations are seconds, shares are 0 to 1, days are dates, moments are aware UTC datetimes. A None in place of a
number says that there is no data, which is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

from analysis.causes import CauseHint
from analysis.rename_answers import RenameRow
from projects.vocabulary import (
    Blame,
    Boundary,
    FlakeRule,
    FlakeStatus,
    Layer,
    Outcome,
    ProblemLevel,
    TimingBucket,
    UploadState,
)

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
class TestAnswer:
    """The story of one Test."""

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

    @property
    def goes_on_as(self) -> int | None:
        """Return the test that has this one's history by now, where it changed its name."""
        mine = (one for one in self.renames if one.is_applied and one.other_id == self.row.id)
        return next((one.test_id for one in mine), None)


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
class RemarkRow:
    """What somebody did about a Test or a Run; nobody's deed is that of time."""

    at: datetime
    by: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Muted:
    """A Test muted in CI: why, by whom, until when, and how often it has failed since."""

    test_id: int
    title: str
    suite: str
    classname: str
    name: str
    file: str
    variant: str
    status: FlakeStatus
    reason: str
    by: str
    created_at: datetime
    until_on: date
    n_failed_since: int


@dataclass(frozen=True, slots=True)
class Care:
    """What people decided about one Test, and what its passes say of a repair."""

    is_flaky: bool
    was_flaky: bool
    n_failed: int
    n_tried: int  # up to and with its last failure
    n_quiet: int
    p_unfixed: float
    n_passes_needed: int
    fixed_commit: str
    note: str
    owner: str
    muted: Muted | None
    remarks: tuple[RemarkRow, ...]


@dataclass(frozen=True, slots=True)
class OwnedTests:
    """How many tests an owner has, and how many of them are flaky or broken."""

    owner: str
    n_tests: int
    n_unwell: int


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


@dataclass(frozen=True, slots=True)
class NamedTest:
    """A Test by its name alone, for a link."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """Failures of a window that share a Signature, whichever tests they hit."""

    signature: str
    title: str
    boundary: Boundary
    matched: str
    is_infrastructure: bool
    n_failures: int
    n_tests: int
    n_runs: int
    n_in_incidents: int
    first_on: date
    last_on: date
    is_new: bool
    tests: tuple[NamedTest, ...] = ()
    runs: tuple[int, ...] = ()
    sample_test: int | None = None
    sample_run: int | None = None
    sample_kind: str = ""
    sample_message: str = ""
    sample_text: str = ""


@dataclass(frozen=True, slots=True)
class FailuresAnswer:
    """The failures of a window by Signature: a page of them, those that hit several tests, and the sums of all."""

    rows: Page[SignatureRow]
    across: tuple[SignatureRow, ...]
    n_failures: int
    n_new: int
    n_infrastructure: int
    boundaries: Mapping[Boundary, int]


@dataclass(frozen=True, slots=True)
class BoundaryWeek:
    """How many failures broke at each Boundary in one week, and how many runs there were."""

    monday: date
    n_failures: Mapping[Boundary, int]
    n_runs: int


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
class BudgetAnswer:
    """The time a layer takes in a run against what it may take."""

    layer: Layer
    limit_s: float
    run_s: float | None
    share: float | None
    crosses_on: date | None
    n_to_move: int


@dataclass(frozen=True, slots=True)
class RunCounts:
    """How many runs a window has, and in how many of them a test failed for good."""

    n_runs: int
    n_bad: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One Run in a list."""

    number: int
    key: str
    started_at: datetime
    branch: str
    commit: str
    pull_request: str
    url: str
    n_tests: int
    n_passed: int
    n_failed: int
    n_error: int
    n_skipped: int
    n_flaky: int
    n_new: int
    seconds: float
    seconds_before: float | None
    n_uploads: int
    n_shards: int
    shard_total: int | None
    is_truncated: bool
    is_incident: bool
    incident_sentence: str
    incomplete_sentence: str = ""

    @property
    def n_bad(self) -> int:
        """Count failed and error together."""
        return self.n_failed + self.n_error

    @property
    def is_incomplete(self) -> bool:
        """True when a shard, or much of the usual, did not arrive, or a report broke off."""
        return bool(self.why_incomplete)

    @property
    def why_incomplete(self) -> str:
        """Say what is missing: what the run itself tells, before it is compared with others, and then what was found."""
        return known_lack(self.n_shards, self.shard_total, is_truncated=self.is_truncated) or (
            self.incomplete_sentence
        )


def known_lack(n_shards: int, shard_total: int | None, *, is_truncated: bool) -> str:
    """Say what a run lacks for certain, without comparing it with others; "" where nothing does."""
    if shard_total and n_shards < shard_total:
        return f"{n_shards} of {shard_total} shards arrived."
    return "A report broke off. What came before the break is counted." if is_truncated else ""


@dataclass(frozen=True, slots=True)
class RunFailure:
    """A Test that went wrong in a Run, with its words."""

    test_id: int
    title: str
    home: str
    layer: Layer
    outcome: Outcome
    seconds: float | None
    n_attempts: int
    status: FlakeStatus
    failing_since: int | None
    boundary: Boundary
    matched: str
    kind: str
    message: str
    text: str


KNOWN_FLAKY = 0.9  # of ten failures told as flaky at most one is a break
LIKELY_FLAKY = 0.5  # more likely flaky than broken: worth running again


@dataclass(frozen=True, slots=True)
class FailureVerdict:
    """A Test that ended badly in a Run, with what its failure most likely is."""

    test_id: int
    title: str
    suite: str
    classname: str
    name: str
    file: str
    layer: Layer
    outcome: Outcome
    p_flaky: float | None
    status: FlakeStatus
    failing_since: int | None
    in_incident: bool
    muted_because: str = ""
    muted_until: date | None = None
    only_here: str = ""  # what sets its environment apart

    @property
    def blame(self) -> Blame:
        """Judge by P(flaky), and by whether the default branch failed already; without evidence it is the change's."""
        p = self.p_flaky or 0.0
        if p >= KNOWN_FLAKY:
            return Blame.KNOWN_FLAKY
        if self.failing_since is not None:
            return Blame.FAILING_BEFORE
        return Blame.LIKELY_FLAKY if p >= LIKELY_FLAKY else Blame.LIKELY_YOURS

    @property
    def sentence(self) -> str:
        """Say the verdict with its number."""
        p = "unknown" if self.p_flaky is None else f"{self.p_flaky:.2f}"
        words = {
            Blame.KNOWN_FLAKY: f"Known flaky: P = {p}.",
            Blame.FAILING_BEFORE: f"Failing on the default branch since run #{self.failing_since}.",
            Blame.LIKELY_FLAKY: f"Likely flaky, P = {p}: run it again.",
            Blame.LIKELY_YOURS: f"Likely yours: P(flaky) = {p}.",
        }[self.blame]
        if self.only_here and self.status is FlakeStatus.ENVIRONMENT_SPECIFIC:
            words = f"{words} It {self.only_here}."
        if self.in_incident:
            words = f"{words} Many tests failed at once in this run."
        return f"{words} Muted until {self.muted_until}: {self.muted_because}" if self.muted_until else words


@dataclass(frozen=True, slots=True)
class RunVerdicts:
    """The failures of a Run with their verdicts; `n_failures` counts those beyond the list too."""

    number: int
    key: str
    n_failures: int
    n_waiting: int
    is_truncated: bool
    why_incomplete: str
    failures: tuple[FailureVerdict, ...]

    @property
    def is_incomplete(self) -> bool:
        """True when something is missing."""
        return bool(self.why_incomplete)


@dataclass(frozen=True, slots=True)
class SlowerTest:
    """A Test that took clearly longer in a Run than its median."""

    test_id: int
    title: str
    usual_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One Upload in a list."""

    id: str
    received_at: datetime
    run_number: int | None
    token: str
    n_bytes: int
    n_tests: int
    state: UploadState
    took_s: float | None
    job: str
    shard: str
    branch: str
    commit: str
    run_key: str
    environment: str
    problems: tuple[ProblemRow, ...]


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """One Problem with its place."""

    level: ProblemLevel
    code: str
    sentence: str
    file: str
    line: int | None
    column: int | None


@dataclass(frozen=True, slots=True)
class ProblemExample:
    """One sentence of a problem, when it was last said, and the upload; "" for a request that became none."""

    sentence: str
    at: datetime
    upload_id: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one code in a window, with the newest examples; at the door they kept a request from being an upload."""

    code: str
    level: ProblemLevel
    n: int
    n_uploads: int
    at_door: bool
    examples: tuple[ProblemExample, ...]


@dataclass(frozen=True, slots=True)
class UploadSpan:
    """Uploads of one hour or day, by how they ended, and the requests that were refused before they became one."""

    at: datetime
    n_done: int = 0
    n_rejected: int = 0
    n_failed: int = 0
    n_waiting: int = 0
    n_at_door: int = 0

    @property
    def n_refused(self) -> int:
        """Count what was refused, at the door or when it was read."""
        return self.n_rejected + self.n_at_door

    @property
    def n_uploads(self) -> int:
        """Count the uploads, whatever became of them."""
        return self.n_done + self.n_rejected + self.n_failed + self.n_waiting


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came in a window, day by day, and hour by hour in its last two days; oldest first."""

    days: tuple[UploadSpan, ...]
    hours: tuple[UploadSpan, ...]


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """What happened in one Run."""

    run: RunRow
    failed_new: tuple[RunFailure, ...]
    failed_before: tuple[RunFailure, ...]
    flaky: tuple[RunFailure, ...]
    incident: tuple[RunFailure, ...]
    n_incident: int
    new_tests: tuple[TestRow, ...]
    n_missing: int
    layers: tuple[LayerAmount, ...]
    usual: tuple[LayerAmount, ...]
    uploads: tuple[UploadRow, ...]
    number_before: int | None
    number_after: int | None
    number_before_on_branch: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed in a window, worth a line on the overview."""

    kind: str
    n: int
    tests: tuple[TestRow, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """One project on the front page."""

    slug: str
    name: str
    n_tests: int
    n_flaky: int
    n_runs: int
    last_run_at: datetime | None
    last_n_bad: int | None
    layers: tuple[LayerAmount, ...]
