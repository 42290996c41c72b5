"""Why a test is likely flaky, read from its failures: a hint with its evidence, and how to mend it.

Works on plain values that analysis.queries.of_causes gathers. Each cause has a witness, which returns a sentence with the
numbers that speak for it and how strongly they do, or nothing. Not enough evidence is a normal answer.
"""

from __future__ import annotations

import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import NamedTuple, TypeVar

from analysis.seats import PassSeen
from analysis.signatures import masked
from projects.vocabulary import Cause

Common = TypeVar("Common", int, str)  # a test, or the name of a worker
FEW = 3  # under three failures any pattern is chance
SURE = 1e-3  # p of a pattern that chance alone would show once in a thousand tests
MOST = 0.6  # of the failures come after one test or on one worker; the others may have had another cause
LATE = 0.8  # from here on the last fifth of a run


@dataclass(frozen=True, slots=True)
class FailureSeen:
    """One failure of the test, as far as the upload told."""

    at: datetime
    seconds: float | None
    environment: str
    worker: str
    message: str
    signature: bytes
    passed_on_retry: bool | None  # None: it was not retried
    run: int = 0
    after_test: int = 0  # the test right before it; 0: none, or unknown
    predecessor: str = ""  # how the runner calls that test
    n_parallel: int = 0
    place_in_run: float | None = None  # 0 the first test of the run, 1 the last
    n_failed_beside: int = 0  # failures of the same class in the same run
    masked: str = ""  # the title of its signature, where its own words were not kept


@dataclass(frozen=True, slots=True)
class FailureHistory:
    """What a cause is read from: the failures, and enough of the passes to compare them with."""

    failures: Sequence[FailureSeen]
    median_pass_s: float | None
    n_runs: int
    runs_by_environment: dict[str, int]
    runs_by_hour: Sequence[int]  # 24 counts, UTC
    n_tests_with_signature: int  # unrelated tests that failed with the commonest signature
    passes: Sequence[
        PassSeen
    ] = ()  # soon after its failures, oldest first: where they stood, and on which worker
    median_parallel: float = 0.0
    runner: str = ""  # pytest, jest, go...: names the command that confirms
    test: str = ""


class CauseHint(NamedTuple):
    """A likely cause, the sentence that speaks for it, what mends it, and a command that confirms it."""

    cause: Cause
    evidence: str
    recipe: str
    command: str


class Witness(NamedTuple):
    """One observation and its weight: the share of the failures that show it; and the test that they came after."""

    cause: Cause
    evidence: str
    weight: float
    predecessor: str = ""


RECIPES = {
    Cause.NOT_ENOUGH_EVIDENCE: "Collect more failures; send messages and durations with the upload.",
    Cause.TIMING: "Wait for the state, not for a time: poll with a limit and back off; no fixed sleeps.",
    Cause.SHARED_STATE: "Give each test its own data; roll back what it wrote, or use unique ids.",
    Cause.TIME_AND_DATE: "Freeze the clock in the test, or compare times relatively.",
    Cause.RANDOMNESS: "Seed the generator, or use fixed values.",
    Cause.EXTERNAL_SERVICE: "Record and replay the service; retry with backoff in the client.",
    Cause.ENVIRONMENT: "Pin what differs in that environment: versions, locale, time zone, resources.",
    Cause.RESOURCE: "Release what the test opens; lower the load of the run.",
}

WAITED = re.compile(
    r"(?i)timed?[ -]?out|waiting (?:for|until)|deadline exceeded|did not (?:appear|finish|complete) in"
)
SERVICE = re.compile(
    r"(?i)ECONN(?:REFUSED|RESET|ABORTED)|ETIMEDOUT|EAI_AGAIN|ENOTFOUND"
    r"|connection (?:refused|reset|closed|aborted)|name resolution|could not resolve"
    r"|getaddrinfo|TLS|SSL|certificate|socket hang up"
    r"|\b(?:502|503|504|429)\b|bad gateway|service unavailable|too many requests"
)
EXHAUSTED = re.compile(
    r"(?i)out of memory|OutOfMemory|ENOMEM|no space left|ENOSPC|too many open files|EMFILE|cannot allocate"
    r"|\bSIGKILL\b|too many (?:clients|connections)|address already in use|EADDRINUSE"
)
ROUND_LIMITS_S = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)


