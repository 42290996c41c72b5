"""Reading a report with a memory: never anything else than reading it without one."""

from __future__ import annotations

import io
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import junit, recall
from ingest.cases import Case, Refused
from projects.vocabulary import Outcome
from tests.shared import CORPUS, NEEDS_SHARED

Seen = list[tuple[int, str, Outcome, float | None]]

HEAD = b'<testsuites><testsuite name="s">'
TAIL = b"</testsuite></testsuites>"


def case(name: str, seconds: str = "0.5", end: str = "/>") -> bytes:
    return f'<testcase classname="c" name="{name}" time="{seconds}"{end}'.encode()


def read(
    body: bytes, memory: recall.Memory | None, *, chunk: int = 65_536
) -> tuple[junit.Reading, list[Case]]:
    parts = [body[start : start + chunk] for start in range(0, len(body), chunk)]
    reading = junit.read(iter(parts), file_name="r.xml", memory=memory)
    return reading, list(reading.cases())


def taught(*bodies: bytes) -> tuple[recall.Memory, dict[int, Case]]:
    """Return a memory of the bodies, and the cases by the number that they are remembered under."""
    memory, numbers, known = recall.Memory(None), dict[bytes, int](), dict[int, Case]()
    for body in bodies:
        try:
            _, cases = read(body, memory)
        except Refused:
            continue
        for one in cases:
            number = numbers.setdefault(one.fingerprint, len(numbers) + 1)
            if one.memo is not None:
                place, key, sign = one.memo
                memory.learn([(place, key, sign * number)])
                known[number] = one
    return memory, known


def seen(reading: junit.Reading, cases: list[Case], known: dict[int, Case]) -> Seen:
    """Return place, identity, outcome and time of each case, whether it was remembered or parsed."""
    rows = [(one.at, one.fingerprint.hex(), one.outcome, _rounded(one.seconds)) for one in cases]
    for found in reading.recalled.values():
        for number, seconds, at in zip(found.ids, found.seconds, found.at, strict=True):
            outcome = Outcome.PASSED if number > 0 else Outcome.SKIPPED
            rows.append((at, known[abs(number)].fingerprint.hex(), outcome, _rounded(seconds)))
    return sorted(rows)


def plain(body: bytes) -> Seen:
    reading, cases = read(body, None)
    return seen(reading, cases, {})


def n_recalled(reading: junit.Reading) -> int:
    return sum(len(found.ids) for found in reading.recalled.values())


@pytest.mark.parametrize("end", ["/>", " />\n  ", "></testcase>", ">\n</testcase>\n", ' file="a > b.py"/>'])
@pytest.mark.parametrize("chunk", [65_536, 64, 7])
def test_cases_are_remembered_whatever_closes_them_and_wherever_the_bytes_are_cut(
    end: str, chunk: int
) -> None:
    cases = [case(f"t{number}", f"0.{number + 1}", end) for number in range(9)]
    body = HEAD + b"".join(cases) + TAIL
    memory, known = taught(body)

    reading, parsed = read(body, memory, chunk=chunk)

    assert seen(reading, parsed, known) == plain(body)
    assert reading.n_cases == 9
    assert n_recalled(reading) == 9 or chunk < len(body)


def test_a_skipped_case_is_remembered_with_its_reason() -> None:
    body = HEAD + case("a", end='><skipped message="no network"/></testcase>') + case("b") + TAIL
    memory, known = taught(body)

    reading, parsed = read(body, memory)

    assert not parsed
    assert seen(reading, parsed, known) == plain(body)


def test_a_case_that_fails_or_reruns_is_parsed() -> None:
    body = (
        HEAD
        + case("a", end='><failure message="m"/></testcase>')
        + case("b", end="><flakyFailure/></testcase>")
    )
    memory, _ = taught(body + TAIL)

    _, parsed = read(body + TAIL, memory)

    assert [one.name for one in parsed] == ["a", "b"]


@pytest.mark.parametrize(
    "around",
    [
        b"<system-out><![CDATA[%s]]></system-out>",
        b"<!-- %s -->",
        b"<?log %s?>",
        b"<!-- <testcase a %s --><system-out><![CDATA[ ]] %s > ]]></system-out>",
    ],
)
def test_a_remembered_tag_counts_only_where_an_element_may_stand(around: bytes) -> None:
    one = case("a") + case("b") + case("c")
    memory, known = taught(HEAD + one + TAIL)
    body = HEAD + case("z") + around.replace(b"%s", one) + one + TAIL

    for chunk in (65_536, 50, 11):
        reading, parsed = read(body, memory, chunk=chunk)

        assert seen(reading, parsed, known) == plain(body)
        assert reading.n_cases == 4


def test_the_same_tags_in_another_suite_are_other_tests() -> None:
    two = b'<testsuites><testsuite name="s">%s</testsuite><testsuite name="other">%s</testsuite></testsuites>'
    one = case("a") + case("b")
    memory, known = taught(HEAD + one + TAIL)
    body = two % (one, one)

    reading, parsed = read(body, memory)

    assert n_recalled(reading) == 2
    assert seen(reading, parsed, known) == plain(body)


