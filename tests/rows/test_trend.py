"""One look at the tests tells the suite of two windows and its weeks, as looks of their own would."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from django.utils import timezone

from analysis import queries
from analysis.window import Window, read
from projects.vocabulary import Layer
from tests.factories import Shop, a_shop, failed, passed, record, report

pytestmark = pytest.mark.django_db


def a_unit(name: str) -> str:
    return passed(name, classname="tests.unit.Cart", file="tests/unit/test_cart.py")


@pytest.fixture
def shop() -> Shop:
    """Return a project whose tests came and went over months, on two branches and in two environments."""
    shop = a_shop()
    today = timezone.now().replace(hour=12)
    failing = failed("buys", seconds=8.0, classname="tests.e2e.Cart", file="tests/e2e/test_cart.py")
    passing = passed("buys", seconds=8.0, classname="tests.e2e.Cart", file="tests/e2e/test_cart.py")
    for days, cases in (
        (75, [a_unit("old")]),
        (45, [a_unit("old"), a_unit("kept")]),
        (20, [a_unit("kept"), failing]),
        (1, [a_unit("kept"), passing, a_unit("young")]),
    ):
        at = (today - timedelta(days=days)).astimezone(UTC).isoformat()
        for environment in ("linux", "mac"):
            run = f"main-{days}"
            sent = {"run": run, "commit": run, "branch": "main", "started_at": at, "environment": environment}
            record(shop, report(*cases), **sent)
    record(shop, report(a_unit("fresh")), run="side", commit="side", branch="side")
    shop.project.refresh_from_db()
    return shop


def window_of(shop: Shop, **params: str) -> Window:
    return read(params, today=timezone.now().date(), default_branch=shop.project.default_branch)


@pytest.mark.parametrize("branch", ["", "*", "side"])
@pytest.mark.parametrize("days", ["7d", "30d", "90d"])
def test_one_look_tells_what_two_would(shop: Shop, branch: str, days: str) -> None:
    window = window_of(shop, window=days, **({"branch": branch} if branch else {}))

    now, before, weeks = queries.suites_and_trend(shop.project, window)

    assert (now, before) == queries.suites(shop.project, window)
    assert weeks == queries.trend(shop.project, window)


def test_a_test_counts_once_in_each_week_and_window_whatever_its_environments(shop: Shop) -> None:
    window = window_of(shop)

    now, before, weeks = queries.suites_and_trend(shop.project, window)

    assert {amount.layer: amount.n_tests for amount in now.layers if amount.n_tests} == {
        Layer.UNIT: 2,
        Layer.E2E: 1,
    }
    assert {amount.layer: amount.n_tests for amount in before.layers if amount.n_tests} == {Layer.UNIT: 2}
    monday_before = weeks[-1].monday - timedelta(days=7 * 4)
    past = next(week for week in weeks if week.monday == monday_before)
    assert past.n_tests[Layer.UNIT] == 1


def test_a_window_that_ended_long_ago_counts_the_tests_of_then(shop: Shop) -> None:
    today = timezone.now().date()
    window = replace(window_of(shop), since=today - timedelta(days=50), until=today - timedelta(days=40))

    now, before, weeks = queries.suites_and_trend(shop.project, window)

    assert (now, before) == queries.suites(shop.project, window)
    assert weeks[-1].monday <= window.until
    assert now.totals.n_tests == 2
