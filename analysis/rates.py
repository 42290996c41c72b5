"""How a state's failure rate fades, changes its regime, and is called flaky or quiet.

The part of the evidence that is about rates alone; what a single failure means is in flakes.py.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from analysis.beta import beta_cdf
from analysis.regimes import Ending, last_regime
from analysis.states import Constants, State

N_STREAKS = 3  # a test is seldom broken and repaired three times within one regime
LEAST_GROUPS = 30  # without a flip at one commit, fewer results cannot tell flakes from breaks


def fade(state: State, *, n: int, days: float, constants: Constants) -> None:
    """Count n passes, old evidence halving every 400 runs or 45 days, whichever comes first."""
    a0, b0 = constants.first
    halves = max(n / constants.half_life_runs, days / constants.half_life_days)
    keep = 0.5**halves
    state.alpha = a0 + keep * (state.alpha - a0)
    state.beta = b0 + keep * (state.beta - b0)
    slowly = keep**0.25  # what a test once did is remembered longer than how often
    state.flips, state.episodes = state.flips * slowly, state.episodes * slowly
    state.both *= slowly
    if n:
        per_run = 0.5 ** (1.0 / constants.half_life_runs)
        passes = float(n) if n == 1 else (1.0 - per_run**n) / (1.0 - per_run)
        state.beta += passes / constants.dependence


def judge_regime(state: State, constants: Constants) -> None:
    """Where the rate has changed within the last results, the older side says nothing about the newer."""
    failures = state.failures
    n_own, streak = failures.n_own(), failures.n_own(state.length)
    if (
        n_own < 3 or n_own == streak
    ):  # too few; or only the open streak: it may be a break, and says nothing of a rate
        return
    own = failures.own()
    regime = last_regime(list(zip(own.orders, own.endings, strict=True)), end=state.index)
    first, end = bisect_left(own.orders, regime.start), n_own - streak
    n_closed = n_streaks(own.orders[first:end])
    if not regime.is_new and n_closed < N_STREAKS:
        return
    n_failed = regime.n_failed - streak
    n_passed = regime.n_groups - regime.n_failed
    if n_passed < 1 or n_failed < 1:
        return
    a, b = constants.new_regime
    state.alpha = a + n_failed / constants.dependence
    state.beta = b + n_passed / constants.dependence
    state.onset = regime.start
    if n_closed >= N_STREAKS:
        n_passed_again = own.endings[first:end].count(Ending.PASSED_ON_RETRY)
        _learn_retries(state, sum(own.agains[first:end]), n_passed_again, constants)
        state.episodes = max(state.episodes, constants.n_episodes + 0.2)


def _learn_retries(state: State, n_again: int, n_passed: int, constants: Constants) -> None:
    """Count the retries of a regime's failures whether or not one passed: else only lucky ones would teach."""
    a, b = constants.again
    state.retry_failed = max(state.retry_failed, a + n_again / constants.dependence)
    state.retry_passed = max(state.retry_passed, b + n_passed / constants.dependence)


def n_streaks(orders: Sequence[int]) -> int:
    """Return how often failures began anew after a pass."""
    return sum(1 for before, order in zip([-2, *orders], orders, strict=False) if order != before + 1)


def flag(state: State, constants: Constants) -> None:
    """Call the test flaky, or start the count of its quiet passes again."""
    if state.is_flagged:
        return
    is_isolated = state.episodes >= constants.n_episodes and state.index >= LEAST_GROUPS
    is_shown = state.flips >= constants.n_flips or is_isolated
    is_twice = state.flips >= 2 * constants.n_flips or is_isolated
    sure = constants.sure_of_proven if is_twice else constants.sure
    if is_shown and beta_cdf(constants.flaky_rate, a=state.alpha, b=state.beta) <= 1.0 - sure:
        state.is_flagged = state.was_flagged = True
        state.is_fixed = False
        start_quiet(state)


def start_quiet(state: State) -> None:
    state.quiet_a, state.quiet_b = state.alpha, state.beta
    state.n_quiet, state.quiet_unfixed, state.quiet_fixed = 0, 1.0, 0.0


def expect_fix(state: State, *, n_passes: int, constants: Constants) -> None:
    """Somebody says that a commit repaired the flake: even odds, then the passes since that commit speak."""
    state.n_quiet, state.quiet_unfixed, state.quiet_fixed = 0, 1.0, 1.0
    for _ in range(min(n_passes, 10_000)):
        if not state.is_flagged:
            return
        quiet(state, constants)


def caution(state: State, constants: Constants) -> float:
    """How many passes are added to the rate of a quiet flake: none where somebody named a repair.

    Such a spell begins at even odds, which the odds of one that begins without a word never reach.
    """
    is_named = state.quiet_fixed >= (1.0 - constants.fix_hazard) ** -state.n_quiet
    return 0.0 if is_named else constants.caution


def quiet(state: State, constants: Constants) -> None:
    """One more pass of a flake: is it quiet though unfixed, or was it repaired some passes ago?"""
    keep = 1.0 - constants.fix_hazard
    state.quiet_fixed = (state.quiet_fixed + constants.fix_hazard * state.quiet_unfixed) / keep
    passed = state.quiet_b + caution(state, constants) + state.n_quiet
    state.quiet_unfixed *= passed / (state.quiet_a + passed)
    state.n_quiet += 1
    if state.p_fixed >= constants.fixed:
        state.is_flagged, state.is_fixed = False, True
