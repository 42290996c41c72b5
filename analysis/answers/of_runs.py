"""What happened in runs, and what is missing of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analysis.answers.of_uploads import UploadRow
from analysis.answers.rows import LayerAmount, TestRow
from projects.vocabulary import Boundary, FlakeStatus, Layer, Outcome


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
