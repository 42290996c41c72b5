"""Histories with known answers: a reader of recorded ones, and a small generator of the cases those lack.

A history is what the engine may see (runs and failing tests) and what it may not (the true cause of each).
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECONDS_A_DAY = 86400.0


class Flaw(NamedTuple):
    """A test that is truly flaky: its rate, and the days between which it is."""

    rate: float
    onset: float
    fixed: float


class Tries(NamedTuple):
    """The attempts of a failing test, True for failed, and why it failed."""

    failed: tuple[bool, ...]
    cause: str


@dataclass(slots=True)
class BenchRun:
    """One run as an upload would tell it, and its failing tests."""

    run: int
    at: float
    environment: str
    branch: str
    is_main: bool
    commit: str
    failures: dict[int, Tries]
    base_at: float | None = None
    is_late: bool = False
    absent: frozenset[int] = frozenset()


@dataclass(slots=True)
class History:
    """Runs in the order of their arrival, and the truth about the tests."""

    name: str
    suites: list[int]
    runs: list[BenchRun]
    flaky: dict[int, Flaw]
    broken_runs: dict[str, set[int]] = field(default_factory=dict)


def read(folder: Path) -> History:
    """Read a history that make_history.py wrote."""
    labels = json.loads((folder / "ci_bench_labels.json").read_text())
    failures = _failures(folder)
    rows = list(enumerate(_rows(folder / "ci_bench_runs.csv.gz")))
    main_at = {
        int(row["base_seq"]): int(row["unix"]) / SECONDS_A_DAY for _, row in rows if row["kind"] == "main"
    }
    runs = [_run(number, row, failures, main_at) for number, row in rows]
    suites: dict[str, int] = {}
    numbers = [
        suites.setdefault(row["suite"], len(suites)) for row in _rows(folder / "ci_bench_tests.csv.gz")
    ]
    return History(
        name=folder.name,
        suites=numbers,
        runs=sorted(runs, key=lambda run: (run.at, run.run)),
        flaky={
            int(test): Flaw(flaw["rate"], main_at[flaw["onset"]], main_at.get(flaw["fixed"], float("inf")))
            for test, flaw in labels["flaky"].items()
        },
    )


def _run(
    number: int, row: dict[str, str], failures: dict[int, dict[int, Tries]], main_at: dict[int, float]
) -> BenchRun:
    is_main = row["kind"] == "main"
    return BenchRun(
        run=number + 1,
        at=int(row["unix"]) / SECONDS_A_DAY,
        environment=row["env"],
        branch="main" if is_main else f"pull/{row['pr']}",
        is_main=is_main,
        commit=row["commit"],
        failures=failures.get(number, {}),
        base_at=None if is_main else main_at.get(int(row["base_seq"])),
    )


def _failures(folder: Path) -> dict[int, dict[int, Tries]]:
    tries: dict[int, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    causes: dict[tuple[int, int], str] = {}
    for row in _rows(folder / "ci_bench_nonpass.csv.gz"):
        run, test = int(row["run"]), int(row["test"])
        tries[run][test].append(row["status"] == "F")
        causes[run, test] = row["true_cause"]
    return {
        run: {test: Tries(tuple(failed), causes[run, test]) for test, failed in tests.items()}
        for run, tests in tries.items()
    }


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as lines:
        yield from csv.DictReader(lines)


# --- the generator of cases that recorded histories lack

RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3)


@dataclass(slots=True)
class Maker:
    """Lays out commits and pull requests, and lets tests fail for a known reason."""

    name: str
    seed: int
    n_commits: int = 400
    n_tests: int = 2400
    n_suites: int = 240
    n_flaky: int = 100  # so many that one mistake is a hundredth, not a twentieth
    n_regressions: int = 24
    rates: tuple[float, ...] = RATES
    source: random.Random = field(init=False)
    history: History = field(init=False)
    clusters: list[list[int]] = field(default_factory=list)
    regressions: list[tuple[int, int, list[int]]] = field(default_factory=list)
    outages: list[tuple[float, float, frozenset[str], float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = random.Random(f"{self.name} {self.seed}")
        suites = [test * self.n_suites // self.n_tests for test in range(self.n_tests)]
        self.history = History(self.name, suites, [], {})
        for test in self.source.sample(range(self.n_tests), self.n_flaky):
            self.history.flaky[test] = Flaw(self.source.choice(self.rates), 0.0, float("inf"))
        for _ in range(self.n_regressions):
            start = self.source.randrange(15, self.n_commits - 15)
            suite = self.source.randrange(self.n_suites)
            tests = [
                test
                for test in range(self.n_tests)
                if suites[test] == suite and test not in self.history.flaky
            ]
            n = min(len(tests), self.source.choice([1, 2, 5]))
            self.regressions.append(
                (start, start + self.source.randrange(1, 8), self.source.sample(tests, n))
            )

    def at(self, commit: int) -> float:
        """The day of a commit: six a day."""
        return 100.0 + commit / 6

    def cluster(self, n: int, rate: float) -> None:
        """Let n tests over several suites flake together."""
        tests = self.source.sample(
            [test for test in range(self.n_tests) if test not in self.history.flaky], n
        )
        self.clusters.append(tests)
        for test in tests:
            self.history.flaky[test] = Flaw(rate, 0.0, float("inf"))

    def outage(self, commit: int, *, length: int, environments: tuple[str, ...], share: float) -> None:
        """Let a share of all tests fail while the machines are down, whatever is tested then."""
        span = (self.at(commit) - 0.01, self.at(commit + length) - 0.01)
        self.outages.append((*span, frozenset(environments), share))

    def run(
        self,
        base: int,
        *,
        environment: str,
        branch: str = "main",
        commit: str | None = None,
        at: float | None = None,
    ) -> BenchRun:
        """Add one run on top of a commit of the default branch."""
        when = self.at(base) if at is None else at
        made = BenchRun(
            run=len(self.history.runs) + 1,
            at=when,
            environment=environment,
            branch=branch,
            is_main=branch == "main",
            commit=f"m{base}" if commit is None else commit,
            failures=self._failures(base, environment, when),
            base_at=None if branch == "main" else self.at(base),
        )
        self.history.runs.append(made)
        return made

    def _failures(self, base: int, environment: str, at: float) -> dict[int, Tries]:
        failing = dict.fromkeys(self._flakes(), "flaky")
        for start, end, tests in self.regressions:
            if start <= base < end:
                failing.update(dict.fromkeys(tests, "regression"))
        for since, until, environments, share in self.outages:
            if since <= at < until and environment in environments:
                hit = (test for test in range(self.n_tests) if self.source.random() < share)
                failing.update({test: "outage" for test in hit if failing.get(test) != "regression"})
        return {test: Tries(self._tries(test, cause), cause) for test, cause in sorted(failing.items())}

    def _flakes(self) -> Iterator[int]:
        together = {test for tests in self.clusters for test in tests}
        for tests in self.clusters:
            if self.source.random() < self.history.flaky[tests[0]].rate:
                yield from (test for test in tests if self.source.random() < 0.8)
        for test, flaw in self.history.flaky.items():
            if test not in together and self.source.random() < flaw.rate:
                yield test

    def _tries(self, test: int, cause: str) -> tuple[bool, ...]:
        """Half of the suites retry once."""
        if self.history.suites[test] % 2:
            return (True,)
        again = self.source.random() < (0.3 if cause == "flaky" else 0.995)
        return (True, again)


def play(maker: Maker, *, queue: bool = False, with_commits: bool = True) -> History:
    """Run every commit in both environments, and pull requests between."""
    for base in range(maker.n_commits):
        commit = None if with_commits else ""
        if queue and base:
            for environment in ("linux", "win"):
                made = maker.run(
                    base,
                    environment=environment,
                    branch=f"queue/{base}",
                    commit=f"m{base}",
                    at=maker.at(base) - 0.02,
                )
                made.base_at = maker.at(base - 1)
        for environment in ("linux", "win"):
            maker.run(base, environment=environment, commit=commit)
        if base % 3 == 0:
            maker.run(
                base, environment="linux", branch=f"pull/{base}", commit=f"p{base}", at=maker.at(base) + 0.03
            )
    return maker.history


def all_environment_outages(seed: int) -> History:
    """Outages that hit every environment at once, and look like a commit that broke everything."""
    maker = Maker("outages everywhere", seed)
    for commit in (40, 90, 140, 141, 200, 250, 320):
        share = maker.source.choice([0.05, 0.3, 0.9])
        maker.outage(commit, length=maker.source.choice([1, 2]), environments=("linux", "win"), share=share)
    return play(maker)


def systemic_clusters(seed: int) -> History:
    """Flaky tests that fail in groups, as three of four real ones do."""
    maker = Maker("systemic clusters", seed)
    for n, rate in ((4, 0.03), (8, 0.05), (6, 0.02), (9, 0.04)):
        maker.cluster(n, rate)
    return play(maker)


def merge_queue(seed: int) -> History:
    """Every commit is tested in a merge queue first, and again on the default branch."""
    return play(Maker("merge queue", seed), queue=True)


def missing_commits(seed: int) -> History:
    """Uploads that do not say which commit they tested."""
    return play(Maker("missing commits", seed), with_commits=False)


def skipped_runs(seed: int) -> History:
    """Every third run never arrived."""
    history = play(Maker("skipped runs", seed))
    source = random.Random(seed)
    history.runs = [run for run in history.runs if source.random() > 0.33]
    return history


def late_uploads(seed: int) -> History:
    """One run in seven arrives after the next five."""
    history = play(Maker("late uploads", seed))
    source = random.Random(seed)
    places = [
        (place + (5.5 if source.random() < 1 / 7 else 0.0), run) for place, run in enumerate(history.runs)
    ]
    history.runs = [run for _, run in sorted(places, key=lambda pair: pair[0])]
    newest: dict[str, float] = {}
    for run in history.runs:
        if run.is_main:
            run.is_late = run.at < newest.get(run.environment, 0.0)
            newest[run.environment] = max(run.at, newest.get(run.environment, 0.0))
    return history


CASES = (all_environment_outages, systemic_clusters, merge_queue, missing_commits, skipped_runs, late_uploads)