def cause(history: FailureHistory) -> CauseHint:
    """Return the cause that most of the failures speak for."""
    n = len(history.failures)
    if n < FEW:
        seen = "1 failure" if n == 1 else f"{n} failures"
        return _unknown(f"{seen} seen; a pattern needs at least {FEW}.")
    heard = [witness for ask in WITNESSES if (witness := ask(history)) is not None]
    if not heard:
        return _unknown(f"No pattern in {n} failures of {history.n_runs} runs.")
    best = max(heard, key=lambda witness: witness.weight)
    return CauseHint(best.cause, best.evidence, RECIPES[best.cause], _command(best, history))


def _unknown(sentence: str) -> CauseHint:
    return CauseHint(Cause.NOT_ENOUGH_EVIDENCE, sentence, RECIPES[Cause.NOT_ENOUGH_EVIDENCE], "")


def _command(best: Witness, history: FailureHistory) -> str:
    """How to see it fail on purpose, for the runners that have a way."""
    if not history.test:
        return ""
    if best.predecessor and history.runner in BOTH:
        both = re.escape(best.predecessor), re.escape(history.test)
        return BOTH[history.runner].format(
            after=shlex.quote(best.predecessor),
            test=shlex.quote(history.test),
            either=shlex.quote("|".join(both)),
        )
    return COMMANDS.get(history.runner, {}).get(best.cause, "").format(test=shlex.quote(history.test))


# Both tests, one right after the other.
BOTH = {
    "pytest": "pytest -p no:randomly {after} {test}",
    "jest": "npx jest --runInBand -t {either}",
    "playwright": "npx playwright test --workers 1 -g {either}",
    "rspec": "bundle exec rspec --order defined -e {after} -e {test}",
}


COMMANDS: dict[str, dict[Cause, str]] = {
    "pytest": {
        Cause.TIMING: "pytest {test} --count 50 -n 8  # pytest-repeat, pytest-xdist: under load",
        Cause.SHARED_STATE: "pytest -p randomly  # pytest-randomly prints the seed that repeats it",
        Cause.RANDOMNESS: "pytest {test} --count 50 -p no:randomly  # pytest-repeat: other values every time",
        Cause.TIME_AND_DATE: "faketime '2024-02-29 23:59:50' pytest {test}",
        Cause.RESOURCE: "pytest {test} -n 16  # pytest-xdist: more load than the run had",
    },
    "jest": {
        Cause.SHARED_STATE: "npx jest --randomize --runInBand",
        Cause.TIMING: "npx jest -t {test} --maxWorkers=200%",
    },
    "go": {
        Cause.TIMING: "go test -run {test} -race -count=50 -cpu 1,4 ./...",
        Cause.SHARED_STATE: "go test -shuffle=on -count=5 ./...",
        Cause.RANDOMNESS: "go test -run {test} -count=50 ./...",
    },
    "junit": {
        Cause.SHARED_STATE: "mvn test -Dsurefire.runOrder=random",
    },
    "playwright": {Cause.TIMING: "npx playwright test -g {test} --repeat-each 20 --workers 8 --trace on"},
    "rspec": {Cause.SHARED_STATE: "bundle exec rspec --order random --bisect"},
}


def _service(history: FailureHistory) -> Witness | None:
    share, said = _share_saying(history, SERVICE)
    if share < 0.5:
        return None
    across = history.n_tests_with_signature
    beside = f"; the same signature hit {across} tests" if across >= 3 else ""
    n = len(history.failures)
    sentence = f'{round(share * n)} of {n} failures speak of a connection or a service ("{said}"){beside}.'
    return Witness(Cause.EXTERNAL_SERVICE, sentence, share + (0.3 if across >= 3 else 0.0))


def _resource(history: FailureHistory) -> Witness | None:
    n = len(history.failures)
    share, said = _share_saying(history, EXHAUSTED)
    if share >= 0.5:
        sentence = f'{round(share * n)} of {n} failures name a resource that ran out ("{said}").'
        return Witness(Cause.RESOURCE, sentence, share + 0.2)
    late = [seen.place_in_run for seen in _beside_passes(history) if seen.place_in_run is not None]
    n_late, n_late_passes = sum(at >= LATE for at in late), sum(seen.share >= LATE for seen in history.passes)
    if len(late) >= 5 and fisher(n_late, len(late), n_late_passes, len(history.passes)) < SURE:
        sentence = (
            f"{n_late} of {len(late)} failures came in the last fifth of the run,"
            f" {n_late_passes} of the {len(history.passes)} passes beside them."
        )
        return Witness(Cause.RESOURCE, sentence, 0.9 * n_late / len(late))
    load = [seen.n_parallel for seen in history.failures if seen.n_parallel]
    n_loaded = sum(jobs > history.median_parallel for jobs in load)
    if len(load) >= 5 and history.median_parallel and _binomial_tail(n_loaded, len(load), 0.5) < SURE:
        sentence = f"{n_loaded} of {len(load)} failures came in runs with more than the usual parallel load."
        return Witness(Cause.RESOURCE, sentence, 0.8 * n_loaded / len(load))
    return None


