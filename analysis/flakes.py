"""How one test's evidence changes with one group of attempts: is this failure a flake or a break?

A group is all attempts of a test in one commit, environment and job attempt. The first outcome moves an
online failure rate, failures that follow one another make an episode, and the pass that ends it says in
retrospect what it was. Incidents come first (incidents.py, engine.py), words last (verdicts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import NamedTuple

from analysis.beta import streak_chance
from analysis.rates import expect_fix, fade, flag, judge_regime, quiet, start_quiet
from analysis.regimes import Ending
from analysis.states import DEFAULT, Constants, Failed, Proof, State, mark
from analysis.verdicts import FlakeVerdict, status, verdict
from projects.vocabulary import FlakeRule, FlakeStatus

__all__ = [
    "DEFAULT",
    "Constants",
    "Event",
    "Failed",
    "FlakeVerdict",
    "Group",
    "Proof",
    "Settled",
    "State",
    "Update",
    "advance",
    "declare_fixed",
    "forgive",
    "mark",
    "never_failed",
    "status",
    "update",
    "verdict",
]

COMMITS_A_DAY = 4.0  # how many commits a gap between two runs hides
NEVER_PASSED = 0.5  # a test that has only ever failed here is as likely broken from the start
OWN_HAZARD = 0.6  # from here on an episode began as a code break, which explains it better than the test does
LONGEST_STREAK = (
    0.002  # the chance of a streak that is no flake's any more: one in 500 would call it broken in passing
)
TOLD_AGAIN = (
    0.005  # a change of P(flaky) under which the earlier failures of an open streak are not written again
)
SURELY_GOOD = 0.1  # P(broken) under which a retry that passed is believed
LOWEST_RATE = 1e-5  # no test is so good that a first failure cannot be a flake


class Group(NamedTuple):
    """All attempts of one test in one commit, environment and job attempt."""

    run: int
    at: float  # days
    first_failed: bool
    retries: tuple[bool, ...] = ()  # True: failed again
    commit: int = 0  # mark() of it; 0: not sent
    is_default_branch: bool = True
    change: int = 0  # mark() of the pull request, queue entry or branch
    weight: float = 1.0  # 1, 0.25 for a failure that speaks of infrastructure, 0 inside an outage
    n_pass: int = 0  # first attempts that passed before this group, on any branch
    n_main_pass: int = 0  # and on the default branch
    passed_on_commit: bool = False  # the same commit passed here before, on whatever branch
    break_prior: float = 0.0  # inside a code break: the chance that this test is broken
    gap_days: float = 0.0  # since the run of the default branch before this one
    is_late: bool = False  # older than what the state has seen: it cannot say what is broken now


class Settled(NamedTuple):
    """What a failure of the past turned out to be."""

    run: int
    p_flaky: float


class Event(NamedTuple):
    """A change of status, with the run that caused it."""

    before: FlakeStatus
    after: FlakeStatus
    run: int
    at: float


class Update(NamedTuple):
    """What one group told: P(flaky) of its failure, what became of earlier ones, and the change of status."""

    p_flaky: float | None
    rule: FlakeRule | None
    settled: tuple[Settled, ...]
    event: Event | None


def never_failed(n_pass: int, *, n_main_pass: int | None = None, constants: Constants = DEFAULT) -> State:
    """Return the state of a test that has only ever passed."""
    a, b = constants.first
    state = State(a, b, *constants.again)
    advance(
        state, n_pass=n_pass, n_main_pass=n_pass if n_main_pass is None else n_main_pass, constants=constants
    )
    return state


def advance(
    state: State, *, n_pass: int, n_main_pass: int, at: float | None = None, constants: Constants = DEFAULT
) -> None:
    """Count the passes since the state was last touched, and let old evidence fade."""
    n, n_main = max(0, n_pass - state.n_pass), max(0, n_main_pass - state.n_main_pass)
    days = max(0.0, at - state.at) if at is not None and state.at else 0.0
    fade(state, n=n, days=days, constants=constants)
    if state.is_flagged:
        for _ in range(min(n, 10_000)):
            quiet(state, constants)
    state.n_pass, state.n_main_pass = max(state.n_pass, n_pass), max(state.n_main_pass, n_main_pass)
    state.index += n_main
    state.at = max(state.at, at or 0.0)


def declare_fixed(
    state: State, *, n_passes: int, run: int, at: float, constants: Constants = DEFAULT
) -> Event | None:
    """Start the quiet spell of a flake at a repair that somebody named, `n_passes` ago."""
    expect_fix(state, n_passes=n_passes, constants=constants)
    before, after = state.status, status(state)
    if before == after:
        return None
    state.status, state.status_run, state.status_at = after, run, at
    return Event(before, after, run, at)


def update(state: State, group: Group, *, constants: Constants = DEFAULT) -> Update:
    """Move the evidence by one group and tell what it means."""
    advance(state, n_pass=group.n_pass, n_main_pass=group.n_main_pass, at=group.at, constants=constants)
    if group.weight == 0.0 and group.first_failed:
        return Update(constants.withheld_p, None, (), None)
    if not group.first_failed:
        told = _passed(state, group, constants)
    elif group.is_default_branch and not group.is_late:
        told = _failed_on_main(state, group, constants)
    else:
        told = _failed_on_change(state, group, constants)
    if group.first_failed or told.settled:
        flag(state, constants)
    if group.first_failed and state.is_flagged:
        start_quiet(state)
    return told._replace(event=_event(state, group, constants))


def _event(state: State, group: Group, constants: Constants) -> Event | None:
    before, after = state.status, status(state)
    if before == after:
        return None
    state.status, state.status_run, state.status_at = after, group.run, group.at
    return Event(before, after, group.run, group.at)


# --- passes


def _passed(state: State, group: Group, constants: Constants) -> Update:
    fade(state, n=1, days=0.0, constants=constants)
    state.n_pass += 1
    settled = _explain_change(state, group, constants)
    if state.is_flagged:
        quiet(state, constants)
    if not group.is_default_branch or group.is_late:
        return Update(None, FlakeRule.SAME_COMMIT if settled else None, settled, None)
    state.n_main_pass += 1
    state.index += 1
    if not state.length:
        return Update(None, FlakeRule.SAME_COMMIT if settled else None, settled, None)
    rule, closed = _close(state, group, constants)
    return Update(None, rule, settled + closed, None)


def _close(state: State, group: Group, constants: Constants) -> tuple[FlakeRule, tuple[Settled, ...]]:
    """A pass ends the open episode: was it a flake that stopped, or a break that was repaired?"""
    is_same = group.commit != 0 and group.commit == state.commit
    ending = constants.broken_passes if is_same else _within(constants.repair, group)
    good = exp(max(-700.0, state.ln_good))
    broken = state.hazard * exp(max(-700.0, state.ln_broken)) * ending
    broken *= (1.0 - constants.repair) ** max(0, state.n_commits - 1)
    rho = good / (good + broken)
    rule = FlakeRule.SAME_COMMIT if is_same else FlakeRule.EPISODE
    is_own = state.hazard < OWN_HAZARD
    state.flips += rho * is_same
    state.both += is_same and is_own
    if (is_same and is_own) or (rho >= 0.5 and not state.open_flips):
        failed_run = state.failures.run_before(1) if state.failures else group.run
        state.prove(Proof(rule, failed_run, group.run))
    return rule, _count_episode(state, rho, constants)


def _count_episode(state: State, rho: float, constants: Constants) -> tuple[Settled, ...]:
    """The episode is over: it was a flake with probability rho."""
    state.flips += rho * state.open_flips
    state.retry_failed += rho * state.open_again / constants.dependence
    state.retry_passed += rho * state.open_passed / constants.dependence
    state.alpha += rho * state.mass / constants.dependence
    state.episodes += rho * state.mass / state.length
    settled = _settle(state, rho)
    _end_episode(state)
    return settled


def _settle(state: State, rho: float, *, least_change: float = 0.0) -> tuple[Settled, ...]:
    """Write the retrospective verdict on the failures of the open episode, where it is another than before."""
    runs = state.failures.settle(state.length, rho, least_change=least_change)
    return tuple([Settled(run, rho) for run in runs])


def _end_episode(state: State) -> None:
    state.length, state.n_commits, state.commit, state.mass = 0, 0, 0, 0.0
    state.ln_good, state.ln_broken, state.broken, state.hazard = 0.0, 0.0, 0.0, 0.0
    state.open_flips, state.open_again, state.open_passed = 0.0, 0.0, 0.0
    state.has_failed_retry = False


def forgive(state: State) -> None:
    """End the open episode as if it had not been: an incident explains it."""
    _settle(state, 0.0)
    _end_episode(state)


def _explain_change(state: State, group: Group, constants: Constants) -> tuple[Settled, ...]:
    """A pass at the commit that failed before, on a pull request or in a merge queue."""
    if not state.change_commit or group.commit != state.change_commit:
        return ()
    run, before = state.change_run, state.change_p
    odds = before / max(1e-9, 1.0 - before) / constants.broken_passes
    rho = odds / (1.0 + odds)
    state.flips += rho
    state.alpha += max(0.0, rho - before) / constants.dependence
    if rho >= 0.5:
        state.prove(Proof(FlakeRule.SAME_COMMIT, run, group.run))
    state.change_commit, state.change_run = 0, 0
    return (Settled(run, rho),)


# --- failures


def _failed_on_main(state: State, group: Group, constants: Constants) -> Update:
    _note_failure(state, group)
    rate, again = max(LOWEST_RATE, state.rate), _retries_likelihood(state, group.retries)
    prior = _prior_broken(state, group, constants)
    explained = _broken_likelihood(group, constants)
    broken, good = prior * explained, (1.0 - prior) * rate * again
    state.broken = broken / (broken + good)
    _lengthen_episode(state, group, ln_good=log(rate * again), ln_broken=log(explained))
    _doubt_streak(state)
    p_flaky = 1.0 - state.broken
    rule = _note_flip(state, group)
    judge_regime(state, constants)
    if (
        rule is FlakeRule.RETRY and state.broken < SURELY_GOOD
    ):  # a retry that passed ends it as a later pass would
        return Update(p_flaky, rule, _count_episode(state, p_flaky, constants), None)
    return Update(p_flaky, rule, _settle(state, p_flaky, least_change=TOLD_AGAIN), None)


def _doubt_streak(state: State) -> None:
    """A flake that fails on and on is broken: repairs are frequent, but one that has not come explains no streak."""
    chance = streak_chance(state.n_in_a_row, a=state.alpha, b=state.beta)
    if state.n_commits >= 2 and chance <= LONGEST_STREAK:
        state.broken = max(state.broken, 1.0 - chance)


def _prior_broken(state: State, group: Group, constants: Constants) -> float:
    """How likely the test was broken before this group said anything."""
    repair = _within(constants.repair, group)
    hazard = max(_within(constants.break_hazard, group), group.break_prior)
    if not state.n_pass:
        hazard = max(hazard, NEVER_PASSED)
    if group.commit and group.commit == state.change_commit:  # it failed in the merge queue already
        hazard = max(hazard, 1.0 - state.change_p)
    is_new = not group.commit or group.commit != state.commit or not state.length
    prior = state.broken * (1.0 - repair) + (1.0 - state.broken) * hazard if is_new else state.broken
    if state.length:
        return prior
    if group.passed_on_commit:  # a test that passed here is broken only if broken tests pass
        prior *= constants.broken_passes
        hazard *= constants.broken_passes
    state.hazard = hazard
    return max(prior, hazard)


def _within(chance: float, group: Group) -> float:
    """The chance that something which may happen at any commit happened since the run before."""
    return float(1.0 - (1.0 - chance) ** max(1.0, group.gap_days * COMMITS_A_DAY))


def _broken_likelihood(group: Group, constants: Constants) -> float:
    n_again = sum(group.retries)
    passes = constants.broken_passes
    return float((1.0 - passes) ** (1 + n_again) * passes ** (len(group.retries) - n_again))


def _lengthen_episode(state: State, group: Group, *, ln_good: float, ln_broken: float) -> None:
    if not state.length or not group.commit or group.commit != state.commit:
        state.n_commits += 1
    state.commit = group.commit
    state.length += 1
    state.mass += group.weight
    state.ln_good += ln_good
    state.ln_broken += ln_broken
    state.has_failed_retry |= any(group.retries)
    ending = Ending.IN_A_BREAK if group.break_prior else _ending(group.retries)
    state.failures.add(Failed(state.index, group.run, ending, sum(group.retries), 0.0))
    state.index += 1


def _note_flip(state: State, group: Group) -> FlakeRule | None:
    """Both outcomes at one commit: the surest sign of a flake there is, once the episode has ended.

    A broken test passes now and then too, so the sign counts with what the whole episode says.
    """
    has_passed = False in group.retries
    if not has_passed and not (group.passed_on_commit and state.length == 1):
        return None
    rule = FlakeRule.RETRY if has_passed else FlakeRule.SAME_COMMIT
    state.open_flips += group.weight
    is_own = state.hazard < OWN_HAZARD
    state.both += group.weight * is_own
    if has_passed:
        state.open_again += sum(group.retries) * group.weight
        state.open_passed += group.weight
    if is_own:
        state.prove(Proof(rule, group.run, group.run))
    return rule


def _failed_on_change(state: State, group: Group, constants: Constants) -> Update:
    """A pull request may have broken the test; its failure never says that the default branch is broken."""
    _note_failure(state, group)
    rate, again = max(LOWEST_RATE, state.rate), _retries_likelihood(state, group.retries)
    has_passed = False in group.retries
    hazard = max(constants.change_hazard, group.break_prior, state.broken if state.length else 0.0)
    if state.broken > 0.5 and not has_passed:
        hazard = 1.0
    if has_passed or group.passed_on_commit:
        hazard *= constants.broken_passes
    good = rate * again
    rho = good / (good + hazard)
    is_new = state.know_change(group.change or group.commit or group.run)
    if is_new or has_passed:
        state.alpha += rho * group.weight / constants.dependence
    elif rate < 0.2:
        rho = min(rho, 0.5)  # it failed on this change before: a second time is no second witness
    rule = _count_change_flip(state, group, rho, constants)
    _await_rerun(state, group, rho, is_explained=rule is not None)
    return Update(rho, rule, (), None)


def _count_change_flip(state: State, group: Group, rho: float, constants: Constants) -> FlakeRule | None:
    has_passed = False in group.retries
    if not has_passed and not group.passed_on_commit:
        return None
    rule = FlakeRule.RETRY if has_passed else FlakeRule.SAME_COMMIT
    state.flips += rho * group.weight
    if has_passed:
        _count_retries(state, group, rho * group.weight / constants.dependence)
    if rho >= 0.5:
        state.prove(Proof(rule, group.run, group.run))
    return rule


def _await_rerun(state: State, group: Group, rho: float, *, is_explained: bool) -> None:
    if is_explained or not group.commit:
        return
    state.change_commit, state.change_run = group.commit, group.run
    state.change_p, state.change_at = rho, group.at


def _note_failure(state: State, group: Group) -> None:
    state.n_failed += 1
    state.first_failed_run = state.first_failed_run or group.run
    state.last_failed_run, state.last_failed_at = group.run, max(state.last_failed_at, group.at)


def _ending(retries: Sequence[bool]) -> Ending:
    if not retries:
        return Ending.NOT_RETRIED
    return Ending.FAILED_AGAIN if retries[-1] else Ending.PASSED_ON_RETRY


def _retries_likelihood(state: State, retries: Sequence[bool]) -> float:
    """How likely a flake's retries end so; each retry teaches the next."""
    failed, passed, likelihood = state.retry_failed, state.retry_passed, 1.0
    for failed_again in retries:
        again = failed / (failed + passed)
        likelihood *= again if failed_again else 1.0 - again
        failed, passed = failed + failed_again, passed + (not failed_again)
    return likelihood


def _count_retries(state: State, group: Group, weight: float) -> None:
    n_again = sum(group.retries)
    state.retry_failed += n_again * weight
    state.retry_passed += (len(group.retries) - n_again) * weight
