"""Tests that flake together, and tests that changed their name."""

from __future__ import annotations

import pytest

from analysis.clusters import clusters
from analysis.flakes import DEFAULT, never_failed
from analysis.renames import Known, Rename, carried, likeness, renames
from tests.bench.bench_flakes_histories import systemic_clusters


def test_tests_that_fail_in_the_same_runs_are_one_cluster() -> None:
    runs = [{1, 2, 3}, {1, 2}, {1, 2, 3}, {2, 3}, {1, 2, 3}, {9}, {8, 9}, {8}]

    assert clusters(runs) == [frozenset({1, 2, 3})]


def test_two_failures_together_may_be_chance() -> None:
    assert clusters([{1, 2}, {1, 2}]) == []
    assert clusters([{1, 2}] * 3 + [{1}] * 4) == []
    assert clusters([]) == []


def test_a_run_where_everything_fails_joins_nobody() -> None:
    assert clusters([set(range(60))] * 5) == []


def test_the_clusters_of_a_history_are_found_again() -> None:
    history = systemic_clusters(1)
    runs = [
        {test for test, tries in run.failures.items() if tries.cause == "flaky" and test in history.flaky}
        for run in history.runs
    ]

    found = clusters(runs)

    assert [len(tests) for tests in found] == [9, 8, 6, 4]


def known(test: int, name: str, *, suite: str = "basket", median_s: float | None = 1.0) -> Known:
    return Known(test, suite, name, median_s)


def test_a_moved_test_keeps_its_name() -> None:
    found = renames(
        vanished=[known(1, "adds a rebate")], appeared=[known(2, "adds a rebate", suite="prices")]
    )

    assert found == [Rename(2, (1,), is_sure=True)]


def test_a_renamed_test_keeps_most_of_its_words() -> None:
    old = known(1, "test_basket_adds_up_the_prices_of_all_items")
    new = known(2, "test_basket_adds_up_the_prices_of_items")

    assert renames(vanished=[old], appeared=[new]) == [Rename(2, (1,), is_sure=True)]


@pytest.mark.parametrize(
    "new",
    [
        known(2, "test_removes_a_customer"),
        known(2, "test_basket_adds_up_the_prices_of_items", suite="elsewhere"),
        known(2, "test_basket_adds_up_the_prices_of_items", median_s=9.0),
    ],
)
def test_another_test_is_no_rename(new: Known) -> None:
    assert renames(vanished=[known(1, "test_basket_adds_up_the_prices_of_all_items")], appeared=[new]) == []


def test_two_candidates_are_for_a_person_to_choose() -> None:
    old = [known(1, "adds", suite="a"), known(2, "adds", suite="b")]

    found = renames(vanished=old, appeared=[known(3, "adds", suite="c")])

    assert found == [Rename(3, (1, 2), is_sure=False)]


def test_one_old_test_is_not_given_to_two_new_ones() -> None:
    new = [known(2, "adds", suite="b"), known(3, "adds", suite="c")]

    found = renames(vanished=[known(1, "adds", suite="a")], appeared=new)

    assert [rename.is_sure for rename in found] == [False, False]


def test_half_of_the_evidence_follows_a_rename() -> None:
    state = never_failed(400)

    after = carried(state, DEFAULT)

    assert after.beta == pytest.approx((state.beta + 5.0) / 2)
    assert after.n_pass == 400


def test_names_are_compared_by_their_words() -> None:
    assert likeness("addsARebate", "adds_a_rebate") == 1.0
    assert likeness("adds_a_rebate", "takes_a_rebate") == pytest.approx(2 / 3)
    assert likeness("", "") == 1.0
