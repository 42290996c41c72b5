"""Passwords cannot be guessed by trying, and nobody can lock out somebody else for long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.http import HttpResponse
from django.test import Client

from projects import logins
from projects.models import WrongLogin
from tests.factories import a_person

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"
ELSEWHERE = "198.51.100.7"


def try_password(
    password: str,
    *,
    name: str = "ada",
    address: str = "203.0.113.1",
    client: Client | None = None,
    **more: Any,
) -> HttpResponse:
    """Send the form from an address, and return the answer."""
    typed = {"username": name, "password": password}
    answer = (client or Client()).post("/login", typed, REMOTE_ADDR=address, **more)
    assert isinstance(answer, HttpResponse)
    return answer


def guess(n: int, **more: Any) -> None:
    """Try so many wrong passwords."""
    for number in range(n):
        assert try_password(f"guess {number}", **more).status_code == 422


def let_pass(time: timedelta) -> None:
    """Let so much time go by, as far as wrong passwords are concerned."""
    WrongLogin.objects.update(at=F("at") - time)


def test_after_ten_wrong_passwords_an_account_waits_a_minute() -> None:
    a_person("ada")
    guess(logins.PER_ACCOUNT)

    answer = try_password(PASSWORD)

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60
    assert f"Try again in {answer['Retry-After']} seconds" in answer.content.decode()
    assert 'value="ada"' in answer.content.decode()


def test_tries_during_the_wait_do_not_make_it_longer() -> None:
    a_person("ada")
    guess(logins.PER_ACCOUNT)
    for _ in range(5):
        assert try_password("again").status_code == 429

    let_pass(logins.PAUSE)

    assert try_password(PASSWORD).status_code == 302


def test_a_stranger_gets_one_guess_a_minute_from_then_on() -> None:
    a_person("ada")
    guess(logins.PER_ACCOUNT)
    let_pass(logins.PAUSE)
    guess(1, address=ELSEWHERE)

    answer = try_password(PASSWORD, address=ELSEWHERE)

    assert answer.status_code == 429
    assert int(answer["Retry-After"]) <= 60


def test_strangers_do_not_keep_people_out_of_browsers_that_they_logged_in_from() -> None:
    a_person("ada")
    own = Client()
    try_password(PASSWORD, client=own)
    own.post("/logout")
    guess(logins.PER_ACCOUNT, address=ELSEWHERE)

    assert try_password(PASSWORD, client=own).status_code == 302
    assert try_password(PASSWORD).status_code == 429


def test_a_known_browser_has_no_endless_tries_either() -> None:
    a_person("ada")
    own = Client()
    try_password(PASSWORD, client=own)
    own.post("/logout")
    guess(logins.PER_ACCOUNT, client=own)

    assert try_password(PASSWORD, client=own).status_code == 429


def test_a_browser_is_known_for_the_account_that_it_logged_in_to() -> None:
    a_person("ada")
    a_person("eve")
    eves = Client()
    try_password(PASSWORD, name="eve", client=eves)
    eves.post("/logout")
    guess(logins.PER_ACCOUNT)

    assert try_password("guess", client=eves).status_code == 429


def test_an_address_that_tries_many_accounts_waits_until_that_is_old() -> None:
    a_person("ada")
    for number in range(logins.PER_ADDRESS):
        guess(1, name=f"person {number}", address=ELSEWHERE)

    refused = try_password(PASSWORD, address=ELSEWHERE)

    assert refused.status_code == 429
    assert 60 < int(refused["Retry-After"]) <= logins.COUNTED.total_seconds()
    assert "Try again in 15 minutes" in refused.content.decode()
    assert try_password(PASSWORD).status_code == 302
    let_pass(logins.COUNTED)
    assert try_password(PASSWORD, address=ELSEWHERE).status_code == 302


def test_name_and_mail_address_are_one_account() -> None:
    a_person("ada")
    guess(5)
    guess(5, name="ADA@example.org")

    assert try_password(PASSWORD, name="Ada").status_code == 429


def test_own_typos_are_forgotten_with_the_right_password() -> None:
    a_person("ada")
    guess(logins.PER_ACCOUNT - 1)

    try_password(PASSWORD)

    guess(logins.PER_ACCOUNT)


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw() -> None:
    a_person("ada")
    proxy: dict[str, Any] = {"secure": True, "address": "10.0.0.1"}
    for number in range(logins.PER_ADDRESS):
        forged = {"X-Forwarded-For": f"192.0.2.{number}, {ELSEWHERE}"}
        guess(1, name=f"person {number}", headers=forged, **proxy)

    assert try_password(PASSWORD, headers={"X-Forwarded-For": ELSEWHERE}, **proxy).status_code == 429
    assert try_password(PASSWORD, headers={"X-Forwarded-For": "203.0.113.9"}, **proxy).status_code == 302


def test_without_a_proxy_nobody_says_where_they_come_from() -> None:
    a_person("ada")
    for number in range(logins.PER_ADDRESS):
        guess(1, name=f"person {number}", headers={"X-Forwarded-For": f"192.0.2.{number}"})

    assert try_password(PASSWORD, headers={"X-Forwarded-For": "192.0.2.99"}).status_code == 429


def test_one_customer_of_ipv6_is_one_address() -> None:
    a_person("ada")
    for number in range(logins.PER_ADDRESS):
        guess(1, name=f"person {number}", address=f"2001:db8:1:2::{number:x}")

    assert try_password(PASSWORD, address="2001:db8:1:2:ffff::1").status_code == 429
    assert try_password(PASSWORD, address="2001:db8:1:3::1").status_code == 302


def test_what_is_kept_of_wrong_passwords_names_nobody_and_goes_away() -> None:
    a_person("ada")
    guess(1, address=ELSEWHERE)
    kept = WrongLogin.objects.get()
    let_pass(logins.COUNTED)
    guess(1)

    assert b"ada" not in bytes(kept.account)
    assert ELSEWHERE.encode() not in bytes(kept.address)
    assert WrongLogin.objects.count() == 1


def test_the_admin_has_no_door_of_its_own() -> None:
    answer = Client().get("/admin/login/?next=/admin/")

    assert answer.headers["Location"] == "/login?next=/admin/"
