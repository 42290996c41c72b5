"""What the evidence says in words: a status, the rule behind it, the rate with its interval, and the runs.

Reads a State and never changes it. How the evidence got there is flakes.py's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from analysis.beta import beta_cdf, beta_quantile, passes_needed, quiet_chance, streak_chance
from analysis.causes import fisher
from analysis.rates import caution
from analysis.states import DEFAULT, N_PROOFS, Constants, Proof, State
from projects.vocabulary import FlakeRule, FlakeStatus

STALE_DAYS = 14.0  # two weeks without a run: the test is gone, renamed or switched off
SUSPICION_DAYS = 60.0  # one isolated failure is no suspicion for ever
FEW_RUNS = 60  # under this a 5 % rate could still be a 0 % or a 15 % one
UNSURE_PASSES = 0.05  # the chance of a quiet spell at which a reader may believe in a repair
ENVIRONMENT_P = 1e-3
N_RUNS_SHOWN = 12  # a page names no more
MOST_REMEMBERED = 5_000  # intervals, a hundred bytes each: those of the failing tests of a few projects


class FlakeVerdict(NamedTuple):
    """The verdict on one test in one environment, with what proves it."""

    status: FlakeStatus
    earned: FlakeStatus  # what it would be, were the test not stale
    rule: str
    rate: float
    rate_low: float  # 90 % interval
    rate_high: float
    n_passes_needed: int
    n_quiet: int
    p_unfixed_but_quiet: float
    p_fixed: float
    since: float  # when the status began
    few_runs: bool
    proofs: tuple[Proof, ...]
    proof_runs: tuple[int, ...]  # that show the verdict: those that disagree, or those that fail on and on


class Count(NamedTuple):
    """How often a test failed in one environment, and out of how many groups."""

    n_failed: int
    n_groups: int


def status(state: State) -> FlakeStatus:
    """Return the status that the evidence earns, whatever day it is."""
    is_broken = state.broken >= 0.9 and (state.n_commits >= 2 or state.has_failed_retry)
    if is_broken:
        return FlakeStatus.BROKEN
    if state.is_flagged:
        return FlakeStatus.FLAKY
    if state.is_fixed:
        return FlakeStatus.FIXED
    return FlakeStatus.SUSPECTED if _is_suspicious(state) else FlakeStatus.HEALTHY


def shown(told: FlakeStatus, *, only_here: str) -> FlakeStatus:
    """Return the status as it is shown: a test that is flaky in one environment alone has a word of its own."""
    return FlakeStatus.ENVIRONMENT_SPECIFIC if told is FlakeStatus.FLAKY and only_here else told


def verdict(
    state: State, *, now_day: float, last_seen_day: float | None = None, constants: Constants = DEFAULT
) -> FlakeVerdict:
    """Return the verdict as of a day; `last_seen_day` is that of the last run that had the test."""
    told = status(state)
    if told is FlakeStatus.SUSPECTED and now_day - state.last_failed_at > SUSPICION_DAYS:
        told = FlakeStatus.HEALTHY
    seen = max(state.at, last_seen_day or 0.0)
    is_stale = now_day - seen > STALE_DAYS
    a, b = state.alpha, state.beta
    low, high = _interval(a, b)
    if state.was_flagged:
        a, b = state.quiet_a, state.quiet_b + caution(state, constants)
    return FlakeVerdict(
        status=FlakeStatus.STALE if is_stale else told,
        earned=told,
        rule=f"not seen for {now_day - seen:.0f} days"
        if is_stale
        else rule(state, told, constants=constants),
        rate=state.rate,
        rate_low=low,
        rate_high=high,
        n_passes_needed=_needed(a, b) if state.was_flagged else 0,
        n_quiet=state.n_quiet,
        p_unfixed_but_quiet=quiet_chance(state.n_quiet, a=a, b=b) if state.was_flagged else 1.0,
        p_fixed=state.p_fixed if state.was_flagged else 0.0,
        since=state.status_at,
        few_runs=state.n_pass + state.n_failed < FEW_RUNS,
        proofs=tuple(state.proofs),
        proof_runs=_proof_runs(state, told),
    )


def _interval(a: float, b: float) -> tuple[float, float]:
    """Return the 90 % interval of a rate; of evidence to four digits, which for a broken test is the same run after run."""
    return _interval_of(float(f"{a:.4g}"), float(f"{b:.4g}"))


@lru_cache(maxsize=MOST_REMEMBERED)
def _interval_of(a: float, b: float) -> tuple[float, float]:
    return beta_quantile(0.05, a=a, b=b), beta_quantile(0.95, a=a, b=b)


@lru_cache(maxsize=MOST_REMEMBERED)
def _needed(a: float, b: float) -> int:
    """Return the passes that show a repair; they are the same from one failure of a flake to the next."""
    return passes_needed(a=a, b=b, chance=UNSURE_PASSES)


@lru_cache(maxsize=MOST_REMEMBERED)
def _p_above(rate: float, a: float, b: float) -> float:
    """Return the chance that a flake fails more often than this, seen from its last failure."""
    return 1.0 - beta_cdf(rate, a=a, b=b)


def _proof_runs(state: State, told: FlakeStatus) -> tuple[int, ...]:
    if told is not FlakeStatus.BROKEN:
        runs = {run for proof in state.proofs for run in (proof.failed_run, proof.passed_run)}
        return tuple(sorted(runs)[-N_RUNS_SHOWN:])
    first = state.failures.run_before(state.length)  # where it broke
    newest = state.failures.runs(min(state.length, N_RUNS_SHOWN))
    return newest if state.length <= N_RUNS_SHOWN else (first, *newest[1:])


def rule(state: State, told: FlakeStatus, *, constants: Constants = DEFAULT) -> str:
    """Say which rule fired, with the numbers that made it fire."""
    match told:
        case FlakeStatus.BROKEN:
            retried = ", and failed again when retried" if state.has_failed_retry else ""
            return (
                f"failed {state.length} times in a row on {_commits(state.n_commits)}{retried}: "
                f"P(broken) = {state.broken:.2f}{_streak_words(state)}"
            )
        case FlakeStatus.FLAKY:
            p = _p_above(constants.flaky_rate, state.quiet_a, state.quiet_b)
            return f"{_shown(state)}; it fails in more than {100 * constants.flaky_rate:g} % of its runs with P = {p:.2f}"
        case FlakeStatus.FIXED:
            return f"{state.n_quiet} passes since the last failure: P(fixed) = {state.p_fixed:.2f}"
        case FlakeStatus.SUSPECTED:
            return f"{_shown(state)}; too little for a verdict"
        case FlakeStatus.STALE | FlakeStatus.HEALTHY | FlakeStatus.ENVIRONMENT_SPECIFIC:
            return "no sign of a flake"


def one_environment(counts: Mapping[str, Count]) -> str | None:
    """Return the environment whose failure rate stands out from the others' together (Fisher p < 0.001)."""
    n_failed = sum(count.n_failed for count in counts.values())
    n_groups = sum(count.n_groups for count in counts.values())
    for name in sorted(counts):
        here = counts[name]
        elsewhere = Count(n_failed - here.n_failed, n_groups - here.n_groups)
        if here.n_failed * max(1, elsewhere.n_groups) <= elsewhere.n_failed * here.n_groups:
            continue
        if fisher(here.n_failed, here.n_groups, elsewhere.n_failed, elsewhere.n_groups) < ENVIRONMENT_P:
            return name
    return None


