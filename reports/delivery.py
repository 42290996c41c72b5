"""Brings a letter to its readers: claims a delivery, hands over the message, notes what came of it.

The row is the queue. A claim counts a try and holds for a pause that doubles, so two workers never send one
delivery, and a server that is busy is asked again later and later. Which letters exist is weekly.py's.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import make_msgid, parseaddr

from django.conf import settings
from django.core import mail, signing
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse

from projects.models import Letter, LetterDelivery, Membership, Project, Reader
from reports import look, refusals, schedule

MOST_TRIES = 9  # about sixteen hours, pauses included
KEEPS_TRYING = timedelta(days=2)  # after that the letter would cross the next one
AT_ONCE = 50  # deliveries over one connection; a task that dies leaves no more than these to their pause
SALT = "reports.letter.stop"

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
    found = rows.select_related("letter__project", "user")
    taken = [row for row in found if _may_try(row.n_tries, row.claimed_at, now=now)][:AT_ONCE]
    mine = LetterDelivery.objects.filter(pk__in=[row.pk for row in taken])
    mine.update(n_tries=F("n_tries") + 1, claimed_at=now)
    for row in taken:
        row.n_tries, row.claimed_at = row.n_tries + 1, now
    return taken


def send(deliveries: Sequence[LetterDelivery], *, now: datetime) -> None:
    """Hand claimed deliveries of one letter to the mail server; keep refusals, leave the rest for the next try."""
    memberships = _memberships(deliveries)
    connection = mail.get_connection()
    for place, delivery in enumerate(deliveries):
        membership = memberships.get(delivery.user_id)
        if membership is None or not membership.wants_letter:
            _end(delivery, refused="The reader left or stopped the letter before it was sent.")
            continue
        try:
            connection.open()
            letter = message(delivery.letter, to=delivery.user.email, membership=membership)
            connection.send_messages([letter])
        except refusals.MAIL_TROUBLE as problem:
            _note(delivery, problem)
            _hang_up(connection)
            if refusals.is_about_the_server(
                problem
            ):  # it would fail for the others as it failed for this one
                for rest in deliveries[place + 1 :]:
                    _note(rest, problem)
                return
            continue
        LetterDelivery.objects.filter(pk=delivery.pk).update(sent_at=now)
    _hang_up(connection)


def _memberships(deliveries: Sequence[LetterDelivery]) -> dict[int, Membership]:
    users = [delivery.user_id for delivery in deliveries]
    projects = {delivery.letter.project_id for delivery in deliveries}
    rows = Membership.objects.filter(project__in=projects, user__in=users)
    return {membership.user_id: membership for membership in rows}


def _hang_up(connection: BaseEmailBackend) -> None:
    with contextlib.suppress(*refusals.MAIL_TROUBLE):
        connection.close()


def message(letter: Letter, *, to: str, membership: Membership) -> EmailMultiAlternatives:
    """Return the letter as a message to one reader, with one click to stop it (RFC 8058)."""
    way_out = settings.BASE_URL + reverse("letter-stop", args=[stop_token(membership)])
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    thread = f"<letters.{letter.project_id}.{membership.pk}@{host}>"
    mail = EmailMultiAlternatives(
        subject=letter.subject,
        body=look.with_way_out(letter.text, url=way_out),
        to=[to],
        headers={
            "Message-ID": _message_id(letter, membership=membership, host=host),
            "In-Reply-To": thread,
            "References": thread,
            "List-Id": f"{letter.project.slug} <{letter.project.slug}.letters.{host}>",
            "List-Unsubscribe": f"<{way_out}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(look.with_way_out(letter.html, url=way_out), "text/html")
    return mail


def _message_id(letter: Letter, *, membership: Membership, host: str) -> str:
    """Return the same id at each try, so that a letter that came twice is shown once; samples differ."""
    if letter.pk is None:
        return make_msgid(domain=host)
    return f"<letter.{letter.project_id}.{letter.week_on}.{membership.pk}@{host}>"


def sample(project: Project, *, subject: str, html: str, text: str, now: datetime) -> Letter:
    """Return a letter that is not kept: a preview, or one sent out of turn."""
    today = now.date()
    return Letter(project=project, week_on=today, built_at=now, subject=subject, html=html, text=text)


def stop_token(membership: Membership) -> str:
    """Return the signed name of a membership; it does not run out, as mail is kept for years."""
    return signing.Signer(salt=SALT).sign(str(membership.pk))


def membership_to_stop(token: str) -> Membership | None:
    """Return the membership that a link names; None for a forged link or a reader who left."""
    try:
        pk = signing.Signer(salt=SALT).unsign(token)
    except signing.BadSignature:
        return None
    return Membership.objects.select_related("project", "user").filter(pk=pk).first()


def _may_try(n_tries: int, claimed_at: datetime | None, *, now: datetime) -> bool:
    return claimed_at is None or now >= claimed_at + schedule.pause(n_tries)


def _note(delivery: LetterDelivery, problem: Exception) -> None:
    """Keep a permanent refusal, or the last of too many tries; log the others."""
    said = refusals.words_of(problem)
    logger.warning(
        "letter %s to user %s: try %s: %s", delivery.letter_id, delivery.user_id, delivery.n_tries, said
    )
    if refusals.is_permanent(problem):
        _end(delivery, refused=said)
        if refusals.is_about_the_address(problem):
            _mark(delivery, said)
    elif delivery.n_tries >= MOST_TRIES:
        _end(delivery, refused=f"Given up after {MOST_TRIES} tries: {said}")


def _mark(delivery: LetterDelivery, said: str) -> None:
    """Remember that the reader's address was refused for good, until they confirm it or give another."""
    Reader.objects.update_or_create(
        user_id=delivery.user_id,
        defaults={
            "refused_address": delivery.user.email,
            "refused": said[:500],
            "refused_at": delivery.claimed_at,
        },
    )


def _end(delivery: LetterDelivery, *, refused: str) -> None:
    LetterDelivery.objects.filter(pk=delivery.pk).update(refused=refused[:500])
