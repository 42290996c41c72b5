"""Where a result stood: how far into its report, right after which test, and on which worker. Pure.

A report's order is the order in which things ran for most runners; where it is not, nothing follows from it, since passes are
looked at beside the failures (analysis.causes).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

LONGEST_WORKER = 100  # characters of a worker's name


class Report(NamedTuple):
    """One report of an upload: the number of cases before it, its cases, and the worker that it names."""

    start: int
    n_cases: int
    worker: str = ""


class Seat(NamedTuple):
    """Where one result stood in its report; a test of 0 came first, or after something that did not run."""

    after_test: int
    place: int
    n_cases: int
    worker: str

    @property
    def share(self) -> float:
        """How far into the report: 0 is the first case, 1 the last."""
        return (self.place - 1) / max(1, self.n_cases - 1)


class PassSeen(NamedTuple):
    """A pass of a flake soon after one of its failures, kept to be held against its failures."""

    run: int
    after_test: int
    share: float
    worker: str


def seat(seq: int, *, before: int | None, reports: Sequence[Report], worker: str = "") -> Seat:
    """Return where the case of this number stood; `before` is the test of the number before it, in whichever report."""
    number = bisect_right(reports, seq - 1, key=lambda report: report.start) - 1
    report = reports[number] if number >= 0 else Report(0, 0)
    place = seq - report.start
    after = (before or 0) if place > 1 else 0
    return Seat(after, place, max(place, report.n_cases), (worker or report.worker)[:LONGEST_WORKER])


def packed(run: int, seen: Seat) -> str:
    """Write a pass in a few characters."""
    return f"{run} {seen.after_test} {seen.share:.3f} {seen.worker}"


def unpacked(words: str) -> PassSeen:
    """Read what `packed` wrote."""
    run, after, share, worker = words.split(" ", 3)
    return PassSeen(int(run), int(after), float(share), worker)
