"""Brings messages to channels: claims a delivery, hands its message over, notes what came of it.

The row is the queue and the log. A claim puts the next try off by a pause that doubles, so two workers never
send one delivery, and one whose worker died is taken up again. What a message says is messages.py's, how a
post is made projects.outside's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import assert_never

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F

from projects import addresses, announcing, outside
from projects.models import Channel, ChannelDelivery
from projects.vocabulary import ChannelKind
from reports import messages, refusals
from reports.messages import Message

MOST_TRIES = 10  # some four hours, pauses included; more where the other side asks for longer ones
FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=12)
HOLD = timedelta(minutes=3)  # a claim's: longer than a try may take, be it by mail
TOLD_FOR = timedelta(
    days=2
)  # what a channel that was off, or a server that was down, did not tell by then is history
LATER = frozenset({408, 425, 429, *range(500, 600)})  # the other side may well take it another time
GONE = 410

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try; `may_repeat` is False where another try would end the same."""

    is_sent: bool
    answer: str
    status: int | None = None
    took_s: float | None = None
    may_repeat: bool = True
    retry_after_s: int | None = None


def queue(
    channel: Channel, message: Message, *, now: datetime, replay_of: uuid.UUID | None = None
) -> uuid.UUID:
    """Put a message in the channel's queue; whoever calls rings for it."""
    row = ChannelDelivery.objects.create(
        project_id=channel.project_id,
        channel=channel,
        replay_of=replay_of,
        subject=message.subject,
        message=message.as_json(),
        created_at=now,
        due_at=now,
    )
    return row.id


def pause(n_tries: int) -> timedelta:
    """Return how long to wait after so many tries."""
    return min(FIRST_PAUSE * (1 << min(n_tries - 1, 12)), LONGEST_PAUSE)


def waiting(*, now: datetime, most: int = 1_000) -> list[tuple[int, uuid.UUID]]:
    """Return the deliveries to try now, the longest due first."""
    rows = ChannelDelivery.objects.filter(is_over=False, due_at__lte=now, channel__is_on=True)
    return list(rows.order_by("due_at", "id").values_list("project_id", "id")[:most])


def claim(project_id: int, delivery_id: uuid.UUID, *, now: datetime) -> ChannelDelivery | None:
    """Take one delivery for a try; None when it is over, not due, too old, or somebody else has it."""
    rows = ChannelDelivery.objects.filter(
        project_id=project_id, id=delivery_id, is_over=False, due_at__lte=now
    )
    row = rows.select_related("channel", "project").first()
    if row is None or not row.channel.is_on:
        return None
    if now - row.created_at > TOLD_FOR:
        rows.update(is_over=True, answer=row.answer or "Not sent: for two days nobody could.")
        return None
    # Of two claims that read the same count of tries, one finds it changed.
    if not rows.filter(n_tries=row.n_tries).update(n_tries=F("n_tries") + 1, tried_at=now, due_at=now + HOLD):
        return None
    row.n_tries += 1
    return row


def send(delivery: ChannelDelivery, *, now: datetime) -> None:
    """Try a claimed delivery once, and keep in its row what came of it."""
    outcome = _try(delivery, now=now)
    kept = ChannelDelivery.objects.filter(project_id=delivery.project_id, id=delivery.id)
    is_over = outcome.is_sent or not outcome.may_repeat or delivery.n_tries >= MOST_TRIES
    kept.update(
        sent_at=now if outcome.is_sent else None,
        is_over=is_over,
        status=outcome.status,
        answer=outcome.answer[:500],
        took_s=outcome.took_s,
        due_at=now + _wait(delivery.n_tries, asked_s=outcome.retry_after_s),
    )
    if not outcome.is_sent:
        logger.warning("channel %s: try %s: %s", delivery.channel_id, delivery.n_tries, outcome.answer)
    if outcome.status == GONE:
        why = "The other side said 410 Gone: it is there no more."
        Channel.objects.filter(pk=delivery.channel_id).update(is_on=False, why_off=why)


def _wait(n_tries: int, *, asked_s: int | None) -> timedelta:
    """Return the pause, or a longer one that the other side asked for."""
    return min(max(pause(n_tries), timedelta(seconds=asked_s or 0)), LONGEST_PAUSE)


def _try(delivery: ChannelDelivery, *, now: datetime) -> Outcome:
    message = messages.from_json(delivery.message)
    kind = ChannelKind(delivery.channel.kind)
    match kind:
        case ChannelKind.MAIL:
            return _mail(delivery, message)
        case ChannelKind.SLACK:
            return _post(delivery, _bytes(messages.slack(message)), {})
        case ChannelKind.TEAMS:
            return _post(delivery, _bytes(messages.teams(message)), {})
        case ChannelKind.WEBHOOK:
            told_at = delivery.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
            body = _bytes(messages.webhook(message, delivery=str(delivery.id), at=told_at))
            headers = signature(delivery.channel.secret, message_id=str(delivery.id), body=body, now=now)
            return _post(delivery, body, headers)
        case _:
            assert_never(kind)


def _bytes(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def signature(secret: str, *, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers that prove sender, time and body, as the Standard Webhooks fix them (HMAC-SHA256)."""
    moment = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix(announcing.SECRET_PREFIX))
    mac = hmac.new(key, f"{message_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _post(delivery: ChannelDelivery, body: bytes, headers: dict[str, str]) -> Outcome:
    try:
        answer = outside.post(
            delivery.channel.address,
            body=body,
            headers={"Content-Type": "application/json", "User-Agent": "Trophycase", **headers},
            allows_private=settings.TROPHYCASE_PRIVATE_WEBHOOKS,
        )
    except addresses.Forbidden as refusal:
        return Outcome(is_sent=False, answer=str(refusal), may_repeat=False)
    except outside.Unreachable as problem:
        return Outcome(is_sent=False, answer=str(problem))
    is_sent = 200 <= answer.status < 300
    said = answer.body.strip()
    if 300 <= answer.status < 400:
        said = f"A redirect, which is not followed. Enter the address that it leads to. {said}"
    return Outcome(
        is_sent=is_sent,
        answer=said,
        status=answer.status,
        took_s=answer.took_s,
        may_repeat=answer.status in LATER,
        retry_after_s=answer.retry_after_s,
    )


def _mail(delivery: ChannelDelivery, message: Message) -> Outcome:
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    mail = EmailMessage(
        subject=message.subject,
        body=messages.text(message),
        to=[delivery.channel.address],
        headers={
            "Message-ID": f"<event.{delivery.id}@{host}>",
            "List-Id": f"{delivery.project.slug} <{delivery.project.slug}.events.{host}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        mail.send()
    except Exception as problem:  # noqa: BLE001 - any backend may be set; whatever it raises is kept in the log
        return Outcome(
            is_sent=False, answer=refusals.words_of(problem), may_repeat=not refusals.is_permanent(problem)
        )
    return Outcome(is_sent=True, answer="")
