"""Reads `go test -json`: a line an event. Pure.

Package and name are spelt as gotestsum's JUnit report spells them. A package that fails without a failing test (a broken
build, a TestMain that exits) is a test itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.formats import loose
from ingest.twin import Said, Told
from projects.vocabulary import Outcome

OUTCOMES = {"pass": Outcome.PASSED, "fail": Outcome.FAILED, "skip": Outcome.SKIPPED}
KEPT_CHARS = 64_000  # of a test's output; the reader of reports cuts further
FRAMES = (
    "=== RUN",
    "=== PAUSE",
    "=== CONT",
    "=== NAME",
    "--- FAIL",
    "--- PASS",
    "--- SKIP",
    "FAIL\t",
    "ok  \t",
)
PROPERTIES = (("go.version", "go"),)  # by which a report is known to be Go's
WHOLE = "TestMain"


@dataclass(slots=True)
class Output:
    """What a test printed, as far as it is kept, without the frames that the tool puts around it."""

    pieces: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, text: str) -> None:
        """Take a further piece."""
        if self.size < KEPT_CHARS and not text.lstrip().startswith(FRAMES):
            self.pieces.append(text[:KEPT_CHARS])
            self.size += len(text)


def is_event(line: bytes) -> bool:
    """True for a line that `go test -json` wrote."""
    found = _event(line)
    return bool(found) and "Action" in found and ("Package" in found or "ImportPath" in found)


def results(lines: Iterable[bytes]) -> Iterator[Told]:
    """Yield the results as their tests end; lines that are no events are passed over."""
    output: dict[tuple[str, str], Output] = {}
    failing: set[str] = set()
    for line in lines:
        event = _event(line)
        package, name = loose.text(event.get("Package")), loose.text(event.get("Test"))
        action = loose.text(event.get("Action"))
        if action == "output":
            output.setdefault((package, name), Output()).add(loose.text(event.get("Output")))
        elif outcome := OUTCOMES.get(action):
            text = "".join(output.pop((package, name), Output()).pieces)
            if name:
                failing |= {package} if outcome is Outcome.FAILED else set()
                yield _told(package, name, outcome, event, text)
            elif outcome is Outcome.FAILED and package not in failing:
                yield _told(package, WHOLE, outcome, event, text)


def _event(line: bytes) -> Mapping[str, Any]:
    if not line.startswith(b"{"):
        return {}
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _told(package: str, name: str, outcome: Outcome, event: Mapping[str, Any], text: str) -> Told:
    words = text if outcome is not Outcome.PASSED else ""
    return Told(
        name=name,
        outcome=outcome,
        classname=package,
        suites=(package,),
        seconds=loose.seconds(event.get("Elapsed")),
        said=Said(message="Failed" if outcome is Outcome.FAILED else words.strip()[:1000], text=words),
    )
