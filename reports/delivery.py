"""Brings a letter to its readers: claims a delivery, hands over the message, notes what came of it.

The row is the queue. A claim counts a try and holds for a pause that doubles, so two workers never send one
delivery, and a server that is busy is asked again later and later. Which letters exist is weekly.py's.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from email.utils import make_msgid, parseaddr

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.db.models import F
from django.urls import reverse

from projects.models import Letter, LetterDelivery, Membership, Project
from reports import look, refusals, schedule

MOST_TRIES = 9  # about sixteen hours, pauses included
KEEPS_TRYING = timedelta(days=2)  # after that the letter would cross the next one
SALT = "reports.letter.stop"

logger = logging.getLogger(__name__)


def waiting(*, now: datetime) -> list[int]:
    """Return the deliveries to try now, oldest first: new ones and those whose pause is over."""
    rows = LetterDelivery.objects.filter(
        sent_at=None, refused="", n_tries__lt=MOST_TRIES, letter__built_at__gt=now - KEEPS_TRYING
    )
    tried = rows.order_by("id").values_list("id", "n_tries", "claimed_at")
    return [row_id for row_id, n_tries, claimed_at in tried if _may_try(n_tries, claimed_at, now=now)]


def claim(delivery_id: int, *, now: datetime) -> LetterDelivery | None:
    """Take one delivery for a try; None when it is done, refused, or somebody else has it."""
    row = LetterDelivery.objects.filter(pk=delivery_id, sent_at=None, refused="").first()
    if row is None or row.n_tries >= MOST_TRIES or not _may_try(row.n_tries, row.claimed_at, now=now):
        return None
    # The count of tries is the lock: of two claims that read the same count, one finds it changed.
    same = LetterDelivery.objects.filter(pk=row.pk, n_tries=row.n_tries, sent_at=None, refused="")
    if not same.update(n_tries=F("n_tries") + 1, claimed_at=now):
        return None
    return LetterDelivery.objects.select_related("letter__project", "user").get(pk=row.pk)


def send(delivery: LetterDelivery, *, now: datetime) -> None:
    """Hand a claimed delivery to the mail server; keep a refusal, leave the rest for the next try."""
    membership = Membership.objects.filter(project=delivery.letter.project_id, user=delivery.user_id).first()
    if membership is None or not membership.wants_letter:
        _end(delivery, refused="The reader left or stopped the letter before it was sent.")
        return
    try:
        message(delivery.letter, to=delivery.user.email, membership=membership).send()
    except refusals.MAIL_TROUBLE as problem:
        _note(delivery, problem)
        return
    LetterDelivery.objects.filter(pk=delivery.pk).update(sent_at=now)


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
    elif delivery.n_tries >= MOST_TRIES:
        _end(delivery, refused=f"Given up after {MOST_TRIES} tries: {said}")


def _end(delivery: LetterDelivery, *, refused: str) -> None:
    LetterDelivery.objects.filter(pk=delivery.pk).update(refused=refused[:500])
