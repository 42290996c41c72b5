"""Events on recorded runs, and their way to channels over a real HTTP receiver that refuses, stalls and hangs up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from projects import announcing
from projects.models import Channel, ChannelDelivery, Event
from projects.vocabulary import ChannelKind, EventKind
from reports import channels, events, forgetting, tasks, watch
from tests.factories import Shop, a_history, a_shop, failed, passed, record, report
from tests.mail import mail_server
from tests.receiver import Receiver, http_receiver

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.TROPHYCASE_PRIVATE_WEBHOOKS = True
    settings.BASE_URL = "https://t.example"
    with http_receiver() as server:
        yield server


def a_channel(
    shop: Shop, address: str, *, kind: ChannelKind = ChannelKind.WEBHOOK, wants: tuple[EventKind, ...] = ()
) -> Channel:
    """Return a channel that wants everything unless `wants` says otherwise."""
    return announcing.add_channel(
        shop.project,
        kind=kind,
        name="Team",
        address=address,
        wants=wants or tuple(EventKind),
    )


def a_message_for(channel: Channel, *, now: datetime = NOON) -> ChannelDelivery:
    """Queue a trial."""
    delivery_id = channels.queue(channel, watch.trial(channel.project, name=channel.name), now=now)
    return ChannelDelivery.objects.get(id=delivery_id)


def attempt(row: ChannelDelivery, *, now: datetime = NOON) -> ChannelDelivery:
    """Do what the task does, at a moment of the test's choice."""
    claimed = channels.claim(row.project_id, row.id, now=now)
    if claimed is not None:
        channels.send(claimed, now=now)
    return ChannelDelivery.objects.get(id=row.id)


def look(shop: Shop, *, now: datetime | None = None) -> list[ChannelDelivery]:
    """Look at the project; return what that queued."""
    ids = watch.look(shop.project.pk, now=now or timezone.now())
    return list(ChannelDelivery.objects.filter(id__in=ids).order_by("channel_id"))


# --- from runs to events