def _timing(history: FailureHistory) -> Witness | None:
    n = len(history.failures)
    share, said = _share_saying(history, WAITED)
    timed = [seen.seconds for seen in history.failures if seen.seconds is not None]
    usual = history.median_pass_s
    long = [s for s in timed if usual and s >= max(3 * usual, usual + 0.05)]
    limited = [s for s in timed if usual and s > 2 * usual and _is_at_a_round_limit(s)]
    if long and len(long) >= 0.5 * n and usual:
        at_limit = f", {len(limited)} of them at a round limit" if limited else ""
        words = f' and say "{said}"' if share >= 0.5 else ""
        sentence = (
            f"{len(long)} of {n} failures last at least 3 times the passing median"
            f" ({median(long):.3g} s against {usual:.3g} s){at_limit}{words}."
        )
        return Witness(Cause.TIMING, sentence, max(len(long) / n, share) + (0.2 if share >= 0.5 else 0.0))
    if share >= 0.5:
        return Witness(Cause.TIMING, f'{round(share * n)} of {n} failures say "{said}".', share)
    return None


def _environment(history: FailureHistory) -> Witness | None:
    return _gathered(
        Cause.ENVIRONMENT,
        Counter(seen.environment for seen in history.failures),
        history.runs_by_environment,
        what="environment",
        weight=0.9,
    )


def _worker(history: FailureHistory) -> Witness | None:
    """One of several workers holds most of the failures and few of the passes beside them."""
    failed = Counter(seen.worker for seen in _beside_passes(history) if seen.worker)
    passed = Counter(seen.worker for seen in history.passes if seen.worker)
    stands_out = _standing_out(failed, passed)
    if stands_out is None:
        return None
    worker, k, n = stands_out
    sentence = (
        f"{k} of {n} failures were on the worker {worker}, {passed[worker]} of the {sum(passed.values())} passes"
        " beside them."
    )
    return Witness(Cause.SHARED_STATE, sentence, 0.8 * k / n)


def _beside_passes(history: FailureHistory) -> Sequence[FailureSeen]:
    """Return the failures of the time of the passes: order and workers of another time may have been others."""
    if not history.passes:
        return ()
    oldest = min(seen.run for seen in history.passes)
    older = [seen for seen in history.failures if seen.run < oldest]
    return older[-1:] + [seen for seen in history.failures if seen.run >= oldest]


def _standing_out(failed: Counter[Common], passed: Counter[Common]) -> tuple[Common, int, int] | None:
    """Return what most failures have in common and few passes do, with how many failures have it, and of how many.

    The p is one-sided and exact (Fisher), and times the number of things that could have stood out.
    """
    n = sum(failed.values())
    if n < FEW:
        return None
    common, k = failed.most_common(1)[0]
    p = fisher(k, n, passed[common], sum(passed.values())) * len(failed)
    return (common, k, n) if k >= MOST * n and p < SURE else None


def _gathered(
    found: Cause, failed: Counter[str], ran: dict[str, int], *, what: str, weight: float
) -> Witness | None:
    """One place holds at least 80 % of the failures, and far more than its share of the runs."""
    n, total = sum(failed.values()), sum(ran.values())
    if n < FEW or len(ran) < 2:
        return None
    place, k = failed.most_common(1)[0]
    runs = ran.get(place, 0)
    if k < 0.8 * n or fisher(k, runs, n - k, total - runs) >= SURE:
        return None
    sentence = f"{k} of {n} failures are in the {what} {place}, which has {runs} of the {total} runs."
    return Witness(found, sentence, weight * k / n)


def _order(history: FailureHistory) -> Witness | None:
    """Most failures came right after one test, and few of the passes beside them did."""
    beside = _beside_passes(history)
    failed = Counter(seen.after_test for seen in beside if seen.after_test)
    passed = Counter(seen.after_test for seen in history.passes if seen.after_test)
    stands_out = _standing_out(failed, passed)
    if stands_out is None:
        return None
    after, k, n = stands_out
    name = next(seen.predecessor for seen in beside if seen.after_test == after)
    sentence = (
        f"{k} of {n} failures came right after {name}, {passed[after]} of the {sum(passed.values())} passes"
        " beside them."
    )
    return Witness(Cause.SHARED_STATE, sentence, 0.95 * k / n, predecessor=name)


