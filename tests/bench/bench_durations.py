"""How often a test is called slower or faster while nothing changed, and how soon a real change is found.

Run `python -m tests.bench.bench_durations FILE` with illinois_iso_runs.csv.gz: reruns of one commit on 40 machines, so
that every change of duration is noise. Histories are drawn from these runs; a change is a factor from run 200 on.
"""

from __future__ import annotations

import csv
import gzip
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from analysis.durations import Pace, Shift
from tests.shared import SHARED

N_RUNS = 300
CHANGE_AT = 200
SOON = 12  # runs in which a change of a half has to be found
LATE = 40
FACTORS = (1.25, 1.5, 2.0)
LEAST_S = 0.02  # under it the reruns' clock, of a millisecond, is what varies


class Found(NamedTuple):
    """How often a change by this factor was found soon, found at all, and after how many runs as a rule."""

    factor: float
    soon: float
    late: float
    delay: float


class Figures(NamedTuple):
    """False alarms for each 1,000 runs of a test, and what becomes of real changes."""

    n_histories: int
    n_runs: int
    n_false: int
    found: tuple[Found, ...]
    microseconds: float

    @property
    def false_of_1000(self) -> float:
        """Return the false alarms of 1,000 runs."""
        return 1000 * self.n_false / self.n_runs


def read(path: Path) -> dict[str, list[float]]:
    """Read the passing durations of each test that has enough of them."""
    passed: dict[str, list[float]] = defaultdict(list)
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            if row["status"] == "P" and row["seconds"] and float(row["seconds"]) > 0:
                passed[row["test_id"]].append(float(row["seconds"]))
    return {test: s for test, s in passed.items() if len(s) >= N_RUNS and median(s) >= LEAST_S}


def histories(passed: Mapping[str, Sequence[float]], *, seed: int, n_each: int) -> Iterator[list[float]]:
    """Draw histories over the machines: which machine a run gets is chance."""
    source = random.Random(seed)
    for seconds in passed.values():
        for _ in range(n_each):
            yield source.sample(seconds, N_RUNS)


def alarms(history: Sequence[float]) -> list[tuple[int, Shift]]:
    """Return the shifts that are told, each with the run that told it."""
    pace, told = Pace(), []
    for run, seconds in enumerate(history):
        pace, found = pace.after(
            seconds, least_change_s=0
        )  # the ratios are on trial, not the tenth of a second
        if found is not None:
            told.append((run, found))
    return told


def changed(history: Sequence[float], factor: float) -> list[float]:
    """Return the history with a change of every duration from CHANGE_AT on."""
    return [s * factor if run >= CHANGE_AT else s for run, s in enumerate(history)]


def delay(history: Sequence[float], factor: float) -> int | None:
    """Return after how many runs the change is told; None where that takes more than LATE."""
    for run, found in alarms(changed(history, factor)):
        if CHANGE_AT <= run < CHANGE_AT + LATE and found.is_slower:
            return run - CHANGE_AT + 1
    return None


def figures(
    passed: Mapping[str, Sequence[float]],
    *,
    seed: int = 7,
    n_each: int = 6,
    factors: Sequence[float] = FACTORS,
) -> Figures:
    """Measure the detector on histories drawn from the reruns."""
    drawn = list(histories(passed, seed=seed, n_each=n_each))
    began = time.perf_counter()
    n_false = sum(len(alarms(history)) for history in drawn)
    seconds = time.perf_counter() - began
    return Figures(
        n_histories=len(drawn),
        n_runs=len(drawn) * N_RUNS,
        n_false=n_false,
        found=tuple(_found(drawn, factor) for factor in factors),
        microseconds=1e6 * seconds / (len(drawn) * N_RUNS),
    )


def _found(drawn: Sequence[Sequence[float]], factor: float) -> Found:
    delays = [delay(history, factor) for history in drawn]
    known = [d for d in delays if d is not None]
    return Found(
        factor,
        sum(d <= SOON for d in known) / len(delays),
        len(known) / len(delays),
        median(known) if known else float("nan"),
    )


@pytest.mark.bench
@pytest.mark.shared
def test_noise_is_seldom_told_and_a_change_is_told_soon() -> None:
    if SHARED is None:
        pytest.skip("The reruns lie beside the checkout, and are not here.")

    measured = figures(read(SHARED / "bench" / "flakiness" / "illinois_iso_runs.csv.gz"))
    report(measured)

    assert measured.false_of_1000 <= 0.1
    assert next(found.soon for found in measured.found if found.factor == 1.5) >= 0.95


def report(measured: Figures) -> None:
    """Print the figures."""
    print(f"{measured.n_histories} histories of {N_RUNS} runs, {measured.microseconds:.1f} µs a run")
    print(f"false alarms: {measured.false_of_1000:.3f} for each 1,000 runs")
    for found in measured.found:
        print(
            f"× {found.factor:.2f}: {found.soon:.1%} within {SOON} runs, {found.late:.1%} within {LATE},"
            f" as a rule after {found.delay:.0f}"
        )


def main() -> None:
    """Measure, and print the figures."""
    report(figures(read(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
