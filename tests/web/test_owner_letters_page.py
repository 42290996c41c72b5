"""The page on which owners of tests get their readers, and what a member sees of their own letters."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from projects import subscribing
from projects.models import LetterAddress, Membership, OwnerReader
from projects.vocabulary import Role
from reports.schedule import Days
from tests.factories import Shop, a_shop
from tests.flaky_weeks import a_week_of_two_flaky_tests

pytestmark = pytest.mark.django_db

TODAY = timezone.now().date()
WEEK = Days(TODAY - timedelta(7), TODAY - timedelta(1))


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project with a week of two flaky tests."""
    shop = a_shop()
    a_week_of_two_flaky_tests(shop, WEEK)
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def test_a_member_sees_and_asks_for_the_letter_as_they_get_it(shop: Shop) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email=shop.owner.email)

    mine = shop.browser().get("/p/shop/reports/weekly?whose=mine").content.decode()
    everybodys = shop.browser().get("/p/shop/reports/weekly").content.decode()

    assert ">yours</span>" in mine
    assert ">yours</span>" not in everybodys


def test_an_editor_gives_an_owner_readers_and_takes_them_away(shop: Shop) -> None:
    editor = shop.browser(shop.member(Role.EDITOR))
    before = editor.get("/p/shop/settings/readers").content.decode()

    for email in (shop.owner.email.upper(), "checkout@list.example"):
        editor.post("/p/shop/settings/readers", {"owner": "@Shop/Checkout", "email": email})
    after = editor.get("/p/shop/settings/readers").content.decode()
    for row in OwnerReader.objects.all():
        editor.post(f"/p/shop/settings/readers/{row.pk}/remove")

    assert "2 owners have no reader" in before
    assert "1 owner has no reader" in after
    assert "checkout@list.example" in after
    assert OwnerReader.objects.count() == 0
    assert LetterAddress.objects.count() == 0


def test_each_owner_leads_to_their_tests(shop: Shop) -> None:
    page = shop.browser().get("/p/shop/settings/readers").content.decode()

    (link,) = re.findall(r'href="(/p/shop/tests\?owner=%40Shop%2FCheckout)"', page)
    listed = shop.browser().get(link).content.decode()

    assert "Checkout › pays" in listed.replace("<wbr>", "").replace("\u200b", "")
    assert "ships" not in listed


def test_a_member_is_a_reader_by_membership_and_not_by_address(shop: Shop) -> None:

    row = subscribing.add_reader(shop.project, "@shop/checkout", email=shop.owner.email.upper())

    assert row.membership is not None
    assert not LetterAddress.objects.exists()


def test_an_editor_chooses_the_letters_of_an_address(shop: Shop) -> None:
    row = subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    LetterAddress.objects.update(refused="550 no", wants_letter=False)
    address = f"/p/shop/settings/readers/addresses/{row.address_id}"

    shop.browser().post(address, {"often": "weekly", "what": "first"})

    kept = LetterAddress.objects.get()
    assert (kept.wants_letter, kept.only_changes, kept.only_own, kept.refused) == (True, False, False, "")


def test_viewers_look_and_strangers_see_nothing(shop: Shop) -> None:
    other = a_shop("Other")
    row = subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    viewer = shop.browser(shop.member(Role.VIEWER))

    looked = viewer.get("/p/shop/settings/readers")
    changed = viewer.post("/p/shop/settings/readers", {"owner": "@a", "email": "a@t.example"})
    strangers = [
        other.browser().get("/p/shop/settings/readers"),
        other.browser().post(f"/p/shop/settings/readers/{row.pk}/remove"),
        other.browser().post(f"/p/other/settings/readers/{row.pk}/remove"),
        other.browser().post(
            f"/p/other/settings/readers/addresses/{row.address_id}", {"often": "off", "what": "only"}
        ),
    ]

    assert (looked.status_code, changed.status_code) == (200, 403)
    assert [answer.status_code for answer in strangers] == [404, 404, 404, 404]
    assert OwnerReader.objects.count() == 1


def test_the_page_of_readers_costs_few_queries(
    shop: Shop, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(9):
        subscribing.add_reader(shop.project, f"@shop/{n}", email=f"a{n}@list.example")
    browser = shop.browser()

    with django_assert_max_num_queries(12):
        browser.get("/p/shop/settings/readers")


def test_a_member_asks_for_letters_of_their_own_tests_under_account(shop: Shop) -> None:
    member = Membership.objects.get(user=shop.owner)

    shop.browser().post("/account/letters", {f"own-{member.pk}": "only", f"letter-{member.pk}": "changes"})

    member.refresh_from_db()
    assert (member.only_own, member.only_changes, member.wants_letter) == (True, True, True)
