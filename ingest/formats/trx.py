"""Reads TRX, the report of Visual Studio and `dotnet test --logger trx`. Pure.

Assembly, class and method are spelt as the JUnit logger for .NET spells them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from lxml import etree

from ingest.twin import Said, Told
from projects.vocabulary import Outcome

START = re.compile(rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<TestRun[\s>]", re.DOTALL)
DURATION = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)\Z")
OUTCOMES = {
    **dict.fromkeys(("Passed", "Warning", "Completed", "PassedButRunAborted"), Outcome.PASSED),
    "Failed": Outcome.FAILED,
    **dict.fromkeys(("Error", "Timeout", "Aborted", "Disconnected"), Outcome.ERROR),
}


class Method(NamedTuple):
    """Where a test is defined."""

    assembly: str
    classname: str


class Undecodable(Exception):
    """The file is no well-formed XML."""

    def __init__(self, sentence: str, line: int | None) -> None:
        super().__init__(sentence)
        self.line = line


def is_start(head: bytes) -> bool:
    """True for the beginning of a TRX file."""
    return START.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def results(stream: BinaryIO, *, encoding: str | None = None) -> Iterator[Told]:
    """Yield the results; where each is defined stands after them, so the whole file is read first.

    The encoding overrules what the file says of itself: one that was recoded on its way still names the old one.
    """
    methods: dict[str, Method] = {}
    found: list[tuple[str, Told]] = []
    try:
        for _, element in etree.iterparse(
            stream,
            events=("end",),
            encoding=encoding,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        ):
            tag = _tag(element)
            if tag == "UnitTestResult":
                found.append((element.get("testId", ""), _told(element)))
                element.clear()
            elif tag == "UnitTest":
                methods[element.get("id", "")] = _method(element)
                element.clear()
    except etree.XMLSyntaxError as error:
        raise Undecodable(error.msg or "not well-formed", error.lineno) from None
    for test_id, told in found:
        yield _placed(told, methods.get(test_id))


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _told(element: Any) -> Told:
    outcome = OUTCOMES.get(element.get("outcome", ""), Outcome.SKIPPED)
    message, stack = (_text(element, name) for name in ("Message", "StackTrace"))
    words = "\n".join(filter(None, (message, stack)))
    return Told(
        name=element.get("testName", ""),
        outcome=outcome,
        seconds=seconds(element.get("duration", "")),
        said=Said(message=message, text=words if outcome.is_bad else ""),
    )


def _text(element: Any, name: str) -> str:
    return element.findtext(f"{{*}}Output/{{*}}ErrorInfo/{{*}}{name}") or ""


def _method(element: Any) -> Method:
    method = element.find("{*}TestMethod")
    code = "" if method is None else method.get("codeBase", "")
    assembly = (code or element.get("storage", "")).replace("\\", "/").rpartition("/")[2]
    classname = "" if method is None else method.get("className", "").partition(",")[0]
    return Method(assembly, classname)


def _placed(told: Told, method: Method | None) -> Told:
    if method is None:
        return told
    name = told.name.removeprefix(f"{method.classname}.")
    return told._replace(name=name, classname=method.classname, suites=(method.assembly,))


def seconds(duration: str) -> float | None:
    """Return a duration such as `00:00:01.2345678`, perhaps with days before it."""
    found = DURATION.match(duration)
    if found is None:
        return None
    days, hours, minutes, rest = found.groups()
    return int(days or 0) * 86_400 + int(hours) * 3_600 + int(minutes) * 60 + float(rest)
