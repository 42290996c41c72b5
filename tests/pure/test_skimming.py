"""Reading a report with a memory, be it an empty one: never anything else than reading it without one."""

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
                lessons = recall.Lessons()
                lessons.add(place, [key], [sign * number])
                memory.learn(lessons)
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


def told_of(cases: list[Case]) -> list[Case]:
    """Return all that is told of the cases but where they may be remembered."""
    return [one._replace(memo=None, seconds=_rounded(one.seconds)) for one in cases]


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
@pytest.mark.parametrize("letter", ["t", "ü"])
@pytest.mark.parametrize("lines", [0, 1, 3])
@pytest.mark.parametrize("chunk", [65_536, 200])
def test_a_break_is_told_at_the_same_line_and_column(
    breach: bytes, letter: str, lines: int, chunk: int
) -> None:
    ends = ["/>\n" if lines and number % lines == 0 else "/>" for number in range(30)]
    many = b"".join(case(f"{letter}{number}", end=end) for number, end in enumerate(ends))
    memory, known = taught(HEAD + many + TAIL)
    body = HEAD + many + breach + many + TAIL

    reading, parsed = read(body, memory, chunk=chunk)
    afresh, cases = read(body, None, chunk=chunk)
    cold, _ = read(body, recall.Memory(None), chunk=chunk)

    assert reading.problems == cold.problems == afresh.problems
    assert seen(reading, parsed, known) == seen(afresh, cases, {})
    assert n_recalled(reading) >= 29 or chunk < len(body)


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


@pytest.mark.parametrize(
    "end", ["/>", " />\n  ", "></testcase>", ">\n</testcase>\n", ' file="a > b.py" line="7"/>']
)
@pytest.mark.parametrize("chunk", [65_536, 64, 7])
def test_rows_of_plain_cases_are_read_as_a_parser_would(end: str, chunk: int) -> None:
    body = HEAD + b"".join(case(f"t{number}", f"0.{number + 1}", end) for number in range(20)) + TAIL

    reading, cases = read(body, recall.Memory(None), chunk=chunk)

    afresh, parsed = read(body, None)
    assert told_of(cases) == told_of(parsed)
    assert reading.n_cases == afresh.n_cases == 20


def test_all_plain_cases_but_the_first_of_a_form_are_taken_in_rows() -> None:
    body = HEAD + b"".join(case(f"t{number}") for number in range(20)) + TAIL
    reading = junit.read(iter([body]), file_name="r.xml", memory=recall.Memory(None))

    parsed = [one for part in reading.parts() for one in part]

    assert [one.name for one in parsed] == ["t0"]
    assert reading.plain.told() == [f"t{number}" for number in range(1, 20)]


ODD_NAMES = (
    *(
        "a &amp; b",
        "pays @smoke",
        "ünï",
        "t\t",
        " ",
        "a\nb",
        "/home/runner/work/x/x/a.py",
        "0xdeadbeef99",
        "GET /users",
    ),
    *(
        "pays (retry #1)",
        "pays [try 2]",
        "x[retry]",
        "gw3 works",
        "host-7.ci",
        "n" * 3_000,
        "pid 12",
        "at 2026-01-01T10:00",
    ),
)


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("host", ["", ' hostname="host-7.ci"'])
def test_an_odd_name_in_a_row_of_plain_cases_is_left_to_the_parser(name: str, host: str) -> None:
    head = f'<testsuites><testsuite name="s"{host}>'.encode()
    body = head + case("a") + case("b") + case("c") + case(name) + case("d") + case(name) + case("e") + TAIL

    _, cases = read(body, recall.Memory(None))

    assert told_of(cases) == told_of(read(body, None)[1])


@pytest.mark.parametrize("inside", [
    '<properties><property name="browser" value="firefox"/></properties>',
    '<properties><property name="marker" value="slow"/></properties>',
    '<properties><property name="owner" value="team"/></properties>',
])  # fmt: skip
def test_plain_cases_take_what_their_suite_says(inside: str) -> None:
    row = b"".join(case(f"t{number}") for number in range(5))
    body = HEAD + row + inside.encode() + row.replace(b'"t', b'"u') + TAIL

    _, cases = read(body, recall.Memory(None))

    assert told_of(cases) == told_of(read(body, None)[1])


def test_plain_cases_of_a_class_that_says_nothing_are_told_apart_by_their_files() -> None:
    row = [f'<testcase classname="test" name="t" time="0.1" file="{name}.js"/>'.encode() for name in "abcabc"]
    body = HEAD + b"".join(row) + TAIL

    _, cases = read(body, recall.Memory(None))

    assert told_of(cases) == told_of(read(body, None)[1])
    assert len({one.fingerprint for one in cases}) == 3


PIECES = [case("a"), case("b"), case("a", "x"), b"<!--", b"-->", b"<![CDATA[", b"]]>", b"\n",
    case("c", end="><skipped/></testcase>"), b"<system-out>", b"</system-out>", b"</testsuite>",
    b'<testsuite name="s">', b'<testsuite name="t">', b"<testcase", b">", b"]]", case("a")[:20]]  # fmt: skip


@given(
    st.lists(st.sampled_from([*PIECES, case("x &lt; y"), case("z", end=' file="a.py"/>'), b"<property/>"]), max_size=14),
    st.sampled_from([9, 61, 65_536]),
)  # fmt: skip
def test_whatever_the_bytes_an_empty_memory_changes_nothing(parts: list[bytes], chunk: int) -> None:
    body = HEAD + case("first") + b"".join(parts) + TAIL

    def told(memory: recall.Memory | None) -> object:
        try:
            reading, cases = read(body, memory, chunk=chunk)
        except Refused as refusal:
            return refusal.problem
        return told_of(cases), reading.problems, reading.n_cases, reading.is_incomplete

    assert told(recall.Memory(None)) == told(None)


@given(
    st.lists(st.sampled_from(PIECES), max_size=14),
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
    is_same &= told_of(read(body, recall.Memory(None))[1]) == told_of(cases)
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
