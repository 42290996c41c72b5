"""Reads Playwright's JSON report. Pure.

Files, titles and projects are spelt as Playwright's JUnit report spells them. Earlier attempts come along, which that report leaves
out unless told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.formats import loose
from ingest.twin import Said, Told, plain
from projects.vocabulary import Outcome

MILLISECONDS = 1000.0
DEEPEST = 50  # suites in suites; what nests deeper was not written by a person
EXPECTATION = re.compile(r"expect\([^)]*\)\.(?:not\.)?(\w+)\(")
OUTCOMES = {"expected": Outcome.PASSED, "flaky": Outcome.PASSED, "skipped": Outcome.SKIPPED}
FAILED = frozenset({"failed", "timedOut", "interrupted"})


def is_report(document: object) -> bool:
    """True for what Playwright's JSON reporter wrote."""
    return isinstance(document, Mapping) and isinstance(document.get("suites"), list) and "config" in document


def results(document: Mapping[str, Any]) -> Iterator[Told]:
    """Yield the results, project by project, then what broke outside of any test."""
    told = [
        one
        for suite in loose.mappings(document.get("suites"))
        for one in _suite(suite, (), file=loose.text(suite.get("file")) or loose.text(suite.get("title")))
    ]
    yield from sorted(told, key=lambda one: (one.hostname, one.suites))
    for error in loose.mappings(document.get("errors")):
        yield Told(name="(errors)", outcome=Outcome.ERROR, said=_words(error))


def _suite(suite: Mapping[str, Any], titles: tuple[str, ...], *, file: str) -> Iterator[Told]:
    for spec in loose.mappings(suite.get("specs")):
        name = " › ".join([*titles, loose.text(spec.get("title"))])
        for test in loose.mappings(spec.get("tests")):
            yield _told(spec, test, name=name, file=file)
    if len(titles) > DEEPEST:
        return
    for inner in loose.mappings(suite.get("suites")):
        yield from _suite(inner, (*titles, loose.text(inner.get("title"))), file=file)


def _told(spec: Mapping[str, Any], test: Mapping[str, Any], *, name: str, file: str) -> Told:
    tries = list(loose.mappings(test.get("results")))
    outcome = OUTCOMES.get(loose.text(test.get("status")), Outcome.FAILED)
    times = [
        t for one in tries if (t := loose.seconds(one.get("duration"), per_second=MILLISECONDS)) is not None
    ]
    return Told(
        name=name,
        outcome=outcome,
        classname=file,
        suites=(file,),
        hostname=loose.text(test.get("projectName")),
        line=loose.number(spec.get("line")),
        seconds=sum(times) if times else None,
        said=_said(tries[-1:]) if outcome is Outcome.FAILED else Said(),
        earlier=_earlier(tries[:-1], expected=loose.text(test.get("expectedStatus"))),
        properties=tuple(("tag", tag) for tag in loose.texts(spec.get("tags"))),
    )


def _earlier(tries: Sequence[Mapping[str, Any]], *, expected: str) -> tuple[Said, ...]:
    return tuple(
        _said([one])
        for one in tries
        if (status := loose.text(one.get("status"))) in FAILED and status != expected
    )


def _said(tries: Sequence[Mapping[str, Any]]) -> Said:
    for one in tries:
        errors = [one.get("error"), *loose.mappings(one.get("errors"))]
        return next((_words(error) for error in errors if isinstance(error, Mapping)), Said())
    return Said()


def _words(error: Mapping[str, Any]) -> Said:
    message, stack = plain(loose.text(error.get("message"))), plain(loose.text(error.get("stack")))
    first = message.strip().partition("\n")[0]
    kind, colon, rest = first.partition(": ")
    says, kind = (rest, kind) if colon and kind.endswith("Error") else (first, "")
    if expectation := EXPECTATION.match(says):
        kind = f"expect.{expectation[1]}"
    return Said(kind, says, stack or message)
