"""The reader on small reports: what becomes of outcomes, times, suites, breaks, encodings and limits."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import times
from ingest.junit import Case, Failure, Limits, Problem, Reading, Refused, read
from projects.vocabulary import Outcome

REPORT = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<testsuite name="s" tests="3">\n'
    b'<testcase classname="a.B" name="one" time="0.5"/>\n'
    b'<testcase classname="a.B" name="two"><failure message="m" type="T"><![CDATA[t]]></failure></testcase>\n'
    b'<testcase classname="a.B" name="three"><skipped/></testcase>\n</testsuite>\n'
)


def _read(data: bytes, *, limits: Limits | None = None, environment: str = "") -> tuple[Reading, list[Case]]:
    reading = read(io.BytesIO(data), file_name="r.xml", limits=limits, environment=environment)
    return reading, list(reading.cases())


def _cases(inner: str) -> list[Case]:
    return _read(f"<testsuite name='s'>{inner}</testsuite>".encode())[1]


def _refusal(data: bytes, *, limits: Limits | None = None) -> Problem:
    with pytest.raises(Refused) as caught:
        _read(data, limits=limits)
    return caught.value.problem


def test_a_report_becomes_its_cases() -> None:
    reading, cases = _read(REPORT)

    assert [case.outcome for case in cases] == [Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED]
    assert [case.seconds for case in cases] == [0.5, None, None]
    assert cases[1].failure == Failure("T", "m", "t")
    assert (reading.n_cases, reading.n_declared, reading.problems) == (3, 3, [])


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_the_borders_of_chunks_change_nothing(size: int) -> None:
    data = "<testsuite name='é'><testcase name='a&#27;b\x1bc — ü'/><testcase name='d'/></testsuite>".encode()
    chunks = [data[start : start + size] for start in range(0, len(data), size)]

    reading = read(chunks, file_name="r.xml")
    cases = list(reading.cases())

    assert cases == _read(data)[1]
    assert [case.name for case in cases] == ["abc — ü", "d"]
    assert [problem.line for problem in reading.problems] == [1]


@pytest.mark.parametrize(
    ("children", "outcome"),
    [
        ("<skipped/><failure/>", Outcome.FAILED),
        ("<error/><failure/>", Outcome.FAILED),
        ("<skipped/><error/>", Outcome.ERROR),
        ("<skipped/><skipped/>", Outcome.SKIPPED),
        ("<system-out>FAILED</system-out>", Outcome.PASSED),
        ("<properties><property name='a' value='b'/></properties>", Outcome.PASSED),
    ],
)
def test_the_worst_of_several_results_counts(children: str, outcome: Outcome) -> None:
    [case] = _cases(f"<testcase name='a'>{children}</testcase>")

    assert case.outcome is outcome


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ("status='run' result='completed'", Outcome.PASSED),
        ("status='notrun' result='suppressed'", Outcome.SKIPPED),
        ("status='disabled'", Outcome.SKIPPED),
        ("status='Inconclusive'", Outcome.SKIPPED),
        ("status='ERRORED'", Outcome.ERROR),
        ("status='Failure'", Outcome.FAILED),
        ("result='failed' status='run'", Outcome.FAILED),
        ("status='something else'", Outcome.PASSED),
    ],
)
def test_an_outcome_in_attributes_keeps_its_meaning(attributes: str, outcome: Outcome) -> None:
    bare, full = _cases(f"<testcase name='a' {attributes}/><testcase name='b' {attributes}><x/></testcase>")

    assert bare.outcome is full.outcome is outcome


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("0.0", 0.0),
        ("8.3e-05", 8.3e-05),
        ("0.3611481189727783203125", 0.3611481189727783),
        ("1,234.56", 1234.56),
        ("1,234", 1234.0),
        ("0,288", 0.288),
        ("12,5", 12.5),
        ("1 234.5", 1234.5),
        (" 1.5 ", 1.5),
        ("12ms", 0.012),
        ("3.5 s", 3.5),
        ("", None),
        ("-1", None),
        ("NaN", None),
        ("inf", None),
        ("1e300", None),
        ("whatever", None),
        (None, None),
    ],
)
def test_a_duration_is_read_as_it_was_meant(text: str | None, expected: float | None) -> None:
    seconds = times.seconds(text)

    assert seconds == (pytest.approx(expected) if expected else expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T08:00:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T08:00:00.5Z", datetime(2026, 3, 1, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("Tue, 13 Feb 2024 10:28:58 GMT", datetime(2024, 2, 13, 10, 28, 58, tzinfo=UTC)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_an_instant_is_read_in_every_spelling(text: str | None, expected: datetime | None) -> None:
    assert times.instant(text) == expected


def test_earlier_attempts_of_surefire_are_kept_in_order() -> None:
    [case] = _cases(
        "<testcase name='a'><flakyFailure message='1' type='E'><stackTrace>at X</stackTrace>"
        "<system-out>noise</system-out></flakyFailure><flakyError message='2'/></testcase>"
    )

    assert case.outcome is Outcome.PASSED
    assert [attempt.outcome for attempt in case.attempts] == [Outcome.FAILED, Outcome.ERROR]
    assert case.attempts[0].failure == Failure("E", "1", "at X")


def test_a_suite_that_fails_by_itself_is_a_case() -> None:
    _, cases = _read(
        b"<testsuites><testsuite name='s'><error message='setup' type='X'>trace</error></testsuite>"
        b"<testsuite name='t'><testcase name='a'><failure/></testcase><error message='y'/></testsuite>"
        b"</testsuites>"
    )

    assert [(case.name, case.outcome) for case in cases] == [("s", Outcome.ERROR), ("a", Outcome.FAILED)]
    assert cases[0].failure == Failure("X", "setup", "trace")


def test_a_case_without_names_is_shown_as_what_is_known() -> None:
    cases = _cases("<testcase classname='c'/><testcase/><testcase name='  '/>")

    assert [case.name for case in cases] == ["c", "s", "s"]


def test_a_root_that_is_a_case_is_read() -> None:
    _, cases = _read(b"<testcase classname='c' name='a'><failure/></testcase>")

    assert [(case.name, case.outcome, case.suite) for case in cases] == [("a", Outcome.FAILED, "")]


def test_namespaces_are_dropped() -> None:
    _, cases = _read(
        b"<j:testsuite xmlns:j='urn:j' name='s'><j:testcase name='a'><j:error/></j:testcase></j:testsuite>"
    )

    assert [case.outcome for case in cases] == [Outcome.ERROR]


def test_properties_give_markers_owner_and_no_secrets() -> None:
    [case] = _cases(
        "<properties><property name='layer' value='e2e'/></properties>"
        "<testcase name='pays @smoke' group='Desktop'><properties><property name='owner' value='@core'/>"
        "<property name='tags' value='a, b'/><property name='api_token' value='hush'/></properties>"
        "</testcase>"
    )

    assert case.markers == ("Desktop", "smoke", "a", "b")
    assert case.owner == "@core"
    assert ("layer", "e2e") in case.properties
    assert ("api_token", "(hidden)") in case.properties
    assert "hush" not in str(case)


def test_a_file_is_derived_from_the_class_for_display_only() -> None:
    case = b"<testcase classname='tests.unit.test_a.TestB' name='c' file='x.py'/>"
    with_file = b"<testsuite name='pytest'>" + case + b"</testsuite>"
    _, [bare] = _read(with_file.replace(b" file='x.py'", b""))
    _, [full] = _read(with_file)

    assert (bare.file, full.file) == ("tests/unit/test_a.py", "x.py")
    assert bare.fingerprint == full.fingerprint


@pytest.mark.parametrize(
    "codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "koi8-r", "gbk"]
)
def test_an_encoding_is_read(codec: str) -> None:
    name = "привет" if codec in {"koi8-r", "gbk", "utf-16", "utf-32"} else "é"
    declared = codec.removesuffix("-sig").removesuffix("-le")
    text = f"<?xml version='1.0' encoding='{declared}'?><testsuite><testcase name='{name}'/></testsuite>"

    reading, [case] = _read(text.encode(codec))

    assert case.name == name
    assert reading.problems == []


def test_an_encoding_that_only_libxml2_knows_is_read() -> None:
    head = "<?xml version='1.0' encoding='ISO-IR-6'?>"  # US-ASCII by a name of its own
    _, [case] = _read(f"{head}<testsuite><testcase name='a'/></testsuite>".encode())

    assert case.name == "a"


def test_an_unknown_encoding_is_refused_by_name() -> None:
    problem = _refusal(
        b"<?xml version='1.0' encoding='x-nobody'?><testsuite><testcase name='a'/></testsuite>"
    )

    assert problem.code == "encoding"
    assert "x-nobody" in problem.sentence


def test_log_lines_before_the_document_are_cut() -> None:
    reading, cases = _read(b"npm warn x\n> test\n" + REPORT)

    assert len(cases) == 3
    assert [(problem.code, problem.line) for problem in reading.problems] == [("text-before-document", 1)]
    assert "2 lines" in reading.problems[0].sentence


def test_a_blank_line_before_the_declaration_is_no_problem() -> None:
    reading, cases = _read(b"\n \n" + REPORT)

    assert len(cases) == 3
    assert reading.problems == []


def test_a_break_after_log_lines_is_at_its_own_line() -> None:
    reading, cases = _read(b"log\nlog\n" + REPORT[:-40])

    assert len(cases) == 2
    assert reading.is_incomplete
    assert reading.problems[-1].line == 7


def test_an_entity_is_refused_before_it_is_expanded() -> None:
    problem = _refusal(b"<!DOCTYPE testsuite [<!ENTITY a 'b'>]><testsuite><testcase name='&a;'/></testsuite>")

    assert problem.code == "dtd"


@pytest.mark.parametrize(
    "data", [b"", b"  \n", b'{"a": 1}', b"\x00\x01\x02", b"<html><body>503</body></html>"]
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    assert _refusal(data).code in {"empty", "not-xml", "foreign-root"}


def test_a_report_without_cases_is_taken_with_a_warning() -> None:
    reading, cases = _read(b"<testsuites></testsuites>")

    assert cases == []
    assert [problem.code for problem in reading.problems] == ["no-cases"]


@pytest.mark.parametrize(
    ("limits", "code", "named"),
    [
        (Limits(cases=2), "too-many-cases", "2"),
        (Limits(expanded_bytes=100), "too-large", "100"),
        (Limits(token_bytes=1_000), "too-large", "1,000"),
    ],
)
def test_a_limit_is_named_in_the_refusal(limits: Limits, code: str, named: str) -> None:
    tag = b"<testcase name='" + b"x" * 200_000 + b"'/>"

    problem = _refusal(REPORT if code != "too-large" else REPORT[:-13] + tag, limits=limits)

    assert problem.code == code
    assert f"limit of {named} " in problem.sentence


def test_a_long_text_keeps_head_and_tail() -> None:
    text = "first" + "x" * 3_000_000 + "last"
    [case] = _cases(f"<testcase name='a'><failure message='{'m' * 5_000}'>{text}</failure></testcase>")

    assert case.failure is not None
    assert case.failure.text.startswith("first")
    assert case.failure.text.endswith("last")
    assert len(case.failure.text) < 16_100
    assert len(case.failure.message) == 1_000


def test_deep_nesting_is_no_recursion() -> None:
    _, cases = _read(b"<testsuite name='s'>" * 20_000 + b"<testcase name='a'/>" + b"</testsuite>" * 20_000)

    assert [case.suite for case in cases] == ["s"]


@given(st.integers(min_value=0, max_value=len(REPORT)))
def test_a_truncation_keeps_the_cases_before_it(length: int) -> None:
    closed = REPORT[:length].count(b"</testcase>") + REPORT[:length].count(b"/>\n")

    try:
        reading, cases = _read(REPORT[:length])
    except Refused:
        assert closed == 0
        return

    assert [case.name for case in cases] == ["one", "two", "three"][: len(cases)]
    assert len(cases) >= closed
    assert reading.is_incomplete == (length < len(REPORT.rstrip()))


@settings(max_examples=300)
@given(
    st.one_of(
        st.binary(max_size=400), st.binary(max_size=80).map(lambda noise: REPORT[:90] + noise + REPORT[90:])
    )
)
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    try:
        reading, cases = _read(data)
    except Refused:
        return

    assert reading.n_cases == len(cases)


@given(st.integers(min_value=0, max_value=len(REPORT) - 1), st.integers(min_value=0, max_value=255))
def test_no_flipped_byte_crashes_the_reader(position: int, value: int) -> None:
    data = REPORT[:position] + bytes([value]) + REPORT[position + 1 :]

    try:
        _, cases = _read(data)
    except Refused:
        return

    assert len(cases) <= 3
