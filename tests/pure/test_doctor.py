"""The uploader's doctor: what a report lacks, and which setting mends it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from uploader import trophycase


def examined(tmp_path: Path, text: str, *, name: str = "r.xml") -> trophycase.Chart:
    """Return what the doctor finds in this report."""
    path = tmp_path / name
    path.write_text(text)
    return trophycase.examine(path)


def test_the_doctor_names_the_setting_that_mends_a_report(tmp_path: Path) -> None:
    chart = examined(
        tmp_path,
        '<testsuites name="pytest tests"><testsuite name="pytest" timestamp="2026-01-01T00:00:00">'
        '<testcase classname="tests.test_cart" name="test_adds" time="0.1"/></testsuite></testsuites>',
    )

    assert (chart.producer, chart.findings()) == ("pytest", ["file"])
    assert "junit_family=xunit1" in "\n".join(trophycase.advice(chart))


def test_the_doctor_finds_nothing_where_nothing_is_missing(tmp_path: Path) -> None:
    chart = examined(
        tmp_path,
        '<testsuite name="s" timestamp="2026-01-01T00:00:00">'
        '<testcase classname="c" name="n" file="tests/a.py" time="0.1"><failure>no</failure></testcase></testsuite>',
    )

    assert chart.findings() == []
    assert "Nothing is missing" in trophycase.advice(chart)[0]


def test_the_doctor_counts_everything_that_is_missing(tmp_path: Path) -> None:
    case = '<testcase name="n" file="/home/ci/a.py"><failure/></testcase>'
    chart = examined(tmp_path, f"<testsuite>{case * 4}</testsuite>")

    assert chart.findings() == ["time", "classname", "message", "repeated", "suite", "timestamp", "absolute"]
    assert len(trophycase.advice(chart)) == 8


def test_the_doctor_says_where_a_report_breaks(tmp_path: Path) -> None:
    chart = examined(tmp_path, '<testsuite name="s">\n<testcase name="n"></testsuite>')

    assert re.search(r"r\.xml:2:\d+: not XML from here on", trophycase.advice(chart)[0])


def test_the_doctor_reads_gzip(tmp_path: Path) -> None:
    path = tmp_path / "r.xml.gz"
    path.write_bytes(gzip.compress(b'<testsuite name="s"><testcase name="n"/></testsuite>'))

    assert trophycase.examine(path).n_cases == 1


@pytest.mark.parametrize(
    ("text", "producer"),
    [
        (
            '<testsuite name="A" tests="1" skipped="0" failures="0" errors="0" timestamp="t" hostname="h" time="1">'
            '<testcase name="a" classname="A" time="1"/></testsuite>',
            "gradle",
        ),
        (
            '<testsuites><testsuite errors="0" failures="0" hostname="h" name="A" tests="1" time="1" timestamp="t">'
            '<testcase classname="A" name="a" status="run" time="1"/></testsuite></testsuites>',
            "catch2",
        ),
        (
            '<testsuite name="A"><properties><property name="ant.home" value="/"/></properties>'
            '<testcase name="a"/></testsuite>',
            "ant",
        ),
        ('<testsuite name="a.bats"><testcase name="a"/></testsuite>', "bats"),
        ('<testsuite name="A"><testcase name="a"/></testsuite>', ""),
    ],
)
def test_the_doctor_tells_the_writer_by_what_it_writes(tmp_path: Path, text: str, producer: str) -> None:
    assert examined(tmp_path, text).producer == producer


def test_the_doctor_gives_one_piece_of_advice_for_reports_that_lack_the_same(tmp_path: Path) -> None:
    text = '<testsuite name="a.bats"><testcase name="a" classname="c.py" time="1"/></testsuite>'
    same = [examined(tmp_path, text, name=f"{n}.xml") for n in range(3)]
    broken = examined(tmp_path, "<testsuite>", name="broken.xml")

    joined = trophycase.together([*same, broken])

    assert [chart.n_cases for chart in joined] == [3, 0]
    assert trophycase.advice(joined[0])[0].endswith("0.xml and 2 more: 3 tests, written by bats:")
    assert "no timestamp in 3 suites" in trophycase.advice(joined[0])[1]


@pytest.mark.parametrize(
    "text", ['{"results": {}}', "TAP version 13\nok 1\n", "<?xml version='1.0'?><TestRun/>"]
)
def test_the_doctor_leaves_other_formats_to_the_server(tmp_path: Path, text: str) -> None:
    chart = examined(tmp_path, text)

    assert (chart.is_other, chart.broken) == (True, "")
    assert "The server reads it as it is" in trophycase.advice(chart)[0]
