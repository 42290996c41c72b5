"""Reads the JSON results that Buildkite's test collectors send. Pure.

A result is told by scope and name. The collector for pytest names a test by its node id; it is spelt here as pytest's own JUnit
report spells it, so that a team that changes from one to the other keeps its history.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats import loose
from ingest.twin import Said, Told
from projects.vocabulary import Outcome

OUTCOMES = {
    "passed": Outcome.PASSED,
    "failed": Outcome.FAILED,
    "skipped": Outcome.SKIPPED,
    "pending": Outcome.SKIPPED,
}
NO_RESULT = "The collector gave no result."
LINE = re.compile(r":(\d{1,9})\Z")


def results(data: object, *, runner: str = "") -> Iterator[Told]:
    """Yield the results of a collector's `data`; an unknown result counts as skipped, never as a failure."""
    for one in loose.mappings(data):
        yield _told(one, is_pytest=runner == "pytest")


def _told(one: Mapping[str, Any], *, is_pytest: bool) -> Told:
    outcome = OUTCOMES.get(loose.text(one.get("result")))
    scope, location = loose.text(one.get("scope")), loose.text(one.get("location"))
    line = LINE.search(location)
    return Told(
        name=loose.text(one.get("name")),
        outcome=outcome or Outcome.SKIPPED,
        classname=pytest_class(scope) if is_pytest else scope,
        suites=("pytest",) if is_pytest else (),
        file=loose.text(one.get("file_name")) or LINE.sub("", location),
        line=int(line[1]) if line else None,
        seconds=loose.seconds(loose.entry(one.get("history"), "duration")),
        said=_said(one) if outcome else Said(message=NO_RESULT),
        properties=tuple(loose.words(one.get("tags")).items()),
    )


def pytest_class(scope: str) -> str:
    """Return a node id without its last part as pytest's JUnit report has it: `tests/test_a.py::TestB` is `tests.test_a.TestB`."""
    file, *classes = scope.split("::")
    return ".".join([file.removesuffix(".py").replace("/", "."), *classes])


def _said(one: Mapping[str, Any]) -> Said:
    reason = loose.text(one.get("failure_reason"))
    expanded = [
        line
        for part in loose.mappings(one.get("failure_expanded"))
        for line in loose.texts(part.get("expanded")) or loose.texts(part.get("backtrace"))
    ]
    return Said(message=reason, text="\n".join(expanded))
