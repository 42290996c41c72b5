"""A message on its way through the real broker and worker: rung for by the beat's task, tried, and logged."""

from __future__ import annotations

import pytest
from django.utils import timezone

from projects import announcing
from projects.models import ChannelDelivery
from projects.vocabulary import ChannelKind, EventKind
from reports import channels, tasks, watch
from tests.factories import a_history, a_shop
from tests.processes import LiveApp
from tests.waiting import wait_until


@pytest.mark.django_db(transaction=True)
def test_the_worker_finds_news_and_refuses_to_tell_it_inside_the_network(live_app: LiveApp) -> None:
    shop = a_shop("Web")
    announcing.add_channel(
        shop.project, kind=ChannelKind.WEBHOOK, name="Bot", address=live_app.url, wants=tuple(EventKind)
    )
    a_history(shop, ".....RR")

    tasks.watch_projects.delay()

    row = wait_until(
        lambda: ChannelDelivery.objects.filter(is_over=True).first(), what="the message's first try"
    )
    assert row is not None
    assert row.subject == "Web: 1 test became flaky"
    assert "private network" in row.answer


@pytest.mark.django_db(transaction=True)
def test_the_beat_rings_again_for_a_message_whose_doorbell_was_lost(live_app: LiveApp) -> None:
    shop = a_shop("Web")
    channel = announcing.add_channel(
        shop.project, kind=ChannelKind.SLACK, name="Chat", address=live_app.url, wants=tuple(EventKind)
    )
    channels.queue(channel, watch.trial(shop.project, name="Chat"), now=timezone.now())

    tasks.watch_projects.delay()

    wait_until(lambda: ChannelDelivery.objects.filter(is_over=True).exists(), what="the message's first try")
