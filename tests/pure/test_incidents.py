"""Incidents: a machine that fails, a commit that breaks much, and what later runs make of either."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from analysis.engine import Engine, RunSeen, Tried
from analysis.flakes import DEFAULT, mark
from analysis.incidents import (
    FailingRun,
    Failure,
    Incident,
    Kind,
    Surroundings,
    follow,
    incident,
    mass_limit,
    spread_signatures,
)
from projects.vocabulary import FlakeStatus

MANY = range(40)


def failing(tests: Iterable[int], *, run: int = 1, at: float = 10.0, signature: bytes = b"") -> FailingRun:
    return FailingRun(
        run=run,
        environment="linux",
        branch="main",
        is_default_branch=True,
        commit=mark(f"c{run}"),
        at=at,
        n_tests=1000,
        failures={test: Failure(suite=test // 4, signature=signature) for test in tests},
    )


def suspected(run: FailingRun) -> Incident:
    found = incident(run)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("n_tests", "sizes", "limit"),
    [(100, [], 10), (1000, [], 10), (10_000, [], 40), (1000, [8] * 50, 24), (0, [], 10)],
)
def test_a_mass_is_measured_against_the_suite_and_the_usual(
    n_tests: int, sizes: list[int], limit: int
) -> None:
    assert mass_limit(n_tests=n_tests, sizes=sizes) == limit


def test_a_few_failures_are_no_incident() -> None:
    assert incident(failing(range(9))) is None


def test_many_failures_of_one_suite_are_no_incident() -> None:
    run = failing(range(40))
    one_suite = replace(run, failures={test: Failure(suite=1) for test in run.failures})

    assert incident(one_suite) is None


def test_a_mass_failure_is_first_suspected_to_be_an_outage() -> None:
    found = suspected(failing(MANY))

    assert (found.kind, found.weight) == (Kind.OUTAGE_SUSPECTED, 0.0)
    assert found.why == "40 of 1000 tests failed unexpectedly (limit 10) in 10 suites"


def test_the_same_commit_failing_alike_elsewhere_is_a_code_break() -> None:
    run = failing(MANY)
    twin = replace(run, run=2, environment="win")

    found = incident(run, around=Surroundings(same_commit=[twin]))

    assert found is not None
    assert (found.kind, found.weight) == (Kind.CODE_BREAK, 1.0)


def test_an_unrelated_branch_that_failed_before_means_an_outage() -> None:
    run = failing(MANY, run=2, at=10.05)
    other = replace(failing(MANY), branch="pull/7", is_default_branch=False)

    found = incident(run, around=Surroundings(recent=[other]))

    assert found is not None
    assert found.kind is Kind.OUTAGE_CONFIRMED


def test_a_pull_request_that_may_hold_the_commit_proves_nothing() -> None:
    run = failing(MANY)
    later = replace(failing(MANY, run=2, at=10.05), branch="pull/7", is_default_branch=False)

    unknown = follow(suspected(run), later, failing=MANY)
    older = follow(suspected(run), replace(later, base_at=9.0), failing=MANY)

    assert unknown.kind is Kind.OUTAGE_SUSPECTED
    assert older.kind is Kind.OUTAGE_CONFIRMED


def test_the_same_commit_passing_later_confirms_the_outage() -> None:
    run = failing(MANY)
    again = replace(failing([1], run=2, at=10.01), commit=run.commit)

    assert follow(suspected(run), again, failing=[1]).kind is Kind.OUTAGE_CONFIRMED


def test_two_commits_that_fail_on_while_others_pass_are_a_code_break() -> None:
    first = suspected(failing(MANY))

    after_one = follow(first, failing(MANY, run=2, at=10.2), failing=MANY, others_pass=True)
    after_two = follow(after_one, failing(MANY, run=3, at=10.4), failing=MANY, others_pass=True)

    assert after_one.kind is Kind.OUTAGE_SUSPECTED
    assert after_two.kind is Kind.CODE_BREAK


def test_without_other_branches_patience_lasts_longer() -> None:
    found = suspected(failing(MANY))

    kinds = []
    for n in range(2, 8):
        found = follow(found, failing(MANY, run=n, at=10 + n / 5), failing=MANY)
        kinds.append(found.kind)

    assert kinds.index(Kind.CODE_BREAK) == 4


def test_an_outage_gone_with_the_next_commit_is_closed() -> None:
    found = follow(suspected(failing(MANY)), failing([], run=2, at=10.2), failing=[])

    assert (found.kind, found.is_open) == (Kind.OUTAGE_ENDED, False)


def test_a_signature_on_two_branches_and_three_tests_is_nobodys_own() -> None:
    main = failing([1, 2], signature=b"refused")
    change = replace(failing([3], run=2, signature=b"refused"), branch="pull/7")

    assert spread_signatures([main, change]) == {b"refused"}
    assert spread_signatures([main]) == frozenset()
    assert spread_signatures([failing([1, 2]), replace(failing([3], run=2), branch="pull/7")]) == frozenset()


# --- the engine


def seen(
    run: int,
    tests: Iterable[int],
    *,
    environment: str = "linux",
    commit: str = "",
    passing: Iterable[int] = (),
) -> RunSeen:
    tried = {test: Tried(first_failed=True, n_pass=300, n_main_pass=300, suite=test // 4) for test in tests}
    tried |= {
        test: Tried(first_failed=False, n_pass=300, n_main_pass=300, suite=test // 4) for test in passing
    }
    return RunSeen(
        run=run,
        environment=environment,
        branch="main",
        is_default_branch=True,
        commit=mark(commit or f"c{run}"),
        change=0,
        at=10 + run / 6,
        n_tests=1000,
        tried=tried,
    )


def test_tests_that_fail_in_an_outage_alone_get_no_state() -> None:
    engine = Engine()

    judged = engine.record(seen(1, MANY))

    assert judged.incident is not None
    assert {told.p_flaky for told in judged.updates.values()} == {DEFAULT.withheld_p}
    assert not engine.states["linux"]


def test_a_break_found_late_is_counted_after_all() -> None:
    engine = Engine()

    told = [engine.record(seen(run, MANY)) for run in range(1, 7)]

    assert told[0].incident is not None
    assert told[0].incident.kind is Kind.OUTAGE_SUSPECTED
    assert {run for run, _, _ in told[5].replayed} == {1, 2, 3, 4, 5}
    assert {state.status for state in engine.states["linux"].values()} == {FlakeStatus.BROKEN}


def test_an_outage_of_all_environments_never_makes_flakes() -> None:
    engine = Engine()

    for n in range(0, 40, 4):
        engine.record(seen(n + 1, MANY, commit=f"c{n}"))
        engine.record(seen(n + 2, MANY, environment="win", commit=f"c{n}"))
        for run, environment in ((n + 3, "linux"), (n + 4, "win")):
            awake = engine.awake(environment, at=10 + run / 6)
            engine.record(seen(run, [], environment=environment, commit=f"d{n}", passing=awake))

    states = [state for tests in engine.states.values() for state in tests.values()]
    assert not any(state.is_flagged for state in states)