def _together(history: FailureHistory) -> Witness | None:
    together = sum(seen.n_failed_beside >= 2 for seen in history.failures)
    retried = [seen.passed_on_retry for seen in history.failures if seen.passed_on_retry is not None]
    alone = sum(retried)
    n = len(history.failures)
    if together >= 0.6 * n and together >= FEW:
        tail = f", and {alone} of {len(retried)} passed when retried alone" if alone else ""
        sentence = f"In {together} of {n} failures two or more tests of the class failed beside it{tail}."
        return Witness(Cause.SHARED_STATE, sentence, 0.7 * together / n)
    return None


def _clock(history: FailureHistory) -> Witness | None:
    n = len(history.failures)
    if n < 8:  # a chi-squared over 24 hours needs some failures to speak at all
        return None
    hours = Counter(seen.at.hour for seen in history.failures)
    if chi_squared_p([hours.get(hour, 0) for hour in range(24)], history.runs_by_hour) < SURE:
        hour, k = hours.most_common(1)[0]
        if k >= 0.4 * n:
            sentence = f"{k} of {n} failures fall between {hour:02d}:00 and {(hour + 1) % 24:02d}:00 UTC."
            return Witness(Cause.TIME_AND_DATE, sentence, 0.5 + 0.5 * k / n)
    edge = sum(seen.at.day >= 29 or seen.at.day == 1 for seen in history.failures)
    if edge >= 0.6 * n and _binomial_tail(edge, n, 0.115) < SURE:
        sentence = f"{edge} of {n} failures fall at the turn of a month."
        return Witness(Cause.TIME_AND_DATE, sentence, 0.9 * edge / n)
    return None


def _random_values(history: FailureHistory) -> Witness | None:
    """The same place with other values every time: the messages differ, their masks do not."""
    signatures = Counter(seen.signature for seen in history.failures)
    commonest, n = signatures.most_common(1)[0]
    messages = [seen.message for seen in history.failures if seen.signature == commonest and seen.message]
    distinct = len({_values(message) for message in messages})
    if len(messages) < FEW or distinct < len(messages) or not any(_values(message) for message in messages):
        return None
    sentence = f"The values differ in all {len(messages)} failures of the commonest message, at one place."
    return Witness(Cause.RANDOMNESS, sentence, 0.6 * n / len(history.failures))


def _values(message: str) -> tuple[str, ...]:
    """The small numbers of the first line that are no time, id or address: what an assertion compared."""
    first = message.split("\n", 1)[0]
    if "<n>" not in masked(first):
        return ()
    return tuple(re.findall(r"(?<![\w.:-])-?\d+(?:\.\d+)?(?![\w:-])", first))


def _share_saying(history: FailureHistory, words: re.Pattern[str]) -> tuple[float, str]:
    said = [match[0] for seen in history.failures if (match := words.search(seen.message or seen.masked))]
    share = len(said) / len(history.failures)
    return share, Counter(said).most_common(1)[0][0] if said else ""


def _is_at_a_round_limit(seconds: float) -> bool:
    return any(limit <= seconds * 1.005 and seconds <= limit * 1.05 for limit in ROUND_LIMITS_S)


def fisher(k1: int, n1: int, k2: int, n2: int) -> float:
    """Return the one-sided p that k1 of n1 is so much more than k2 of n2 by chance (hypergeometric tail)."""
    k, n = k1 + k2, n1 + n2
    if not 0 < n1 < n or k1 > n1 or k2 > n2:
        return 1.0
    whole = _log_choose(n, k)
    tail = range(max(k1, k - n2), min(k, n1) + 1)
    return min(1.0, math.fsum(math.exp(_log_choose(n1, i) + _log_choose(n2, k - i) - whole) for i in tail))


def chi_squared_p(seen: Sequence[int], exposure: Sequence[int]) -> float:
    """Return the p that counts fall this unlike their exposure by chance (Wilson and Hilferty)."""
    n, total = sum(seen), sum(exposure)
    cells = [(o, n * e / total) for o, e in zip(seen, exposure, strict=True) if e] if total else []
    freedom = len(cells) - 1
    if freedom < 1:
        return 1.0
    statistic = sum((o - expected) ** 2 / expected for o, expected in cells)
    spread = 2 / (9 * freedom)
    z = ((statistic / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)
    return 0.5 * math.erfc(z / math.sqrt(2))


def _binomial_tail(k: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


WITNESSES: tuple[Callable[[FailureHistory], Witness | None], ...] = (
    _service,
    _resource,
    _timing,
    _order,
    _together,
    _environment,
    _worker,
    _clock,
    _random_values,
)
