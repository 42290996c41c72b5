"""The arithmetic under the verdicts: beta tails against exact sums, splits against histories drawn by hand."""

from __future__ import annotations

from math import comb

import pytest

from analysis.beta import beta_cdf, beta_quantile, passes_needed, quiet_chance
from analysis.rates import n_streaks
from analysis.regimes import Ending, last_regime


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 5), (3, 40), (10, 10), (1, 300), (20, 400)])
@pytest.mark.parametrize("x", [0.0, 0.001, 0.02, 0.3, 0.5, 0.9, 1.0])
def test_the_tail_of_a_beta_is_the_tail_of_a_binomial(a: int, b: int, x: float) -> None:
    n = a + b - 1
    exact = sum(comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))

    assert beta_cdf(x, a=a, b=b) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.25, 2.0), (1.5, 330.0), (60.0, 12.0)])
def test_a_quantile_undoes_the_tail(a: float, b: float) -> None:
    for q in (0.05, 0.5, 0.95):
        assert beta_cdf(beta_quantile(q, a=a, b=b), a=a, b=b) == pytest.approx(q, abs=1e-6)


def test_a_quiet_spell_of_a_sure_rate_is_a_power() -> None:
    # Beta(1, 9): the chance of n passes is 9 / (9 + n)
    assert quiet_chance(3, a=1, b=9) == pytest.approx(9 / 12)


@pytest.mark.parametrize(("rate", "n"), [(0.5, 5), (0.2, 14), (0.1, 29), (0.05, 59), (0.01, 299)])
def test_the_passes_needed_approach_the_known_table(rate: float, n: int) -> None:
    needed = passes_needed(a=rate * 1e6, b=(1 - rate) * 1e6)

    assert abs(needed - n) <= 1
    assert passes_needed(a=rate * 20, b=(1 - rate) * 20) >= n


def test_a_rate_that_cannot_be_waited_out_stops_at_the_limit() -> None:
    assert passes_needed(a=0.02, b=500.0, most=1000) == 1000


def test_a_change_of_rate_is_dated() -> None:
    failures = [(100 + 3 * n, Ending.PASSED_ON_RETRY) for n in range(12)]

    regime = last_regime(failures, end=136)

    assert regime.is_new
    assert regime.earliest <= 100 <= regime.latest
    assert (regime.n_failed, regime.n_groups) == (12, 36)


def test_a_steady_rate_is_one_regime() -> None:
    regime = last_regime([(10 * n, Ending.NOT_RETRIED) for n in range(18)], end=180)

    assert not regime.is_new
    assert (regime.start, regime.n_failed, regime.n_groups) == (0, 18, 180)


def test_only_the_last_two_hundred_groups_count() -> None:
    regime = last_regime([(0, Ending.NOT_RETRIED), (390, Ending.NOT_RETRIED)], end=400)

    assert (regime.start, regime.n_failed, regime.n_groups) == (200, 1, 200)


def test_a_break_that_was_repaired_is_its_own_regime() -> None:
    regime = last_regime([(n, Ending.FAILED_AGAIN) for n in range(50, 70)], end=150)

    assert regime.is_new
    assert (regime.start, regime.n_failed) == (70, 0)


@pytest.mark.parametrize(("orders", "n"), [([], 0), ([0], 1), ([3, 4, 5], 1), ([3, 5, 6, 9], 3)])
def test_streaks_begin_after_a_pass(orders: list[int], n: int) -> None:
    assert n_streaks(orders) == n
