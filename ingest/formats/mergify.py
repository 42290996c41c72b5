"""Reads the traces that Mergify's clients send: a span a test, inside of a span a suite. Pure.

The plugin for pytest has no suites and calls a span by the test's node id, which is spelt here as pytest's own report spells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ingest.formats.buildkite import pytest_class
from ingest.formats.otlp import Span, Value
from ingest.twin import Said, Told
from projects.vocabulary import Outcome

OUTCOMES = {"passed": Outcome.PASSED, "failed": Outcome.FAILED, "skipped": Outcome.SKIPPED}
NANOSECONDS = 1e9


def results(spans: Sequence[Span]) -> Iterator[Told]:
    """Yield the results, those of one suite together."""
    suites = {span.id: span for span in spans if span.attributes.get("test.scope") == "suite"}
    cases = [span for span in spans if span.attributes.get("test.scope") == "case"]
    for span in sorted(cases, key=lambda case: case.parent):
        parent = suites.get(span.parent)
        yield _told(span, suites=(parent.name,) if parent else ())


def _told(span: Span, *, suites: tuple[str, ...]) -> Told:
    said = span.attributes
    classname = _word(said, "code.namespace")
    if not suites and "::" in span.name:
        suites, classname = ("pytest",), pytest_class(span.name.split("[")[0].rpartition("::")[0])
    outcome = OUTCOMES.get(_word(said, "test.case.result.status"), Outcome.SKIPPED)
    line = said.get("code.lineno", said.get("code.line.number"))
    return Told(
        name=_word(said, "code.function") or _word(said, "code.function.name") or span.name,
        outcome=outcome,
        classname=classname,
        suites=suites,
        file=_word(said, "code.filepath") or _word(said, "code.file.path"),
        line=line if isinstance(line, int) and 0 <= line < 1 << 31 else None,
        seconds=max(0, span.end_ns - span.start_ns) / NANOSECONDS,
        said=Said(
            _word(said, "exception.type"),
            _word(said, "exception.message"),
            _word(said, "exception.stacktrace"),
        ),
    )


def _word(attributes: Mapping[str, Value], name: str) -> str:
    return str(attributes.get(name, ""))
