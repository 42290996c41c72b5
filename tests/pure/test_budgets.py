"""Budgets: when they are crossed, how sure that is, and the fewest tests that take a layer back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from analysis.budgets import fewest, forecast, slope_interval, too_much, weekly

UNTIL = date(2026, 11, 20)


def growing(*seconds: float) -> list[tuple[date, float]]:
    """Return a run a week, oldest first, the last of them on the last day."""
    n = len(seconds)
    return [(UNTIL - timedelta(weeks=n - 1 - week), s) for week, s in enumerate(seconds)]


def test_weeks_are_medians_oldest_first() -> None:
    spent = [(UNTIL - timedelta(days=8), 10.0), (UNTIL, 20.0), (UNTIL, 30.0), (UNTIL, 70.0)]

    assert weekly(spent, until=UNTIL) == [(-1, 10.0), (0, 30.0)]


def test_the_slope_is_the_median_of_all_pairs() -> None:
    slope, low, high = slope_interval([(0, 0.0), (1, 10.0), (2, 20.0), (3, 90.0), (4, 40.0), (5, 50.0)])

    # Without the outlier each pair rises by 10 a week.
    assert slope == 10.0
    assert low <= slope <= high


def test_a_steady_growth_crosses_when_a_line_would() -> None:
    found = forecast(growing(200, 210, 220, 230, 240, 250), run_s=250, limit_s=300, until=UNTIL)

    assert found is not None
    assert found.crosses_on == UNTIL + timedelta(weeks=5)
    assert found.earliest_on == found.latest_on == found.crosses_on


def test_a_noisy_growth_crosses_between_two_weeks() -> None:
    spent = growing(200, 230, 205, 245, 220, 260, 240, 275, 250)

    found = forecast(spent, run_s=250, limit_s=300, until=UNTIL)

    assert found is not None
    assert UNTIL < found.earliest_on < found.crosses_on
    assert found.latest_on is None or found.latest_on > found.crosses_on


@pytest.mark.parametrize(
    ("spent", "run_s"),
    [
        (growing(200, 210, 220), 220),  # too young
        (growing(250, 240, 230, 220), 220),  # falls
        (growing(290, 300, 310, 320), 320),  # crossed
        (growing(100.0, 100.1, 100.2, 100.3), 100.3),  # further off than a year
    ],
)
def test_what_does_not_lead_there_has_no_forecast(spent: list[tuple[date, float]], run_s: float) -> None:
    assert forecast(spent, run_s=run_s, limit_s=300, until=UNTIL) is None


def test_too_much_is_down_to_the_budget_or_down_to_the_warning() -> None:
    assert too_much(330, 300) == 30
    assert too_much(270, 300) == pytest.approx(30)
    assert too_much(200, 300) == 0


def test_the_fewest_are_the_dearest() -> None:
    assert fewest([20.0, 15.0, 5.0], 30.0) == 2
    assert fewest([20.0, 15.0, 5.0], 20.0) == 1
    assert fewest([20.0], 50.0) == 1
    assert fewest([20.0], 0.0) == 0
