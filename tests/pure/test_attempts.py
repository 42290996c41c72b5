"""Folding cases of one test: retries, repetitions and halves."""

from __future__ import annotations

import pytest

from ingest.junit import Case, fold, names_repeat, read
from projects.vocabulary import Outcome

PASS = "<testcase classname='c' name='t' time='1'/>"
FAIL = "<testcase classname='c' name='t' time='2'><failure message='no'/></testcase>"
ERROR = "<testcase classname='c' name='t' time='0.5'><error message='teardown'/></testcase>"
SKIP = "<testcase classname='c' name='t'><skipped/></testcase>"


def _cases(*elements: str, suite: str = "s", properties: str = "") -> list[Case]:
    report = f"<testsuite name='{suite}'>{properties}{''.join(elements)}</testsuite>"
    return list(read([report.encode()], file_name="r.xml").cases())


def test_one_case_is_one_attempt() -> None:
    folded = fold(_cases(PASS))

    assert (folded.outcome, folded.seconds, folded.n_attempts) == (Outcome.PASSED, 1.0, 1)
    assert not folded.is_retry
    assert not folded.is_repeated


def test_a_pass_after_failures_is_a_retry_that_passed() -> None:
    folded = fold(_cases(FAIL, FAIL, PASS))

    assert (folded.outcome, folded.n_attempts, folded.n_failed_attempts) == (Outcome.PASSED, 3, 2)
    assert folded.is_retry
    assert folded.failure is not None
    assert folded.failure.message == "no"


@pytest.mark.parametrize("elements", [(PASS, FAIL), (PASS, PASS), (FAIL, PASS, PASS), (PASS, FAIL, SKIP)])
def test_what_no_retry_would_write_is_a_repeated_name(elements: tuple[str, ...]) -> None:
    folded = fold(_cases(*elements))

    assert folded.is_repeated
    assert not folded.is_retry
    assert folded.outcome is (Outcome.FAILED if FAIL in elements else Outcome.PASSED)


def test_a_repeated_name_costs_the_sum_of_its_times() -> None:
    assert fold(_cases(PASS, FAIL, PASS)).seconds == 4.0


def test_a_report_that_repeats_names_proves_no_retry() -> None:
    assert fold(_cases(FAIL, PASS), names_repeat=True).is_repeated


def test_a_report_repeats_names_if_a_test_passed_twice() -> None:
    assert names_repeat([_cases(FAIL, PASS), _cases(PASS, PASS)])
    assert not names_repeat([_cases(FAIL, PASS), _cases(PASS, FAIL)])
    assert not names_repeat([_cases(PASS, PASS, suite="pytest")])


def test_failures_of_a_runner_with_unique_names_are_attempts() -> None:
    go = "<properties><property name='go.version' value='go1.22'/></properties>"

    assert fold(_cases(FAIL, FAIL, FAIL, properties=go)).is_retry
    assert fold(_cases(FAIL, FAIL, FAIL)).is_repeated


def test_a_long_series_is_a_repeated_name() -> None:
    folded = fold(_cases(*[FAIL] * 19, PASS))

    assert folded.is_repeated
    assert folded.n_attempts == 20


def test_a_failed_call_and_its_teardown_are_one_attempt_of_pytest() -> None:
    folded = fold(_cases(FAIL, ERROR, suite="pytest"))

    assert (folded.outcome, folded.n_attempts, folded.seconds) == (Outcome.FAILED, 1, 2.5)
    assert not folded.is_retry


def test_bare_reruns_of_pytest_prove_attempts_and_nothing_else() -> None:
    passed, failed = fold(_cases(PASS, PASS, suite="pytest")), fold(_cases(PASS, PASS, FAIL, suite="pytest"))

    assert (passed.outcome, passed.n_attempts, passed.n_failed_attempts) == (Outcome.PASSED, 2, 0)
    assert (failed.outcome, failed.n_attempts, failed.n_failed_attempts) == (Outcome.FAILED, 3, 1)
    assert passed.is_retry
    assert failed.is_retry


@pytest.mark.parametrize("suite", ["s", "pytest"])
def test_names_that_differ_in_a_masked_part_prove_no_retry(suite: str) -> None:
    one, other = "t[2026-01-01T00:00:00]", "t[2026-02-01T00:00:00]"

    folded = fold(_cases(FAIL.replace("'t'", f"'{one}'"), PASS.replace("'t'", f"'{other}'"), suite=suite))

    assert folded.is_repeated
    assert folded.outcome is Outcome.FAILED


def test_numbered_retries_are_ordered_by_their_number() -> None:
    second = PASS.replace("'t'", "'t (retry #1)'")

    folded = fold(_cases(second, FAIL))

    assert (folded.outcome, folded.n_attempts, folded.is_retry) == (Outcome.PASSED, 2, True)


def test_attempts_inside_an_element_are_counted() -> None:
    flaky = "<testcase classname='c' name='t'><flakyFailure message='1'/><flakyError message='2'/></testcase>"
    failed = "<testcase classname='c' name='t'><failure message='a'/><rerunFailure message='b'/></testcase>"

    passed_late, never = fold(_cases(flaky)), fold(_cases(failed))

    assert (passed_late.outcome, passed_late.n_attempts, passed_late.n_failed_attempts) == (
        Outcome.PASSED,
        3,
        2,
    )
    assert (never.outcome, never.n_attempts, never.n_failed_attempts) == (Outcome.FAILED, 2, 2)
    assert passed_late.is_retry
    assert never.is_retry


def test_thousands_of_repetitions_keep_their_count_and_few_attempts() -> None:
    folded = fold(_cases(*[PASS] * 2_000))

    assert folded.n_attempts == 2_000
    assert len(folded.attempts) <= 100
