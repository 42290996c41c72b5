"""Flakes: single histories worked out by hand, from the first failure to the repair."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from analysis.flakes import (
    DEFAULT,
    Group,
    State,
    Update,
    advance,
    declare_fixed,
    forgive,
    mark,
    never_failed,
    update,
    verdict,
)
from analysis.states import UnknownStateVersion
from analysis.verdicts import Count, one_environment
from projects.vocabulary import FlakeRule, FlakeStatus


def play(outcomes: str, *, n_pass: int = 500, retries: tuple[bool, ...] = ()) -> tuple[State, list[Update]]:
    """Play one group per commit on the default branch: '.' passes, 'F' fails, 'R' fails and passes on retry."""
    state = never_failed(n_pass)
    told = []
    for n, letter in enumerate(outcomes, 1):
        group = Group(
            run=n,
            at=100 + n / 4,
            first_failed=letter in "FR",
            retries=(False,) if letter == "R" else retries if letter == "F" else (),
            commit=mark(f"c{n}"),
            n_pass=state.n_pass,
            n_main_pass=state.n_main_pass,
        )
        told.append(update(state, group))
    return state, told


def test_a_test_that_only_passed_is_healthy() -> None:
    told = verdict(never_failed(1000), now_day=10.0)

    assert told.status is FlakeStatus.HEALTHY
    assert told.rate < 0.001


def test_a_first_failure_of_a_young_test_is_rather_a_flake_and_of_an_old_one_rather_a_break() -> None:
    young = play("F", n_pass=10)[1][0].p_flaky
    old = play("F", n_pass=500)[1][0].p_flaky

    assert young is not None
    assert old is not None
    # p = 0.02 / (5.02 + 10 / 1.5) = 1.7e-3 against a hazard of 2e-4 / (1 - 2e-4)
    assert young == pytest.approx(0.895, abs=0.01)
    assert old < 0.35


def test_a_pass_on_retry_is_nearly_always_a_flake() -> None:
    _, told = play("R")

    assert told[0].p_flaky is not None
    assert told[0].p_flaky > 0.95
    assert told[0].rule is FlakeRule.RETRY


def test_a_second_flip_makes_the_test_flaky_and_names_the_runs() -> None:
    state, told = play("R....R.")

    shown = verdict(state, now_day=102.0)

    assert shown.status is FlakeStatus.FLAKY
    assert [event.after for item in told if (event := item.event)] == [
        FlakeStatus.SUSPECTED,
        FlakeStatus.FLAKY,
    ]
    assert {proof.failed_run for proof in shown.proofs} == {1, 6}
    assert "failed and passed when retried in the same run" in shown.rule
    assert shown.rate_low < shown.rate < shown.rate_high


def test_a_rare_flake_that_nobody_retries_is_told_with_its_second_isolated_failure() -> None:
    once, _ = play("." * 40 + "F" + "." * 60, n_pass=20)
    twice, _ = play("." * 40 + "F" + "." * 60 + "F.", n_pass=20)

    assert verdict(once, now_day=126.0).status is FlakeStatus.SUSPECTED
    assert verdict(twice, now_day=127.0).status is FlakeStatus.FLAKY


def test_two_breaks_that_a_commit_repaired_days_later_are_no_flake() -> None:
    state, _ = play("." * 40 + "FFFFF" + "." * 60 + "FFFF" + "." * 20, n_pass=20)

    assert verdict(state, now_day=133.0).status is FlakeStatus.HEALTHY


def test_a_test_that_fails_on_and_on_is_broken_and_not_flaky() -> None:
    state, told = play("." * 20 + "FFFFFF", retries=(True,))

    assert verdict(state, now_day=107.0).status is FlakeStatus.BROKEN
    assert told[-1].p_flaky is not None
    assert told[-1].p_flaky < 0.01


def test_a_flaky_test_that_fails_on_for_a_week_is_broken_with_the_runs_of_that_week() -> None:
    state, told = play(".R..F.R.." * 6 + "F" * 28)

    shown = verdict(state, now_day=121.0)

    assert shown.status is FlakeStatus.BROKEN
    assert shown.proof_runs[0] == 55
    assert shown.proof_runs[-1] == 82
    assert len(shown.proof_runs) == 12
    assert "failed 28 times in a row on 28 commits" in shown.rule
    assert "were it only as flaky as before (" in shown.rule
    assert [item.event.after for item in told if item.event][-1] is FlakeStatus.BROKEN


def test_a_broken_flake_that_passes_again_is_flaky_and_not_healed_by_the_repair() -> None:
    state, _ = play(".R..F.R.." * 6 + "F" * 28 + "..")

    assert verdict(state, now_day=121.5).status is FlakeStatus.FLAKY


def test_a_test_that_fails_most_of_the_time_may_fail_some_times_in_a_row() -> None:
    state, _ = play("F.F.FF.F.F.FF.F.F" * 4 + ".FFFF")

    assert verdict(state, now_day=119.0).status is FlakeStatus.FLAKY


def test_a_test_that_passes_when_retried_is_not_broken_however_often_it_fails_at_first() -> None:
    state, _ = play(".R..R.R.." * 4 + "R" * 20)

    assert verdict(state, now_day=114.5).status is FlakeStatus.FLAKY


def test_a_repaired_break_leaves_no_suspicion() -> None:
    state, told = play("." * 20 + "FFFFFF" + "." * 5, retries=(True,))

    shown = verdict(state, now_day=108.0)

    assert shown.status is FlakeStatus.HEALTHY
    assert not shown.proofs
    settled = {item.run: item.p_flaky for item in told[26].settled}
    assert set(settled) == set(range(21, 27))
    assert max(settled.values()) < 0.01


def test_isolated_failures_without_retries_add_up() -> None:
    state, _ = play(("." * 9 + "F") * 6 + ".")

    shown = verdict(state, now_day=116.0)

    assert shown.status is FlakeStatus.FLAKY
    assert 0.03 < shown.rate < 0.2


def test_a_flake_is_fixed_after_enough_quiet_passes_and_not_before() -> None:
    state, _ = play("R....R....R....R.")
    assert state.is_flagged

    told_after = []
    for n in range(1, 600):
        group = Group(
            run=100 + n,
            at=110 + n / 4,
            first_failed=False,
            commit=mark(f"d{n}"),
            n_pass=state.n_pass,
            n_main_pass=state.n_main_pass,
        )
        told_after.append(update(state, group).event)
        if state.is_fixed:
            break

    assert told_after[-1] is not None
    assert told_after[-1].after is FlakeStatus.FIXED
    assert 20 < state.n_quiet < 600
    assert verdict(state, now_day=300.0, last_seen_day=299.0).p_unfixed_but_quiet < 0.1


def test_a_repair_that_somebody_named_is_believed_sooner() -> None:
    named, _ = play("R....R....R....R.")
    unnamed = State.unpack(named.pack())
    declare_fixed(named, n_passes=0, run=20, at=105.0)

    for state in (named, unnamed):
        advance(state, n_pass=state.n_pass + 200, n_main_pass=state.n_main_pass + 200, at=110.0)

    assert named.is_fixed
    assert not unnamed.is_fixed


def test_passes_counted_later_equal_passes_seen_one_by_one() -> None:
    one, _ = play("R....R.")
    other = State.unpack(one.pack())

    for n in range(40):
        update(
            one,
            Group(run=50 + n, at=101.75, first_failed=False, n_pass=one.n_pass, n_main_pass=one.n_main_pass),
        )
    advance(other, n_pass=other.n_pass + 40, n_main_pass=other.n_main_pass + 40, at=101.75)

    assert other.alpha == pytest.approx(one.alpha)
    assert other.beta == pytest.approx(one.beta)
    assert (other.index, other.n_quiet) == (one.index, one.n_quiet)


def test_a_pull_request_never_breaks_the_default_branch() -> None:
    state = never_failed(300)

    for n in range(6):
        update(
            state,
            Group(
                run=n + 1,
                at=5.0,
                first_failed=True,
                is_default_branch=False,
                change=mark("pull/7"),
                n_pass=300,
            ),
        )

    assert state.broken == 0.0
    assert not state.is_flagged
    assert state.alpha < 0.5  # one pull request counts once


def test_a_pass_at_the_commit_of_a_failed_pull_request_is_a_flip() -> None:
    state = never_failed(50)
    failed = Group(run=1, at=5.0, first_failed=True, is_default_branch=False, commit=7, change=9, n_pass=50)
    update(state, failed)

    told = update(state, failed._replace(run=2, first_failed=False))

    assert [(item.run, item.p_flaky > 0.9) for item in told.settled] == [(1, True)]
    assert state.proofs[0].passed_run == 2


def test_a_failure_inside_an_outage_moves_nothing() -> None:
    state = never_failed(100)
    before = state.pack()

    told = update(state, Group(run=1, at=0.0, first_failed=True, weight=0.0, n_pass=100, n_main_pass=100))

    assert told.p_flaky == DEFAULT.withheld_p
    assert state.pack() == before


def test_failures_inside_a_code_break_are_no_evidence_of_a_flake() -> None:
    state = never_failed(100)
    for n in range(3):
        update(
            state,
            Group(
                run=n, at=1.0, first_failed=True, commit=n + 1, break_prior=0.9, n_pass=100, n_main_pass=100
            ),
        )
        update(
            state,
            Group(run=9, at=1.1, first_failed=False, commit=n + 50, n_pass=100 + n, n_main_pass=100 + n),
        )

    assert state.episodes < 0.1
    assert not state.is_flagged


def test_a_forgiven_episode_leaves_the_state_as_quiet_as_before() -> None:
    state, _ = play("FF")

    forgive(state)

    assert (state.length, state.broken, state.episodes, state.flips) == (0, 0.0, 0.0, 0.0)


def test_a_state_survives_its_bytes() -> None:
    state, _ = play("R....R..F.FF....R.")

    again = State.unpack(state.pack())

    assert again.pack() == state.pack()
    assert again.proofs == state.proofs
    assert (again.status, again.is_flagged) == (state.status, state.is_flagged)
    assert len(state.pack()) < 800


@pytest.mark.parametrize("stored", [b"", b"\x00", b"\xff" + bytes(400)])
def test_bytes_of_other_rules_are_refused(stored: bytes) -> None:
    with pytest.raises(UnknownStateVersion):
        State.unpack(stored)


def test_a_test_not_seen_for_two_weeks_is_stale() -> None:
    state, _ = play("R....R.")

    assert verdict(state, now_day=130.0).status is FlakeStatus.STALE
    assert verdict(state, now_day=130.0, last_seen_day=129.0).status is FlakeStatus.FLAKY


def test_a_nearly_always_failing_flake_is_told_from_a_break() -> None:
    state, told = play("FF.FFF.F.FFFF.FF.FFFFF.F.FFF.FF.FFFF.FFF.F", retries=(True,))

    assert verdict(state, now_day=112.0).status is FlakeStatus.FLAKY
    assert told[-1].p_flaky is not None
    assert told[-1].p_flaky > 0.9


def test_the_environment_that_stands_out_is_named() -> None:
    assert one_environment({"linux": Count(0, 400), "win": Count(12, 400)}) == "win"
    assert one_environment({"linux": Count(5, 400), "win": Count(7, 400)}) is None
    assert one_environment({"linux": Count(9, 400)}) is None
    assert one_environment({}) is None


def test_more_quiet_passes_make_a_repair_likelier() -> None:
    state, _ = play("R....R....R.")
    seen = []
    for n in range(60):
        seen.append(state.p_fixed)
        update(
            state,
            Group(run=70 + n, at=104.0, first_failed=False, n_pass=state.n_pass, n_main_pass=state.n_pass),
        )

    assert all(one <= other for one, other in pairwise(seen))
    assert not math.isnan(seen[-1])
