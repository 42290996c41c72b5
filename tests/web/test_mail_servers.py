"""Letters over mail servers under TLS, with a login, that are slow, silent or broken, and over other backends."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from pytest_django import Settings

from projects.access import create_project
from projects.models import Letter, LetterDelivery, Membership, Project, Reader
from reports import delivery, smtp, weekly
from reports.schedule import Days
from tests.factories import a_shop, passed, record, report
from tests.mail import (
    CERTIFICATE,
    Conversation,
    broken_server,
    drips,
    drips_when_it_has_the_text,
    mail_server,
    stays_silent,
)

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = MONDAY + timedelta(minutes=5)


def talks_to(settings: Settings, port: int, *, scheme: str = "smtp", login: str = "") -> None:
    """Let letters go to a server on this machine."""
    settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = scheme == "smtps", scheme == "submission"
    settings.EMAIL_HOST_USER, _, settings.EMAIL_HOST_PASSWORD = login.partition(":")


def two_readers() -> list[LetterDelivery]:
    """Return the deliveries of one letter to ada and bob."""
    ada = User.objects.create_user("ada", email="ada@t.example")
    bob = User.objects.create_user("bob", email="bob@t.example")
    project = create_project(name="Web", owner=ada)
    Membership.objects.create(project=project, user=bob)
    letter = Letter.objects.create(
        project=project, week_on=date(2026, 11, 16), built_at=MONDAY, subject="web", html="<p>", text="."
    )
    return [LetterDelivery.objects.create(letter=letter, user=user) for user in (ada, bob)]


def attempt(rows: Sequence[LetterDelivery], *, now: datetime = MONDAY) -> None:
    """Do what the task does, at a moment of the test's choice."""
    delivery.send(delivery.claim(rows[0].letter_id, now=now), now=now)
    for row in rows:
        row.refresh_from_db()


def states(rows: Sequence[LetterDelivery]) -> list[tuple[bool, str, int]]:
    """Return of each delivery whether it is sent, what refused it, and after how many tries."""
    return [(row.sent_at is not None, row.refused, row.n_tries) for row in rows]


SENT, TRIED = (True, "", 1), (False, "", 1)


@pytest.mark.parametrize(("tls", "scheme"), [("implicit", "smtps"), ("starttls", "submission")])
def test_letters_go_over_tls_with_a_login(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tls: str, scheme: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    rows = two_readers()

    with mail_server(tls=tls, password="secret") as mailbox:
        talks_to(settings, mailbox.port, scheme=scheme, login="letters:secret")
        attempt(rows)

    assert states(rows) == [SENT, SENT]
    assert len(mailbox.taken) == 2


@pytest.mark.parametrize(("tls", "scheme"), [("implicit", "smtps"), ("starttls", "submission")])
def test_a_certificate_that_nobody_signed_is_temporary(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tls: str, scheme: str
) -> None:
    rows = two_readers()

    with mail_server(tls=tls) as mailbox:
        talks_to(settings, mailbox.port, scheme=scheme)
        attempt(rows)
        distrusted = states(rows)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        attempt(rows, now=LATER)

    assert distrusted == [TRIED, TRIED]
    assert states(rows) == [(True, "", 2), (True, "", 2)]


def test_a_server_without_tls_gets_no_letter_in_clear(settings: Settings) -> None:
    rows = two_readers()

    with mail_server() as mailbox:
        for now, scheme in ((MONDAY, "smtps"), (LATER, "submission")):
            talks_to(settings, mailbox.port, scheme=scheme)
            attempt(rows, now=now)

    assert mailbox.taken == []
    assert states(rows) == [(False, "", 2), (False, "", 2)]


def test_a_login_that_is_not_taken_is_temporary_and_tried_once_for_all(settings: Settings) -> None:
    rows = two_readers()

    with mail_server(password="secret") as mailbox:
        talks_to(settings, mailbox.port, login="letters:wrong")
        attempt(rows)

    assert states(rows) == [TRIED, TRIED]
    assert mailbox.n_connections == 1


@pytest.mark.parametrize("converse", [stays_silent, drips, drips_when_it_has_the_text])
def test_a_slow_server_holds_nobody_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, converse: Conversation
) -> None:
    monkeypatch.setattr(smtp.EmailBackend, "whole_seconds", 0.5)
    rows = two_readers()

    with broken_server(converse) as port:
        talks_to(settings, port)
        attempt(rows)

    assert states(rows) == [TRIED, TRIED]


