"""Folding: all cases of one test in one upload become one Result.

Three things look alike in a report and mean different things:

* **retries**: a test failed and was tried again. The last attempt is the outcome; a pass after a failure is
  evidence of a flake.
* **repetitions**: one name is used for many things (data rows without their parameters, samples of a load
  test). One test with a count, the worst outcome, and never a flake.
* **halves**: pytest writes a failed call and a failed teardown as two cases. One attempt.

pytest-rerunfailures writes each earlier attempt as a bare case that reads as a pass. Nothing follows from
it but that there were attempts, so such attempts are counted in `n_attempts` and are neither failed nor
passed ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from ingest.cases import Attempt, Case, Failure
from projects.vocabulary import Outcome

MOST_TRIES = 11  # tools that retry stop at ten; longer series are samples of one name
KEPT_ATTEMPTS = 100  # of 20,000 repetitions of one name the first ones tell enough
WORST_FIRST = (Outcome.FAILED, Outcome.ERROR, Outcome.PASSED, Outcome.SKIPPED)
# Their runners do not allow two tests of one name, so a repeated name is a further attempt.
UNIQUE_NAMES = frozenset({"go", "nextest", "xcode", "playwright"})


class Folded(NamedTuple):
    """One Result: what a run says about a test."""

    outcome: Outcome
    seconds: float | None
    attempts: tuple[Attempt, ...]
    n_attempts: int
    n_failed_attempts: int
    is_retry: bool
    is_repeated: bool
    failure: Failure | None


def fold(cases: Sequence[Case], *, names_repeat: bool = False) -> Folded:
    """Fold all cases of one fingerprint, in document order, into one Result.

    `names_repeat` says that the report uses names more than once on purpose; then only marks prove a retry.
    """
    if len(cases) == 1:
        return _one(cases[0])
    if any(_is_merged(case) for case in cases):
        return _repeated(_tries(cases))
    if all(case.framework == "pytest" for case in cases):
        return _pytest(cases)
    if any(case.retry for case in cases):
        ordered = sorted(cases, key=lambda case: case.retry)
        return _retried(_tries(ordered), ordered[-1], is_retry=True)
    tries = _tries(cases)
    if any(case.attempts for case in cases) and len({case.outcome for case in cases}) == 1:
        return _retried(tries, cases[-1], is_retry=True)
    if names_repeat or not _looks_retried(tries, cases[-1]):
        return _repeated(tries)
    return _retried(tries, cases[-1], is_retry=True)


def names_repeat(groups: Iterable[Sequence[Case]]) -> bool:
    """True if any test passed twice in a row: this report uses one name for several things.

    Takes the cases grouped by fingerprint. pytest is left out: there a second pass is a rerun.
    """
    return any(
        first.outcome is second.outcome is Outcome.PASSED and first.framework != "pytest"
        for cases in groups
        for first, second in pairwise(cases)
    )


def _one(case: Case) -> Folded:
    if not case.attempts:  # nearly every test of nearly every report
        n_failed = 1 if case.outcome.is_bad else 0
        only = Attempt(case.outcome, case.seconds, case.failure)
        return Folded(
            outcome=case.outcome,
            seconds=case.seconds,
            attempts=(only,),
            n_attempts=1,
            n_failed_attempts=n_failed,
            is_retry=False,
            is_repeated=False,
            failure=case.failure,
        )
    return _retried(_tries([case]), case, is_retry=True)


def _is_merged(case: Case) -> bool:
    """True for a name whose volatile part was masked: two cases of it may be two tests."""
    if case.framework == "pytest":
        return case.outcome is Outcome.PASSED and not case.may_be_rerun
    return case.may_be_rerun


def _tries(cases: Iterable[Case]) -> list[Attempt]:
    return list(
        chain.from_iterable(
            (*case.attempts, Attempt(case.outcome, case.seconds, case.failure)) for case in cases
        )
    )


def _looks_retried(tries: Sequence[Attempt], last: Case) -> bool:
    """True for failures with nothing but their own end after them: a retry stops at the first pass."""
    if len(tries) > MOST_TRIES or not all(attempt.outcome.is_bad for attempt in tries[:-1]):
        return False
    return tries[-1].outcome is Outcome.PASSED or (
        tries[-1].outcome.is_bad and last.framework in UNIQUE_NAMES
    )


def _retried(tries: Sequence[Attempt], last: Case, *, is_retry: bool, n_unknown: int = 0) -> Folded:
    failure = last.failure or next((attempt.failure for attempt in reversed(tries) if attempt.failure), None)
    n_failed = sum(attempt.outcome.is_bad for attempt in tries)
    return Folded(
        outcome=last.outcome,
        seconds=last.seconds,
        attempts=tuple(tries[-KEPT_ATTEMPTS:]),
        n_attempts=len(tries) + n_unknown,
        n_failed_attempts=n_failed,
        is_retry=is_retry,
        is_repeated=False,
        failure=failure,
    )


def _repeated(tries: Sequence[Attempt]) -> Folded:
    worst = min(tries, key=lambda attempt: WORST_FIRST.index(attempt.outcome))
    timed = [attempt.seconds for attempt in tries if attempt.seconds is not None]
    return Folded(
        outcome=worst.outcome,
        seconds=sum(timed) if timed else None,  # what the name costs a run
        attempts=tuple(tries[:KEPT_ATTEMPTS]),
        n_attempts=len(tries),
        n_failed_attempts=sum(attempt.outcome.is_bad for attempt in tries),
        is_retry=False,
        is_repeated=True,
        failure=worst.failure,
    )


def _pytest(cases: Sequence[Case]) -> Folded:
    whole = _joined_halves(cases)
    *earlier, last = whole
    known = [case for case in earlier if not case.may_be_rerun]
    return _retried(
        _tries([*known, last]), last, is_retry=len(whole) > 1, n_unknown=len(earlier) - len(known)
    )


def _joined_halves(cases: Sequence[Case]) -> list[Case]:
    """Join a failed call and the error of its teardown, which pytest writes as two cases."""
    whole: list[Case] = []
    for case in cases:
        if whole and case.outcome is Outcome.ERROR and whole[-1].outcome is Outcome.FAILED:
            seconds = (whole[-1].seconds or 0.0) + (case.seconds or 0.0)
            whole[-1] = whole[-1]._replace(seconds=seconds)
        else:
            whole.append(case)
    return whole
