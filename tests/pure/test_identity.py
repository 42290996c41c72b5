"""What makes a test the same test: what the identity leaves out, and what it keeps apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import identity
from ingest.junit import Case, read

PLAYWRIGHT = (
    "<testsuites id='' name=''><testsuite name='pay.spec.ts' hostname='{0}'>"
    "<testcase classname='pay.spec.ts' name='pays'/></testsuite></testsuites>"
)


def _case(report: str, *, environment: str = "") -> Case:
    [case] = read([report.encode()], file_name="r.xml", environment=environment).cases()
    return case


def _named(name: str, *, suite: str = "s", attributes: str = "", classname: str = "a.B") -> Case:
    case = f"<testcase classname='{classname}' name='{name}'/>"
    return _case(f"<testsuite name='{suite}' {attributes}>{case}</testsuite>")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("t[2026-01-01T00:00:00.123]", "t[2026-03-05T11:12:13.456]"),
        ("t[2026-01-01 00:00:00]", "t[2026-03-05 11:12:13]"),
        ("t[20260101120000]", "t[20260102130405]"),
        ("t[1700000000]", "t[1700000999]"),
        ("t[1700000000123]", "t[1700000999456]"),
        ("t[0x7f3a2b10]", "t[0x7f3a2b10ff00]"),
        ("t[&lt;object at 0x7f3a2b10aa&gt;]", "t[&lt;object at 0x55d02b10bb&gt;]"),
        ("t[1b4e28ba-2fa1-41d2-883f-0016d3cca427]", "t[6fa459ea-ee8a-4ca4-894e-db77e160355e]"),
        ("t[gw0]", "t[gw13]"),
        ("t pid=1234", "t pid=99"),
        ("t[/tmp/pytest-of-ci/pytest-12/x0]", "t[/tmp/pytest-of-me/pytest-3/x0]"),
        ("t[/var/folders/ab/cd12/T/tmpx1/f.db]", "t[/tmp/tmpq9/f.db]"),
        ("t http://localhost:45123/x", "t http://localhost:60000/x"),
        ("/home/ci/app/test/a.test.js", "/Users/me/work/test/a.test.js"),
        ("/home/runner/work/p/p/pkg/a.test.js", "/builds/g/p/pkg/a.test.js"),
    ],
)
def test_what_changes_from_run_to_run_stays_out(one: str, other: str) -> None:
    assert _named(one).fingerprint == _named(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("t[2024-02-29]", "t[2024-03-01]"),
        ("t[00000000-aaaa-ffff-9999-000000000000]", "t[00000000-AAAA-FFFF-9999-000000000000]"),
        ("t[0.1-2]", "t[0.1-3]"),
        ("t[0xff]", "t[0xfe]"),
        ("t[test5- less ]", "t[test5- less]"),
        ("GET /api/v1/users", "GET /api/v2/users"),
        ("/api/v1/users", "/api/v2/users"),
        ("caf\u00e9", "cafe\u0301"),
        ("shard 1", "shard 2"),
        ("localhost:8000", "localhost:8001"),
        ("port 443", "port 80"),
    ],
)
def test_what_a_team_chose_keeps_tests_apart(one: str, other: str) -> None:
    assert _named(one).fingerprint != _named(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tests_dj.M-20261121123039", "tests_dj.M-20261122080000"),
        ("e2e shard 1/4", "e2e shard 3/4"),
        ("unit (worker 2)", "unit (worker 7)"),
        ("/home/ci/app/src/a.js", "/builds/g/p/src/a.js"),
        ("nightly 2026-01-01T00:00:00Z", "nightly 2026-01-02T00:00:00Z"),
    ],
)
def test_the_run_stays_out_of_a_suites_name(one: str, other: str) -> None:
    assert _named("t", suite=one).base == _named("t", suite=other).base


def test_host_and_time_of_a_suite_stay_out() -> None:
    one = _named(
        "on ci-runner-1: t", attributes="hostname='ci-runner-1' timestamp='2026-01-01T00:00:00' id='1'"
    )
    other = _named(
        "on ci-runner-2: t", attributes="hostname='ci-runner-2' timestamp='2026-01-02T00:00:00' id='2'"
    )

    assert one.fingerprint == other.fingerprint
    assert one.name == "on <host>: t"


def test_the_name_that_every_report_of_a_tool_has_stays_out() -> None:
    assert _named("t", suite="pytest").base == _named("t", suite="").base


def test_suites_tell_equal_names_apart() -> None:
    assert _named("is 200", suite="login").base != _named("is 200", suite="logout").base


def test_nested_suites_are_joined() -> None:
    case = _case("<testsuite name='a'><testsuite name='b'><testcase name='t'/></testsuite></testsuite>")

    assert case.suite == "a › b"
    assert case.base != _named("t", suite="b", classname="").base


def test_a_border_between_names_cannot_be_moved() -> None:
    assert _named("b.c", classname="a").base != _named("c", classname="a.b").base


def test_the_environment_enters_the_fingerprint_alone() -> None:
    report = "<testsuite name='s'><testcase name='t'/></testsuite>"

    plain, linux, windows = (_case(report, environment=name) for name in ("", "linux", "windows"))

    assert plain.base == linux.base == windows.base
    assert len({plain.fingerprint, linux.fingerprint, windows.fingerprint}) == 3
    assert linux.variant == "linux"


def test_the_browser_of_playwright_is_a_variant() -> None:
    chromium, firefox = (_case(PLAYWRIGHT.format(name)) for name in ("chromium", "firefox"))

    assert chromium.framework == "playwright"
    assert (chromium.variant, firefox.variant) == ("chromium", "firefox")
    assert chromium.base == firefox.base
    assert chromium.fingerprint != firefox.fingerprint


def test_the_file_tells_cases_of_a_constant_class_apart() -> None:
    report = "<testsuites><testcase classname='test' name='works' file='{}'/></testsuites>"

    one, other, moved = (
        _case(report.format(file))
        for file in (
            "/home/ci/app/test/a.test.js",
            "/home/ci/app/test/b.test.js",
            "/builds/g/p/test/a.test.js",
        )
    )

    assert one.base != other.base
    assert one.base == moved.base


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x (retry #1)", ("x", 2)),
        ("x (retry 2)", ("x", 3)),
        ("x [attempt 3]", ("x", 3)),
        ("x (attempt 1/3)", ("x", 1)),
        ("x", ("x", 0)),
        ("x (1)", ("x (1)", 0)),
        ("x [rerun]", ("x [rerun]", 0)),
        ("(retry 1)", ("(retry 1)", 0)),
    ],
)
def test_the_number_of_a_retry_is_no_part_of_a_name(name: str, expected: tuple[str, int]) -> None:
    assert identity.without_retry(name) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/a.py", "tests/a.py"),
        ("./tests/a.py", "tests/a.py"),
        (r"tests\a.py", "tests/a.py"),
        ("file:///home/runner/work/p/p/test/a.dart", "test/a.dart"),
        ("/home/vsts/work/1/s/testcafe/tests/a.js", "testcafe/tests/a.js"),
        (r"D:\a\p\p\src\a.cs", "src/a.cs"),
        ("/somewhere/else/src/a.c", "src/a.c"),
        ("/somewhere/else/deep/a.c", "deep/a.c"),
    ],
)
def test_a_path_is_told_inside_its_project(path: str, expected: str) -> None:
    assert identity.relative(path) == expected


@given(st.text(max_size=60))
def test_masking_is_stable(text: str) -> None:
    once = identity.masked(text)

    assert identity.masked(text) == once
    assert len(identity.digest(identity.prefix("s", "c"), once)) == 16
