"""Test cases that have children: junitparser reads the element, this module says what it means.

Knows results, attempts and properties; ingest.junit builds the elements and names the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from junitparser import Error, Skipped
from junitparser import Failure as FailureElement
from junitparser.junitparser import FinalResult
from junitparser.xunit2 import FlakyError, InterimResult, RerunError, TestCase

from ingest import producers, times
from ingest.cases import Attempt, Failure, Limits
from projects.vocabulary import Outcome

WORDS = {
    Outcome.FAILED: "fail failed failure failing broken-assertion nok ko",
    Outcome.ERROR: "error errored broken crash crashed aborted timeout timedout notrunnable",
    Outcome.SKIPPED: (
        "skip skipped notrun not_run disabled ignored ignore suppressed pending inconclusive notexecuted "
        "untested todo deselected blocked undefined"
    ),
}
OUTCOME_WORDS = {word: outcome for outcome, words in WORDS.items() for word in words.split()}
SKIPPING_TAGS = frozenset({"skip", "ignored", "disabled", "pending"})  # beside the usual <skipped>
INNER_TEXTS = ("stackTrace", "stacktrace", "message")


class Reading(NamedTuple):
    """What the children of a case element say."""

    outcome: Outcome
    failure: Failure | None
    attempts: tuple[Attempt, ...]
    properties: tuple[tuple[str, str], ...]


SKIPPED = Reading(Outcome.SKIPPED, None, (), ())  # and nothing else to say


def outcome_of(attributes: Mapping[str, str]) -> Outcome:
    """Return the outcome that attributes alone give: the worst of them, and passed without a known word."""
    found = {
        OUTCOME_WORDS.get((attributes.get(key) or "").strip().lower(), Outcome.PASSED)
        for key in ("status", "result")
    }
    if (
        attributes.get("skipped", "").lower() in ("true", "1")
        or attributes.get("disabled", "").lower() == "true"
    ):
        found.add(Outcome.SKIPPED)
    worst_first = (Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED)
    return next((outcome for outcome in worst_first if outcome in found), Outcome.PASSED)


def shortened(text: str, limit: int) -> str:
    """Return a text of at most about `limit` characters: its head and its tail."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters cut ...]\n{text[-half:]}"


class Text:
    """A text of any length, kept as its head and its tail."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[str] = []
        self._size = 0
        self._head = ""
        self._n_cut = 0

    def add(self, piece: str) -> None:
        """Take a further piece."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > 4 * self._limit:
            self._shrink()

    def _shrink(self) -> None:
        joined = "".join(self._pieces)
        if not self._head:
            self._head, joined = joined[: self._limit], joined[self._limit :]
        self._n_cut += max(0, len(joined) - self._limit)
        self._pieces = [joined[-self._limit :]]
        self._size = len(self._pieces[0])

    def value(self) -> str:
        """Return the text, with a note where a part of it is missing."""
        tail = "".join(self._pieces)
        if not self._n_cut:
            return shortened(self._head + tail, self._limit)
        half = self._limit // 2
        n_cut = self._n_cut + len(self._head) - half + len(tail) - half
        return f"{self._head[:half]}\n[... {n_cut:,} characters cut ...]\n{tail[-half:]}"


def interpreted(element: Any, *, limits: Limits) -> Reading:
    """Read a case element: the worst of its results counts, earlier attempts come oldest first."""
    if len(element) == 1 and element[0].tag == "skipped":  # nine of ten cases with children
        return SKIPPED
    case = TestCase.fromelem(element)  # type: ignore[no-untyped-call]
    entries = list(case)  # once: each property of junitparser's would walk the element anew
    results = [entry for entry in entries if isinstance(entry, FinalResult)]
    interim = [entry for entry in entries if isinstance(entry, InterimResult)]
    outcome = _worst(results, element)
    failure = None
    if outcome.is_bad:
        kind = FailureElement if outcome is Outcome.FAILED else Error
        failure = _failure([entry for entry in results if isinstance(entry, kind)], limits=limits)
    return Reading(
        outcome=outcome,
        failure=failure,
        attempts=tuple(_attempt(entry, limits=limits) for entry in interim),
        properties=_properties(element, limits=limits),
    )


def _worst(results: list[Any], element: Any) -> Outcome:
    if any(isinstance(entry, FailureElement) for entry in results):
        return Outcome.FAILED
    if any(isinstance(entry, Error) for entry in results):
        return Outcome.ERROR
    if any(isinstance(entry, Skipped) for entry in results) or any(
        child.tag in SKIPPING_TAGS for child in element
    ):
        return Outcome.SKIPPED
    return outcome_of(element.attrib)


def _failure(entries: list[Any], *, limits: Limits) -> Failure | None:
    """Join several results of one kind; the first gives class and message."""
    if not entries:
        return None
    texts = [text for entry in entries if (text := _text(entry))]
    message = entries[0].message or _inner(entries[0], "message")
    return Failure(
        kind=(entries[0].type or "")[: limits.message_chars],
        message=message[: limits.message_chars],
        text=shortened("\n\n".join(texts), limits.text_chars),
    )


def _attempt(entry: InterimResult, *, limits: Limits) -> Attempt:
    is_error = isinstance(entry, (RerunError, FlakyError))
    seconds = times.seconds(entry._elem.get("time"))
    return Attempt(Outcome.ERROR if is_error else Outcome.FAILED, seconds, _failure([entry], limits=limits))


def _text(entry: Any) -> str:
    own = (entry.text or "").strip("\n")
    return own if own.strip() else _inner(entry, *INNER_TEXTS)


def _inner(entry: Any, *tags: str) -> str:
    for tag in tags:
        if text := entry._elem.findtext(tag):
            return str(text)
    return ""


def _properties(element: Any, *, limits: Limits) -> tuple[tuple[str, str], ...]:
    found = []
    for entry in element.iterfind("properties/property"):
        name = (entry.get("name") or "")[: limits.name_chars]
        value = entry.get("value") if entry.get("value") is not None else (entry.text or "")
        found.append((name, producers.hidden(name, value[: limits.message_chars])))
    return tuple(found[: limits.properties])