def _is_suspicious(state: State) -> bool:
    """One flip, or one isolated failure that was rather a flake than a break."""
    if not state.n_pass:
        return False
    if state.flips >= 0.5 or state.episodes >= 0.5 or state.both >= 0.5:
        return True
    return bool(state.length and 1.0 - state.broken >= 0.5) or bool(
        state.change_commit and state.change_p >= 0.5
    )


def _shown(state: State) -> str:
    rules = [proof.rule for proof in state.proofs]
    least = "at least " if len(state.proofs) >= N_PROOFS else ""
    words = [
        f"{WORDS[kind]} {least}{_times(rules.count(kind))}"
        for kind in (FlakeRule.RETRY, FlakeRule.SAME_COMMIT, FlakeRule.EPISODE)
        if kind in rules
    ]
    weights = f"weighed as {state.flips:.1f} flips at one commit and {state.episodes:.1f} isolated failures"
    return f"{'; '.join(words) or 'failed once'} ({weights})"


def _streak_words(state: State) -> str:
    """Say of a test that was flaky why this streak is no flake."""
    if not state.is_flagged:
        return ""
    chance = streak_chance(state.n_in_a_row, a=state.alpha, b=state.beta)
    return f"; were it only as flaky as before ({100 * state.rate:.0f} %), the chance of that is {_chance(chance)}"


def _chance(p: float) -> str:
    return "under 0.1 %" if p < 0.001 else f"{100 * p:.1f} %"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _commits(n: int) -> str:
    return "1 commit" if n == 1 else f"{n} commits"


WORDS = {
    FlakeRule.RETRY: "failed and passed when retried in the same run",
    FlakeRule.SAME_COMMIT: "failed and passed at the same commit",
    FlakeRule.EPISODE: "failed and passed with no sign of a break or a repair between",
}
