"""Signatures: what is merged, what is kept apart, and what a title still says."""

from __future__ import annotations

import pytest

from analysis.failures import SIGNATURE_VERSION, are_alike, signature
from analysis.signatures import TITLE_LENGTH, _masked
from tests.bench.bench_signatures import figures, read
from tests.shared import NEEDS_SHARED, SHARED


def title(message: str, *, kind: str = "", text: str = "") -> str:
    return signature(kind=kind, message=message, text=text).title


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Timed out after 3021 ms", "Timed out after 12 ms"),
        ("no row 4f1c2a90-13aa-4ab1-9f2e-6a2b0c9d8e7f", "no row 5e2d3b81-24bb-4bc2-8f3d-7b3c1d0e9f80"),
        ("open /tmp/a1/x.txt failed", "open /tmp/b2/y.txt failed"),
        ("at 2026-01-02T03:04:05Z it broke", "at 2025-11-30T23:59:59.123+02:00 it broke"),
        ("object at 0x7f21aa is stale", "object at 0x7ffe10 is stale"),
        ("refused by 10.0.0.7:41234", "refused by 192.168.1.9:50111"),
        ("\x1b[31mError: no\x1b[0m", "Error: no"),
        ("order 1,204.50 differs", "order 7 differs"),
        ("GET https://a.example/x/1 failed", "GET https://a.example/y?z=2 failed"),
    ],
)
def test_what_differs_from_run_to_run_is_no_part_of_a_signature(one: str, other: str) -> None:
    assert signature(kind="E", message=one, text="") == signature(kind="E", message=other, text="")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("process exit code 1", "process exit code 137"),
        ("HTTP 401 from the gateway", "HTTP 503 from the gateway"),
        ("404 Not Found", "403 Forbidden"),
        ("connect ECONNREFUSED postgres:5432", "connect ECONNREFUSED rabbit:5672"),
        ("KeyError: 'name'", "KeyError: 'email'"),
    ],
)
def test_what_carries_the_meaning_keeps_failures_apart(one: str, other: str) -> None:
    assert (
        signature(kind="E", message=one, text="").digest != signature(kind="E", message=other, text="").digest
    )


@pytest.mark.parametrize(
    "line", ["at 7x12 and 10x33", "0x7fa and 10x5", "::1", "::2", "::11", "foo5 is not bar7", "x 12:31:59"]
)
def test_a_line_says_the_same_whatever_was_remembered_before_it(line: str) -> None:
    alike = [line.translate(str.maketrans("0123456789", digit * 10)) for digit in "015"]

    told = [title(one) for one in (line, *alike)]

    _masked.cache_clear()
    assert [title(one) for one in reversed((line, *alike))] == told[::-1]
    assert told[0] == _masked(line)


def test_a_refused_connection_is_one_signature_whichever_test_met_it() -> None:
    first = 'File "/srv/tests/test_a.py", line 3, in test_a\nOSError: ECONNREFUSED postgres:5432'
    second = 'File "/srv/app/b.py", line 9, in load\nOSError: ECONNREFUSED postgres:5432'

    titles = {title("OSError: ECONNREFUSED postgres:5432", text=text) for text in (first, second)}

    assert titles == {"OSError: ECONNREFUSED postgres:5432"}


def test_an_assertion_is_known_by_its_place_but_not_by_its_line() -> None:
    at_12 = title("AssertionError: assert 1 == 2", text="tests/test_a.py:12: AssertionError")
    at_40 = title("AssertionError: assert 3 == 4", text="tests/test_a.py:40: AssertionError")
    elsewhere = title("AssertionError: assert 3 == 4", text="tests/test_b.py:40: AssertionError")

    assert at_12 == at_40 == "AssertionError: assert <n> == <n>\nat test_a.py"
    assert elsewhere != at_12


def test_frames_of_runtimes_and_frameworks_are_left_out() -> None:
    trace = (
        "java.lang.IllegalStateException: closed\n"
        "\tat java.base/java.util.ArrayList.get(ArrayList.java:427)\n"
        "\tat org.junit.jupiter.engine.Runner.run(Runner.java:60)\n"
        "\tat com.acme.tax.Rounding.round(Rounding.java:31)\n"
    )

    assert title("closed", kind="java.lang.IllegalStateException", text=trace) == (
        "java.lang.IllegalStateException\njava.lang.IllegalStateException: closed\nat com.acme.tax.Rounding.round"
    )


def test_a_go_message_behind_its_place_is_a_message() -> None:
    assert "expected <n> got <n>" in title("", text="    sum_test.go:14: expected 3 got 4")


def test_an_empty_failure_has_a_signature_that_says_so() -> None:
    found = signature(kind="", message="", text="")

    assert (found.title, found.version, len(found.digest)) == ("no message", SIGNATURE_VERSION, 16)


def test_a_crash_without_words_is_known_by_its_exit_code() -> None:
    killed = title("not ok 7 parallel/x\n  ---\n  severity: fail\n  exitcode: -15\n  stack: |-\n  ...\n")

    assert killed == "exitcode: -15"


def test_a_huge_message_is_read_in_bounded_pieces() -> None:
    found = signature(kind="E" * 9000, message="x: error " * 100_000, text="y error\n" * 100_000)

    assert len(found.title) <= TITLE_LENGTH


def test_titles_a_tenth_apart_are_alike() -> None:
    one = "Error: the basket of anna holds the wrong price after a rebate"

    assert are_alike(one, one.replace("anna", "otto"))
    assert are_alike(one, one)
    assert not are_alike(one, "Error: the stock of the shop is empty")
    assert not are_alike("ab", "ac")


@pytest.mark.shared
@NEEDS_SHARED
def test_signatures_merge_as_people_do_and_keep_machines_from_tests() -> None:
    assert SHARED is not None

    found = figures(read(SHARED / "bench" / "flakiness" / "nodejs_ci_failures.jsonl.gz"))

    assert found.n_mixed == 0
    assert 400 < found.n_keys < 690
    assert found.infrastructure["GIT_FAILURE"] > 0.9
    assert found.infrastructure["JS_TEST_FAILURE"] < 0.06
