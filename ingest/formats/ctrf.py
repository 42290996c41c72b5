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
    """Yield the results."""
    for test in loose.mappings(loose.entry(document.get("results"), "tests")):
        yield _told(test)


def _told(test: Mapping[str, Any]) -> Told:
    outcome = OUTCOMES.get(loose.text(test.get("status")), Outcome.SKIPPED)
    suite = test.get("suite")
    suites = loose.texts(suite) or loose.text(suite).split(" > ")
    name = loose.text(test.get("name"))
    return Told(
        name=name.removeprefix(f"{suites[-1]}: "),  # how the converter from JUnit joins the two
        outcome=outcome,
        classname=loose.text(loose.entry(test.get("extra"), "classname")),
        suites=tuple(name for name in suites if name),
        file=loose.text(test.get("filePath")) or loose.text(test.get("filepath")),
        line=loose.number(test.get("line")),
        seconds=loose.seconds(test.get("duration"), per_second=MILLISECONDS),
        said=_said(test),
        earlier=_earlier(test, outcome),
        properties=(
            *(("tag", tag) for tag in loose.texts(test.get("tags"))),
            ("browser", loose.text(test.get("browser"))),
        ),
    )


def _said(test: Mapping[str, Any]) -> Said:
    return Said(message=loose.text(test.get("message")), text=loose.text(test.get("trace")))


def _earlier(test: Mapping[str, Any], outcome: Outcome) -> tuple[Said, ...]:
    """Return the failed attempts; where only their number is told, that many that said nothing."""
    attempts = [one for one in loose.mappings(test.get("retryAttempts")) if one.get("status") == "failed"]
    if attempts:
        return tuple(_said(one) for one in attempts)
    n_retries = loose.number(test.get("retries")) or 0
    is_flaky = test.get("flaky") is True and outcome is Outcome.PASSED
    return (Said(),) * min(max(n_retries, 1), 10) if is_flaky else ()
