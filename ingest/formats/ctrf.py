"""Reads the Common Test Report Format, CTRF. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats import loose
from ingest.twin import Said, Told
from projects.vocabulary import Outcome

MILLISECONDS = 1000.0
OUTCOMES = {"passed": Outcome.PASSED, "failed": Outcome.FAILED}  # skipped, pending and other did not run
TOOLS = {"pytest": "pytest tests", "jest": "jest tests", "vitest": "vitest tests", "mocha": "Mocha Tests"}


def is_report(document: object) -> bool:
    """True for a CTRF report: it says so, or has the parts of one."""
    found = loose.entry(document, "results")
    return loose.entry(document, "reportFormat") == "CTRF" or (
        isinstance(found, Mapping) and "tool" in found and isinstance(found.get("tests"), list)
    )


def root(document: object) -> str:
    """Return how the JUnit report of the same tool is called."""
    tool = loose.entry(loose.entry(document, "results"), "tool")
    return TOOLS.get(loose.text(loose.entry(tool, "name")).lower(), "")


def results(document: Mapping[str, Any]) -> Iterator[Told]:
    """Yield the results; those of Jest as its JUnit report spells them, with the recommended class and title."""
    is_jest = root(document) == TOOLS["jest"]
    first: dict[
        str, str
    ] = {}  # the outermost describe of each file's first test, which jest-junit calls the suite
    for test in loose.mappings(loose.entry(document.get("results"), "tests")):
        told = _told(test)
        if is_jest and told.suites:
            suite = first.setdefault(told.file, told.suites[0])
            told = told._replace(classname=" ".join(told.suites), suites=(suite,))
        yield told


def _told(test: Mapping[str, Any]) -> Told:
    outcome = OUTCOMES.get(loose.text(test.get("status")), Outcome.SKIPPED)
    file = loose.text(test.get("filePath")) or loose.text(test.get("filepath"))
    suites = _suites(test.get("suite"), file=file)
    return Told(
        name=_name(loose.text(test.get("name")), suites),
        outcome=outcome,
        classname=loose.text(loose.entry(test.get("extra"), "classname")),
        suites=suites,
        file=file,
        line=loose.number(test.get("line")),
        seconds=loose.seconds(test.get("duration"), per_second=MILLISECONDS),
        said=_said(test),
        earlier=_earlier(test, outcome),
        properties=(
            *(("tag", tag) for tag in loose.texts(test.get("tags"))),
            ("browser", loose.text(test.get("browser"))),
        ),
    )


def _suites(suite: object, *, file: str) -> tuple[str, ...]:
    """Return the suites without the file, which some reporters put before them."""
    names = [name for name in loose.texts(suite) or loose.text(suite).split(" > ") if name]
    return tuple(names[1:] if names and file.endswith(names[0]) else names)


def _name(name: str, suites: tuple[str, ...]) -> str:
    """Return a name without its suites: Jest's reporter and the converter from JUnit put them before it."""
    starts = (f"{' '.join(suites)} ", f"{suites[-1]}: ") if suites else ()
    return next((name.removeprefix(start) for start in starts if name.startswith(start)), name)


def _said(test: Mapping[str, Any]) -> Said:
    message, trace = loose.text(test.get("message")), loose.text(test.get("trace"))
    return Said(message=message, text=trace if message in trace else f"{message}\n{trace}")


def _earlier(test: Mapping[str, Any], outcome: Outcome) -> tuple[Said, ...]:
    """Return the failed attempts; where only their number is told, that many that said nothing."""
    attempts = [one for one in loose.mappings(test.get("retryAttempts")) if one.get("status") == "failed"]
    if attempts:
        return tuple(_said(one) for one in attempts)
    n_retries = loose.number(test.get("retries")) or 0
    is_flaky = test.get("flaky") is True and outcome is Outcome.PASSED
    return (Said(),) * min(max(n_retries, 1), 10) if is_flaky else ()
