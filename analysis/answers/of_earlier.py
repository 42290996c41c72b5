"""What analysis.queries.of_earlier answers with: a number of the window beside that of the one before it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TestCounts:
    """How many tests ran; `n_before` is None where the earlier window was not asked for."""

    __test__ = False

    n_tests: int
    n_before: int | None


@dataclass(frozen=True, slots=True)
class TestBefore:
    """How often one test ran to an end in the window before, and how often it failed."""

    __test__ = False

    n_ended: int
    n_bad: int


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The median time of a run's tests in seconds; None without runs."""

    seconds: float | None
    seconds_before: float | None
