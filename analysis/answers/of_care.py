"""What people decided about tests: muted, said fixed, owned, remarked upon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from projects.vocabulary import FlakeStatus


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
