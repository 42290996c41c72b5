"""Reports in other formats are read to the same results as their JUnit twin of the same run."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import junit, readers
from ingest.cases import Case, Limits, Refused
from ingest.formats import buildkite, launchable, mergify, otlp
from ingest.twin import Said, Told, written
from projects.vocabulary import Outcome

REPORTS = Path(__file__).resolve().parent.parent / "data" / "formats"


def cases(content: bytes, *, limits: Limits | None = None) -> list[Case]:
    """Read a report of any format."""
    return list(readers.read(io.BytesIO(content), file_name="report", limits=limits).cases())


def of_file(name: str) -> dict[bytes, Case]:
    """Read a report and return its cases by the identity of their tests."""
    found = cases((REPORTS / name).read_bytes())
    by_identity = {case.fingerprint: case for case in found}
    assert len(by_identity) == len(found)
    return by_identity


NAMES = (
    *(
        "name",
        "status",
        "duration",
        "suite",
        "suites",
        "specs",
        "tests",
        "results",
        "retries",
        "flaky",
        "title",
    ),
    *(
        "outcome",
        "nodeid",
        "call",
        "crash",
        "message",
        "longrepr",
        "retryAttempts",
        "error",
        "errors",
        "tags",
    ),
    *("scope", "result", "history", "failure_expanded", "testPath", "type", "stderr", "location", "line"),
)
TWINS = [
    ("pytest.json", "pytest.xml"),
    ("playwright.json", "playwright.xml"),
    ("go.json", "go.xml"),
    ("dotnet.trx", "dotnet.xml"),
    ("node.tap", "node.xml"),
    ("jest.json", "jest.xml"),
]


@pytest.mark.parametrize(("name", "twin"), TWINS)
def test_a_report_and_its_twin_hold_the_same_tests(name: str, twin: str) -> None:
    mine, theirs = of_file(name), of_file(twin)

    assert {(case.classname, case.name) for case in mine.values()} == {
        (case.classname, case.name) for case in theirs.values()
    }
    assert mine.keys() == theirs.keys()


@pytest.mark.parametrize(("name", "twin"), TWINS)
def test_a_report_and_its_twin_hold_the_same_outcomes(name: str, twin: str) -> None:
    mine, theirs = of_file(name), of_file(twin)

    # node:test writes a to-do both as skipped and as failed into its JUnit report; TAP has one word for it.
    assert {(case.name, case.outcome) for key, case in mine.items() if theirs[key].name != "later"} == {
        (case.name, case.outcome) for case in theirs.values() if case.name != "later"
    }


@pytest.mark.parametrize(("name", "twin"), TWINS)
def test_a_report_and_its_twin_took_the_same_time(name: str, twin: str) -> None:
    mine, theirs = of_file(name), of_file(twin)

    for key, case in theirs.items():
        assert (mine[key].seconds or 0.0) == pytest.approx(case.seconds or 0.0, abs=0.0015), case.name


@pytest.mark.parametrize(("name", "twin"), [TWINS[1], TWINS[2], TWINS[3]])
def test_a_failure_says_the_same_as_in_the_twin(name: str, twin: str) -> None:
    mine, theirs = of_file(name), of_file(twin)

    for key, case in theirs.items():
        if case.failure:
            found = mine[key].failure
            assert found
            assert found.message == case.failure.message


def test_a_tools_own_rules_hold_for_its_other_format() -> None:
    frameworks = {name: {case.framework for case in of_file(name).values()} for name, _ in TWINS}

    assert frameworks["pytest.json"] == {"pytest"}
    assert frameworks["playwright.json"] == {"playwright"}
    assert frameworks["go.json"] == {"go"}


def test_a_retry_of_playwright_is_an_attempt() -> None:
    flaky = [case for case in of_file("playwright.json").values() if case.name == "cart › pays @smoke"]

    assert [(case.outcome, len(case.attempts)) for case in flaky] == [(Outcome.PASSED, 1)] * 2
    assert {case.variant for case in flaky} == {"chromium", "firefox"}
    assert flaky[0].attempts[0].failure
    assert flaky[0].attempts[0].failure.kind == "expect.toBe"


def test_what_was_converted_to_ctrf_has_the_outcomes_of_its_source() -> None:
    converted, source = cases((REPORTS / "ctrf.json").read_bytes()), of_file("pytest.xml").values()

    bad = {Outcome.ERROR: Outcome.FAILED}  # CTRF has one word for both
    assert sorted((case.name, case.outcome) for case in converted) == sorted(
        (case.name, bad.get(case.outcome, case.outcome)) for case in source
    )


def test_a_flaky_test_of_ctrf_has_its_attempts() -> None:
    tests = [
        {"name": "a", "status": "passed", "flaky": True, "retries": 2},
        {
            "name": "b",
            "status": "failed",
            "retryAttempts": [{"attempt": 1, "status": "failed", "message": "m"}],
        },
    ]
    report = {"results": {"tool": {"name": "x"}, "tests": tests}}

    first, second = cases(json.dumps(report).encode())

    assert (len(first.attempts), first.outcome) == (2, Outcome.PASSED)
    assert [attempt.failure.message for attempt in second.attempts if attempt.failure] == ["m"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1..1\nok 1 - adds # time=12ms\n", ("adds", Outcome.PASSED, 0.012)),
        ("TAP version 13\nnot ok 1 - pays\n", ("pays", Outcome.FAILED, None)),
        ("1..1\nok 1 ships # SKIP later\n", ("ships", Outcome.SKIPPED, None)),
        ("1..1\nnot ok 1 refunds # TODO one day\n", ("refunds", Outcome.SKIPPED, None)),
        ("1..1\nok 1 adds two in 34ms\n", ("adds two", Outcome.PASSED, 0.034)),
        ("ok\n", ("test", Outcome.PASSED, None)),
        ("1..2\nBail out! no database\n", ("Bail out!", Outcome.ERROR, None)),
        ("ok 1 - takes issue #12\n", ("takes issue #12", Outcome.PASSED, None)),
    ],
)
def test_a_line_of_tap_is_a_result(text: str, expected: tuple[str, Outcome, float | None]) -> None:
    (case,) = cases(text.encode())

    assert (case.name, case.outcome, case.seconds) == expected


def test_a_failure_in_tap_says_why() -> None:
    failures = [case.failure for case in of_file("node.tap").values() if case.outcome is Outcome.FAILED]

    assert failures[0]
    assert failures[0].message == "Expected values to be strictly equal:\n1 !== 2"


@pytest.mark.parametrize(
    "content",
    [b'{"name": "package"}', b"{", b"[1, 2]", b'{"results": 1}', b"okay then", b"<html/>", b""],
)
def test_what_is_no_report_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        cases(content)


def test_log_lines_in_json_may_precede_a_report() -> None:
    content = b'{"level": "info"}\n<testsuite name="s"><testcase name="a"/></testsuite>'

    assert [case.name for case in cases(content)] == ["a"]


def test_a_json_report_has_a_limit() -> None:
    content = (REPORTS / "pytest.json").read_bytes()

    with pytest.raises(Refused) as refused:
        cases(content, limits=Limits(expanded_bytes=100))

    assert refused.value.problem.code == "too-large"


def test_a_broken_trx_tells_the_line() -> None:
    content = (REPORTS / "dotnet.trx").read_bytes()[:900]

    with pytest.raises(Refused) as refused:
        cases(content)

    assert refused.value.problem.code == "malformed"
    assert refused.value.problem.line


def test_a_trx_expands_no_entities() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE TestRun [<!ENTITY a "aaaa">]><TestRun>&a;</TestRun>'

    with pytest.raises(Refused):
        cases(bomb)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=30,
)


@given(document=JSON)
def test_no_document_is_more_than_a_reader_can_take(document: object) -> None:
    whole = {"results": {"tool": {}, "tests": document}, "reportFormat": "CTRF"}
    suites = {"config": {}, "suites": document}
    told = {"exitcode": 0, "summary": {}, "root": "", "tests": document, "collectors": document}

    for one in (whole, suites, told, {"Action": "fail", "Package": document, "Test": document}):
        with contextlib.suppress(Refused):
            cases(json.dumps(one).encode())


@given(text=st.text(alphabet="ok not1-# \\\n.SKIPTODO:", max_size=200))
def test_no_line_is_more_than_the_reader_of_tap_can_take(text: str) -> None:
    with contextlib.suppress(Refused):
        cases(f"TAP version 13\n{text}".encode())


@given(document=JSON)
def test_no_message_is_more_than_the_readers_of_clients_can_take(document: object) -> None:
    told = [*buildkite.results(document, runner="pytest"), *launchable.results(document, runner="x")]

    list(junit.read(written(told), file_name="r").cases())


@given(message=st.binary(max_size=200))
def test_no_bytes_are_more_than_the_reader_of_traces_can_take(message: bytes) -> None:
    with contextlib.suppress(otlp.Undecodable):
        for trace in otlp.traces(message):
            list(mergify.results(trace.spans))


def test_a_twin_holds_whatever_was_said() -> None:
    odd = "a\x00b\x1b[31mred\x1b[0m <&>\"' \ud800 ]]> \U0001f389"
    told = Told(name=odd, outcome=Outcome.FAILED, said=Said(odd, odd, odd), suites=("a", odd))

    (case,) = cases(b"".join(written([told])))

    assert case.name.startswith("abred <&>\"'")
    assert case.failure
    assert case.failure.text.endswith("]]> \U0001f389")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["dotnet.trx", "go.json", "node.tap", "jest.json"])
def test_a_report_in_utf_16_holds_the_same_results(name: str, codec: str) -> None:
    words = (REPORTS / name).read_text(encoding="utf-8-sig")
    mark = "" if codec == "utf-16" or not name.endswith(".tap") else "\ufeff"
    declared = words.replace('encoding="utf-8"', 'encoding="utf-16"')

    mine = cases((mark + declared).encode(codec))

    assert mine == cases(words.encode())
