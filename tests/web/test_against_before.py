"""The sentences over lists say how it was in the window before, and count tests as the overview does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.utils import timezone

from analysis import window as windows
from analysis.answers.of_flakes import FlakeCost, FlakeTotals
from dashboard import stories
from projects.models import Upload
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project with two tests of 40 days ago, one of which ran today, in two environments, with a new one."""
    shop = a_shop("Web")
    before = timezone.now() - timedelta(days=40)
    record(shop, report(passed("adds", seconds=1.0)), run="1", commit="a", started_at=before.isoformat())
    for environment in ("linux", "windows"):
        cases = report(passed("adds", seconds=30.0), passed("pays", seconds=30.0))
        record(shop, cases, run="2", commit="b", environment=environment)
    return shop


def page(shop: Shop, place: str) -> str:
    """Return a page with plain spaces."""
    return plain(shop.browser().get(f"/p/web/{place}").content.decode())


def plain(text: str) -> str:
    """Return a text with plain spaces."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def test_the_list_of_tests_counts_them_as_the_overview_does_and_says_why_it_has_more_rows(shop: Shop) -> None:
    tests, overview = page(shop, "tests"), page(shop, "")

    assert "2 tests ran on main in the last 30 days, 1 more than in the 30 days before." in tests
    assert "has a row for each: 4 rows." in tests
    assert '<span class="tile-value">2</span>' in overview


def test_tests_of_all_branches_and_of_one_other_are_counted_too(shop: Shop) -> None:
    record(shop, report(passed("adds")), branch="change", commit="c", run="3")

    assert "2 tests ran on any branch in the last 30 days, 1 more than" in page(shop, "tests?branch=*")
    assert "1 test ran on change in the last 30 days." in page(shop, "tests?branch=change")


def test_a_list_that_is_filtered_compares_nothing(shop: Shop) -> None:
    assert "2 tests match on main in the last 30 days." in page(shop, "tests?q=pays")
    assert "a run takes" not in page(shop, "slow?layer=unit")


def test_the_page_slow_says_how_long_a_run_took_before(shop: Shop) -> None:
    assert "; a run takes 2 m, against 1.0 s in the 30 days before." in page(shop, "slow")
    assert "; a run takes 2 m." in page(shop, "slow?compare=off")


def test_the_page_uploads_says_how_many_came_before(shop: Shop) -> None:
    record(shop, b"this is not XML", run="4")
    ten_days_ago = timezone.now() - timedelta(days=10)
    Upload.objects.filter(run_key__in=("1", "4")).update(received_at=ten_days_ago)

    text = page(shop, "uploads?window=7d")

    assert "2 uploads arrived: 2 were read. 2 arrived in the 7 days before, 1 of them unread." in text


def test_a_test_without_any_time_has_no_empty_chart(shop: Shop) -> None:
    upload = record(shop, report(passed("waits", seconds=None)), branch="main", commit="d", run="5")
    listed = shop.browser().get("/p/web/tests?q=waits&format=json").getvalue().decode()
    number = listed.split('"id": ')[1].split(",")[0]

    assert upload.n_tests == 1
    assert "No timed results in this window." in page(shop, f"tests/{number}")


def test_the_page_shape_says_how_the_suite_moved_as_the_overview_does(shop: Shop) -> None:
    def heading(place: str) -> str:
        return page(shop, place).split("<h1>")[1].split("</h1>")[0]

    assert heading("shape") == heading("")
    assert heading("shape?compare=off") == heading("?compare=off") != heading("shape")


def test_the_page_failures_says_how_much_failed_before_under_the_same_filters(shop: Shop) -> None:
    before = (timezone.now() - timedelta(days=40)).isoformat()
    old = report(failed("bills"), failed("ships", message="connect ECONNREFUSED db:5432"))
    record(shop, old, run="5", commit="e", started_at=before)
    record(shop, report(failed("bills")), run="6", commit="f")

    assert (
        "1 failure on main in the last 30 days, for 1 reason, against 2 in the 30 days before; none is"
        in page(shop, "failures")
    )
    assert "for 1 reason, against 1 in the 30 days before;" in page(shop, "failures?boundary=none-found")
    assert "Nothing failed on main in the last 30 days, against 1 failure in the 30 days before." in page(
        shop, "failures?q=ECONNREFUSED"
    )
    assert "for 1 reason; none is new this week." in page(shop, "failures?compare=off")
    assert "against" not in page(shop, "failures?branch=change").split("</h1>")[0]


def test_a_window_in_which_nothing_failed_says_what_failed_before(shop: Shop) -> None:
    assert "Nothing failed on main in the last 30 days, over 1 run." in page(shop, "failures")
    before = (timezone.now() - timedelta(days=40)).isoformat()
    record(shop, report(failed("bills")), run="5", commit="e", started_at=before)

    assert "over 1 run, against 1 failure in the 30 days before." in page(shop, "failures")


def test_a_window_after_one_in_which_nothing_failed_says_so(shop: Shop) -> None:
    record(shop, report(failed("bills")), run="6", commit="f")

    assert "for 1 reason, against none in the 30 days before; 1 is new" in page(shop, "failures")


def test_the_story_of_a_test_says_how_often_it_failed_before(shop: Shop) -> None:
    before = (timezone.now() - timedelta(days=40)).isoformat()
    for number, old in enumerate((failed("bills"), passed("bills"), passed("sums"))):
        record(shop, report(old), run=f"old-{number}", commit=f"e{number}", started_at=before)
    for number in range(2):
        cases = report(failed("bills"), passed("sums"))
        record(shop, cases, run=f"new-{number}", commit=f"f{number}")
    bills, sums = (f"tests/{a_test_named(shop, name).id}" for name in ("bills", "sums"))

    assert "It failed in 2 of 2 runs, against 1 of 2 in the 30 days before." in page(shop, bills)
    assert "It failed in 2 of 2 runs." in page(shop, f"{bills}?compare=off")
    assert "It passed in all of 2 runs, as in all 1 in the 30 days before." in page(shop, sums)


def test_the_page_flaky_says_how_many_runs_were_broken_before() -> None:
    window = windows.read({}, today=date(2026, 11, 21), default_branch="main")
    now = FlakeTotals(7, 19, 9600.0, 0, 0, 0, 0, before=FlakeCost(12, 60.0))
    quiet = replace(now, n_runs_broken=0, seconds_lost=0.0)

    def said(totals: FlakeTotals, *, compare: bool = True) -> str:
        return plain(stories.flaky_sentence(totals, window=replace(window, compare=compare)))

    assert said(now) == (
        "7 tests are flaky; together they broke 19 runs, against 12 runs in the 30 days before, "
        "and cost about 2 h 40 m of re-running."
    )
    assert said(quiet).endswith("none of them broke a run, against 12 runs in the 30 days before.")
    assert "against" not in said(now, compare=False)


def test_a_budget_says_what_its_layer_took_before(shop: Shop) -> None:
    at = (timezone.now() - timedelta(days=40)).isoformat()
    runs: tuple[tuple[float, dict[str, str]], ...] = ((100.0, {"started_at": at}), (200.0, {}))
    for number, (seconds, more) in enumerate(runs):
        case = passed("pays", seconds=seconds, file="tests/integration/test_pay.py")
        record(shop, report(case), run=f"pay-{number}", commit=f"p{number}", **more)

    assert "Integration tests take 2 m 30 s a run (1 m 40 s before), 50 % of the budget of 5 m." in page(
        shop, "budgets"
    )
    assert "a run, 50 % of" in page(shop, "budgets?compare=off")


def projects(shop: Shop, query: str = "?all=1") -> str:
    """Return the list of projects with plain spaces."""
    return plain(shop.browser().get(f"/{query}").content.decode())


def test_the_list_of_projects_says_how_often_runs_failed_before_and_what_changed_in_each(shop: Shop) -> None:
    before = (timezone.now() - timedelta(days=40)).isoformat()
    record(shop, report(failed("bills")), run="5", commit="e", started_at=before)

    text = projects(shop)

    assert (
        "No project failed in its last run; no run had failures, against 1 of 2 in the 30 days before."
        in text
    )
    assert 'title="2 before">no change' in text  # of tests
    assert 'title="50.0 % before">−50 pt' in text
    assert "against" not in projects(shop, "?compare=off")


def test_a_project_without_runs_before_has_nothing_to_compare_with(shop: Shop) -> None:
    fresh = a_shop("Fresh")
    record(fresh, report(failed("adds")), run="1")

    text = projects(fresh)

    assert "1 project failed in its last run; 1 of 1 run had failures." in text
    assert "before" not in text.split("<tbody")[1]
