"""How one test's evidence changes with one group of attempts: is this failure a flake or a break?

A group is all attempts of a test in one commit, environment and job attempt. The first outcome moves an
online failure rate, failures that follow one another make an episode, and the pass that ends it says in
retrospect what it was. Incidents come first (incidents.py, engine.py), words last (verdicts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import NamedTuple

from analysis.beta import beta_cdf
from analysis.regimes import Ending, last_regime
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
    "forgive",
    "mark",
    "never_failed",
    "status",
    "update",
    "verdict",
]

N_STREAKS = 3  # a test is seldom broken and repaired three times within one regime
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
    _fade(state, n=n, days=days, constants=constants)
    if state.is_flagged:
        for _ in range(min(n, 10_000)):
            _quiet(state, constants)
    state.n_pass, state.n_main_pass = max(state.n_pass, n_pass), max(state.n_main_pass, n_main_pass)
    state.index += n_main
    state.at = max(state.at, at or 0.0)


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
        _flag(state, constants)
    if group.first_failed and state.is_flagged:
        _start_quiet(state)
    return told._replace(event=_event(state, group, constants))


def _event(state: State, group: Group, constants: Constants) -> Event | None:
    before, after = state.status, status(state, constants=constants)
    if before == after:
        return None
    state.status, state.status_run, state.status_at = after, group.run, group.at
    return Event(before, after, group.run, group.at)


# --- passes


def _passed(state: State, group: Group, constants: Constants) -> Update:
    _fade(state, n=1, days=0.0, constants=constants)
    state.n_pass += 1
    settled = _explain_change(state, group, constants)
    if state.is_flagged:
        _quiet(state, constants)
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
    ending = constants.broken_passes if is_same else constants.repair
    good = exp(max(-700.0, state.ln_good))
    broken = state.hazard * exp(max(-700.0, state.ln_broken)) * ending
    broken *= (1.0 - constants.repair) ** max(0, state.n_commits - 1)
    rho = good / (good + broken)
    rule = FlakeRule.SAME_COMMIT if is_same else FlakeRule.EPISODE
    state.flips += rho * (state.open_flips + is_same)
    state.retry_failed += rho * state.open_again / constants.dependence
    state.retry_passed += rho * state.open_passed / constants.dependence
    if rho < 0.5:
        state.disprove(state.length)
    elif not state.open_flips or is_same:
        state.prove(Proof(rule, state.failures[-1].run if state.failures else group.run, group.run))
    state.alpha += rho * state.mass / constants.dependence
    state.episodes += rho * state.mass / state.length
    settled = _settle(state, rho)
    _end_episode(state)
    return rule, settled


def _settle(state: State, rho: float) -> tuple[Settled, ...]:
    """Write the retrospective verdict on the failures of the episode that ends."""
    n = min(state.length, len(state.failures))
    ended = state.failures[len(state.failures) - n :]
    state.failures[len(state.failures) - n :] = [failed._replace(p_flaky=rho) for failed in ended]
    return tuple(Settled(failed.run, rho) for failed in ended)


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
    p_flaky = 1.0 - state.broken
    rule = _note_flip(state, group, p_flaky)
    settled = _settle(state, p_flaky)
    _judge_regime(state, constants)
    return Update(p_flaky, rule, settled, None)


def _prior_broken(state: State, group: Group, constants: Constants) -> float:
    """How likely the test was broken before this group said anything."""
    hazard = max(constants.break_hazard, group.break_prior)
    is_new = not group.commit or group.commit != state.commit or not state.length
    prior = (
        state.broken * (1.0 - constants.repair) + (1.0 - state.broken) * hazard if is_new else state.broken
    )
    if state.length:
        return prior
    if group.passed_on_commit:  # a test that passed here is broken only if broken tests pass
        prior *= constants.broken_passes
        hazard *= constants.broken_passes
    state.hazard = hazard
    return max(prior, hazard)


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
    state.remember(Failed(state.index, group.run, ending, sum(group.retries), 0.0))
    state.index += 1


def _note_flip(state: State, group: Group, p_flaky: float) -> FlakeRule | None:
    """Both outcomes at one commit: the surest sign of a flake there is, once the episode has ended.

    A broken test passes now and then too, so the sign counts with what the whole episode says.
    """
    has_passed = False in group.retries
    if not has_passed and not (group.passed_on_commit and state.length == 1):
        return None
    rule = FlakeRule.RETRY if has_passed else FlakeRule.SAME_COMMIT
    state.open_flips += group.weight
    if has_passed:
        state.open_again += sum(group.retries) * group.weight
        state.open_passed += group.weight
    if p_flaky >= 0.5:
        state.prove(Proof(rule, group.run, group.run))
    return rule


def _failed_on_change(state: State, group: Group, constants: Constants) -> Update:
    """A pull request may have broken the test; its failure never says that the default branch is broken."""
    _note_failure(state, group)
    rate, again = max(LOWEST_RATE, state.rate), _retries_likelihood(state, group.retries)
    has_passed = False in group.retries
    hazard = 1.0 if state.broken > 0.5 and not has_passed else max(constants.change_hazard, group.break_prior)
    if has_passed or group.passed_on_commit:
        hazard *= constants.broken_passes
    good = rate * again
    rho = good / (good + hazard)
    is_new = state.know_change(group.change)
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


# --- fading, regimes, flags


def _fade(state: State, *, n: int, days: float, constants: Constants) -> None:
    """Count n passes, old evidence halving every 400 runs or 45 days, whichever comes first."""
    a0, b0 = constants.first
    halves = max(n / constants.half_life_runs, days / constants.half_life_days)
    keep = 0.5**halves
    state.alpha = a0 + keep * (state.alpha - a0)
    state.beta = b0 + keep * (state.beta - b0)
    slowly = keep**0.25  # what a test once did is remembered longer than how often
    state.flips, state.episodes = state.flips * slowly, state.episodes * slowly
    if n:
        per_run = 0.5 ** (1.0 / constants.half_life_runs)
        passes = float(n) if n == 1 else (1.0 - per_run**n) / (1.0 - per_run)
        state.beta += passes / constants.dependence


def _judge_regime(state: State, constants: Constants) -> None:
    """Where the rate has changed within the last results, the older side says nothing about the newer."""
    own = [failed for failed in state.failures if failed.ending is not Ending.IN_A_BREAK]
    if len(own) < 3:
        return
    regime = last_regime([(failed.order, failed.ending) for failed in own], end=state.index)
    streak = _streak(state)
    orders = [failed.order for failed in own if failed.order >= regime.start]
    n_closed = n_streaks(orders) - (streak > 0)
    if not regime.is_new and n_closed < N_STREAKS:
        return
    n_failed = regime.n_failed - streak
    n_passed = regime.n_groups - regime.n_failed
    if n_passed < 1 or n_failed < 0:
        return
    a, b = constants.new_regime
    state.alpha = a + n_failed / constants.dependence
    state.beta = b + n_passed / constants.dependence
    state.onset = regime.start
    if n_closed >= N_STREAKS:
        _learn_retries(
            state,
            [failed for failed in own if failed.order >= regime.start][: len(orders) - streak],
            constants,
        )
        state.episodes = max(state.episodes, constants.n_episodes + 0.2)


def _learn_retries(state: State, closed: Sequence[Failed], constants: Constants) -> None:
    """Count the retries of a regime's failures whether or not one passed: else only lucky ones would teach."""
    again = sum(failed.n_again for failed in closed)
    passed = sum(failed.ending is Ending.PASSED_ON_RETRY for failed in closed)
    a, b = constants.again
    state.retry_failed = max(state.retry_failed, a + again / constants.dependence)
    state.retry_passed = max(state.retry_passed, b + passed / constants.dependence)


