"""What the weekly letter says of a test beside what the pages' questions told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from projects.vocabulary import FlakeStatus


@dataclass(frozen=True, slots=True)
class ToldTest:
    """A test of the letter: its owners, when the default branch last saw it, and what changed in the letter's days."""

    owners: tuple[str, ...]
    last_on: date | None
    status: FlakeStatus
    is_fixed: bool
    is_relapsed: bool
