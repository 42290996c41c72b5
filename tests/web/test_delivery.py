"""Letters on their way, over a real mail server that refuses, stalls and hangs up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from projects.access import create_project
from projects.models import Letter, LetterDelivery, Membership, Project
from projects.vocabulary import Role
from reports import delivery, look
from tests.mail import Mailbox, mail_server

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST = "127.0.0.1"
        settings.EMAIL_PORT = server.port
        settings.EMAIL_TIMEOUT = 5
        settings.DEFAULT_FROM_EMAIL = "Trophycase <letters@t.example>"
        settings.BASE_URL = "https://t.example"
        yield server


@pytest.fixture
def project() -> Project:
    ada = User.objects.create_user("ada", email="ada@t.example", password="secret")
    return create_project(name="Web", owner=ada)


def a_delivery(project: Project, *, week_on: date = date(2026, 11, 16)) -> LetterDelivery:
    letter = Letter.objects.create(
        project=project,
        week_on=week_on,
        built_at=MONDAY,
        subject="web: 3 new flaky tests · week 47",
        html=f'<p>Häufig <a href="{look.WAY_OUT}">Stop</a></p>',
        text=f"Häufig\nStop: {look.WAY_OUT}\n",
    )
    return LetterDelivery.objects.create(letter=letter, user=User.objects.get(username="ada"))


def attempt(row: LetterDelivery, *, now: datetime = MONDAY) -> LetterDelivery:
    """Do what the task does, at a moment of the test's choice."""
    claimed = delivery.claim(row.pk, now=now)
    if claimed is not None:
        delivery.send(claimed, now=now)
    row.refresh_from_db()
    return row


def test_a_letter_arrives_with_both_bodies_and_one_click_to_stop_it(
    project: Project, mailbox: Mailbox
) -> None:
    row = attempt(a_delivery(project))

    ((to, mail),) = mailbox.taken
    assert to == "ada@t.example"
    assert row.sent_at == MONDAY
    assert mail["Subject"] == "web: 3 new flaky tests · week 47"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["Auto-Submitted"] == "auto-generated"
    way_out = mail["List-Unsubscribe"].strip(" <>")
    assert way_out.startswith("https://t.example/letters/stop/")
    assert _body(mail, "plain") == f"Häufig\nStop: {way_out}\n"
    assert way_out in _body(mail, "html")


def test_the_weeks_of_one_reader_form_a_thread(project: Project, mailbox: Mailbox) -> None:
    attempt(a_delivery(project))
    attempt(a_delivery(project, week_on=date(2026, 11, 23)))

    first, second = (mail for _, mail in mailbox.taken)
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"]
    assert second["Message-ID"].endswith("@t.example>")


def test_a_letter_that_was_sent_is_not_sent_again(project: Project, mailbox: Mailbox) -> None:
    row = attempt(a_delivery(project))

    attempt(row, now=MONDAY + timedelta(hours=5))

    assert len(mailbox.taken) == 1
    assert delivery.waiting(now=MONDAY + timedelta(hours=5)) == []


def test_of_two_claims_one_holds(project: Project) -> None:
    row = a_delivery(project)

    first, second = delivery.claim(row.pk, now=MONDAY), delivery.claim(row.pk, now=MONDAY)

    assert first is not None
    assert second is None


def test_a_claim_whose_worker_died_is_taken_up_after_its_pause(project: Project) -> None:
    row = a_delivery(project)
    delivery.claim(row.pk, now=MONDAY)

    assert delivery.waiting(now=MONDAY + timedelta(minutes=4)) == []
    assert delivery.waiting(now=MONDAY + timedelta(minutes=5)) == [row.pk]


@pytest.mark.parametrize("place", ["to_recipient", "to_message"])
def test_a_temporary_no_is_tried_again_later(project: Project, mailbox: Mailbox, place: str) -> None:
    setattr(mailbox, place, "451 4.3.2 Please try again later")
    row = attempt(a_delivery(project))
    refused_first = (row.sent_at, row.refused)
    setattr(mailbox, place, "250 OK")

    attempt(row, now=MONDAY + timedelta(minutes=4))
    too_early = row.sent_at
    attempt(row, now=MONDAY + timedelta(minutes=5))

    assert refused_first == (None, "")
    assert too_early is None
    assert row.sent_at == MONDAY + timedelta(minutes=5)
    assert row.n_tries == 2


@pytest.mark.parametrize("place", ["to_recipient", "to_message"])
def test_a_permanent_no_is_kept_and_not_tried_again(project: Project, mailbox: Mailbox, place: str) -> None:
    setattr(mailbox, place, "550 5.1.1 No such user here")
    row = attempt(a_delivery(project))
    n_connections = mailbox.n_connections

    attempt(row, now=MONDAY + timedelta(hours=5))

    assert row.refused == "550 5.1.1 No such user here"
    assert row.n_tries == 1
    assert mailbox.n_connections == n_connections


def test_a_dropped_connection_is_temporary(project: Project, mailbox: Mailbox) -> None:
    mailbox.hangs_up = True
    row = attempt(a_delivery(project))
    dropped = (row.sent_at, row.refused)
    mailbox.hangs_up = False

    attempt(row, now=MONDAY + timedelta(minutes=5))

    assert dropped == (None, "")
    assert row.sent_at is not None


def test_a_server_that_is_not_there_is_temporary(project: Project, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    row = attempt(a_delivery(project))

    assert (row.sent_at, row.refused, row.n_tries) == (None, "", 1)


def test_the_last_of_nine_tries_gives_up_and_says_why(project: Project, mailbox: Mailbox) -> None:
    mailbox.to_recipient = "451 4.3.2 Please try again later"
    row = a_delivery(project)

    for hour in range(0, 45, 5):
        attempt(row, now=MONDAY + timedelta(hours=hour))

    assert row.n_tries == 9
    assert row.refused == "Given up after 9 tries: 451 4.3.2 Please try again later"


def test_a_reader_who_stopped_in_between_gets_nothing(project: Project, mailbox: Mailbox) -> None:
    row = a_delivery(project)
    Membership.objects.filter(project=project).update(wants_letter=False)

    attempt(row)

    assert mailbox.taken == []
    assert row.refused == "The reader left or stopped the letter before it was sent."


def test_one_click_stops_the_letter_without_login(project: Project, mailbox: Mailbox) -> None:
    attempt(a_delivery(project))
    way_out = mailbox.taken[0][1]["List-Unsubscribe"].strip(" <>").removeprefix("https://t.example")
    mail_program = Client(enforce_csrf_checks=True)

    answer = mail_program.post(way_out, {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert not Membership.objects.get(project=project).wants_letter


def test_looking_at_the_stop_page_stops_nothing(project: Project, client: Client) -> None:
    membership = Membership.objects.get(project=project)

    answer = client.get(f"/letters/stop/{delivery.stop_token(membership)}")

    assert answer.status_code == 200
    assert "Stop the weekly letter" in answer.content.decode()
    assert Membership.objects.get(project=project).wants_letter


def test_a_forged_link_stops_nothing(project: Project, client: Client) -> None:
    token = delivery.stop_token(Membership.objects.get(project=project))

    answer = client.post(f"/letters/stop/{token[:-3]}abc")

    assert answer.status_code == 404
    assert Membership.objects.get(project=project).wants_letter


def test_the_other_members_keep_their_letter(project: Project, client: Client) -> None:
    bob = Membership.objects.create(project=project, user=User.objects.create_user("bob"), role=Role.VIEWER)

    client.post(f"/letters/stop/{delivery.stop_token(bob)}")

    assert Membership.objects.get(user__username="ada").wants_letter


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")
