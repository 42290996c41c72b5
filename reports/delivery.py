"""Brings a letter to its readers: claims a delivery, hands over the message, notes what came of it.

The row is the queue. A claim counts a try and holds for a pause that doubles, so two workers never send one
delivery, and a server that is busy is asked again later and later. Which letters exist is weekly.py's, how a message
is made envelopes.py's.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet

from projects.models import Letter, LetterAddress, LetterDelivery, Membership, Reader
from reports import envelopes, refusals, schedule
from reports.envelopes import Recipient

MOST_TRIES = 9  # about sixteen hours, pauses included
KEEPS_TRYING = timedelta(days=2)  # after that the letter would cross the next one
AT_ONCE = 50  # deliveries over one connection; a task that dies leaves no more than these to their pause
# With the time that one letter may take, well under the five minutes that a claim holds: a slow server keeps no worker
# from its other work, and nobody else takes up what is still being sent.
SECONDS = 120.0

logger = logging.getLogger(__name__)


def waiting(*, now: datetime) -> list[int]:
    """Return the letters with deliveries to try now, oldest first: new ones and those whose pause is over."""
    rows = _open(now=now).filter(letter__built_at__gt=now - KEEPS_TRYING).order_by("letter_id", "id")
    tried = rows.values_list("letter_id", "n_tries", "claimed_at").iterator()
    found = (letter_id for letter_id, n_tries, claimed_at in tried if _may_try(n_tries, claimed_at, now=now))
    return list(dict.fromkeys(found))


def _open(*, now: datetime) -> QuerySet[LetterDelivery]:
    is_due = Q(due_at=None) | Q(due_at__lte=now)
    return LetterDelivery.objects.filter(is_due, sent_at=None, refused="", n_tries__lt=MOST_TRIES)


@transaction.atomic
def claim(letter_id: int, *, now: datetime) -> list[LetterDelivery]:
    """Take deliveries of a letter for a try; those that somebody else takes at this moment are left to them."""
    rows = (
        _open(now=now)
        .filter(letter=letter_id)
        .order_by("id")
        .select_for_update(skip_locked=True, of=("self",))
    )
    found = rows.select_related("letter__project", "version", "user", "address")
    taken = [row for row in found if _may_try(row.n_tries, row.claimed_at, now=now)][:AT_ONCE]
    mine = LetterDelivery.objects.filter(pk__in=[row.pk for row in taken])
    mine.update(n_tries=F("n_tries") + 1, claimed_at=now)
    for row in taken:
        row.n_tries, row.claimed_at = row.n_tries + 1, now
    return taken


def send(deliveries: Sequence[LetterDelivery], *, now: datetime, seconds: float = SECONDS) -> bool:
    """Hand claimed deliveries of one letter to the mail server; keep refusals, leave the rest for the next try.

    False when the server is in trouble, or slow: more would fare no better now. What there is no time for is given back as
    it was. A connection that broke after a letter was handed over leaves open whether it was taken: it is sent again
    under the same Message-ID.
    """
    began, went_well = time.monotonic(), True
    connection = mail.get_connection()
    for place, (delivery, recipient) in enumerate(_addressed(deliveries)):
        if recipient is None:
            _end(delivery, refused="The reader left or stopped the letter before it was sent.")
        elif time.monotonic() - began > seconds:
            _give_back(deliveries[place:])
            went_well = False
            break
        elif trouble := _send(delivery, recipient, connection, now=now):
            for rest in deliveries[place + 1 :]:
                _note(rest, trouble, is_permanent=False)
            went_well = False
            break
    _hang_up(connection)
    return went_well


def send_sample(letter: Letter, member: Membership, *, now: datetime) -> None:
    """Send a member a letter out of turn; raise where another try may help, mark an address that is refused for good."""
    try:
        envelopes.message(letter, envelopes.recipient(member)).send()
    except refusals.MAIL_TROUBLE as problem:
        if not refusals.is_permanent(problem):
            raise
        said = refusals.words_of(problem)
        logger.warning("a letter out of turn to user %s: %s", member.user_id, said)
        if refusals.is_about_the_address(problem):
            _mark_reader(member.user, said, now=now)


def _addressed(deliveries: Sequence[LetterDelivery]) -> Iterable[tuple[LetterDelivery, Recipient | None]]:
    """Yield each delivery with where it goes; None where its reader left or stopped the letter."""
    memberships = _memberships(deliveries)
    for delivery in deliveries:
        reader = memberships.get(delivery.user_id) if delivery.user_id else delivery.address
        yield delivery, envelopes.recipient(reader) if reader and reader.wants_letter else None


def _memberships(deliveries: Sequence[LetterDelivery]) -> dict[int | None, Membership]:
    users = [delivery.user_id for delivery in deliveries if delivery.user_id is not None]
    projects = {delivery.letter.project_id for delivery in deliveries}
    rows = Membership.objects.filter(project__in=projects, user__in=users).select_related("user")
    return {membership.user_id: membership for membership in rows}


def _send(
    delivery: LetterDelivery, recipient: Recipient, connection: BaseEmailBackend, *, now: datetime
) -> str:
    """Send one letter and keep what came of it; return the trouble with which no other would fare better now."""
    is_open = False
    try:
        connection.open()
        is_open = True
        connection.send_messages([envelopes.message(delivery.letter, recipient, version=delivery.version)])
    except Exception as problem:  # noqa: BLE001 - any backend may be set, and one reader's trouble is not the others'
        _hang_up(connection)
        said = refusals.words_of(problem)
        _note(delivery, said, is_permanent=refusals.is_permanent(problem))
        if refusals.is_about_the_address(problem):
            _mark(delivery, said)
        return "" if is_open and not refusals.is_about_the_server(problem) else said
    LetterDelivery.objects.filter(pk=delivery.pk).update(sent_at=now)
    return ""


def _hang_up(connection: BaseEmailBackend) -> None:
    with contextlib.suppress(*refusals.MAIL_TROUBLE):
        connection.close()


def _may_try(n_tries: int, claimed_at: datetime | None, *, now: datetime) -> bool:
    return claimed_at is None or now >= claimed_at + schedule.pause(n_tries)


def _give_back(deliveries: Sequence[LetterDelivery]) -> None:
    """Let others take what was claimed and not tried, as if it had not been claimed."""
    mine = LetterDelivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    mine.update(n_tries=F("n_tries") - 1, claimed_at=None)
    logger.warning("%s letters wait for the next round: the mail server is slow", len(deliveries))


def _note(delivery: LetterDelivery, said: str, *, is_permanent: bool) -> None:
    """Keep a permanent refusal, or the last of too many tries; log the others."""
    logger.warning(
        "letter %s, delivery %s, try %s: %s", delivery.letter_id, delivery.pk, delivery.n_tries, said
    )
    if is_permanent:
        _end(delivery, refused=said)
    elif delivery.n_tries >= MOST_TRIES:
        _end(delivery, refused=f"Given up after {MOST_TRIES} tries: {said}")


def _mark(delivery: LetterDelivery, said: str) -> None:
    """Remember that an address was refused for good, until somebody confirms it or gives another."""
    if delivery.user is not None:
        _mark_reader(delivery.user, said, now=delivery.claimed_at)
    elif delivery.address is not None:
        refused = {"refused": said[:500], "refused_at": delivery.claimed_at}
        LetterAddress.objects.filter(pk=delivery.address.pk).update(**refused)


def _mark_reader(user: User, said: str, *, now: datetime | None) -> None:
    refused = {"refused_address": user.email, "refused": said[:500], "refused_at": now}
    Reader.objects.update_or_create(user=user, defaults=refused)


def _end(delivery: LetterDelivery, *, refused: str) -> None:
    LetterDelivery.objects.filter(pk=delivery.pk).update(refused=refused[:500])
