"""Letters on their way, over a real mail server that refuses, stalls and hangs up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from smtplib import SMTPRecipientsRefused

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from pytest_django import Settings

from projects.access import create_project
from projects.models import Letter, LetterDelivery, Membership, Project, Reader
from projects.vocabulary import Role
from reports import delivery, envelopes, look, readers, tasks, weekly
from reports.letter import compose
from reports.schedule import Days
from tests.mail import Mailbox, mail_server
from tests.weeks import a_flake, a_week

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    with mail_server() as server:
        settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
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


def stop_token(membership: Membership) -> str:
    """Return what the way out of a member's letters names them by."""
    return signing.Signer(salt=envelopes.SALT).sign(envelopes.recipient(membership).name)


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
    delivery.send(delivery.claim(row.letter_id, now=now), now=now)
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

    first, second = delivery.claim(row.letter_id, now=MONDAY), delivery.claim(row.letter_id, now=MONDAY)

    assert [claimed.pk for claimed in first] == [row.pk]
    assert second == []


def test_a_claim_whose_worker_died_is_taken_up_after_its_pause(project: Project) -> None:
    row = a_delivery(project)
    delivery.claim(row.letter_id, now=MONDAY)

    assert delivery.waiting(now=MONDAY + timedelta(minutes=4)) == []
    assert delivery.waiting(now=MONDAY + timedelta(minutes=5)) == [row.letter_id]


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
    settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
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

    answer = client.get(f"/letters/stop/{stop_token(membership)}")

    assert answer.status_code == 200
    assert "Stop the weekly letter" in answer.content.decode()
    assert Membership.objects.get(project=project).wants_letter


@pytest.mark.parametrize(("chosen", "shown"), [("dark", "dark"), ("light", "light"), ("<i>", "system")])
def test_the_stop_page_wears_the_theme_that_the_reader_chose(
    project: Project, client: Client, chosen: str, shown: str
) -> None:
    membership = Membership.objects.get(project=project)
    client.cookies["theme"] = chosen

    answer = client.get(f"/letters/stop/{stop_token(membership)}")

    assert f'data-theme="{shown}"' in answer.content.decode()


def test_the_way_out_offers_fewer_letters_too(project: Project, client: Client) -> None:
    membership = Membership.objects.get(project=project)

    client.post(f"/letters/stop/{stop_token(membership)}", {"do": "changes"})

    membership.refresh_from_db()
    assert (membership.wants_letter, membership.only_changes) == (True, True)


def test_a_forged_link_stops_nothing(project: Project, client: Client) -> None:
    token = stop_token(Membership.objects.get(project=project))

    answer = client.post(f"/letters/stop/{token[:-3]}abc")

    assert answer.status_code == 404
    assert Membership.objects.get(project=project).wants_letter


def test_the_other_members_keep_their_letter(project: Project, client: Client) -> None:
    bob = Membership.objects.create(project=project, user=User.objects.create_user("bob"), role=Role.VIEWER)

    client.post(f"/letters/stop/{stop_token(bob)}")

    assert Membership.objects.get(user__username="ada").wants_letter


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


# --- readers


def another_reader(project: Project, name: str) -> User:
    """Add a member who wants the letter."""
    user = User.objects.create_user(name, email=f"{name}@t.example")
    Membership.objects.create(project=project, user=user)
    return user


def test_readers_of_one_letter_share_a_connection(project: Project, mailbox: Mailbox) -> None:
    row = a_delivery(project)
    for name in ("bob", "cy"):
        LetterDelivery.objects.create(letter=row.letter, user=another_reader(project, name))

    attempt(row)

    assert sorted(to for to, _ in mailbox.taken) == ["ada@t.example", "bob@t.example", "cy@t.example"]
    assert mailbox.n_connections == 1


def test_one_refused_reader_does_not_keep_the_letter_from_the_next(
    project: Project, mailbox: Mailbox
) -> None:
    row = a_delivery(project)
    mailbox.refused = "ada@t.example"
    LetterDelivery.objects.create(letter=row.letter, user=another_reader(project, "bob"))

    row = attempt(row)

    assert row.refused.startswith("550")
    assert [to for to, _ in mailbox.taken] == ["bob@t.example"]


