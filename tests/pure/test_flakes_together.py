"""Tests that flake together."""

from __future__ import annotations

from analysis.clusters import clusters
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
