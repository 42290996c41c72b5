"""Reads the JSON results that Buildkite's test collectors send. Pure.

A result is told by scope and name. Those of pytest and RSpec are spelt here as the JUnit reports of these runners spell them, so
that a team that changes from one to the other keeps its history.
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
        yield _told(one, runner=runner)


def _told(one: Mapping[str, Any], *, runner: str) -> Told:
    outcome = OUTCOMES.get(loose.text(one.get("result")))
    location = loose.text(one.get("location"))
    file = loose.text(one.get("file_name")) or LINE.sub("", location)
    line = LINE.search(location)
    suites, classname, name = _words(one, runner=runner, file=file)
    return Told(
        name=name,
        outcome=outcome or Outcome.SKIPPED,
        classname=classname,
        suites=suites,
        file=file,
        line=int(line[1]) if line else None,
        seconds=loose.seconds(loose.entry(one.get("history"), "duration")),
        said=_said(one) if outcome else Said(message=NO_RESULT),
        properties=tuple(loose.words(one.get("tags")).items()),
    )


def _words(one: Mapping[str, Any], *, runner: str, file: str) -> tuple[tuple[str, ...], str, str]:
    """Return suites, class and name of a result in the words of its runner's report."""
    scope, name = loose.text(one.get("scope")), loose.text(one.get("name"))
    if runner == "pytest":
        return ("pytest",), pytest_class(scope), name
    if runner == "rspec":
        return ("rspec",), rspec_class(file), f"{scope} {name}".strip()
    return (), scope, name


def rspec_class(file: str) -> str:
    """Return a file as RSpec's JUnit formatter has it for a class: `./spec/models/cart_spec.rb` is `spec.models.cart_spec`."""
    return re.sub(r"\.[^/]*\Z", "", file.removeprefix("./")).replace("/", ".").strip(".")


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
