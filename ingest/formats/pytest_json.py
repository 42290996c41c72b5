"""Reads the report of pytest-json-report. Pure.

Node ids are spelt as pytest's JUnit report spells them, so that a test keeps its history whichever of the two is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats import loose
from ingest.twin import Said, Told
from projects.vocabulary import Outcome

OUTCOMES = {
    "passed": Outcome.PASSED,
    "xpassed": Outcome.PASSED,
    "failed": Outcome.FAILED,
    "error": Outcome.ERROR,
    "skipped": Outcome.SKIPPED,
    "xfailed": Outcome.SKIPPED,
}
STAGES = ("setup", "call", "teardown")
ROOT = "pytest tests"


def is_report(document: object) -> bool:
    """True for what pytest-json-report wrote."""
    return isinstance(document, Mapping) and {"exitcode", "summary", "root"} <= document.keys()


def results(document: Mapping[str, Any]) -> Iterator[Told]:
    """Yield the results, then what could not be collected."""
    for test in loose.mappings(document.get("tests")):
        yield _told(test)
    for collector in loose.mappings(document.get("collectors")):
        if collector.get("outcome") == "failed":
            said = Said(message="collection failure", text=loose.text(collector.get("longrepr")))
            yield _named(loose.text(collector.get("nodeid")), Outcome.ERROR, said=said)


def _told(test: Mapping[str, Any]) -> Told:
    outcome = OUTCOMES.get(loose.text(test.get("outcome")), Outcome.SKIPPED)
    stages = [stage for name in STAGES if isinstance(stage := test.get(name), Mapping)]
    times = [time for stage in stages if (time := loose.seconds(stage.get("duration"))) is not None]
    line = loose.number(test.get("lineno"))
    told = _named(loose.text(test.get("nodeid")), outcome, said=_said(stages))
    return told._replace(seconds=sum(times) if times else None, line=line)


def _said(stages: list[Mapping[str, Any]]) -> Said:
    bad = next((stage for stage in stages if stage.get("outcome") in ("failed", "skipped")), {})
    text = loose.text(bad.get("longrepr"))
    message = loose.text(loose.entry(bad.get("crash"), "message")) or text.strip().rpartition("\n")[2]
    return Said(message=message, text=text)


def _named(nodeid: str, outcome: Outcome, *, said: Said) -> Told:
    path, bracket, parameters = nodeid.partition("[")
    file, *names = path.split("::")
    names = [file.removesuffix(".py").replace("/", "."), *names]
    return Told(
        name=names[-1] + bracket + parameters,
        outcome=outcome,
        classname=".".join(names[:-1]),
        suites=("pytest",),
        said=said,
    )
