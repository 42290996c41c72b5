"""What flakes cost, worked out by hand: a broken run by its P(flaky), its second run, the wait, and people's time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import queries
from analysis.window import read
from projects.models import Failure, MutingPolicy
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, retried

pytestmark = pytest.mark.django_db


def costs(shop: Shop) -> queries.Costs:
    """Return the costs of the last 30 days on the default branch."""
    window = read({}, default_branch="main", today=timezone.now().date())
    return queries.costs(shop.project, window, with_before=True)


def say(shop: Shop, p: float, *, name: str = "adds") -> None:
    """Let the failures of a test be flakes with this probability."""
    Failure.objects.filter(project=shop.project, test_id=a_test_named(shop, name).id).update(p_flaky=p)


def test_a_run_that_a_flake_broke_costs_half_of_its_time_and_ten_minutes() -> None:
    shop = a_shop()
    record(shop, report(failed("adds", seconds=10.0), passed("other", seconds=50.0)), run="a", commit="c1")
    say(shop, 0.9)

    found = costs(shop)

    assert found.total.n_runs_broken == 1
    one = found.of_tests[a_test_named(shop, "adds").id]
    assert one.seconds_lost == pytest.approx(0.9 * 60 * 0.5)
    assert one.developer_s == pytest.approx(0.9 * 600)
    assert one.waited_s == 0


def test_a_real_failure_beside_it_takes_the_blame() -> None:
    shop = a_shop()
    record(shop, report(failed("adds"), failed("breaks")), run="a", commit="c1")
    say(shop, 0.9)
    say(shop, 0.0, name="breaks")

    found = costs(shop)

    assert found.total.n_runs_broken == 0
    assert found.total.developer_s == 0


def test_tests_that_broke_a_run_together_share_its_cost() -> None:
    shop = a_shop()
    record(
        shop,
        report(failed("adds", seconds=10.0), failed("pays", seconds=10.0), passed("other", seconds=80.0)),
        run="a",
        commit="c1",
    )
    say(shop, 0.9)
    say(shop, 0.6, name="pays")

    found = costs(shop)

    # P = 0.9 * 0.6 = 0.54; the shares are 0.9 / 1.5 and 0.6 / 1.5; half of 100 s is run again
    assert found.of_tests[a_test_named(shop, "adds").id].seconds_lost == pytest.approx(0.6 * 0.54 * 50)
    assert found.of_tests[a_test_named(shop, "pays").id].seconds_lost == pytest.approx(0.4 * 0.54 * 50)
    assert found.total.n_runs_broken == 1


def test_the_green_run_of_the_commit_tells_what_it_took_and_how_long_people_waited() -> None:
    shop = a_shop()
    first = timezone.now() - timedelta(days=1)
    later = first + timedelta(minutes=30)
    record(shop, report(failed("adds", seconds=10.0)), run="a", commit="c1", started_at=first.isoformat())
    record(shop, report(passed("adds", seconds=8.0)), run="b", commit="c1", started_at=later.isoformat())
    say(shop, 1.0)

    one = costs(shop).of_tests[a_test_named(shop, "adds").id]

    assert one.seconds_lost == pytest.approx(8.0)
    assert one.waited_s == pytest.approx(1800)


def test_a_later_attempt_costs_the_share_of_the_tests_that_it_ran_again() -> None:
    shop = a_shop()
    started = (timezone.now() - timedelta(hours=1)).isoformat()
    first = report(failed("adds", seconds=10.0), *(passed(f"t{n}", seconds=10.0) for n in range(3)))
    record(shop, first, run="a", commit="c1", started_at=started)
    record(shop, report(passed("adds", seconds=10.0)), run="a", commit="c1", attempt="2")
    say(shop, 1.0)

    one = costs(shop).of_tests[a_test_named(shop, "adds").id]

    # one of four tests ran again, of 40 s in all; the failed attempt itself took 10 s
    assert one.seconds_lost == pytest.approx(10 + 40 / 4)
    assert one.waited_s == pytest.approx(3600, abs=60)


def test_a_retry_that_passed_costs_its_failed_attempt_alone() -> None:
    shop = a_shop()
    record(shop, report(retried("adds"), passed("other", seconds=50.0)), run="a", commit="c1")
    say(shop, 1.0)
    Failure.objects.filter(project=shop.project).update(seconds=3.0)

    found = costs(shop)

    assert found.total.n_runs_broken == 0
    assert found.of_tests[a_test_named(shop, "adds").id].seconds_lost == pytest.approx(3.0)


def test_a_project_says_what_a_broken_run_takes_from_people() -> None:
    shop = a_shop()
    MutingPolicy.objects.create(project=shop.project, developer_minutes=28)
    record(shop, report(failed("adds")), run="a", commit="c1")
    say(shop, 1.0)

    assert costs(shop).total.developer_s == pytest.approx(28 * 60)


def test_what_happened_before_the_window_is_the_window_before() -> None:
    shop = a_shop()
    long_ago = timezone.now() - timedelta(days=40)
    record(shop, report(failed("adds")), run="a", commit="c1", started_at=long_ago.isoformat())
    say(shop, 1.0)

    found = costs(shop)

    assert (found.total.n_runs_broken, found.total_before.n_runs_broken) == (0, 1)
    assert found.of_tests == {}
