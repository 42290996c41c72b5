"""Mass failures: did a commit break many tests, or did the machine fail under all of them?

Judged before any test's evidence moves. What fails inside an outage says nothing of the tests; what a commit
broke says so of all of them at once. Works on sets of test ids; engine.py draws the consequences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from statistics import median
from typing import NamedTuple

LEAST = 10  # under ten tests a broken fixture is likelier than a broken machine
LEAST_SHARE = 0.004
TIMES_USUAL = 3.0
LEAST_SUITES = 5
COMMON = 0.5  # two runs fail alike when they share half of the smaller set
NEAR_DAYS = 2 / 24
PATIENCE = 2  # commits that fail on, while other branches pass: no outage does that
LONG_PATIENCE = 5  # commits that fail on, whatever else is known
INFRASTRUCTURE_WEIGHT = 0.25
N_SPREAD_TESTS, N_SPREAD_BRANCHES = 3, 2
KEPT_DAYS = 3.0


class Kind(IntEnum):
    """What a mass failure is taken for."""

    OUTAGE_SUSPECTED = 1
    OUTAGE_CONFIRMED = 2
    CODE_BREAK = 3
    OUTAGE_ENDED = 4  # gone with the next commit: never proved, and never counted


class Failure(NamedTuple):
    """One failing test of a run, as far as an incident looks at it."""

    suite: int
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class FailingRun:
    """The failures of one run that nobody expected: tests neither flaky nor broken before."""

    run: int
    environment: str
    branch: str
    is_default_branch: bool
    commit: int
    at: float
    n_tests: int
    failures: Mapping[int, Failure]
    base_at: float | None = None  # when the default branch's commit under a pull request was made

    @property
    def top_signature(self) -> bytes:
        """The signature that most of the failures share; none when none does."""
        counts = Counter(failure.signature for failure in self.failures.values() if failure.signature)
        signature, n = counts.most_common(1)[0] if counts else (b"", 0)
        return signature if n >= COMMON * len(self.failures) else b""


@dataclass(frozen=True, slots=True)
class Incident:
    """A mass failure of one run, what it is taken for, and the sentence that says why."""

    seen: FailingRun
    kind: Kind
    why: str
    decided_by: int = 0  # the run that changed the kind
    n_failing_on: int = 0  # later runs of the branch that failed on the same tests

    @property
    def weight(self) -> float:
        """How much the failures count: those of an outage not at all."""
        return 1.0 if self.kind is Kind.CODE_BREAK else 0.0

    @property
    def is_open(self) -> bool:
        """True while later runs may still change what it is taken for."""
        return self.kind in (Kind.OUTAGE_SUSPECTED, Kind.CODE_BREAK)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What happened around a run: the usual size of failure, and the runs of the last hours."""

    sizes: Sequence[int] = ()  # unexpected failures in the environment's last 50 runs
    same_commit: Sequence[FailingRun] = ()  # in other environments
    recent: Sequence[FailingRun] = ()  # of the last two hours, any branch


NOTHING_AROUND = Surroundings()


def mass_limit(*, n_tests: int, sizes: Sequence[int]) -> int:
    """Return how many unexpected failures make a mass: ten, 0.4 % of the tests, or three times the usual."""
    usual = median(sizes) if sizes else 0.0
    return int(max(LEAST, LEAST_SHARE * n_tests, TIMES_USUAL * usual) + 0.999)


def is_mass(run: FailingRun, *, sizes: Sequence[int]) -> bool:
    """True when so many tests of so many suites failed that the run is to be explained before they are."""
    if len(run.failures) < mass_limit(n_tests=run.n_tests, sizes=sizes):
        return False
    return _n_suites(run) >= LEAST_SUITES


def _n_suites(run: FailingRun) -> int:
    return len({failure.suite for failure in run.failures.values()})


def incident(run: FailingRun, *, around: Surroundings = NOTHING_AROUND) -> Incident | None:
    """Return the mass failure that a run is, or None for the ordinary."""
    if not is_mass(run, sizes=around.sizes):
        return None
    limit = mass_limit(n_tests=run.n_tests, sizes=around.sizes)
    failed = f"{len(run.failures)} of {run.n_tests} tests failed unexpectedly"
    mass = f"{failed} (limit {limit}) in {_n_suites(run)} suites"
    elsewhere = _on_an_unrelated_branch(run, around.recent)
    if elsewhere is not None:
        why = f"{mass}; run {elsewhere.run} on {elsewhere.branch} failed alike"
        return Incident(run, Kind.OUTAGE_CONFIRMED, why, elsewhere.run)
    twin = next((other for other in around.same_commit if are_alike(run, other)), None)
    if twin is not None:
        why = f"{mass}; run {twin.run} of the same commit failed alike in {twin.environment}"
        return Incident(run, Kind.CODE_BREAK, why, twin.run)
    return Incident(run, Kind.OUTAGE_SUSPECTED, mass)


