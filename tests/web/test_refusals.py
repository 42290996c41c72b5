"""Pages for what is not there, may not be done or broke: each says what to do, in the frame of every page."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from dashboard.views import refusals
from tests.factories import a_shop

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/nowhere", "/p/nothing/", "/p/web/tests/99", "/p/web/runs/99"])
def test_what_is_not_there_leads_back_to_the_projects(path: str) -> None:
    response = a_shop("Web").browser().get(path)

    assert response.status_code == 404
    assert "There is nothing at this address." in response.content.decode()
    assert 'href="/?all=1"' in response.content.decode()


def test_who_is_not_logged_in_is_led_to_the_login() -> None:
    text = Client().get("/nowhere").content.decode()

    assert 'href="/login"' in text


def test_a_stranger_and_a_missing_project_look_the_same() -> None:
    shop, other = a_shop("Web"), a_shop("Other")

    theirs, missing = (other.browser().get(f"/p/{slug}/").content for slug in (shop.project.slug, "none"))

    assert theirs.split(b"<main")[1] == missing.split(b"<main")[1]


def test_a_form_without_its_secret_says_how_to_send_it_again() -> None:
    shop = a_shop("Web")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(shop.owner)

    response = browser.post("/p/web/settings/tokens", {"name": "ci"})

    assert response.status_code == 403
    assert "load the page again" in response.content.decode()


def test_a_broken_server_answers_without_the_database() -> None:
    request = RequestFactory().get("/", headers={"cookie": "theme=dark"})

    with CaptureQueriesContext(connection) as asked:
        response = refusals.server_error(request)

    assert len(asked) == 0
    assert response.status_code == 500
    assert "Try again in a minute." in response.content.decode()
    assert 'data-theme="dark"' in response.content.decode()


def test_a_request_for_another_host_is_told_which_setting_names_it() -> None:
    response = Client(headers={"host": "elsewhere.example"}).get("/")

    assert response.status_code == 400
    assert "BASE_URL" in response.content.decode()


def test_a_form_that_was_sent_after_the_session_ended_leads_back_to_its_page() -> None:
    a_shop("Web")
    page = "http://testserver/p/web/settings/tokens?tool=go"

    here = Client(headers={"referer": page}).post("/p/web/settings/tokens/1/revoke")
    elsewhere = Client(headers={"referer": "http://evil.example/x"}).post("/p/web/settings/tokens/1/revoke")

    assert here.headers["Location"] == "/login?next=/p/web/settings/tokens%3Ftool%3Dgo"
    assert elsewhere.headers["Location"] == "/login?next=/"


def test_the_icon_is_found_where_browsers_look_for_it() -> None:
    assert Client().get("/favicon.ico").headers["Location"] == "/static/icon.svg"
