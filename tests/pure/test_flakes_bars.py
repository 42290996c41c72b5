"""The bars a verdict has to clear, on two of the cases that recorded histories lack; the bench plays them all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bench.bench_flakes import baselines, run_history
from tests.bench.bench_flakes_histories import History, all_environment_outages, merge_queue


@pytest.mark.parametrize("make", [all_environment_outages, merge_queue], ids=lambda make: make.__name__)
def test_flakes_are_found_and_nothing_else_is(make: Callable[[int], History]) -> None:
    _, found = run_history(make(2))

    assert found.n_false <= 1
    assert found.recall_half_percent >= 0.93
    assert found.auc_main >= 0.98
    assert found.ece_main <= 0.05
    assert found.break_called_flaky <= 0.02
    assert found.outage_called_flaky <= 0.01


def test_a_rate_of_flips_takes_an_outage_for_flakes() -> None:
    history = all_environment_outages(1)

    _, flips = baselines(history)
    _, found = run_history(history)

    assert flips.precision < 0.2
    assert found.precision >= 0.97
