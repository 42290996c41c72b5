"""The CODEOWNERS file of a project: taken from an upload or kept by a person, whose word stands.

What the file says is analysis.codeowners' to read, and analysis.owning's to give to the tests.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from projects.models import CodeOwners, Project

LARGEST = 1_000_000  # characters; GitHub reads no file over 3 MB, and people write none over 1
FRESH = timedelta(hours=1)  # how exactly is kept when a file came last, so that it is not a write an upload


def take(project: Project, text: str, *, sent_at: datetime, now: datetime) -> bool:
    """Keep the file that came with a run of the default branch; True where it says something new.

    An older run's file, and any where a person keeps one, changes nothing.
    """
    digest = _digest(text)
    known = CodeOwners.objects.filter(project=project).defer("text").first()
    if known is not None and (known.is_by_hand or (known.sent_at or sent_at) > sent_at):
        return False
    if known is not None and bytes(known.digest) == digest:
        if known.sent_at is None or sent_at - known.sent_at > FRESH:
            CodeOwners.objects.filter(pk=known.pk).update(sent_at=sent_at)
        return False
    _keep(project, text, sent_at=sent_at, by=None, now=now)
    return True


def keep(project: Project, text: str, *, by: User, now: datetime) -> bool:
    """Keep the file that a person wrote; files that CI sends are passed over until it is given up."""
    known = CodeOwners.objects.filter(project=project, is_by_hand=True, digest=_digest(text))
    if known.exists():
        return False
    _keep(project, text, sent_at=None, by=by, now=now)
    return True


def give_up(project: Project, *, now: datetime) -> bool:
    """Take away the file that a person kept: the next one that CI sends stands; False where there is none."""
    if not CodeOwners.objects.filter(project=project, is_by_hand=True).exists():
        return False
    _keep(project, "", sent_at=None, by=None, now=now)
    return True


def kept(project: Project) -> CodeOwners | None:
    """Return the project's file, with who kept it."""
    return CodeOwners.objects.filter(project=project).select_related("by").first()


@transaction.atomic
def _keep(project: Project, text: str, *, sent_at: datetime | None, by: User | None, now: datetime) -> None:
    CodeOwners.objects.update_or_create(
        project=project,
        defaults={
            "text": text.replace("\x00", "")[:LARGEST],
            "digest": _digest(text),
            "sent_at": sent_at,
            "kept_at": now,
            "by": by,
            "is_by_hand": by is not None,
            "owned_to": 0,
        },
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
