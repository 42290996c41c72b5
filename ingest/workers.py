"""Which of several parallel workers ran a failing case, as far as its report says. Pure.

Few reports do: by a property of the case, by what pytest-xdist or Gradle write above a failure, by the process that Surefire or
parallel_tests name with the suite, or by the machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.cases import Attempt, Failure

CASE_PROPERTIES = frozenset(
    {
        "worker",
        "worker_id",
        "workerid",
        "worker-id",
        "xdist_worker",
        "parallelindex",
        "workerindex",
        "threadid",
    }
)
SUITE_PROPERTIES = frozenset({"surefire.forkNumber", "worker_id", "xdist_worker", "TEST_ENV_NUMBER"})
IN_TEXT = re.compile(r"(?m)^\[(gw\d{1,4})\] |\b(Gradle Test Executor \d{1,6})\b")
NUMBERED_SUITE = re.compile(r"rspec(\d{1,4})")  # RspecJunitFormatter under parallel_tests
NOT_ONE_OF_MANY = frozenset({"master", "localhost"})  # xdist without workers; any machine to itself
LONGEST = 100


def of_properties(properties: Iterable[tuple[str, str]]) -> str:
    """Return the worker that a case's own properties name."""
    for name, value in properties:
        if name.lower() in CASE_PROPERTIES and value and value not in NOT_ONE_OF_MANY:
            return value[:LONGEST]
    return ""


def of_text(text: str) -> str:
    """Return the worker that the text of a failure names."""
    if (
        "[gw" not in text and "Gradle Test Executor " not in text
    ):  # a search for either at once takes a hundred times as long
        return ""
    found = IN_TEXT.search(text)
    return (found[1] or found[2]) if found else ""


def of_suite(name: str, *, host: str) -> str:
    """Return the worker that a suite's name tells, else its machine."""
    if numbered := NUMBERED_SUITE.fullmatch(name):
        return numbered[1]
    return "" if host in NOT_ONE_OF_MANY else host[:LONGEST]


def named(
    failure: Failure | None,
    attempts: Iterable[Attempt],
    *,
    properties: Iterable[tuple[str, str]],
    suite: str,
) -> tuple[Failure | None, tuple[Attempt, ...]]:
    """Return the failures of a case with the worker of each; `suite` is the one that its suite names."""
    own = of_properties(properties)
    return _named(failure, own, suite), tuple(
        attempt._replace(failure=_named(attempt.failure, own, suite)) for attempt in attempts
    )


def _named(failure: Failure | None, own: str, suite: str) -> Failure | None:
    return failure and failure._replace(worker=own or of_text(failure.text) or suite)
