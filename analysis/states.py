"""What is remembered of one test in one environment: a small record that packs into one column.

Holds the evidence; flakes.py changes it, verdicts.py reads it. A test that never failed has no State at all:
the number of its passes is enough to make one on the day it first fails.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from typing import NamedTuple, Self

from analysis.regimes import WINDOW, Ending
from projects.vocabulary import FlakeRule, FlakeStatus

STATE_VERSION = 1
N_AWAKE_DAYS = 2.0  # a failure on a change is explained by its re-run within two days, or never
N_PROOFS = 12  # runs shown as proof: more convince nobody further
N_CHANGES = 12  # changes remembered, so that one broken pull request counts once


@dataclass(frozen=True, slots=True)
class Constants:
    """What the engine takes for granted; docs/definitions.md says what each number is for."""

    break_hazard: float = 2e-4  # a commit of the default branch breaks this test
    repair: float = 0.2  # a commit repairs a broken test
    change_hazard: float = 1e-3  # a pull request breaks this test
    dependence: float = 1.5  # results of one run are less than independent: how many count as one
    broken_passes: float = 0.01  # a broken test passes all the same
    first: tuple[float, float] = (0.02, 5.0)  # prior of the failure rate of all tests: 0.4 %
    again: tuple[float, float] = (0.5, 0.7)  # prior of failing a retry
    new_regime: tuple[float, float] = (0.25, 2.0)
    half_life_runs: float = 400.0
    half_life_days: float = 45.0
    flaky_rate: float = 0.002  # below this a failure is once in months, and nobody would act
    sure: float = 0.90  # P(rate > flaky_rate) that a verdict needs
    sure_of_proven: float = 0.50  # what it needs once it was seen twice: two flips, or two isolated failures
    n_flips: float = 0.8  # same-commit flips that a verdict needs, or
    n_episodes: float = 1.5  # isolated failures
    fix_hazard: float = 0.001  # a passing run of a flake is the first after its repair
    fixed: float = 0.97
    caution: float = (
        20.0  # passes imagined: a rate taken right after a failure is too high, and flakes come in bursts
    )
    withheld_p: float = 0.02  # P(flaky) told of a failure inside an incident


DEFAULT = Constants()


class UnknownStateVersion(ValueError):
    """A stored State was packed by rules this version does not read; rebuild it from the results."""


class Failed(NamedTuple):
    """One failing group of the default branch: its place in the order, its run, and how it ended."""

    order: int
    run: int
    ending: Ending
    n_again: int  # retries that failed
    p_flaky: float


class Proof(NamedTuple):
    """The runs that show a flake: it failed in one and, at the same commit, passed in the other."""

    rule: FlakeRule
    failed_run: int
    passed_run: int


@dataclass(slots=True)
class State:
    """The evidence about one test in one environment."""

    alpha: float
    beta: float
    retry_failed: float
    retry_passed: float
    n_pass: int = 0
    n_main_pass: int = 0
    index: int = 0  # groups of the default branch so far
    at: float = 0.0
    # the open failing episode on the default branch
    broken: float = 0.0
    length: int = 0
    mass: float = 0.0  # its length, a failure that speaks of infrastructure counting a quarter
    n_commits: int = 0
    ln_good: float = 0.0
    ln_broken: float = 0.0
    hazard: float = 0.0
    commit: int = 0
    has_failed_retry: bool = False
    open_flips: float = 0.0  # same-commit flips inside the episode, and its retries
    open_again: float = 0.0
    open_passed: float = 0.0
    # soft counts
    flips: float = 0.0
    episodes: float = 0.0
    both: float = 0.0  # times both outcomes were seen at one commit, whatever explains it
    # a failure on a change, which a later pass at the same commit would explain
    change_commit: int = 0
    change_run: int = 0
    change_p: float = 0.0
    change_at: float = 0.0
    # the fixed filter: passes since the last failure of a flake
    is_flagged: bool = False
    was_flagged: bool = False
    is_fixed: bool = False
    quiet_a: float = 0.0
    quiet_b: float = 0.0
    n_quiet: int = 0
    quiet_unfixed: float = 1.0
    quiet_fixed: float = 0.0
    # the verdict as last told
    status: FlakeStatus = FlakeStatus.HEALTHY
    status_run: int = 0
    status_at: float = 0.0
    n_failed: int = 0
    first_failed_run: int = 0
    last_failed_run: int = 0
    last_failed_at: float = 0.0
    onset: int = 0  # index where the present rate began, 0: from the start
    failures: list[Failed] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The expected failure rate of first attempts in a good state."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def n_in_a_row(self) -> int:
        """How many of the newest failing groups of the open episode no retry forgave."""
        n = 0
        for failed in reversed(self.failures[-self.length :] if self.length else ()):
            if failed.ending is Ending.PASSED_ON_RETRY:
                break
            n += 1
        return n

    @property
    def p_fixed(self) -> float:
        """The chance that a flake was repaired, seen from its passes since the last failure."""
        return self.quiet_fixed / (self.quiet_fixed + self.quiet_unfixed)

    @property
    def awake_until(self) -> float:
        """The day until which passes matter to this state; those of a sleeping one are only counted."""
        if self.length or self.is_flagged:
            return inf
        return self.change_at + N_AWAKE_DAYS if self.change_commit else 0.0

    def remember(self, failed: Failed) -> None:
        """Append a failing group and forget those that left the window."""
        self.failures.append(failed)
        oldest = failed.order - WINDOW
        while self.failures[0].order <= oldest:
            del self.failures[0]

    def prove(self, proof: Proof) -> None:
        """Keep the runs that show a flake, the newest last."""
        if proof not in self.proofs:
            self.proofs.append(proof)
            del self.proofs[:-N_PROOFS]

    def know_change(self, change: int) -> bool:
        """Note a change that failed; False when it had failed before."""
        if change in self.changes:
            return False
        self.changes.append(change)
        del self.changes[:-N_CHANGES]
        return True

    def pack(self) -> bytes:
        """Return the state as bytes: a fixed head, then its three lists."""
        head = HEAD.pack(STATE_VERSION, *(getattr(self, name) for name in NAMES))
        sizes = SIZES.pack(len(self.failures), len(self.changes), len(self.proofs))
        failures = b"".join(
            FAILED.pack(f.order, f.run, f.ending, min(255, f.n_again), round(f.p_flaky * 255))
            for f in self.failures
        )
        changes = struct.pack(f"<{len(self.changes)}Q", *self.changes)
        proofs = b"".join(PROOF.pack(*proof) for proof in self.proofs)
        return head + sizes + failures + changes + proofs

    @classmethod
    def unpack(cls, packed: bytes | memoryview) -> Self:
        """Return the state that was packed; raise UnknownStateVersion for bytes of other rules."""
        data = bytes(packed)
        if not data or data[0] != STATE_VERSION:
            raise UnknownStateVersion(
                f"a state of version {data[0] if data else 'none'}, not {STATE_VERSION}"
            )
        _, *values = HEAD.unpack_from(data)
        state = cls(alpha=0.0, beta=0.0, retry_failed=0.0, retry_passed=0.0)
        for name, value in zip(NAMES, values, strict=True):
            setattr(state, name, KINDS[name](value) if name in KINDS else value)
        state._unpack_lists(data)
        return state

    def _unpack_lists(self, data: bytes) -> None:
        n_failures, n_changes, n_proofs = SIZES.unpack_from(data, HEAD.size)
        start = HEAD.size + SIZES.size
        middle = start + n_failures * FAILED.size
        end = middle + 8 * n_changes
        self.failures = [
            Failed(order, run, Ending(ending), n_again, p / 255)
            for order, run, ending, n_again, p in FAILED.iter_unpack(data[start:middle])
        ]
        self.changes = list(struct.unpack_from(f"<{n_changes}Q", data, middle))
        self.proofs = [
            Proof(FlakeRule(rule), failed, passed)
            for rule, failed, passed in PROOF.iter_unpack(data[end : end + n_proofs * PROOF.size])
        ]


LISTS = ("failures", "changes", "proofs")
NAMES = tuple(name for name in State.__dataclass_fields__ if name not in LISTS)
LETTERS = {"float": "d", "int": "q", "bool": "B", "FlakeStatus": "B"}
MARKS = ("commit", "change_commit")  # 64 unsigned bits
FORMAT = "".join(
    "Q" if name in MARKS else LETTERS[str(State.__dataclass_fields__[name].type)] for name in NAMES
)
KINDS = {
    "status": FlakeStatus,
    "is_flagged": bool,
    "was_flagged": bool,
    "is_fixed": bool,
    "has_failed_retry": bool,
}
HEAD = struct.Struct("<B" + FORMAT)
SIZES = struct.Struct("<HHH")
FAILED = struct.Struct("<IQBBB")
PROOF = struct.Struct("<BQQ")


def mark(name: str) -> int:
    """Return 64 bits that stand for a commit or a change; 0 for one that was not sent."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") if name else 0