def are_alike(one: FailingRun, other: FailingRun) -> bool:
    """True when half of the failures are the same tests, or both say the same thing."""
    if share(one.failures.keys(), other.failures.keys()) >= COMMON:
        return True
    return (
        bool(one.top_signature) and one.top_signature == other.top_signature and len(other.failures) >= LEAST
    )


def share(failing: Collection[int], others: Collection[int]) -> float:
    """Return the part of `failing` that is in `others` too."""
    return sum(test in others for test in failing) / len(failing) if failing else 0.0


def follow(
    before: Incident, run: FailingRun, *, failing: Collection[int], others_pass: bool = False
) -> Incident:
    """Return what a later run makes of an incident; `failing` are all failing tests of that run.

    `others_pass` says that another branch has run in the environment since, and passed most of these tests.
    """
    seen = before.seen
    still = share(seen.failures.keys(), failing)
    if run.run == seen.run or not before.is_open:
        return before
    if run.environment == seen.environment and run.branch == seen.branch:
        return _follow_branch(before, run, still=still, others_pass=others_pass)
    if run.commit and run.commit == seen.commit and run.environment != seen.environment:
        return _follow_environment(before, run, still=still)
    if _is_unrelated(seen, run) and (still >= COMMON or are_alike(seen, run)):
        why = f"run {run.run} on {run.branch}, which does not hold the commit, failed alike"
        return replace(before, kind=Kind.OUTAGE_CONFIRMED, why=f"{before.why}; {why}", decided_by=run.run)
    return before


def spread_signatures(recent: Iterable[FailingRun]) -> frozenset[bytes]:
    """Return the signatures that hit three tests on two branches within the last hours: no test's own failures."""
    tests: dict[bytes, set[int]] = {}
    branches: dict[bytes, set[str]] = {}
    for run in recent:
        for test, failure in run.failures.items():
            tests.setdefault(failure.signature, set()).add(test)
            branches.setdefault(failure.signature, set()).add(run.branch)
    return frozenset(
        signature
        for signature, hit in tests.items()
        if signature and len(hit) >= N_SPREAD_TESTS and len(branches[signature]) >= N_SPREAD_BRANCHES
    )


def _follow_branch(before: Incident, run: FailingRun, *, still: float, others_pass: bool) -> Incident:
    seen = before.seen
    if run.commit and run.commit == seen.commit:
        if still < COMMON and before.kind is Kind.OUTAGE_SUSPECTED:
            why = f"run {run.run} of the same commit passed {1 - still:.0%} of them"
            return replace(before, kind=Kind.OUTAGE_CONFIRMED, why=f"{before.why}; {why}", decided_by=run.run)
        return before
    if before.kind is Kind.CODE_BREAK:
        return before
    if still < COMMON:
        why = f"gone in the next commit's run {run.run}"
        return replace(before, kind=Kind.OUTAGE_ENDED, why=f"{before.why}; {why}", decided_by=run.run)
    n = before.n_failing_on + 1
    if n >= LONG_PATIENCE or (n >= PATIENCE and others_pass):
        why = f"the next {n} commits of {seen.branch} fail on{', and other branches do not' if others_pass else ''}"
        return replace(
            before, kind=Kind.CODE_BREAK, why=f"{before.why}; {why}", decided_by=run.run, n_failing_on=n
        )
    return replace(before, n_failing_on=n)


def _follow_environment(before: Incident, run: FailingRun, *, still: float) -> Incident:
    if before.kind is Kind.OUTAGE_SUSPECTED and still >= COMMON:
        why = f"run {run.run} of the same commit failed alike in {run.environment}"
        return replace(before, kind=Kind.CODE_BREAK, why=f"{before.why}; {why}", decided_by=run.run)
    return before


def _on_an_unrelated_branch(run: FailingRun, recent: Sequence[FailingRun]) -> FailingRun | None:
    for other in recent:
        if other.run == run.run or not _is_unrelated(run, other) or not are_alike(run, other):
            continue
        if not _default_branch_explains(run, other, recent):
            return other
    return None


def _default_branch_explains(run: FailingRun, other: FailingRun, recent: Sequence[FailingRun]) -> bool:
    """Two changes that fail alike after the default branch did may both have inherited its break."""
    if run.is_default_branch or other.is_default_branch:
        return False
    before = min(run.at, other.at)
    return any(main.is_default_branch and main.at <= before and are_alike(run, main) for main in recent)


def _is_unrelated(seen: FailingRun, other: FailingRun) -> bool:
    """True when neither run can hold the commit of the other: another branch, near in time, on an older base.

    Two pull requests never hold each other's commits. A pull request against the default branch may hold its
    newest commit, unless its base is known to be older or it ran first.
    """
    if seen.branch == other.branch or abs(seen.at - other.at) > NEAR_DAYS:
        return False
    if seen.commit and seen.commit == other.commit:
        return False
    if not seen.is_default_branch and not other.is_default_branch:
        return True
    main, change = (seen, other) if seen.is_default_branch else (other, seen)
    return change.at < main.at or (change.base_at is not None and change.base_at < main.at)
