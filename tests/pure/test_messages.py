"""One message of many news, and what mail, Slack, Teams and a webhook make of it."""

from __future__ import annotations

import json

from projects.vocabulary import EventKind
from reports import messages
from reports.messages import Message, News

URL = "https://t.example/p/web/"
LISTS = {EventKind.BROKEN: URL + "flaky?status=broken"}


def news(kind: EventKind, title: str, *, detail: str = "why", is_good: bool = False) -> News:
    """Return one thing to tell."""
    return News(kind, title, detail, URL + "x", is_good)


def a_message(*found: News) -> Message:
    """Return the message of these news."""
    return messages.compose("web", found, url=URL, lists=LISTS)


def test_the_heaviest_news_comes_first_and_thanks_last() -> None:
    message = a_message(
        news(EventKind.FIXED, "a", is_good=True),
        news(EventKind.FLAKY, "b"),
        news(EventKind.OUTAGE, "Many tests failed at once in run #7"),
    )

    assert [group.kind for group in message.groups] == ["outage", "flaky", "fixed"]
    assert message.subject == "web: many tests failed at once in run #7, 1 test became flaky, 1 test is fixed"


def test_a_group_shows_ten_and_counts_the_rest() -> None:
    message = a_message(*(news(EventKind.BROKEN, f"test_{n}") for n in range(37)))

    (group,) = message.groups
    assert group.title == "37 tests are broken"
    assert (len(group.lines), group.n_more, group.more_url) == (10, 27, LISTS[EventKind.BROKEN])


def test_a_message_is_read_back_as_it_was_kept() -> None:
    message = a_message(news(EventKind.FLAKY, "test_ü"), news(EventKind.SHAPE, "The suite left its target"))

    assert messages.from_json(json.loads(json.dumps(message.as_json()))) == message


def test_text_has_every_line_with_its_page() -> None:
    text = messages.text(a_message(news(EventKind.FLAKY, "Cart › adds", detail="2 flips")))

    assert text == (
        "! 1 test became flaky\n    Cart › adds: 2 flips\n    https://t.example/p/web/x\n\n"
        "Open web: https://t.example/p/web/\n"
    )


def test_slack_shows_names_as_they_are() -> None:
    body = messages.slack(a_message(news(EventKind.FLAKY, "<!channel> a|b & c")))

    line = body["blocks"][1]["text"]["text"].splitlines()[1]
    assert line == "• <https://t.example/p/web/x|&lt;!channel&gt; a¦b &amp; c>: why"
    assert "<!channel>" not in json.dumps(body)


def test_slack_gets_no_section_that_it_would_refuse() -> None:
    found = [
        news(kind, f"{n} " + "&" * 900, detail="<" * 400)
        for kind in (EventKind.FLAKY, EventKind.BROKEN)
        for n in range(40)
    ]

    body = messages.slack(a_message(*found))

    assert len(body["blocks"][0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"][:-1])


def test_teams_gets_a_card_with_links_and_plain_names() -> None:
    body = messages.teams(a_message(news(EventKind.FLAKY, "test_[a](b)")))

    card = body["attachments"][0]["content"]
    assert body["type"] == "message"
    assert card["type"] == "AdaptiveCard"
    assert card["body"][2]["text"] == r"[test\_\[a\](b)](https://t.example/p/web/x): why"
    assert card["actions"][0]["url"] == URL


def test_teams_gets_no_more_than_it_takes() -> None:
    kinds = [kind for kind in EventKind if kind is not EventKind.TRIAL]
    long = [news(kind, f"{n}{'ü' * 300}", detail="ß" * 300) for kind in kinds for n in range(15)]

    body = messages.teams(a_message(*long))

    card = body["attachments"][0]["content"]
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= messages.TEAMS_BYTES
    assert sum(block["text"] == "and 13 more" for block in card["body"]) == len(kinds)


def test_a_webhook_gets_type_time_and_data() -> None:
    body = messages.webhook(
        a_message(news(EventKind.FLAKY, "adds")), delivery="0001", at="2026-11-23T12:00:00Z"
    )

    assert body["type"] == "trophycase.events"
    assert body["data"]["groups"][0]["kind"] == "flaky"
    assert body["data"]["groups"][0]["lines"][0]["what"] == "adds"