def test_a_flaky_test_is_told_once_to_every_channel_that_wants_it(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    a_channel(shop, receiver.url, wants=(EventKind.BUDGET,))
    a_history(shop, ".....RR")

    queued = look(shop)
    again = look(shop)

    assert [row.subject for row in queued] == ["Web: 1 test became flaky"]
    assert again == []
    assert [event.title for event in Event.objects.filter(project=shop.project)] == ["Cart › adds"]


def test_many_tests_in_one_run_are_one_message(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    names = [f"test_{n}" for n in range(4)]
    for day in range(6):
        cases = [(failed if day >= 3 else passed)(name) for name in names]
        sound = [passed(f"sound_{n}") for n in range(60)]
        at = timezone.now() - timedelta(hours=6 - day)
        record(shop, report(*cases, *sound), run=f"r{day}", commit=f"c{day}", started_at=at.isoformat())

    queued = look(shop)

    assert len(queued) == 1
    assert queued[0].subject == "Web: 4 tests are broken"


def test_an_outage_is_one_message_without_its_tests(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    homes = {f"test_{n}": f"suite{n % 6}.Case" for n in range(80)}
    calm = report(*(passed(name, classname=home) for name, home in homes.items()))
    storm = report(
        *(failed(name, classname=home, message="connection refused") for name, home in homes.items())
    )
    for hour, body in enumerate([calm, calm, calm, storm, storm]):
        at = timezone.now() - timedelta(hours=5 - hour)
        record(shop, body, run=f"r{hour}", commit=f"c{hour}", started_at=at.isoformat())
        if hour == 2:
            look(shop)

    queued = look(shop)
    later = look(shop, now=timezone.now() + timedelta(minutes=5))

    assert [row.subject.split(" in run")[0] for row in queued] == ["Web: many tests failed at once"]
    assert later == []


def test_a_broken_test_is_told_and_so_is_its_repair(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    began = timezone.now() - timedelta(hours=20)
    told = []
    for n, word in enumerate("......FFFF" + 30 * "."):
        case = failed("adds") if word == "F" else passed("adds")
        at = began + timedelta(minutes=10 * n)
        record(shop, report(case, passed("b")), run=f"r{n}", commit=f"c{n}", started_at=at.isoformat())
        if n in (5, 9, 39):
            told.append([row.subject for row in look(shop)])

    assert told == [[], ["Web: 1 test is broken"], ["Web: 1 test is fixed"]]


def test_the_shape_is_told_when_it_leaves_its_target_and_when_it_is_back(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    for layer, n_tests in (("unit", 75), ("integration", 17), ("e2e", 8)):
        cases = [passed(f"{layer}_{n}") for n in range(n_tests)]
        record(shop, report(*cases), layer=layer, run="r1")
    look(shop)

    record(shop, report(*(passed(f"more_{n}") for n in range(60))), layer="e2e", run="r2")
    left = look(shop)
    record(shop, report(*(passed(f"small_{n}") for n in range(600))), layer="unit", run="r3")
    record(shop, report(*(passed(f"middle_{n}") for n in range(120))), layer="integration", run="r3")
    back = look(shop)

    assert [row.subject for row in left] == ["Web: the suite left its target, pyramid"]
    assert "e2e" in left[0].message["groups"][0]["lines"][0]["detail"]
    assert [row.subject for row in back] == ["Web: the suite is a pyramid again"]


def test_a_crossed_budget_is_told(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    record(shop, report(passed(seconds=10)), layer="integration", run="r1")
    look(shop)
    for n in range(2, 9):
        record(shop, report(passed(seconds=400)), layer="integration", run=f"r{n}")

    queued = look(shop)

    assert "integration is over budget" in queued[0].subject


def test_refused_uploads_are_told_with_the_reason(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    record(shop, report(passed()))
    look(shop)
    for n in range(3):
        record(shop, b"<html>no report</html>", run=f"r{n}")

    queued = look(shop)

    assert queued[0].subject == "Web: the last 3 uploads were refused"
    assert queued[0].message["groups"][0]["lines"][0]["detail"]


def test_requests_that_are_refused_at_the_door_are_told_like_uploads(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    record(shop, report(passed()))
    look(shop)
    for _ in range(3):
        headers = {"authorization": f"Bearer {shop.token}"}
        Client().post("/api/v1/uploads?layer=lint", b"<a/>", content_type="application/xml", headers=headers)

    queued = look(shop)
    record(shop, report(passed()), run="again")
    again = look(shop)

    assert queued[0].subject == "Web: the last 3 uploads were refused"
    assert "lint" in queued[0].message["groups"][0]["lines"][0]["detail"]
    assert "taken again" in again[0].subject


def test_uploads_that_stop_are_told_and_so_is_their_return(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    for n in range(6):
        record(shop, report(passed()), run=f"r{n}")
    look(shop)

    stopped = look(shop, now=timezone.now() + timedelta(hours=25))
    record(shop, report(passed()), run="r7")
    again = look(shop)

    assert stopped[0].subject == "Web: uploads stopped arriving"
    assert again[0].subject == "Web: uploads arrive again"


def test_history_that_comes_late_is_no_news(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    a_history(shop, ".R.R.R.R.", end=timezone.now() - timedelta(days=20))

    assert look(shop) == []


def test_a_project_is_looked_at_when_its_uploads_have_paused() -> None:
    shop = a_shop("Web")
    record(shop, report(passed()))
    look(shop)
    record(shop, report(passed()), run="r2")
    now = timezone.now()

    assert watch.due(now=now) == []
    assert watch.due(now=now + events.QUIET) == [shop.project.pk]
    look(shop, now=now + events.QUIET)
    assert watch.due(now=now + 2 * events.QUIET) == []
    assert watch.due(now=now + events.QUIET + watch.LOOK_ANYWAY) == [shop.project.pk]


def test_a_project_is_looked_at_when_the_requests_that_were_refused_have_paused() -> None:
    shop = a_shop("Web")
    headers = {"authorization": f"Bearer {shop.token}"}
    record(shop, report(passed()))
    look(shop)

    Client().post("/api/v1/uploads?layer=lint", b"<a/>", content_type="application/xml", headers=headers)
    now = timezone.now()
    early, late = watch.due(now=now), watch.due(now=now + events.QUIET)
    look(shop, now=now + events.QUIET)

    assert (early, late) == ([], [shop.project.pk])
    assert watch.due(now=now + 2 * events.QUIET) == []


def test_a_project_without_uploads_is_not_looked_at() -> None:
    a_shop("Web")

    assert watch.due(now=timezone.now()) == []


def test_a_look_costs_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    shop = a_shop("Web")
    a_history(shop, ".R.R.R.R.")
    look(shop)

    with django_assert_max_num_queries(24):
        look(shop)


def test_what_was_told_reaches_the_channel(receiver: Receiver) -> None:
    shop = a_shop("Web")
    a_channel(shop, receiver.url)
    a_history(shop, ".....RR")
    for row in look(shop):
        tasks.deliver_message(project_id=row.project_id, delivery_id=str(row.id))

    assert json.loads(receiver.posts[0].body)["data"]["subject"] == "Web: 1 test became flaky"


# --- from messages to channels


def test_a_webhook_is_signed_over_id_time_and_body(receiver: Receiver) -> None:
    channel = a_channel(a_shop(), receiver.url + "/hook")

    row = attempt(a_message_for(channel))

    post = receiver.posts[0]
    moment = post.headers["webhook-timestamp"]
    signed = f"{row.id}.{moment}.".encode() + post.body
    key = base64.b64decode(channel.secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert post.headers["webhook-signature"] == f"v1,{mac}"
    assert (post.headers["webhook-id"], moment) == (str(row.id), str(int(NOON.timestamp())))
    assert (row.status, row.answer, row.sent_at, row.is_over) == (200, "ok", NOON, True)


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.TEAMS])
def test_chats_get_what_they_read(receiver: Receiver, kind: ChannelKind) -> None:
    channel = a_channel(a_shop("Web"), receiver.url, kind=kind)

    attempt(a_message_for(channel))

    body = json.loads(receiver.posts[0].body)
    assert "webhook-signature" not in receiver.posts[0].headers
    assert ("blocks" in body) == (kind is ChannelKind.SLACK)
    assert ("attachments" in body) == (kind is ChannelKind.TEAMS)


def test_mail_is_a_channel_too(settings: Settings) -> None:
    with mail_server() as mailbox:
        settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
        channel = a_channel(a_shop("Web"), "team@t.example", kind=ChannelKind.MAIL)

        row = attempt(a_message_for(channel))

    to, mail = mailbox.taken[0]
    assert row.is_over
    assert (to, mail["Subject"]) == ("team@t.example", "Web: this is a trial of the channel Team")


def test_mail_that_is_refused_for_good_is_not_tried_again(settings: Settings) -> None:
    with mail_server() as mailbox:
        settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
        mailbox.to_recipient = "550 no such user"
        channel = a_channel(a_shop("Web"), "team@t.example", kind=ChannelKind.MAIL)

        row = attempt(a_message_for(channel))

    assert (row.is_over, row.sent_at, row.answer) == (True, None, "550 no such user")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_temporary_no_is_tried_again_after_pauses_that_double(receiver: Receiver, status: int) -> None:
    receiver.status = status
    row = attempt(a_message_for(a_channel(a_shop(), receiver.url)))
    first_due = row.due_at
    early = attempt(row, now=NOON + timedelta(seconds=29))
    row = attempt(row, now=NOON + timedelta(seconds=30))
    receiver.status = 200

    last = attempt(row, now=NOON + timedelta(seconds=90))

    assert first_due == NOON + timedelta(seconds=30)
    assert early.n_tries == 1
    assert row.due_at == NOON + timedelta(seconds=90)
    assert (last.n_tries, last.is_over, last.status) == (3, True, 200)


def test_the_other_side_may_ask_for_a_longer_pause(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "3600"}

    row = attempt(a_message_for(a_channel(a_shop(), receiver.url)))

    assert row.due_at == NOON + timedelta(hours=1)


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_a_permanent_no_is_kept_and_not_tried_again(receiver: Receiver, status: int) -> None:
    receiver.status = status

    row = attempt(a_message_for(a_channel(a_shop(), receiver.url)))

    assert (row.status, row.is_over, row.sent_at) == (status, True, None)


def test_gone_turns_the_channel_off(receiver: Receiver) -> None:
    receiver.status = 410
    channel = a_channel(a_shop(), receiver.url)

    attempt(a_message_for(channel))

    channel.refresh_from_db()
    assert not channel.is_on
    assert "410" in channel.why_off


def test_a_dropped_connection_is_tried_again(receiver: Receiver) -> None:
    receiver.hangs_up = True

    row = attempt(a_message_for(a_channel(a_shop(), receiver.url)))

    assert (row.is_over, row.status, row.n_tries) == (False, None, 1)
    assert row.answer


def test_the_last_of_ten_tries_ends_it(receiver: Receiver) -> None:
    receiver.status = 500
    row = a_message_for(a_channel(a_shop(), receiver.url))
    ChannelDelivery.objects.update(n_tries=channels.MOST_TRIES - 1)

    row = attempt(row)

    assert (row.is_over, row.n_tries) == (True, channels.MOST_TRIES)


def test_an_address_of_the_inner_network_is_refused(receiver: Receiver, settings: Settings) -> None:
    settings.TROPHYCASE_PRIVATE_WEBHOOKS = False

    row = attempt(a_message_for(a_channel(a_shop(), receiver.url)))

    assert (row.is_over, row.sent_at) == (True, None)
    assert "private network" in row.answer
    assert receiver.posts == []


def test_what_nobody_could_tell_for_two_days_is_told_no_more(receiver: Receiver) -> None:
    row = a_message_for(a_channel(a_shop(), receiver.url))

    late = attempt(row, now=NOON + timedelta(days=2, seconds=1))

    assert (late.is_over, late.sent_at, late.answer) == (True, None, "Not sent: for two days nobody could.")
    assert receiver.posts == []


def test_a_claim_holds_longer_than_a_try_may_take(receiver: Receiver) -> None:
    row = a_message_for(a_channel(a_shop(), receiver.url))
    channels.claim(row.project_id, row.id, now=NOON)

    assert channels.waiting(now=NOON + timedelta(seconds=150)) == []
    assert channels.waiting(now=NOON + timedelta(minutes=3)) == [(row.project_id, row.id)]


def test_of_two_claims_one_holds(receiver: Receiver) -> None:
    row = a_message_for(a_channel(a_shop(), receiver.url))

    first = channels.claim(row.project_id, row.id, now=NOON)
    second = channels.claim(row.project_id, row.id, now=NOON)

    assert first is not None
    assert second is None


def test_a_channel_that_is_off_gets_nothing(receiver: Receiver) -> None:
    channel = a_channel(a_shop(), receiver.url)
    row = a_message_for(channel)
    Channel.objects.update(is_on=False)

    assert channels.waiting(now=NOON) == []
    assert attempt(row).n_tries == 0


def test_the_log_forgets_what_is_old(receiver: Receiver) -> None:
    channel = a_channel(a_shop(), receiver.url)
    a_message_for(channel, now=NOON - timedelta(days=61))
    kept = a_message_for(channel)

    forgetting.forget_old(now=NOON)

    assert [row.id for row in ChannelDelivery.objects.all()] == [kept.id]
