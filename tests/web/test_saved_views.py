"""Filters are saved under a name, found again, shared by editors, and deleted; dates are chosen by a form."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from projects import care, saved
from projects.models import SavedView
from projects.vocabulary import Role
from tests.factories import Shop, a_person, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project with a test."""
    shop = a_shop("Web")
    record(shop, report(passed()), branch="main")
    return shop


def save(browser: Client, **fields: str) -> str:
    """Save a view of the tests as the filter bar does, and return where that leads."""
    form = {"page": "tests", "name": "Slow ones", "query": "?bucket=slow&sort=-p95"} | fields
    return browser.post("/p/web/views", form).headers["Location"]


def page(browser: Client, place: str = "tests") -> str:
    """Return a page of the project."""
    return browser.get(f"/p/web/{place}").content.decode()


def test_a_view_is_saved_and_leads_back_to_its_filters(shop: Shop) -> None:
    browser = shop.browser()

    assert save(browser) == "/p/web/tests?bucket=slow&sort=-p95"
    assert 'href="/p/web/tests?bucket=slow&amp;sort=-p95" dir="auto">Slow ones' in page(browser)


@pytest.mark.parametrize(
    ("place", "query"),
    [
        ("budgets", "?window=7d&sort-growth=-more"),
        ("uploads", "?window=7d&q=ci&sort=-size&sort-problems=-times"),
        ("quarantine", "?q=pays&sort=-failed"),
        ("renames", "?sort=name"),
    ],
)
def test_a_list_that_is_a_page_keeps_views_of_it_with_the_order_of_each_of_its_lists(
    shop: Shop, place: str, query: str
) -> None:
    browser = shop.browser()
    when = timezone.now()
    care.mute(shop.project, a_test_named(shop, "adds").id, reason="waits", n_days=3, by=shop.owner, now=when)

    kept = save(browser, page=place, query=query, name="Mine")
    shown = page(browser, place)

    assert parse_qs(kept.split("?")[1]) == parse_qs(query[1:])
    if place != "renames":  # nothing was renamed, and an empty list has no bar
        assert f'href="{escape(kept)}" dir="auto">Mine' in shown


def test_a_view_belongs_to_its_page_and_its_person(shop: Shop) -> None:
    browser, other = shop.browser(), shop.browser(shop.member(Role.OWNER))

    save(browser)

    assert "Slow ones" in page(browser)
    assert "Slow ones" not in page(browser, "slow")
    assert "Slow ones" not in page(other)


def test_an_editor_shares_and_a_viewer_does_not(shop: Shop) -> None:
    editor, viewer = shop.browser(shop.member(Role.EDITOR)), shop.browser(shop.member(Role.VIEWER))

    save(editor, name="For all", shared="on")
    save(viewer, name="Mine alone", shared="on")

    assert "For all" in page(viewer)
    assert "Mine alone" not in page(editor)


def test_the_same_name_replaces_the_view(shop: Shop) -> None:
    browser = shop.browser()

    save(browser)
    save(browser, query="?layer=e2e")

    assert [view.query for view in SavedView.objects.all()] == ["?layer=e2e"]


def test_what_is_not_a_filter_is_not_kept(shop: Shop) -> None:
    save(shop.browser(), page="nowhere", query="?layer=e2e&evil=//example.org&page=9")

    view = SavedView.objects.get()
    assert (view.page, view.query) == ("overview", "")


def test_a_view_without_a_name_is_not_saved(shop: Shop) -> None:
    browser = shop.browser()

    save(browser, name=" ")

    assert not SavedView.objects.exists()
    assert "Give the view a name." in page(browser)


def test_nobody_keeps_more_than_fifty(shop: Shop) -> None:
    browser = shop.browser()
    for number in range(saved.MOST_VIEWS + 1):
        save(browser, name=f"view {number}")

    assert SavedView.objects.count() == saved.MOST_VIEWS
    assert "Delete one first." in page(browser)


def test_a_view_is_deleted_by_its_person_alone_unless_it_is_shared(shop: Shop) -> None:
    mine, editor = shop.browser(), shop.browser(shop.member(Role.EDITOR))
    save(mine, name="mine")
    save(mine, name="ours", shared="on")
    ids = dict(SavedView.objects.values_list("name", "id"))

    for name in ids:
        editor.post(f"/p/web/views/{ids[name]}/delete", {"page": "tests", "query": ""})

    assert list(SavedView.objects.values_list("name", flat=True)) == ["mine"]


def test_strangers_save_nothing(shop: Shop) -> None:
    stranger = shop.browser(a_person())

    assert stranger.post("/p/web/views", {"page": "tests", "name": "x"}).status_code == 404
    assert not SavedView.objects.exists()


def test_the_form_of_dates_keeps_the_other_filters(shop: Shop) -> None:
    form = (
        page(shop.browser(), "tests?layer=unit&window=7d").split('aria-label="Dates"')[1].split("</form>")[0]
    )

    assert '<input type="hidden" name="layer" value="unit">' in form
    assert 'name="window"' not in form
    assert form.count('type="date"') == 2
