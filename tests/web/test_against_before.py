"""The sentences over lists say how it was in the window before, and count tests as the overview does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Upload
from tests.factories import Shop, a_shop, passed, record, report

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
    text: str = shop.browser().get(f"/p/web/{place}").content.decode()
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
