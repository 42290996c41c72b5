"""Which tests go on under another name."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from projects.vocabulary import RenameState


@dataclass(frozen=True, slots=True)
class RenameRow:
    """A Test that goes on, went on, or may go on under another name; `likeness` is the share of words in common."""

    id: uuid.UUID
    test_id: int
    other_id: int
    run_number: int
    at: datetime
    state: RenameState
    likeness: float
    was: str
    was_home: str
    became: str
    became_home: str
    by: str

    @property
    def is_applied(self) -> bool:
        """True while the history goes on under the other name."""
        return self.state is RenameState.APPLIED

    @property
    def is_proposed(self) -> bool:
        """True for one that a person is to judge."""
        return self.state is RenameState.PROPOSED