def test_a_server_that_is_not_there_is_asked_once_for_all_readers(
    project: Project, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    row = a_delivery(project)
    other = LetterDelivery.objects.create(letter=row.letter, user=another_reader(project, "bob"))

    attempt(row)

    other.refresh_from_db()
    assert (other.n_tries, other.refused, other.sent_at) == (1, "", None)


def test_a_refused_address_gets_no_letter_until_its_reader_confirms_it(
    project: Project, mailbox: Mailbox, client: Client
) -> None:
    mailbox.to_recipient = "550 5.1.1 no such user"
    attempt(a_delivery(project))
    silent = a_kept_letter(project)
    client.force_login(User.objects.get(username="ada"))
    page = client.get("/account").content.decode()
    client.post("/account/letters", {"do": "confirm"})

    again = a_kept_letter(project, week_on=date(2026, 11, 30))

    assert silent == []
    assert "550 5.1.1 no such user" in page
    assert [str(row.user) for row in again] == ["ada"]


def test_another_address_is_tried_without_a_word(project: Project, mailbox: Mailbox) -> None:
    mailbox.to_recipient = "550 5.1.1 no such user"
    attempt(a_delivery(project))
    User.objects.filter(username="ada").update(email="ada@new.example")

    assert len(a_kept_letter(project)) == 1


def test_a_refused_text_says_nothing_about_the_address(project: Project, mailbox: Mailbox) -> None:
    mailbox.to_message = "554 5.7.1 looks like spam"
    attempt(a_delivery(project))

    assert not Reader.objects.exists()
    assert len(a_kept_letter(project)) == 1


def test_a_letter_out_of_turn_marks_an_address_that_is_refused_for_good(
    project: Project, mailbox: Mailbox
) -> None:
    member = Membership.objects.get(project=project)
    mailbox.to_recipient = "451 4.3.2 Please try again later"
    with pytest.raises(SMTPRecipientsRefused):
        tasks.send_sample(membership_id=member.pk)
    marked_early = Reader.objects.exists()
    mailbox.to_recipient = "550 5.1.1 no such user"

    tasks.send_sample(membership_id=member.pk)

    assert not marked_early
    assert Reader.objects.get().refused == "550 5.1.1 no such user"


def a_kept_letter(
    project: Project, *, week_on: date = date(2026, 11, 23), is_calm: bool = False
) -> list[LetterDelivery]:
    """Keep a letter as the beat does; return its deliveries."""
    letter = compose(a_week() if is_calm else a_week(flaky=(a_flake(1),)))
    days = Days(week_on, week_on + timedelta(days=6))
    issue = weekly.Issue(letter, readers.of_project(project))
    kept = weekly.keep(project, issue, days=days, now=MONDAY)
    assert kept is not None
    return list(kept.deliveries.select_related("user").order_by("user_id"))


def test_a_reader_of_changes_gets_no_calm_letter(project: Project) -> None:
    Membership.objects.filter(project=project).update(only_changes=True)

    assert a_kept_letter(project, is_calm=True) == []
    assert len(a_kept_letter(project, week_on=date(2026, 11, 30))) == 1


def test_a_reader_gets_the_letter_at_its_hour_where_they_are(project: Project, mailbox: Mailbox) -> None:
    ada = User.objects.get(username="ada")
    Reader.objects.create(user=ada, time_zone="America/Los_Angeles")
    (row,) = a_kept_letter(project, week_on=date(2026, 11, 16))
    local_nine = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)

    early = attempt(row, now=local_nine - timedelta(minutes=1)).sent_at
    late = attempt(row, now=local_nine).sent_at

    assert row.due_at == local_nine
    assert (early, late) == (None, local_nine)


def test_a_reader_whose_hour_has_passed_gets_the_letter_at_once(project: Project, mailbox: Mailbox) -> None:
    Reader.objects.create(user=User.objects.get(username="ada"), time_zone="Asia/Tokyo")
    (row,) = a_kept_letter(project, week_on=date(2026, 11, 16))

    assert attempt(row).sent_at == MONDAY
