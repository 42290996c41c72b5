"""What was delivered: uploads with their problems, and how many came when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from projects.vocabulary import ProblemLevel, UploadState


@dataclass(frozen=True, slots=True)
class UploadRow:
    """One Upload in a list."""

    id: str
    received_at: datetime
    run_number: int | None
    token: str
    repository: str
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
    """What came in a window, day by day, and hour by hour in its last two days; oldest first; and in all before it."""

    days: tuple[UploadSpan, ...]
    hours: tuple[UploadSpan, ...]
    n_before: int = 0
    n_unread_before: int = 0
