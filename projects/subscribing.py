"""What members decide about whose letter tells of whose tests: readers of an owner's tests, and addresses without an account.

Each function is one decision. Whether the member may make it was settled at the door in access.py. An address that a
report or a file of owners names gets no letter until somebody says so here: what CI sends makes nobody a reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from projects.models import LetterAddress, Membership, OwnerReader, Project
from projects.owner_names import key_of

MOST_READERS = 500  # owners times their readers; each set of owners is a version of the letter to be made


class TooManyReaders(Exception):
    """The project has as many readers of owners as it may."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which letters an address without an account gets."""

    wants_letter: bool
    only_changes: bool
    only_own: bool


def readers(project: Project) -> QuerySet[OwnerReader]:
    """Return who reads about whose tests, by owner."""
    rows = OwnerReader.objects.filter(project=project)
    return rows.select_related("membership__user", "address").order_by("owner", "id")


def addresses(project: Project) -> QuerySet[LetterAddress]:
    """Return the readers without an account, by address, with their owners."""
    return LetterAddress.objects.filter(project=project).prefetch_related("owners").order_by("address")


@transaction.atomic
def add_reader(project: Project, owner: str, *, email: str) -> OwnerReader:
    """Let a member, or an address without an account, read about an owner's tests; raise TooManyReaders where there are enough."""
    Project.objects.select_for_update().get(pk=project.pk)
    if OwnerReader.objects.filter(project=project).count() >= MOST_READERS:
        raise TooManyReaders(f"A project has at most {MOST_READERS} readers of owners. Remove one first.")
    member = Membership.objects.filter(project=project, user__email__iexact=email).order_by("id").first()
    address = None
    if member is None:
        address, _ = LetterAddress.objects.get_or_create(project=project, address=key_of(email))
    row, _ = OwnerReader.objects.get_or_create(
        project=project, owner=key_of(owner)[:200], membership=member, address=address
    )
    return row


@transaction.atomic
def remove_reader(project: Project, reader_id: int) -> OwnerReader | None:
    """Take one reader from an owner; an address that is left without owners goes with it."""
    row = readers(project).filter(pk=reader_id).first()
    if row is None:
        return None
    OwnerReader.objects.filter(pk=row.pk).delete()
    LetterAddress.objects.filter(project=project, owners=None).delete()
    return row


def set_wish(project: Project, address_id: int, wish: Wish) -> LetterAddress | None:
    """Keep which letters an address gets; who sends there again believes that it works."""
    row = LetterAddress.objects.filter(project=project, pk=address_id).first()
    if row is None:
        return None
    row.wants_letter, row.only_changes, row.only_own = wish.wants_letter, wish.only_changes, wish.only_own
    if wish.wants_letter:
        row.refused, row.refused_at = "", None
    row.save()
    return row


def unread(owners: Iterable[str], project: Project) -> list[str]:
    """Return those of some owners about whose tests nobody reads, neither by a row nor by their own address."""
    read = set(OwnerReader.objects.filter(project=project).values_list("owner", flat=True))
    own = Membership.objects.filter(project=project, user__is_active=True).values_list(
        "user__email", flat=True
    )
    known = read | {key_of(email) for email in own}
    return [owner for owner in owners if key_of(owner) not in known]
