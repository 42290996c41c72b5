"""What is remembered of one test in one environment: a small record that packs into one column.

Holds the evidence; flakes.py changes it, verdicts.py reads it. A test that never failed has no State at all:
the number of its passes is enough to make one on the day it first fails.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain
from math import inf
from operator import attrgetter
from typing import NamedTuple, Self

from analysis.failed_groups import FIRST_VERSION, Failed, FailedGroups
from projects.vocabulary import FlakeRule, FlakeStatus

__all__ = ["DEFAULT", "N_PROOFS", "Constants", "Failed", "Proof", "State", "UnknownStateVersion", "mark"]

STATE_VERSION = 2
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
    failures: FailedGroups = field(default_factory=FailedGroups)
    changes: list[int] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The expected failure rate of first attempts in a good state."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def n_in_a_row(self) -> int:
        """How many of the newest failing groups of the open episode no retry forgave."""
        return self.failures.n_unforgiven(self.length)

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
        n_changes, n_proofs = len(self.changes), len(self.proofs)
        return b"".join(
            (
                HEAD.pack(STATE_VERSION, *fixed(self), n_changes, n_proofs),
                CHANGES[n_changes].pack(*self.changes),
                PROOFS[n_proofs].pack(*chain.from_iterable(self.proofs)),
                self.failures.pack(),
            )
        )

    @classmethod
    def unpack(cls, packed: bytes | memoryview) -> Self:
        """Return the state that was packed; raise UnknownStateVersion for bytes of other rules."""
        data = bytes(packed)
        version = data[0] if data else None
        if version == 1:
            return cls._of_first_version(data)
        if version != STATE_VERSION:
            raise UnknownStateVersion(f"a state of version {version}, not {STATE_VERSION}")
        _, *values, n_changes, n_proofs = HEAD.unpack_from(data)
        values[STATUS_AT] = STATUSES[values[STATUS_AT]]
        changes = CHANGES[n_changes].unpack_from(data, HEAD.size)
        at = HEAD.size + CHANGES[n_changes].size
        end = at + PROOFS[n_proofs].size
        values += FailedGroups.unpack(data[end:]), list(changes), _proofs(data[at:end])
        return cls(*values)

    @classmethod
    def _of_first_version(cls, data: bytes) -> Self:
        """Return a state whose failures stand a row each, before its changes."""
        _, *values, n_failures, n_changes, n_proofs = FIRST_HEAD.unpack_from(data)
        values[STATUS_AT] = STATUSES[values[STATUS_AT]]
        at = FIRST_HEAD.size + n_failures * FIRST_VERSION.size
        failures = FailedGroups.of_first_version(data[FIRST_HEAD.size : at])
        changes = CHANGES[n_changes].unpack_from(data, at)
        at += CHANGES[n_changes].size
        values += failures, list(changes), _proofs(data[at : at + PROOFS[n_proofs].size])
        return cls(*values)


def _proofs(packed: bytes) -> list[Proof]:
    return [Proof(RULES[rule], failed, passed) for rule, failed, passed in PROOF.iter_unpack(packed)]


LISTS = ("failures", "changes", "proofs")
NAMES = tuple(name for name in State.__dataclass_fields__ if name not in LISTS)
LETTERS = {"float": "d", "int": "q", "bool": "?", "FlakeStatus": "B"}
MARKS = ("commit", "change_commit")  # 64 unsigned bits
FORMAT = "".join(
    "Q" if name in MARKS else LETTERS[str(State.__dataclass_fields__[name].type)] for name in NAMES
)
STATUS_AT = NAMES.index("status")
STATUSES = {int(status): status for status in FlakeStatus}
RULES = {int(rule): rule for rule in FlakeRule}
fixed = attrgetter(*NAMES)  # what every state has; the lists are of many lengths
HEAD = struct.Struct(f"<B{FORMAT}BB")
FIRST_HEAD = struct.Struct(f"<B{FORMAT}HHH")
CHANGES = [struct.Struct(f"<{n}Q") for n in range(N_CHANGES + 1)]
PROOF = struct.Struct("<BQQ")
PROOFS = [struct.Struct("<" + n * "BQQ") for n in range(N_PROOFS + 1)]


def mark(name: str) -> int:
    """Return 64 bits that stand for a commit or a change; 0 for one that was not sent."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") if name else 0
