"""What broke: failures that share a signature, and the boundaries they broke at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from analysis.answers.rows import NamedTest, Page
from projects.vocabulary import Boundary


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