@pytest.mark.parametrize("time", ["nan", "inf", "-1", "1e99", "", "0,5", "12:01"])
def test_a_time_that_is_none_is_left_to_the_parser(time: str) -> None:
    memory, known = taught(HEAD + case("a") + case("b") + TAIL)
    body = HEAD + case("a", time) + case("b") + TAIL

    reading, parsed = read(body, memory)

    assert seen(reading, parsed, known) == plain(body)


@pytest.mark.parametrize(
    "breach", [b"<testcase", b'<testcase name="a" time="1"', b"</oops>", b"<a>\n\n<b></a>", b"&nbsp;", b"<"]
)
def test_a_break_is_told_at_the_same_line_and_column(breach: bytes) -> None:
    many = b"".join(case(f"t{number}", end="/>\n" if number % 3 else "/>") for number in range(30))
    memory, known = taught(HEAD + many + TAIL)
    body = HEAD + many + breach + many + TAIL

    reading, parsed = read(body, memory)
    afresh, cases = read(body, None)

    assert reading.problems == afresh.problems
    assert seen(reading, parsed, known) == seen(afresh, cases, {})
    assert n_recalled(reading) >= 29


def test_tags_after_the_end_of_the_document_are_told() -> None:
    memory, _ = taught(HEAD + case("a") + case("b") + TAIL)

    reading, _ = read(HEAD + case("a") + TAIL + case("b") + case("a"), memory)

    assert reading.is_incomplete
    assert "junk after document element" in reading.problems[0].sentence


def test_a_report_whose_tags_are_never_the_same_leaves_nothing_in_the_memory() -> None:
    stamped = case("a").replace(b" time", b' timestamp="2026-01-01T10:00:00" time')

    memory, known = taught(HEAD + stamped + case("b") + TAIL)

    assert len(known) == memory.n_entries == 1


def test_more_cases_than_the_limit_are_refused_though_all_are_remembered() -> None:
    body = HEAD + b"".join(case(f"t{number}") for number in range(20)) + TAIL
    memory, _ = taught(body)

    reading = junit.read(io.BytesIO(body), file_name="r.xml", limits=junit.Limits(cases=19), memory=memory)

    with pytest.raises(Refused):
        list(reading.cases())


@given(
    st.lists(st.sampled_from([case("a"), case("b"), case("a", "x"), b"<!--", b"-->", b"<![CDATA[", b"]]>", b"\n",
        case("c", end="><skipped/></testcase>"), b"<system-out>", b"</system-out>", b"</testsuite>",
        b'<testsuite name="s">', b'<testsuite name="t">', b"<testcase", b">", b"]]", case("a")[:20]]), max_size=14),
    st.sampled_from([9, 61, 65_536]),
)  # fmt: skip
def test_whatever_the_bytes_a_memory_changes_nothing(parts: list[bytes], chunk: int) -> None:
    lesson = case("a") + case("b") + case("c", end="><skipped/></testcase>")
    memory, known = taught(HEAD + lesson + TAIL, HEAD.replace(b'"s"', b'"t"') + lesson + TAIL)
    body = HEAD + b"".join(parts) + TAIL

    def told(memory: recall.Memory | None) -> object:
        try:
            reading, parsed = read(body, memory, chunk=chunk)
        except Refused as refusal:
            return refusal.problem
        return seen(reading, parsed, known), reading.problems, reading.n_cases, reading.is_incomplete

    assert told(memory) == told(None)


@pytest.mark.shared
@NEEDS_SHARED
def test_every_real_report_reads_the_same_with_a_memory_of_it() -> None:
    assert CORPUS is not None
    n_files = n_cases = n_remembered = 0
    for path in sorted((CORPUS / "junit").rglob("*.xml")):
        n_files += 1
        told, n, n_recalled_here = _with_memory(path)
        n_cases, n_remembered = n_cases + n, n_remembered + n_recalled_here
        assert told, path

    assert n_files > 400
    assert n_remembered > 0.5 * n_cases


def _with_memory(path: Path) -> tuple[bool, int, int]:
    body = path.read_bytes()
    try:
        afresh, cases = read(body, None)
    except Refused as refusal:
        return _refused(body) == refusal.problem, 0, 0
    memory, known = taught(body)
    reading, parsed = read(body, memory)
    is_same = seen(reading, parsed, known) == seen(afresh, cases, {}) and reading.problems == afresh.problems
    return is_same, afresh.n_cases, n_recalled(reading)


def _refused(body: bytes) -> object:
    try:
        read(body, recall.Memory(None))
    except Refused as refusal:
        return refusal.problem
    return None


def _rounded(seconds: float | None) -> float | None:
    """Return what is left of a time in four bytes."""
    return None if seconds is None else array("f", [seconds])[0]
