"""One run judged whole: incidents first, then each touched test, then what the run says of earlier incidents.

`judge` is pure and works on the states it is given, so a caller may keep them in rows. `Engine` keeps them in
memory and drives a whole history; rebuild and the bench use it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from analysis.flakes import DEFAULT, Constants, Group, State, Update, forgive, never_failed, update
from analysis.incidents import (
    COMMON,
    INFRASTRUCTURE_WEIGHT,
    KEPT_DAYS,
    NEAR_DAYS,
    FailingRun,
    Failure,
    Incident,
    Kind,
    Surroundings,
    are_alike,
    follow,
    incident,
    share,
    spread_signatures,
)

BREAK_PRIOR = 0.9  # inside a code break nearly every failure is the commit's
N_SIZES = 50


class Tried(NamedTuple):
    """One test's attempts in a run: a failing test, or a passing one whose state is awake."""

    first_failed: bool
    retries: tuple[bool, ...] = ()
    n_pass: int = 0  # first attempts that passed before this run, on any branch
    n_main_pass: int = 0
    passed_on_commit: bool = False
    suite: int = 0
    signature: bytes = b""
    is_infrastructure: bool = False


@dataclass(frozen=True, slots=True)
class RunSeen:
    """One run of one environment: one job attempt at one commit."""

    run: int
    environment: str
    branch: str
    is_default_branch: bool
    commit: int
    change: int
    at: float
    n_tests: int
    tried: Mapping[int, Tried]
    base_at: float | None = None
    gap_days: float = 0.0  # since the environment's run of the default branch before this one
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run told: updates by test, the incident it is, and earlier incidents that it changed."""

    updates: Mapping[int, Update]
    seen: FailingRun
    incident: Incident | None
    changed: Sequence[Incident] = ()
    replayed: Sequence[tuple[int, int, Update]] = ()  # (run, test, update) of failures put back


def judge(
    run: RunSeen,
    *,
    states: MutableMapping[int, State],
    around: Surroundings,
    open_incidents: Sequence[Incident] = (),
    passed_elsewhere: Collection[int] = (),
    constants: Constants = DEFAULT,
) -> Judged:
    """Move the states of the tests tried in a run, adding one for each that fails for the first time.

    `passed_elsewhere` are the runs of open incidents whose environment has since run another branch, which passed
    most of the tests that failed in them.
    """
    seen = unexpected(run, states)
    failing = {test for test, tried in run.tried.items() if tried.first_failed}
    followed = [
        follow(before, seen, failing=failing, others_pass=before.seen.run in passed_elsewhere)
        for before in open_incidents
    ]
    followed = _settle_together(followed)
    changed = [after for before, after in zip(open_incidents, followed, strict=True) if after != before]
    mass = _inherit(incident(seen, around=around), changed)
    spread = spread_signatures(around.recent) if failing and mass is None else frozenset()
    updates = {
        test: told
        for test, tried in run.tried.items()
        if (told := _update(run, test, tried, seen, mass, spread, states, constants)) is not None
    }
    return Judged(updates, seen, mass, changed)


def replay(
    past: Incident,
    groups: Mapping[int, Group],
    *,
    states: MutableMapping[int, State],
    constants: Constants = DEFAULT,
) -> dict[int, Update]:
    """Count the failures that an incident left out, now that it is known to be a code break."""
    updates = {}
    for test, group in groups.items():
        state = states.get(test)
        if state is None:
            state = states[test] = _newborn(group.n_pass, group.n_main_pass, constants)
        is_late = group.is_late or state.n_main_pass > group.n_main_pass
        again = group._replace(weight=past.weight, break_prior=BREAK_PRIOR, is_late=is_late)
        updates[test] = update(state, again, constants=constants)
    return updates


def forgive_all(past: Incident, states: Mapping[int, State]) -> None:
    """End the episodes that a confirmed outage opened while it was taken for a code break."""
    for test in past.seen.failures:
        state = states.get(test)
        if state is not None and state.length and state.hazard >= BREAK_PRIOR / 2:
            forgive(state)


def group_of(run: RunSeen, tried: Tried) -> Group:
    """Return the group of attempts that a test made in a run, at full weight."""
    return Group(
        run=run.run,
        at=run.at,
        first_failed=tried.first_failed,
        retries=tried.retries,
        commit=run.commit,
        is_default_branch=run.is_default_branch,
        change=run.change,
        n_pass=tried.n_pass,
        n_main_pass=tried.n_main_pass,
        passed_on_commit=tried.passed_on_commit,
        gap_days=run.gap_days,
        is_late=run.is_late,
    )


def unexpected(run: RunSeen, states: Mapping[int, State]) -> FailingRun:
    """Return the failures of a run that nobody expected, of tests neither flaky nor broken before."""
    failures = {
        test: Failure(tried.suite, tried.signature)
        for test, tried in run.tried.items()
        if tried.first_failed and tried.n_pass and not _is_expected(states.get(test))
    }
    return FailingRun(
        run=run.run,
        environment=run.environment,
        branch=run.branch,
        is_default_branch=run.is_default_branch,
        commit=run.commit,
        at=run.at,
        n_tests=run.n_tests,
        failures=failures,
        base_at=run.base_at,
    )


def _is_expected(state: State | None) -> bool:
    return state is not None and (state.is_flagged or state.broken > 0.5)


def _inherit(mass: Incident | None, changed: Iterable[Incident]) -> Incident | None:
    """A run that fails like a break just recognised is that break too."""
    if mass is None or mass.kind is not Kind.OUTAGE_SUSPECTED:
        return mass
    for past in changed:
        if past.kind is Kind.CODE_BREAK and are_alike(mass.seen, past.seen):
            return replace(mass, kind=Kind.CODE_BREAK, why=f"{mass.why}; run {past.seen.run} failed alike")
    return mass


def _settle_together(followed: Sequence[Incident]) -> list[Incident]:
    """What one run of a break is recognised as, the runs that failed like it are too."""
    broken = [past for past in followed if past.kind is Kind.CODE_BREAK]
    return [
        replace(
            past,
            kind=Kind.CODE_BREAK,
            decided_by=model.decided_by,
            why=f"{past.why}; as run {model.seen.run}",
        )
        if past.kind is Kind.OUTAGE_SUSPECTED and (model := _model(past, broken)) is not None
        else past
        for past in followed
    ]


def _model(past: Incident, broken: Iterable[Incident]) -> Incident | None:
    for other in broken:
        is_same_place = (
            other.seen.environment == past.seen.environment and other.seen.branch == past.seen.branch
        )
        if is_same_place and are_alike(past.seen, other.seen):
            return other
    return None


def _update(
    run: RunSeen,
    test: int,
    tried: Tried,
    seen: FailingRun,
    mass: Incident | None,
    spread: Collection[bytes],
    states: MutableMapping[int, State],
    constants: Constants,
) -> Update | None:
    group = group_of(run, tried)
    if tried.first_failed:
        group = _weighed(group, test, tried, seen, mass, spread)
    state = states.get(test)
    if state is None:
        if not tried.first_failed:
            return None
        state = _newborn(tried.n_pass, tried.n_main_pass, constants)
        if group.weight:  # a test that fails in an outage alone needs no state: nothing is known of it
            states[test] = state
    return update(state, group, constants=constants)


def _newborn(n_pass: int, n_main_pass: int, constants: Constants) -> State:
    return never_failed(n_pass, n_main_pass=n_main_pass, constants=constants)


def _weighed(
    group: Group, test: int, tried: Tried, seen: FailingRun, mass: Incident | None, spread: Collection[bytes]
) -> Group:
    if mass is not None:
        is_part = mass.kind is Kind.CODE_BREAK and test in seen.failures
        return group._replace(weight=mass.weight, break_prior=BREAK_PRIOR if is_part else 0.0)
    if tried.is_infrastructure or tried.signature in spread:
        return group._replace(weight=INFRASTRUCTURE_WEIGHT)
    return group


@dataclass(slots=True)
class Engine:
    """A whole history in memory: states, the last runs, and incidents still undecided."""

    constants: Constants = DEFAULT
    states: dict[str, dict[int, State]] = field(default_factory=dict)
    incidents: dict[int, Incident] = field(default_factory=dict)
    _sizes: dict[str, deque[int]] = field(default_factory=dict)
    _recent: deque[FailingRun] = field(default_factory=deque)
    _open: dict[int, Incident] = field(default_factory=dict)
    _passed_elsewhere: set[int] = field(default_factory=set)
    _withheld: dict[int, dict[int, Group]] = field(default_factory=dict)

    def record(self, run: RunSeen) -> Judged:
        """Judge a run, and put back what it shows to have been left out wrongly."""
        states = self.states.setdefault(run.environment, {})
        judged = judge(
            run,
            states=states,
            around=self._surroundings(run),
            open_incidents=list(self._open.values()),
            passed_elsewhere=self._passed_elsewhere,
            constants=self.constants,
        )
        self._remember(run, judged)
        replayed = [told for past in judged.changed for told in self._follow(past)]
        return replace(judged, replayed=replayed)

    def awake(self, environment: str, *, at: float) -> list[int]:
        """Return the tests whose passes matter now."""
        return [test for test, state in self.states.get(environment, {}).items() if state.awake_until >= at]

    def _surroundings(self, run: RunSeen) -> Surroundings:
        while self._recent and self._recent[0].at < run.at - KEPT_DAYS:
            self._recent.popleft()
        return Surroundings(
            sizes=tuple(self._sizes.get(run.environment, ())),
            same_commit=[
                other
                for other in self._recent
                if run.commit and other.commit == run.commit and other.environment != run.environment
            ],
            recent=[other for other in self._recent if abs(other.at - run.at) <= NEAR_DAYS],
        )

    def _note_others(self, run: RunSeen) -> None:
        """Another branch that passes where an incident failed speaks for a break rather than an outage."""
        for past in self._open.values():
            is_other = past.seen.branch != run.branch and past.seen.environment == run.environment
            if is_other and past.seen.run not in self._passed_elsewhere:
                failing = {test for test, tried in run.tried.items() if tried.first_failed}
                if share(past.seen.failures.keys(), failing) < COMMON:
                    self._passed_elsewhere.add(past.seen.run)

    def _remember(self, run: RunSeen, judged: Judged) -> None:
        self._note_others(run)
        # An outage is not the usual: its size would hide the next one.
        if judged.incident is None:
            self._sizes.setdefault(run.environment, deque(maxlen=N_SIZES)).append(len(judged.seen.failures))
        if judged.seen.failures:
            self._recent.append(judged.seen)
        if judged.incident is not None:
            self._note(judged.incident)
            if not judged.incident.weight:
                self._withheld[run.run] = {
                    test: group_of(run, tried) for test, tried in run.tried.items() if tried.first_failed
                }
        self._open = {
            number: past for number, past in self._open.items() if past.seen.at >= run.at - KEPT_DAYS
        }

    def _note(self, past: Incident) -> None:
        self.incidents[past.seen.run] = past
        if past.is_open:
            self._open[past.seen.run] = past
        else:
            self._open.pop(past.seen.run, None)

    def _follow(self, past: Incident) -> list[tuple[int, int, Update]]:
        self._note(past)
        states = self.states.setdefault(past.seen.environment, {})
        if past.kind is Kind.OUTAGE_CONFIRMED:
            forgive_all(past, states)
        if past.kind is not Kind.CODE_BREAK or past.seen.run not in self._withheld:
            return []
        groups = self._withheld.pop(past.seen.run)
        updates = replay(past, groups, states=states, constants=self.constants)
        return [(past.seen.run, test, told) for test, told in updates.items()]


def statuses(states: Mapping[int, State]) -> Counter[str]:
    """Count the states by the status last told."""
    return Counter(state.status.word for state in states.values())
