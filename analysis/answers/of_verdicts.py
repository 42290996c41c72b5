"""What each failure of a run most likely is: a flake, a break from before, or the change's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from projects.vocabulary import Blame, FlakeStatus, Layer, Outcome

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