def n_streaks(orders: Sequence[int]) -> int:
    """Return how often failures began anew after a pass."""
    return sum(1 for before, order in zip([-2, *orders], orders, strict=False) if order != before + 1)


def _streak(state: State) -> int:
    """How many of the newest groups failed without a pass between them."""
    n = 0
    for failed in reversed(state.failures):
        if failed.order != state.index - 1 - n:
            break
        n += 1
    return n


def _flag(state: State, constants: Constants) -> None:
    """Call the test flaky, or start the count of its quiet passes again."""
    if state.is_flagged:
        return
    is_shown = state.flips >= constants.n_flips or state.episodes >= constants.n_episodes
    sure = constants.sure_of_proven if state.flips >= 2 * constants.n_flips else constants.sure
    if is_shown and beta_cdf(constants.flaky_rate, a=state.alpha, b=state.beta) <= 1.0 - sure:
        state.is_flagged = state.was_flagged = True
        state.is_fixed = False
        _start_quiet(state)


def _start_quiet(state: State) -> None:
    state.quiet_a, state.quiet_b = state.alpha, state.beta
    state.n_quiet, state.quiet_unfixed, state.quiet_fixed = 0, 1.0, 0.0


def _quiet(state: State, constants: Constants) -> None:
    """One more pass of a flake: is it quiet though unfixed, or was it repaired some passes ago?"""
    keep = 1.0 - constants.fix_hazard
    state.quiet_fixed = (state.quiet_fixed + constants.fix_hazard * state.quiet_unfixed) / keep
    state.quiet_unfixed *= (state.quiet_b + state.n_quiet) / (state.quiet_a + state.quiet_b + state.n_quiet)
    state.n_quiet += 1
    if state.p_fixed >= constants.fixed:
        state.is_flagged, state.is_fixed = False, True
