"""Reads the events that Launchable's client sends: one a test, or one an attempt of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats import loose
from ingest.twin import Said, Told
from projects.vocabulary import Outcome

OUTCOMES = {"0": Outcome.FAILED, "1": Outcome.PASSED, "2": Outcome.SKIPPED}
SUITES = {"pytest": ("pytest",)}  # what the runner's own JUnit report calls its suite
CLASSES = frozenset({"class", "testsuite", "suite", "package"})


def results(events: object, *, runner: str) -> Iterator[Told]:
    """Yield the results; several events of one test are its attempts, as in a report that names a test twice."""
    for event in loose.mappings(events):
        path = [
            (loose.text(part.get("type")), loose.text(part.get("name")))
            for part in loose.mappings(event.get("testPath"))
        ]
        if path:
            yield _told(event, path, runner=runner)


def _told(event: Mapping[str, Any], path: list[tuple[str, str]], *, runner: str) -> Told:
    outcome = OUTCOMES.get(loose.text(event.get("status")), Outcome.SKIPPED)
    words = loose.text(event.get("stderr")) if outcome is not Outcome.PASSED else ""
    return Told(
        name=path[-1][1],
        outcome=outcome,
        classname=".".join(name for kind, name in path[:-1] if kind in CLASSES),
        suites=SUITES.get(runner, ()),
        file=next((name for kind, name in path if kind == "file"), ""),
        seconds=loose.seconds(event.get("duration")),
        said=Said(message=words.strip().rpartition("\n")[2][:1000], text=words),
    )