def test_a_slow_server_says_so_in_the_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp.EmailBackend, "whole_seconds", 0.5)
    rows = two_readers()
    LetterDelivery.objects.update(n_tries=delivery.MOST_TRIES - 1)

    with broken_server(drips) as port:
        talks_to(settings, port)
        attempt(rows)

    assert rows[0].refused == "Given up after 9 tries: No answer within 0.5 seconds."


def test_what_there_is_no_time_for_is_given_back(settings: Settings) -> None:
    rows = two_readers()

    with mail_server() as mailbox:
        talks_to(settings, mailbox.port)
        claimed = delivery.claim(rows[0].letter_id, now=MONDAY)
        went_well = delivery.send(claimed, now=MONDAY, seconds=-1)
        given_back = delivery.waiting(now=MONDAY)
        attempt(rows)

    assert not went_well
    assert given_back == [rows[0].letter_id]
    assert states(rows) == [SENT, SENT]


def test_a_letter_whose_taking_was_not_heard_comes_again_under_the_same_id(settings: Settings) -> None:
    rows = two_readers()[:1]
    LetterDelivery.objects.exclude(pk=rows[0].pk).delete()

    with mail_server() as mailbox:
        talks_to(settings, mailbox.port)
        mailbox.hangs_up_after = True
        attempt(rows)
        mailbox.hangs_up_after = False
        attempt(rows, now=LATER)

    assert states(rows) == [(True, "", 2)]
    assert len(mailbox.taken) == 2
    assert len({mail["Message-ID"] for _, mail in mailbox.taken}) == 1


# --- other backends


class AnymailRecipientsRefused(Exception):
    """The name that django-anymail gives to it."""


class ApiError(Exception):
    """An answer of a mail service's API."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code


class Backend(BaseEmailBackend):
    """Refuses one reader by an exception of its own, and takes the others."""

    problem: Exception = ValueError("odd")
    taken: list[str] = []

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Take or refuse each message."""
        for mail in email_messages:
            if mail.to == ["ada@t.example"]:
                raise self.problem
            self.taken.append(mail.to[0])
        return len(email_messages)


@pytest.mark.parametrize(
    ("problem", "ada", "bob", "is_marked"),
    [
        (ValueError("odd"), TRIED, SENT, False),
        (AnymailRecipientsRefused("bounced"), (False, "bounced", 1), SENT, True),
        (ApiError(400), (False, "status 400", 1), SENT, False),
        (ApiError(401), TRIED, TRIED, False),
        (ApiError(503), TRIED, TRIED, False),
    ],
)
def test_any_backend_may_be_set_and_no_reader_is_in_the_others_way(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
    ada: tuple[bool, str, int],
    bob: tuple[bool, str, int],
    is_marked: bool,
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Backend"
    monkeypatch.setattr(Backend, "problem", problem)
    rows = two_readers()

    attempt(rows)

    assert states(rows) == [ada, bob]
    assert Reader.objects.exists() == is_marked


# --- two beats at once


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_one_moment_send_each_reader_one_letter(settings: Settings) -> None:
    shop = a_shop()
    for n in range(5):
        User.objects.create_user(f"reader{n}", email=f"reader{n}@t.example")
    Membership.objects.bulk_create(
        Membership(project=shop.project, user=user)
        for user in User.objects.filter(username__startswith="reader")
    )
    record(shop, report(passed("adds")), started_at="2026-03-10T12:00:00+00:00")

    with ExitStack() as stack:
        mailbox = stack.enter_context(mail_server())
        talks_to(settings, mailbox.port)
        both = threading.Barrier(2)
        beats = [threading.Thread(target=a_beat, args=(shop.project, both)) for _ in range(2)]
        for beat in beats:
            beat.start()
        for beat in beats:
            beat.join()

    assert Letter.objects.count() == 1
    assert sorted(to for to, _ in mailbox.taken) == sorted(User.objects.values_list("email", flat=True))
    assert set(LetterDelivery.objects.values_list("n_tries", flat=True)) == {1}


def a_beat(project: Project, both: threading.Barrier) -> None:
    """Build, keep, claim and send as a worker does, each step at the same moment as the other one."""
    days, now = Days(date(2026, 3, 9), date(2026, 3, 15)), datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
    try:
        issue = weekly.issue(project, days)
        both.wait(30)
        weekly.keep(project, issue, days=days, now=now)
        both.wait(30)
        letter = Letter.objects.get()
        both.wait(30)
        delivery.send(delivery.claim(letter.pk, now=now), now=now)
    finally:
        connection.close()
