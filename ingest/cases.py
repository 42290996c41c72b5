"""What reading a report gives: cases, attempts, failures, problems, and the limits that reading keeps.

Knows only the shape of the values. ingest.junit makes them, ingest.attempts folds them, ingest.record
stores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from projects.vocabulary import Outcome, ProblemLevel


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a report is read and kept; every refusal names the limit it met."""

    expanded_bytes: int = 1_000_000_000
    cases: int = 1_000_000
    message_chars: int = 1_000
    text_chars: int = 16_000  # of a failure's text, head and tail
    name_chars: int = 1_000
    properties: int = 50  # kept per case
    files: int = 10_000  # in one archive
    token_bytes: int = 8_000_000  # one tag with its attributes; text is streamed and needs no such limit
    preamble_bytes: int = 1_000_000  # log lines before the document


class Failure(NamedTuple):
    """What a failed attempt said: exception class, message, text; and the worker it ran on, where the report names one."""

    kind: str
    message: str
    text: str
    worker: str = ""


class Attempt(NamedTuple):
    """One try of a test inside a run."""

    outcome: Outcome
    seconds: float | None
    failure: Failure | None


class Case(NamedTuple):
    """One case element of a report, with the identity of the test it is a result of.

    `may_be_rerun` warns of a further case with the same identity. In pytest's reports it is set on passes,
    which may be failed attempts; elsewhere on names that were masked, which may be two tests. A masked
    pass of pytest is told by its absence. `memo` is where ingest.recall may remember the case, and under
    which hash of its words, and the sign that its number gets.
    """

    fingerprint: bytes
    base: bytes
    suite: str
    classname: str
    name: str
    file: str
    line: int | None
    variant: str
    outcome: Outcome
    seconds: float | None
    attempts: tuple[Attempt, ...]
    failure: Failure | None
    framework: str
    markers: tuple[str, ...]
    properties: tuple[tuple[str, str], ...]
    owner: str
    may_be_rerun: bool
    retry: int = 0  # the number in a name such as "pays (retry #1)"; 0 where the name shows none
    at: int = 0  # the place in the document, from 1; 0 where nobody counted
    memo: tuple[dict[int, int], int, int] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a report, or a part of it, was not taken."""

    level: ProblemLevel
    code: str
    sentence: str
    file: str = ""
    line: int | None = None
    column: int | None = None


class Refused(Exception):
    """The whole file cannot be taken."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence)
        self.problem = problem


def refusal(
    code: str, sentence: str, *, file: str, line: int | None = None, column: int | None = None
) -> Refused:
    """Return the refusal of a whole file."""
    return Refused(Problem(ProblemLevel.ERROR, code, sentence, file, line, column))


def warning(
    code: str, sentence: str, *, file: str, line: int | None = None, column: int | None = None
) -> Problem:
    """Return a problem that cost a part of a file."""
    return Problem(ProblemLevel.WARNING, code, sentence, file, line, column)
