"""The settings of channels, their buttons and log, the badges, the feed and the metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from projects import announcing
from projects.models import Channel, ChannelDelivery, Project
from projects.vocabulary import ChannelKind, EventKind, Role
from reports import channels, tasks, watch
from tests.factories import Shop, a_history, a_person, a_shop, failed, passed, record, report
from tests.receiver import Receiver, http_receiver

pytestmark = pytest.mark.django_db

URL = "/p/web/settings/channels"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def shop() -> Shop:
    return a_shop("Web")


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.TROPHYCASE_PRIVATE_WEBHOOKS = True
    with http_receiver() as server:
        yield server


def a_channel(shop: Shop, address: str = "https://hooks.example.com/services/T0/B0/xyzzy") -> Channel:
    return announcing.add_channel(
        shop.project, kind=ChannelKind.WEBHOOK, name="Team", address=address, wants=tuple(EventKind)
    )


def link(shop: Shop, path: str, *, purpose: str) -> str:
    project = Project.objects.get(pk=shop.project.pk)
    return f"/p/web/{path}?key={announcing.link_key(project, purpose=purpose)}"


# --- the page


def test_an_editor_adds_a_webhook_whose_secret_is_shown_once(shop: Shop) -> None:
    browser = shop.browser(shop.member(Role.EDITOR))
    form = {
        "kind": "webhook",
        "name": "Bot",
        "address": "https://example.com/x",
        "wants": ["flaky", "outage"],
    }

    first = browser.post(URL, form, follow=True).content.decode()
    second = browser.get(URL).content.decode()

    channel = Channel.objects.get()
    assert channel.secret.startswith("whsec_")
    assert channel.wants == [EventKind.FLAKY, EventKind.OUTAGE]
    assert channel.secret in first
    assert channel.secret not in second


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "ftp://example.com"),
        ("slack", "team@example.com"),
        ("mail", "https://example.com"),
        ("teams", ""),
    ],
)
def test_an_address_that_the_kind_cannot_use_is_refused(shop: Shop, kind: str, address: str) -> None:
    form = {"kind": kind, "name": "Bot", "address": address, "wants": ["flaky"]}

    response = shop.browser().post(URL, form)

    assert response.status_code == 422
    assert not Channel.objects.exists()


def test_a_viewer_sees_channels_without_their_addresses(shop: Shop) -> None:
    channel = a_channel(shop)
    browser = shop.browser(shop.member(Role.VIEWER))

    html = browser.get(URL).content.decode()
    refusals = [
        browser.post(URL, {}).status_code,
        browser.post(f"{URL}/{channel.pk}", {"do": "remove"}).status_code,
        browser.post(f"/p/web/channels/{channel.pk}/trial").status_code,
        browser.post(f"{URL}/links").status_code,
    ]

    assert "Team" in html
    assert "hooks.example.com" not in html
    assert refusals == [403, 403, 403, 403]
    assert Channel.objects.exists()


def test_an_editor_sees_no_more_of_an_address_than_tells_it_apart(shop: Shop) -> None:
    a_channel(shop)

    html = shop.browser().get(URL).content.decode()

    assert "https://hooks.example.com/…yzzy" in html
    assert "services/T0" not in html


def test_a_channel_is_turned_off_changed_and_removed(shop: Shop) -> None:
    channel = a_channel(shop)
    browser = shop.browser()
    here = f"{URL}/{channel.pk}"

    browser.post(here, {"do": "save", "wants": ["shape"]})
    channel.refresh_from_db()
    changed = (channel.is_on, channel.wants)
    before = channel.secret
    browser.post(here, {"do": "secret"})
    channel.refresh_from_db()
    browser.post(here, {"do": "remove"})

    assert changed == (False, [EventKind.SHAPE])
    assert channel.secret != before
    assert not Channel.objects.exists()


def test_the_channels_of_others_are_out_of_reach(shop: Shop) -> None:
    other = a_shop("Other")
    theirs = a_channel(other)
    browser = shop.browser()

    answers = [
        browser.post(f"{URL}/{theirs.pk}", {"do": "remove"}).status_code,
        browser.post(f"/p/web/channels/{theirs.pk}/trial").status_code,
        browser.get("/p/other/settings/channels").status_code,
    ]

    assert answers == [404, 404, 404]


def test_a_trial_is_sent_logged_and_sent_again(shop: Shop, receiver: Receiver) -> None:
    channel = a_channel(shop, receiver.url)
    browser = shop.browser()
    receiver.status, receiver.body = 404, b"no_service"
    browser.post(f"/p/web/channels/{channel.pk}/trial")
    deliver()
    html = browser.get(URL).content.decode()
    receiver.status = 200

    browser.post(f"/p/web/channels/sent/{ChannelDelivery.objects.get().id}/again")
    deliver()

    bodies = [json.loads(post.body)["data"] for post in receiver.posts]
    assert "no_service" in html
    assert bodies[0] == bodies[1]
    assert ChannelDelivery.objects.filter(sent_at__isnull=False, replay_of__isnull=False).count() == 1
    assert "again" in browser.get(URL).content.decode()


def deliver() -> None:
    """Do what the beat does for messages that wait."""
    for project_id, delivery_id in channels.waiting(now=timezone.now()):
        tasks.deliver_message(project_id=project_id, delivery_id=str(delivery_id))


def test_the_page_costs_few_queries(
    shop: Shop, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        channels.queue(a_channel(shop), watch.trial(shop.project, name="x"), now=timezone.now())
    browser = shop.browser()

    with django_assert_max_num_queries(12):
        browser.get(URL)


def test_a_project_has_at_most_twenty_channels(shop: Shop) -> None:
    for _ in range(announcing.MOST_CHANNELS):
        a_channel(shop)
    form = {"kind": "webhook", "name": "Bot", "address": "https://example.com/x", "wants": ["flaky"]}

    html = shop.browser().post(URL, form, follow=True).content.decode()

    assert "at most 20 channels" in html
    assert Channel.objects.count() == announcing.MOST_CHANNELS


# --- badges


def test_badges_tell_the_numbers_of_the_project(shop: Shop) -> None:
    a_history(shop, "....R..R")

    texts = {
        name: Client().get(link(shop, f"badge/{name}.svg", purpose="badge")).content.decode()
        for name in ("flaky", "shape", "pass-rate")
    }

    assert "<title>flaky tests: 1</title>" in texts["flaky"]
    assert re.search(r"<title>test suite: [a-z ]+</title>", texts["shape"])
    assert "<title>tests passed: 100 %</title>" in texts["pass-rate"]
    for text in texts.values():
        ElementTree.fromstring(text)


def test_badges_of_an_empty_project_say_so(shop: Shop) -> None:
    for name in ("flaky", "shape", "pass-rate"):
        text = Client().get(link(shop, f"badge/{name}.svg", purpose="badge")).content.decode()

        assert "no runs" in text


def test_a_badge_is_kept_and_not_sent_again_unchanged(shop: Shop) -> None:
    url = link(shop, "badge/flaky.svg", purpose="badge")

    first = Client().get(url)
    second = Client().get(url, headers={"if-none-match": first["ETag"]})

    assert first["Content-Type"].startswith("image/svg+xml")
    assert "max-age=300" in first["Cache-Control"]
    assert not first.cookies
    assert (second.status_code, second.content) == (304, b"")


@pytest.mark.parametrize("path", ["badge/flaky.svg", "events.atom"])
def test_without_the_right_link_a_project_looks_like_none(shop: Shop, path: str) -> None:
    other = a_shop("Other")
    purpose = "badge" if "badge" in path else "events"
    wrong = [
        f"/p/web/{path}",
        f"/p/web/{path}?key=x",
        link(shop, path, purpose="events" if purpose == "badge" else "badge"),
        f"/p/web/{path}?key={announcing.link_key(other.project, purpose=purpose)}",
        f"/p/nowhere/{path}?key={announcing.link_key(shop.project, purpose=purpose)}",
    ]

    assert [Client().get(url).status_code for url in wrong] == [404] * 5
    assert shop.browser(a_person()).get(wrong[0]).status_code == 404


def test_new_links_end_the_old_ones(shop: Shop) -> None:
    old = link(shop, "badge/flaky.svg", purpose="badge")

    shop.browser().post(f"{URL}/links")

    assert Client().get(old).status_code == 404
    assert Client().get(link(shop, "badge/flaky.svg", purpose="badge")).status_code == 200


def test_the_page_shows_links_that_work(shop: Shop) -> None:
    html = shop.browser().get(URL).content.decode()

    paths = re.findall(r'<img src="(/p/web/badge/[^"]+)"', html)
    assert len(paths) == 3
    assert [Client().get(path).status_code for path in paths] == [200, 200, 200]


# --- feed


def test_the_feed_tells_events_with_their_tests(shop: Shop) -> None:
    for n in range(6):
        at = timezone.now() - timedelta(hours=8 - n)
        cases = [(failed if n > 2 else passed)(f"<b>{m}") for m in range(3)]
        sound = [passed(f"sound_{m}") for m in range(60)]
        record(shop, report(*cases, *sound), run=f"r{n}", commit=f"c{n}", started_at=at.isoformat())
    watch.look(shop.project.pk, now=timezone.now())

    response = Client().get(link(shop, "events.atom", purpose="events"))

    feed = ElementTree.fromstring(response.content)
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["3 tests are broken"]
    assert "Cart › &lt;b&gt;0" in str(entries[0].findtext(f"{ATOM}summary"))
    assert feed.findtext(f"{ATOM}title") == "Web: test suite"


def test_an_empty_feed_is_a_feed(shop: Shop) -> None:
    response = Client().get(link(shop, "events.atom", purpose="events"))

    assert ElementTree.fromstring(response.content).tag == f"{ATOM}feed"


# --- metrics


def test_metrics_are_told_to_who_has_the_token(shop: Shop, settings: Settings) -> None:
    settings.METRICS_TOKEN = "s3cret"
    record(shop, report(passed(), passed("b")))
    channels.queue(a_channel(shop), watch.trial(shop.project, name="x"), now=timezone.now())
    token = {"authorization": f"Bearer {shop.token}"}
    Client().post("/api/v1/uploads?layer=lint", b"<a/>", content_type="application/xml", headers=token)

    response = Client().get("/metrics", headers={"authorization": "Bearer s3cret"})

    lines = response.content.decode().splitlines()
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'trophycase_uploads_recent{state="done"} 1' in lines
    assert "trophycase_results_recent 2" in lines
    assert "trophycase_queue_age_seconds 0" in lines
    assert 'trophycase_messages_day{state="waiting"} 1' in lines
    assert 'trophycase_letters_week{state="refused"} 0' in lines
    assert "trophycase_requests_refused_day 1" in lines
    assert "trophycase_runs 1" in lines
    assert all(
        re.fullmatch(r'# (HELP|TYPE) .+|[a-z_]+(\{state="[a-z]+"\})? [\d.e+-]+', line) for line in lines
    )


def test_an_upload_that_waits_ages_the_queue(shop: Shop, settings: Settings) -> None:
    settings.METRICS_TOKEN = "s3cret"
    upload = record(shop, report(passed()))
    type(upload).objects.update(state=1, received_at=timezone.now() - timedelta(minutes=10))

    text = Client().get("/metrics", headers={"authorization": "Bearer s3cret"}).content.decode()

    assert 590 <= float(re.findall(r"^trophycase_queue_age_seconds (\S+)$", text, re.MULTILINE)[0]) < 660


@pytest.mark.parametrize(
    ("token", "header"),
    [("", "Bearer "), ("", ""), ("s3cret", ""), ("s3cret", "Bearer no"), ("s3cret", "Basic s3cret")],
)
def test_without_the_token_there_are_no_metrics(settings: Settings, token: str, header: str) -> None:
    settings.METRICS_TOKEN = token

    assert Client().get("/metrics", headers={"authorization": header}).status_code == 404
