"""Turns things that were told into one message, and a message into what each kind of channel takes.

Pure: values in, JSON-ready values and text out. A message holds a group for each kind, ten lines of it at most.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from projects.vocabulary import EventKind
from reports import words

MOST_LINES = 10  # a chat message is glanced at; the page behind the link has the rest
LONGEST_LINE = 200  # a test's name may have a thousand characters
SLACK_TEXT = 3_000  # Slack refuses a section with more
SLACK_HEADER = 150
TEAMS_BYTES = 25_000  # Teams refuses a message of more than 28 KB
TITLE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Line:
    """One thing: what, a detail, and the page behind it."""

    what: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind that were told together."""

    kind: str
    title: str
    is_good: bool
    lines: tuple[Line, ...]
    n_more: int = 0
    more_url: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is told at once."""

    project: str
    subject: str
    url: str
    groups: tuple[Group, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the message as it is kept with its delivery, and as a webhook takes it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class News:
    """A thing that was told, with the absolute address of its page."""

    kind: EventKind
    title: str
    detail: str
    url: str
    is_good: bool = False


def compose(project: str, news: Sequence[News], *, url: str, lists: Mapping[EventKind, str]) -> Message:
    """Return one message of these news; `lists` are the pages with the rest of each kind."""
    found: dict[tuple[bool, EventKind], list[News]] = {}
    for one in sorted(news, key=lambda one: (one.is_good, ORDER.index(one.kind))):
        found.setdefault((one.is_good, one.kind), []).append(one)
    groups = tuple(_group(kind, alike, lists) for (_, kind), alike in found.items())
    subject = f"{project}: {', '.join(group.title[:1].lower() + group.title[1:] for group in groups)}"
    return Message(project=project, subject=subject[:TITLE_LENGTH], url=url, groups=groups)


# The heaviest news first.
ORDER = (
    EventKind.OUTAGE,
    EventKind.UPLOADS_REFUSED,
    EventKind.UPLOADS_STOPPED,
    EventKind.BROKEN,
    EventKind.FLAKY,
    EventKind.BUDGET,
    EventKind.SHAPE,
    EventKind.FIXED,
    EventKind.TRIAL,
)
COUNTED = {
    EventKind.BROKEN: ("test is broken", "tests are broken"),
    EventKind.FLAKY: ("test became flaky", "tests became flaky"),
    EventKind.FIXED: ("test is fixed", "tests are fixed"),
}


def _group(kind: EventKind, news: Sequence[News], lists: Mapping[EventKind, str]) -> Group:
    lines = tuple(Line(_cut(one.title), _cut(one.detail), one.url) for one in news[:MOST_LINES])
    n_more = len(news) - len(lines)
    title = news[0].title
    if kind in COUNTED:
        one, many = COUNTED[kind]
        title = f"{words.number(len(news))} {one if len(news) == 1 else many}"
    elif len(news) > 1:
        title = ", ".join(one.title for one in news)
    more_url = lists.get(kind, "") if n_more else ""
    return Group(kind.word, _cut(title), news[0].is_good, lines, n_more, more_url)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def from_json(kept: Mapping[str, Any]) -> Message:
    """Read a message back as it was kept."""
    groups = tuple(
        Group(**{**group, "lines": tuple(Line(**line) for line in group["lines"])})
        for group in kept["groups"]
    )
    return Message(**{**kept, "groups": groups})


def text(message: Message) -> str:
    """Return the message as plain text, for mail."""
    blocks = [_text_group(group) for group in message.groups]
    return "\n\n".join([*blocks, f"Open {message.project}: {message.url}"]) + "\n"


def _text_group(group: Group) -> str:
    lines = [f"{_mark(group)} {group.title}"]
    for line in _lines(group):
        detail = f": {line.detail}" if line.detail else ""
        lines += [f"    {line.what}{detail}", f"    {line.url}"]
    return "\n".join([*lines, *_more(group, "    and {n} more: {url}")])


def _mark(group: Group) -> str:
    return "✓" if group.is_good else "!"


def _lines(group: Group) -> Iterable[Line]:
    """Return the lines of a group, without repeating its title."""
    return (Line("Open", line.detail, line.url) if line.what == group.title else line for line in group.lines)


def _more(group: Group, words_of: str) -> list[str]:
    return [words_of.format(n=words.number(group.n_more), url=group.more_url)] if group.n_more else []


# --- Slack


def slack(message: Message) -> dict[str, Any]:
    """Return the body of a Slack incoming webhook: blocks, and the subject where only text is shown."""
    header = {"type": "plain_text", "text": _limit(message.subject, SLACK_HEADER), "emoji": False}
    groups = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _slack_group(group)}}
        for group in message.groups
    ]
    link = f"<{message.url}|Open {_slack(message.project)}>"
    foot = {"type": "context", "elements": [{"type": "mrkdwn", "text": link}]}
    return {
        "text": _slack(message.subject),
        "blocks": [{"type": "header", "text": header}, *groups, foot],
    }


def _slack_group(group: Group) -> str:
    lines = [f"{_mark(group)} *{_slack(group.title)}*"]
    lines += [_slack_line(line) for line in _lines(group)]
    kept, length = [], 0
    for line in [*lines, *_more(group, "<{url}|and {n} more>")]:
        length += len(line) + 1
        if length > SLACK_TEXT:  # a link cut in half is no link
            break
        kept.append(line)
    return "\n".join(kept)


def _slack_line(line: Line) -> str:
    detail = f": {_slack(line.detail)}" if line.detail else ""
    return f"• <{line.url}|{_slack(line.what)}>{detail}"


def _slack(words_of: str) -> str:
    """Escape what Slack reads as markup; a bar would end the words of a link."""
    return words_of.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "¦")


# --- Teams


def teams(message: Message) -> dict[str, Any]:
    """Return the body of a Teams incoming webhook (Workflows): an adaptive card in a message, as long as Teams takes."""
    found: dict[str, Any] = {}
    for most_lines in (MOST_LINES, 5, 2, 0):
        found = _teams(message, most_lines=most_lines)
        if len(json.dumps(found, ensure_ascii=False).encode()) <= TEAMS_BYTES:
            break
    return found


def _teams(message: Message, *, most_lines: int) -> dict[str, Any]:
    body: list[dict[str, Any]] = [_block(message.subject, weight="Bolder", size="Medium")]
    for group in message.groups:
        body.append(
            _block(f"{_mark(group)} {group.title}", weight="Bolder", color=_colour(group), spacing="Medium")
        )
        lines = [_teams_line(line) for line in _lines(group)]
        n_left = len(lines) - most_lines
        more = [f"and {words.number(n_left + group.n_more)} more"] if n_left > 0 else []
        more = more or _more(group, "[and {n} more]({url})")
        body += [_raw_block(line) for line in [*lines[:most_lines], *more]]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": f"Open {message.project}", "url": message.url}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _colour(group: Group) -> str:
    return "Good" if group.is_good else "Attention"


def _teams_line(line: Line) -> str:
    detail = f": {_markdown(line.detail)}" if line.detail else ""
    return f"[{_markdown(line.what)}]({line.url}){detail}"


def _block(words_of: str, **looks: str) -> dict[str, Any]:
    return _raw_block(_markdown(words_of), **looks)


def _raw_block(markdown: str, **looks: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": markdown, "wrap": True, "spacing": "Small", **looks}


def _markdown(words_of: str) -> str:
    return re.sub(r"([\\`*_\[\]])", r"\\\1", words_of)


# --- Generic


def webhook(message: Message, *, delivery: str, at: str) -> dict[str, Any]:
    """Return the body of a generic webhook, in the envelope of the Standard Webhooks: type, timestamp, data."""
    return {"type": "trophycase.events", "timestamp": at, "id": delivery, "data": message.as_json()}


def _limit(words_of: str, length: int) -> str:
    return words_of if len(words_of) <= length else words_of[: length - 1] + "…"
