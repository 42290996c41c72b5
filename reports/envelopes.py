"""Makes a letter a message to one reader: address, headers, and the signed way out that needs no login.

What a letter says and how it looks is settled before; when it is handed over is delivery.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import make_msgid, parseaddr

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.urls import reverse

from projects.models import Letter, LetterAddress, LetterVersion, Membership, Project
from reports import look
from reports.letter import Letter as Composed

SALT = "reports.letter.stop"
ADDRESS = "address-"  # before the number of a LetterAddress, where a membership has its number alone

LetterReader = Membership | LetterAddress


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a letter goes: the address, the name that its way out is signed for, and where its reader may change it."""

    address: str
    name: str
    change: str


def recipient(reader: LetterReader) -> Recipient:
    """Return where a reader's letter goes; who has no account changes it on the page of the way out."""
    if isinstance(reader, Membership):
        change = settings.BASE_URL + reverse("account")
        return Recipient(reader.user.email, str(reader.pk), change)
    return Recipient(reader.address, f"{ADDRESS}{reader.pk}", _way_out(f"{ADDRESS}{reader.pk}"))


def message(
    letter: Letter, recipient: Recipient, *, version: LetterVersion | None = None
) -> EmailMultiAlternatives:
    """Return the letter as a message to one reader, with one click to stop it (RFC 8058)."""
    way_out = _way_out(recipient.name)
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    thread = f"<letters.{letter.project_id}.{recipient.name}@{host}>"
    body = version or letter
    mail = EmailMultiAlternatives(
        subject=body.subject,
        body=look.addressed(body.text, way_out=way_out, change=recipient.change),
        to=[recipient.address],
        headers={
            "Message-ID": _message_id(letter, recipient, host=host),
            "In-Reply-To": thread,
            "References": thread,
            "List-Id": f"{letter.project.slug} <{letter.project.slug}.letters.{host}>",
            "List-Unsubscribe": f"<{way_out}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    html = look.addressed(body.html, way_out=way_out, change=recipient.change)
    mail.attach_alternative(html, "text/html")
    return mail


def _message_id(letter: Letter, recipient: Recipient, *, host: str) -> str:
    """Return the same id at each try, so that a letter that came twice is shown once; samples differ."""
    if letter.pk is None:
        return make_msgid(domain=host)
    return f"<letter.{letter.project_id}.{letter.week_on}.{recipient.name}@{host}>"


def sample(project: Project, composed: Composed, *, now: datetime) -> Letter:
    """Return a letter that is not kept: one sent out of turn."""
    return Letter(
        project=project,
        week_on=now.date(),
        built_at=now,
        subject=composed.subject,
        html=look.html(composed),
        text=look.text(composed),
    )


def _way_out(name: str) -> str:
    return settings.BASE_URL + reverse("letter-stop", args=[_signed(name)])


def _signed(name: str) -> str:
    """Return the signed name of a reader; it does not run out, as mail is kept for years."""
    return signing.Signer(salt=SALT).sign(name)


def reader_to_stop(token: str) -> LetterReader | None:
    """Return the reader that a link names; None for a forged link or a reader who left."""
    try:
        name = signing.Signer(salt=SALT).unsign(token)
    except signing.BadSignature:
        return None
    if name.startswith(ADDRESS):
        pk = name.removeprefix(ADDRESS)
        return LetterAddress.objects.select_related("project").filter(pk=pk).first()
    return Membership.objects.select_related("project", "user").filter(pk=name).first()
