"""The first account, login, one's own account, and the list of projects."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from projects.models import Membership, Project, Reader
from projects.vocabulary import Role
from tests.factories import a_person, a_shop, failed, passed, record, report

pytestmark = pytest.mark.django_db

FIRST = {"username": "ada", "email": "ada@example.org", "password": "correct horse battery", "project": "Web"}


def test_an_empty_server_welcomes_its_first_person() -> None:
    client = Client()

    answer = client.get("/login")
    made = client.post("/welcome", FIRST)

    assert answer.headers["Location"] == "/welcome"
    assert made.headers["Location"] == "/p/web/uploads"
    assert Membership.objects.get().role == Role.OWNER


def test_there_is_no_second_first_person() -> None:
    a_person()

    answer = Client().post("/welcome", FIRST)

    assert answer.headers["Location"] == "/login"
    assert not User.objects.filter(username="ada").exists()


def test_an_easy_password_is_refused() -> None:
    answer = Client().post("/welcome", {**FIRST, "password": "password"})

    assert answer.status_code == 422
    assert "too common" in answer.content.decode()


@pytest.mark.parametrize("name", ["ada", "ADA@example.org"])
def test_people_log_in_with_name_or_address_and_go_where_they_wanted(name: str) -> None:
    a_person("ada")

    answer = Client().post("/login", {"username": name, "password": "correct horse", "next": "/account"})

    assert answer.headers["Location"] == "/account"


def test_login_leads_to_no_other_site() -> None:
    a_person("ada")
    typed = {"username": "ada", "password": "correct horse", "next": "https://evil.example/"}

    assert Client().post("/login", typed).headers["Location"] == "/"


def test_a_wrong_password_is_told_on_the_page() -> None:
    a_person("ada")

    answer = Client().post("/login", {"username": "ada", "password": "wrong"})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()


def test_logging_out_is_a_button_not_a_link() -> None:
    shop = a_shop()
    browser = shop.browser()

    by_link = browser.get("/logout")
    browser.post("/logout")

    assert by_link.status_code == 405
    assert browser.get("/account").status_code == 302


def test_a_password_changes_only_with_the_old_one() -> None:
    shop = a_shop()
    browser = shop.browser()

    wrong = browser.post(
        "/account", {"change": "password", "new-old_password": "no", "new-password": "another horse battery"}
    )
    browser.post(
        "/account",
        {"change": "password", "new-old_password": "correct horse", "new-password": "another horse battery"},
    )

    assert wrong.status_code == 422
    assert User.objects.get(pk=shop.owner.pk).check_password("another horse battery")
    assert browser.get("/account").status_code == 200


def test_a_person_chooses_their_letters_and_nobody_elses() -> None:
    shop = a_shop()
    other = Membership.objects.get(user=a_shop("Other").owner)

    mine = Membership.objects.get(user=shop.owner)

    shop.browser().post(
        "/account/letters",
        {f"letter-{mine.pk}": "changes", f"letter-{other.pk}": "off", "time_zone": "Europe/Berlin"},
    )

    mine.refresh_from_db()
    assert (mine.wants_letter, mine.only_changes) == (True, True)
    assert Membership.objects.get(pk=other.pk).wants_letter
    assert Reader.objects.get(user=shop.owner).time_zone == "Europe/Berlin"


def test_a_letter_is_turned_off_and_on_again() -> None:
    shop = a_shop()
    mine = Membership.objects.get(user=shop.owner)
    browser = shop.browser()

    browser.post("/account/letters", {f"letter-{mine.pk}": "off", "time_zone": "Nowhere/Land"})
    is_off = not Membership.objects.get(pk=mine.pk).wants_letter
    browser.post("/account/letters", {f"letter-{mine.pk}": "weekly", f"letter-{mine.pk}x": "off"})

    assert is_off
    assert Membership.objects.get(pk=mine.pk).wants_letter
    assert Reader.objects.get(user=shop.owner).time_zone == ""


def test_one_project_is_opened_at_once_and_several_are_listed() -> None:
    shop = a_shop()
    browser = shop.browser()

    alone = browser.get("/")
    browser.post("/new", {"name": "Other", "default_branch": "trunk"})
    several = browser.get("/")

    assert alone.headers["Location"] == "/p/shop/"
    assert several.status_code == 200
    assert Project.objects.get(slug="other").default_branch == "trunk"


def test_an_address_made_of_a_long_name_ends_with_a_letter() -> None:
    shop = a_shop("The one and only platform for payments, refunds and more")

    assert shop.project.slug == "the-one-and-only-platform-for-payments-r"
    assert (
        a_shop("The one and only platform for payments -").project.slug
        == "the-one-and-only-platform-for-payments"
    )
    assert a_shop("The one and only platform for paymentss, now").project.slug.endswith("-paymentss")


def test_the_project_that_failed_comes_first() -> None:
    shop = a_shop("Aardvark")
    red = a_shop("Zebra")
    Membership.objects.create(project=red.project, user=shop.owner, role=Role.VIEWER)
    record(shop, report(passed()))
    record(red, report(failed()))

    text = shop.browser().get("/").content.decode()

    assert "1\u202fproject failed" in text or "1 project failed" in text
    listed = text.split("<tbody")[1]
    assert listed.index("Zebra") < listed.index("Aardvark")


def test_nobody_without_projects_is_left_alone() -> None:
    client = Client()
    client.force_login(a_person())

    assert "Create a project to get an upload token." in client.get("/").content.decode()
