"""Two runs side by side say what broke, what was mended and what is gone."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import Shop, a_person, a_shop, failed, passed, record, report, skipped

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project with two runs that differ in every way."""
    shop = a_shop("Web")
    earlier = [
        passed("breaks"),
        failed("heals"),
        failed("stays"),
        passed("drags", seconds=1.0),
        passed("hastens", seconds=3.0),
    ]
    later = [
        failed("breaks"),
        passed("heals"),
        failed("stays"),
        passed("drags", seconds=2.0),
        passed("hastens", seconds=1.0),
    ]
    record(shop, report(*earlier, passed("goes"), passed("rests")), run="1", commit="a", branch="main")
    record(shop, report(*later, passed("comes"), skipped("rests")), run="2", commit="b", branch="main")
    return shop


def page(shop: Shop, query: str = "?a=1&b=2") -> str:
    """Return the comparison as the project's owner sees it."""
    return shop.page(f"runs/compare{query}")


def section(text: str, key: str) -> str:
    """Return one section of the page."""
    return text.split(f'id="{key}"')[1].split("</section>")[0]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("newly-failing", "breaks"),
        ("fixed", "heals"),
        ("still-failing", "stays"),
        ("slower", "drags"),
        ("faster", "hastens"),
        ("added", "comes"),
        ("missing", "goes"),
        ("newly-skipped", "rests"),
    ],
)
def test_each_difference_has_its_own_list(shop: Shop, key: str, name: str) -> None:
    shown = section(page(shop), key)

    assert f"›<wbr> {name}<" in shown or f"› {name}<" in shown
    assert shown.count("<tr>") == 2


def test_the_heading_counts_the_differences(shop: Shop) -> None:
    expected = "1 newly failing, 1 fixed, 1 still failing, 1 slower, 1 faster, 1 added, 1 missing; 6 tests ran in both."

    assert expected in page(shop)


def test_without_numbers_the_newest_run_stands_beside_the_one_before(shop: Shop) -> None:
    text = page(shop, "")

    assert "1 newly failing" in text
    assert 'name="a" inputmode="numeric" pattern="#?[0-9]+" value="1"' in text


def test_a_run_beside_itself_differs_in_nothing(shop: Shop) -> None:
    text = page(shop, "?a=2&b=2")

    assert "Nothing differs" not in page(shop)
    assert "2 still failing; 7 tests ran in both." in text


def test_swapping_turns_what_broke_into_what_was_mended(shop: Shop) -> None:
    assert "breaks<" in section(page(shop, "?a=2&b=1"), "fixed")


def test_a_project_with_one_run_says_what_is_missing() -> None:
    shop = a_shop("Web")
    record(shop, report(passed()), branch="main")

    assert "There are no two runs of one branch yet." in page(shop, "")


def test_a_run_that_is_not_there_is_not_found(shop: Shop) -> None:
    assert shop.browser().get("/p/web/runs/compare?a=1&b=99").status_code == 404


def test_runs_and_a_run_lead_to_the_comparison(shop: Shop) -> None:
    browser = shop.browser()

    assert 'href="/p/web/runs/compare"' in browser.get("/p/web/runs").content.decode()
    assert 'href="/p/web/runs/compare?a=1&amp;b=2"' in browser.get("/p/web/runs/2").content.decode()


def test_strangers_do_not_see_it(shop: Shop) -> None:
    assert shop.browser(a_person()).get("/p/web/runs/compare").status_code == 404
    assert Client().get("/p/web/runs/compare").status_code == 302
