"""Causes: each pattern with the numbers it needs, and the histories that prove nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analysis.causes import chi_squared_p, fisher
from analysis.failures import FailureHistory, FailureSeen, cause
from analysis.seats import PassSeen
from projects.vocabulary import Cause

SEEN = FailureSeen(
    at=datetime(2026, 3, 10, 4, tzinfo=UTC),
    seconds=0.2,
    environment="linux",
    worker="",
    message="AssertionError: wrong basket",
    signature=b"a",
    passed_on_retry=None,
)


def history(*failures: FailureSeen) -> FailureHistory:
    return FailureHistory(
        failures=failures,
        median_pass_s=0.2,
        n_runs=200,
        runs_by_environment={"linux": 100, "win": 100},
        runs_by_hour=[8] * 24,
        n_tests_with_signature=1,
        runner="pytest",
        test="tests/a.py::test_it's",
    )


def spread(n: int) -> list[FailureSeen]:
    """Failures over all hours and both environments, so that no pattern is left but the one a test adds."""
    return [
        replace(SEEN, at=SEEN.at + timedelta(hours=31 * i), environment="linux" if i % 2 else "win")
        for i in range(n)
    ]


@pytest.mark.parametrize(("n", "seen"), [(0, "0 failures"), (1, "1 failure"), (2, "2 failures")])
def test_under_three_failures_there_is_not_enough_evidence(n: int, seen: str) -> None:
    found = cause(history(*spread(n)))

    assert found.cause == Cause.NOT_ENOUGH_EVIDENCE
    assert found.evidence == f"{seen} seen; a pattern needs at least 3."


def test_failures_without_a_pattern_are_not_given_one() -> None:
    assert cause(history(*spread(9))).cause == Cause.NOT_ENOUGH_EVIDENCE


def test_failures_that_last_much_longer_than_passes_are_timing() -> None:
    slow = [replace(seen, seconds=5.01, message="Timed out waiting for the page") for seen in spread(4)]

    found = cause(history(*slow))

    assert found.cause == Cause.TIMING
    assert found.evidence == (
        "4 of 4 failures last at least 3 times the passing median (5.01 s against 0.2 s),"
        ' 4 of them at a round limit and say "Timed out".'
    )
    assert found.command.startswith("pytest 'tests/a.py::test_it'\"'\"'s' --count 50")


def test_refused_connections_are_an_external_service() -> None:
    refused = [replace(seen, message="connect ECONNREFUSED pay:443") for seen in spread(3)]

    found = cause(replace(history(*refused), n_tests_with_signature=14))

    assert found.cause == Cause.EXTERNAL_SERVICE
    assert "ECONNREFUSED" in found.evidence
    assert "hit 14 tests" in found.evidence


def test_an_environment_with_nearly_all_failures_is_the_cause() -> None:
    found = cause(history(*[replace(seen, environment="win") for seen in spread(12)]))

    assert found.cause == Cause.ENVIRONMENT
    assert found.evidence == "12 of 12 failures are in the environment win, which has 100 of the 200 runs."


def after(tests: Sequence[int], *, first_run: int = 1) -> list[FailureSeen]:
    """Failures that came right after these tests, one every six runs."""
    return [
        replace(seen, after_test=test, predecessor=f"tests/b.py::test_{test}", run=first_run + 6 * i)
        for i, (seen, test) in enumerate(zip(spread(len(tests)), tests, strict=True))
    ]


def passes(tests: Sequence[int], *, share: float = 0.5, worker: str = "") -> list[PassSeen]:
    """The passes beside them, five after each failure."""
    return [PassSeen(2 + 6 * (i // 5) + i % 5, test, share, worker) for i, test in enumerate(tests)]


def test_failures_that_come_after_one_test_and_passes_that_do_not_are_shared_state() -> None:
    failures = after([7, 7, 7, 12, 7, 7, 7])

    found = cause(replace(history(*failures), passes=passes(range(20, 55))))

    assert (found.cause, found.evidence) == (
        Cause.SHARED_STATE,
        "6 of 7 failures came right after tests/b.py::test_7, 0 of the 35 passes beside them.",
    )
    assert found.command == "pytest -p no:randomly tests/b.py::test_7 'tests/a.py::test_it'\"'\"'s'"


def test_a_test_that_always_runs_after_the_same_one_does_not_fail_for_that() -> None:
    failures = after([7] * 9)

    found = cause(replace(history(*failures), passes=passes([7] * 45)))

    assert found.cause == Cause.NOT_ENOUGH_EVIDENCE


def test_an_order_that_no_pass_can_be_held_against_proves_nothing() -> None:
    assert cause(history(*after([7] * 9))).cause == Cause.NOT_ENOUGH_EVIDENCE


def test_failures_of_a_time_with_another_order_are_not_held_against_todays_passes() -> None:
    before = after([7] * 6)
    since = after([8, 8, 8], first_run=101)
    today = [seen._replace(run=seen.run + 100) for seen in passes([8] * 15)]

    found = cause(replace(history(*before, *since), passes=today))

    assert found.cause == Cause.NOT_ENOUGH_EVIDENCE


def test_random_orders_hardly_ever_look_like_shared_state() -> None:
    source = random.Random(3)
    n_fired = 0
    for _ in range(400):
        n = source.randrange(3, 15)
        n_tests = source.choice([3, 5, 10, 300])
        failures = after([source.randrange(1, n_tests) for _ in range(n)])
        beside = passes([source.randrange(1, n_tests) for _ in range(min(60, 5 * n))])
        n_fired += cause(replace(history(*failures), passes=beside)).cause == Cause.SHARED_STATE

    assert n_fired <= 2


def test_a_worker_with_most_failures_and_few_passes_is_named() -> None:
    failures = [replace(seen, worker="gw3") for seen in after([0] * 6)]
    beside = [seen._replace(worker=f"gw{i % 4}") for i, seen in enumerate(passes([0] * 30))]

    found = cause(replace(history(*failures), passes=beside))

    assert (found.cause, found.evidence) == (
        Cause.SHARED_STATE,
        "6 of 6 failures were on the worker gw3, 7 of the 30 passes beside them.",
    )


def test_a_machine_that_runs_everything_is_not_the_cause() -> None:
    failures = [replace(seen, worker="runner-1") for seen in after([0] * 6)]

    found = cause(replace(history(*failures), passes=passes([0] * 30, worker="runner-1")))

    assert found.cause == Cause.NOT_ENOUGH_EVIDENCE


def test_tests_of_a_class_that_fail_together_share_state() -> None:
    together = [replace(seen, n_failed_beside=3, passed_on_retry=True) for seen in spread(5)]

    found = cause(history(*together))

    assert found.cause == Cause.SHARED_STATE
    assert found.evidence.endswith("and 5 of 5 passed when retried alone.")


def test_failures_of_one_hour_speak_of_the_clock() -> None:
    midnight = [
        replace(seen, at=SEEN.at.replace(hour=23) + timedelta(days=i)) for i, seen in enumerate(spread(9))
    ]

    found = cause(history(*midnight))

    assert (found.cause, found.evidence) == (
        Cause.TIME_AND_DATE,
        "9 of 9 failures fall between 23:00 and 00:00 UTC.",
    )


def test_other_values_every_time_at_one_place_are_randomness() -> None:
    values = [
        replace(seen, message=f"AssertionError: assert {7 * i} < 3") for i, seen in enumerate(spread(6), 1)
    ]

    assert cause(history(*values)).cause == Cause.RANDOMNESS


def test_a_resource_that_ran_out_is_named() -> None:
    found = cause(history(*[replace(seen, message="OSError: too many open files") for seen in spread(3)]))

    assert (found.cause, found.evidence) == (
        Cause.RESOURCE,
        '3 of 3 failures name a resource that ran out ("too many open files").',
    )


def test_failures_at_the_end_of_the_run_are_a_resource_unless_its_passes_are_there_too() -> None:
    late = [replace(seen, place_in_run=0.95) for seen in after([0] * 6)]

    found = cause(replace(history(*late), passes=passes([0] * 30, share=0.3)))
    always = cause(replace(history(*late), passes=passes([0] * 30, share=0.95)))

    assert (found.cause, found.evidence) == (
        Cause.RESOURCE,
        "6 of 6 failures came in the last fifth of the run, 0 of the 30 passes beside them.",
    )
    assert always.cause == Cause.NOT_ENOUGH_EVIDENCE


def test_fisher_agrees_with_the_table_worked_by_hand() -> None:
    # 3 of 4 against 1 of 4: (C(4,3) C(4,1) + C(4,4) C(4,0)) / C(8,4) = 17 / 70
    assert fisher(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher(0, 10, 0, 10) == pytest.approx(1.0)


def test_chi_squared_is_near_its_table() -> None:
    # 60 and 40 where 50 and 50 belong: 4.0 with one degree of freedom, p 0.0455
    assert chi_squared_p([60, 40], [1, 1]) == pytest.approx(0.0455, abs=0.003)
    assert chi_squared_p([], []) == 1.0
