"""The JUnit twin: results told in another format, written as the JUnit XML that ingest.junit reads.

One reader decides what a test is and what its attempts mean, so a result has the same identity whichever format it came in.
Each reader of another format (ingest.formats) yields `Told` values; this module writes them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from projects.vocabulary import Outcome

COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")  # what terminals take for colours and cursor moves
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold
TAGS = {Outcome.FAILED: "failure", Outcome.ERROR: "error"}


class Said(NamedTuple):
    """What a failed attempt said: exception class, message, text."""

    kind: str = ""
    message: str = ""
    text: str = ""


class Told(NamedTuple):
    """One result as another format tells it; `earlier` are its failed attempts, oldest first."""

    name: str
    outcome: Outcome
    classname: str = ""
    suites: tuple[str, ...] = ()  # outermost first
    file: str = ""
    line: int | None = None
    seconds: float | None = None
    said: Said = Said()
    earlier: tuple[Said, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    hostname: str = ""  # of the suite; Playwright's project stands there


def written(
    results: Iterable[Told],
    *,
    root: str = "",
    root_id: str | None = None,
    properties: Iterable[tuple[str, str]] = (),
) -> Iterator[bytes]:
    """Write the results as JUnit XML, piece by piece.

    `root`, `root_id` and the properties of every suite are what ingest.producers knows a tool by.
    """
    id = "" if root_id is None else f" id={_quoted(root_id)}"
    name = _given("name", root) if root_id is None else f" name={_quoted(root)}"
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites{id}{name}>\n'.encode()
    inner = _properties(tuple(properties))
    for (suites, hostname), cases in groupby(results, key=lambda told: (told.suites, told.hostname)):
        names = suites or ("",)
        for suite in names:
            yield f"<testsuite name={_quoted(suite)}{_given('hostname', hostname)}>\n{inner}".encode()
        for told in cases:
            yield _case(told).encode()
        yield b"</testsuite>\n" * len(names)
    yield b"</testsuites>\n"


def _case(told: Told) -> str:
    line = "" if told.line is None else f' line="{told.line}"'
    time = "" if told.seconds is None else f' time="{told.seconds:.6f}"'
    start = (
        f"<testcase classname={_quoted(told.classname)} name={_quoted(told.name)}"
        f"{_given('file', told.file)}{line}{time}"
    )
    inner = _properties(told.properties) + _result(told) + _earlier(told)
    return f"{start}>{inner}</testcase>\n" if inner else f"{start}/>\n"


def _result(told: Told) -> str:
    if told.outcome is Outcome.SKIPPED:
        return f"<skipped{_given('message', told.said.message)}/>"
    tag = TAGS.get(told.outcome)
    return _element(tag, told.said) if tag else ""


def _earlier(told: Told) -> str:
    tag = "rerunFailure" if told.outcome.is_bad else "flakyFailure"
    return "".join(_element(tag, said) for said in told.earlier)


def _element(tag: str, said: Said) -> str:
    attributes = _given("type", said.kind) + _given("message", said.message)
    return f"<{tag}{attributes}>{escape(plain(said.text))}</{tag}>"


def _properties(pairs: tuple[tuple[str, str], ...]) -> str:
    lines = [f"<property name={_quoted(name)} value={_quoted(value)}/>" for name, value in pairs if value]
    return f"<properties>{''.join(lines)}</properties>" if lines else ""


def _given(name: str, value: str) -> str:
    return f" {name}={_quoted(value)}" if value else ""


def _quoted(text: str) -> str:
    return quoteattr(plain(text))


def plain(text: str) -> str:
    """Return the text without colours and without characters that no XML may hold."""
    return FORBIDDEN.sub("", COLOURS.sub("", text))
