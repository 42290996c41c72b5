"""How right the flaky verdicts are: precision, recall, calibration, repairs, and the naive rules beside them.

Run `python -m tests.bench.bench_flakes FOLDER...` with folders that make_history.py wrote, or without for the
generator's own cases.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from analysis.engine import Engine, Judged, RunSeen, Tried
from analysis.flakes import mark
from projects.vocabulary import FlakeStatus
from tests.bench.bench_flakes_histories import CASES, BenchRun, History, read

SEEDS = (1, 2)


class Scored(NamedTuple):
    """One failure: what was said of it at once, what later, and what it was."""

    run: int
    test: int
    environment: str
    is_main: bool
    p: float
    cause: str
    is_withheld: bool


@dataclass(slots=True)
class Replay:
    """A history driven through the engine, and what came of it."""

    history: History
    engine: Engine = field(default_factory=Engine)
    scored: list[Scored] = field(default_factory=list)
    later: dict[tuple[int, int], float] = field(default_factory=dict)
    flagged: dict[tuple[int, str], int] = field(default_factory=dict)
    fixed: list[tuple[int, str, float, int]] = field(default_factory=list)
    seconds: float = 0.0
    n_updates: int = 0
    n_groups: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    n_main: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    last_main: dict[str, float] = field(default_factory=dict)
    n_failed: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    seen_commits: dict[tuple[str, str], list[set[int]]] = field(default_factory=lambda: defaultdict(list))

    def drive(self) -> None:
        """Play every run in the order of its arrival."""
        for run in self.history.runs:
            self._play(run)

    def _play(self, run: BenchRun) -> None:
        began = time.perf_counter()
        seen = self._seen(run)
        judged = self.engine.record(seen)
        self.seconds += time.perf_counter() - began
        self.n_updates += len(judged.updates)
        self._score(run, judged)
        self._count(run)

    def _seen(self, run: BenchRun) -> RunSeen:
        awake = self.engine.awake(run.environment, at=run.at)
        tests = [
            *run.failures,
            *(test for test in awake if test not in run.failures and test not in run.absent),
        ]
        return RunSeen(
            run=run.run,
            environment=run.environment,
            branch=run.branch,
            is_default_branch=run.is_main,
            commit=mark(run.commit),
            change=0 if run.is_main else mark(run.branch),
            at=run.at,
            n_tests=len(self.history.suites),
            tried={test: self._tried(run, test) for test in tests},
            base_at=run.base_at,
            gap_days=max(0.0, run.at - self.last_main.get(run.environment, run.at)),
            is_late=run.is_late,
        )

    def _tried(self, run: BenchRun, test: int) -> Tried:
        tries = run.failures.get(test)
        failed, main_failed = self.n_failed[test, run.environment]
        before = self.seen_commits.get((run.commit, run.environment), []) if run.commit else []
        return Tried(
            first_failed=tries is not None,
            retries=tries.failed[1:] if tries else (),
            n_pass=self.n_groups[run.environment] - failed,
            n_main_pass=self.n_main[run.environment] - main_failed,
            passed_on_commit=any(test not in failing for failing in before),
            suite=self.history.suites[test],
        )

    def _count(self, run: BenchRun) -> None:
        self.n_groups[run.environment] += 1
        self.n_main[run.environment] += run.is_main
        if run.is_main:
            self.last_main[run.environment] = run.at
        for test in run.failures:
            counts = self.n_failed[test, run.environment]
            counts[0] += 1
            counts[1] += run.is_main
        if run.commit:
            self.seen_commits[run.commit, run.environment].append(set(run.failures))

    def _score(self, run: BenchRun, judged: Judged) -> None:
        withheld = judged.incident is not None and not judged.incident.weight
        for test, told in judged.updates.items():
            if told.p_flaky is not None:
                cause = run.failures[test].cause
                self.scored.append(
                    Scored(run.run, test, run.environment, run.is_main, told.p_flaky, cause, withheld)
                )
            for settled in told.settled:
                self.later[settled.run, test] = settled.p_flaky
            if told.event is not None:
                self._note_event(test, run, told.event.after)

    def _note_event(self, test: int, run: BenchRun, after: FlakeStatus) -> None:
        state = self.engine.states[run.environment][test]
        if state.is_flagged:
            self.flagged.setdefault((test, run.environment), run.run)
        if after is FlakeStatus.FIXED:
            self.fixed.append((test, run.environment, run.at, state.n_quiet))


class Figures(NamedTuple):
    """The bars, as measured on one history."""

    name: str
    n_flagged: int
    n_false: int
    precision: float
    recall_seen_twice: float
    recall_half_percent: float
    auc_main: float
    ece_main: float
    auc_later: float
    n_fixed: int
    n_fixed_wrong: int
    median_quiet: float
    outage_called_flaky: float
    break_called_flaky: float
    withheld_others: float
    microseconds: float


def figures(replay: Replay) -> Figures:
    """Measure a replayed history against its truth."""
    flaky, scored = replay.history.flaky, replay.scored
    flagged = {test for test, _ in replay.flagged}
    seen = Counter(score.test for score in scored if score.cause == "flaky")
    twice = {test for test in flaky if seen[test] >= 2}
    half = {test for test in twice if flaky[test].rate >= 0.005}
    main = [score for score in scored if score.is_main and score.cause != "outage"]
    wrong = sum(test not in flaky or flaky[test].fixed > at for test, _, at, _ in replay.fixed)
    others = [score for score in scored if score.cause != "outage"]
    said = [(score.p, score.cause == "flaky") for score in main]
    later = [(replay.later.get((score.run, score.test), score.p), score.cause == "flaky") for score in main]
    return Figures(
        name=replay.history.name,
        n_flagged=len(flagged),
        n_false=len(flagged - flaky.keys()),
        precision=len(flagged & flaky.keys()) / max(1, len(flagged)),
        recall_seen_twice=len(flagged & twice) / max(1, len(twice)),
        recall_half_percent=len(flagged & half) / max(1, len(half)),
        auc_main=auc(said),
        ece_main=calibration_error(said),
        auc_later=auc(later),
        n_fixed=len(replay.fixed),
        n_fixed_wrong=wrong,
        median_quiet=median([quiet for *_, quiet in replay.fixed] or [0]),
        outage_called_flaky=_share([score for score in scored if score.cause == "outage"]),
        break_called_flaky=_share(
            [
                score
                for score in scored
                if score.cause in ("regression", "pr_break") and score.test not in flaky
            ]
        ),
        withheld_others=sum(score.is_withheld for score in others) / max(1, len(others)),
        microseconds=replay.seconds / max(1, replay.n_updates) * 1e6,
    )


def _share(scored: Sequence[Scored]) -> float:
    """The share of failures that were told to be known flaky (P >= 0.9)."""
    return sum(score.p >= 0.9 for score in scored) / max(1, len(scored))


def auc(said: Sequence[tuple[float, bool]]) -> float:
    """Return the chance that a flake is given a higher P(flaky) than another failure."""
    ordered = sorted(said)
    ranks, start = 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        ranks += (start + end + 1) / 2 * sum(is_flaky for _, is_flaky in ordered[start:end])
        start = end
    n_flaky = sum(is_flaky for _, is_flaky in said)
    n_other = len(said) - n_flaky
    if not n_flaky or not n_other:
        return 1.0
    return (ranks - n_flaky * (n_flaky + 1) / 2) / (n_flaky * n_other)


def bins(said: Iterable[tuple[float, bool]]) -> list[tuple[int, float, float]]:
    """Return, for each tenth of P, how many failures, the mean P and the share that were flakes."""
    tenths: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for p, is_flaky in said:
        tenths[min(9, int(p * 10))].append((p, is_flaky))
    return [
        (len(rows), sum(p for p, _ in rows) / len(rows), sum(is_flaky for _, is_flaky in rows) / len(rows))
        for _, rows in sorted(tenths.items())
    ]


def calibration_error(said: Sequence[tuple[float, bool]]) -> float:
    """Return the mean distance between P and the truth, over tenths."""
    return sum(n * abs(p - share) for n, p, share in bins(said)) / max(1, len(said))


class Baseline(NamedTuple):
    """What a naive rule flags."""

    rule: str
    n_flagged: int
    precision: float
    recall: float


def baselines(history: History) -> list[Baseline]:
    """Return the rules that others use: pass and fail at one commit, and the flip rate."""
    found = {
        "pass and fail at one commit": _same_commit(history),
        "flip rate of 2 % and more": _flip_rate(history),
    }
    return [_baseline(rule, flagged, history) for rule, flagged in found.items()]


def _same_commit(history: History) -> set[int]:
    """Tests that failed and passed at one commit in one environment, in a retry or another run."""
    retried: set[int] = set()
    runs: dict[tuple[str, str], list[set[int]]] = defaultdict(list)
    for run in history.runs:
        retried |= {test for test, tries in run.failures.items() if False in tries.failed}
        if run.commit:
            runs[run.commit, run.environment].append(set(run.failures))
    for sets in runs.values():
        always = sets[0].intersection(*sets[1:])
        retried |= {test for failing in sets for test in failing if test not in always}
    return retried


def _flip_rate(history: History) -> set[int]:
    """Tests whose outcome on the default branch changes in 2 % of the runs or more."""
    flips: Counter[tuple[int, str]] = Counter()
    last: dict[str, set[int]] = defaultdict(set)
    n_main: Counter[str] = Counter()
    for run in history.runs:
        if run.is_main:
            n_main[run.environment] += 1
            flips.update((test, run.environment) for test in last[run.environment] ^ run.failures.keys())
            last[run.environment] = set(run.failures)
    return {test for (test, environment), n in flips.items() if n / n_main[environment] >= 0.02}


def _baseline(rule: str, flagged: set[int], history: History) -> Baseline:
    seen = Counter(
        test for run in history.runs for test, tries in run.failures.items() if tries.cause == "flaky"
    )
    twice = {test for test in history.flaky if seen[test] >= 2}
    right = len(flagged & history.flaky.keys())
    return Baseline(
        rule, len(flagged), right / max(1, len(flagged)), len(flagged & twice) / max(1, len(twice))
    )


def run_history(history: History) -> tuple[Replay, Figures]:
    """Drive a history and measure it."""
    replay = Replay(history)
    replay.drive()
    return replay, figures(replay)


def show(found: Figures) -> str:
    """Return one line of the report."""
    return (
        f"{found.name:18} flagged {found.n_flagged:4} false {found.n_false:2} precision {found.precision:.3f} "
        f"recall {found.recall_seen_twice:.3f} / {found.recall_half_percent:.3f} "
        f"AUC {found.auc_main:.4f} later {found.auc_later:.4f} ECE {found.ece_main:.3f} "
        f"fixed {found.n_fixed:3} wrong {found.n_fixed_wrong} after {found.median_quiet:.0f} "
        f"flaky said of outages {found.outage_called_flaky:.4f} breaks {found.break_called_flaky:.4f} "
        f"withheld {found.withheld_others:.4f} {found.microseconds:.0f} us"
    )


def main(arguments: Sequence[str]) -> None:
    """Print the figures of each folder."""
    histories = [read(Path(folder)) for folder in arguments] or [
        make(seed) for make in CASES for seed in SEEDS
    ]
    for history in histories:
        _, found = run_history(history)
        print(show(found))
        for line in baselines(history):
            print(
                f"{'':18} {line.rule}: {line.n_flagged} flagged, precision {line.precision:.3f}, "
                f"recall {line.recall:.3f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
