"""Says who reads a project's letter: members and addresses without an account, each once, with the owners that are theirs.

What a person wrote about owners is kept by projects.subscribing; which tests an owner has is analysis.queries knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef, QuerySet

from projects.access import Access
from projects.models import LetterAddress, Membership, OwnerReader, Project, Reader
from projects.owner_names import key_of

Key = tuple[tuple[str, ...], bool]  # the owners, and whether the letter is about their tests alone


@dataclass(frozen=True, slots=True)
class LetterReader:
    """One who gets the letter; `owners` as keys of owner_names."""

    email: str
    user_id: int | None = None
    address_id: int | None = None
    zone: str = ""
    only_changes: bool = False
    only_own: bool = False
    owners: frozenset[str] = frozenset()

    def key(self, present: Collection[str]) -> Key | None:
        """Return which version is theirs, where `present` are the owners of the week's tests; None is the letter itself.

        Who is an owner by address is one without anybody's word.
        """
        by_address = {key_of(self.email)} & set(present)
        owners = self.owners | by_address or {key_of(self.email)}
        if not self.only_own and not owners & set(present):
            return None
        return tuple(sorted(owners)), self.only_own


def of_project(project: Project) -> tuple[LetterReader, ...]:
    """Return the readers of a project; an address that was refused waits for somebody's word."""
    owned = list(
        OwnerReader.objects.filter(project=project).values_list("owner", "membership_id", "address_id")
    )
    found = [_member(row, owned) for row in _members(project)]
    if any(address_id for _, _, address_id in owned):
        found += [_address(row, owned) for row in _addresses(project)]
    return _each_once(found)


def of_membership(membership: Membership) -> LetterReader:
    """Return one member as a reader, whether or not they get the letter."""
    owned = membership.owners.values_list("owner", "membership_id", "address_id")
    return _member(
        (membership.pk, membership.user_id, membership.user.email, "", False, membership.only_own), owned
    )


def of_access(way_in: Access, *, email: str) -> LetterReader:
    """Return the member who looks as a reader, where their way in tells their owners."""
    return LetterReader(email, only_own=way_in.only_own, owners=frozenset(way_in.owners))


MemberRow = tuple[int, int, str, str | None, bool, bool]
OwnedRow = tuple[str, int | None, int | None]


def _members(project: Project) -> Iterable[MemberRow]:
    members = Membership.objects.filter(project=project, wants_letter=True, user__is_active=True)
    refused = Reader.objects.filter(user=OuterRef("user"), refused_address=OuterRef("user__email"))
    rows = members.exclude(user__email="").exclude(Exists(refused)).order_by("user_id")
    return rows.values_list(
        "pk", "user_id", "user__email", "user__reader__time_zone", "only_changes", "only_own"
    )


def _member(row: MemberRow, owned: Iterable[OwnedRow]) -> LetterReader:
    pk, user_id, email, zone, only_changes, only_own = row
    owners = frozenset(owner for owner, membership_id, _ in owned if membership_id == pk)
    return LetterReader(
        email, user_id=user_id, zone=zone or "", only_changes=only_changes, only_own=only_own, owners=owners
    )


def _addresses(project: Project) -> QuerySet[LetterAddress]:
    wanting = LetterAddress.objects.filter(project=project, wants_letter=True, refused="")
    return wanting.exclude(owners=None).order_by("id").distinct()


def _address(row: LetterAddress, owned: Iterable[OwnedRow]) -> LetterReader:
    owners = frozenset(owner for owner, _, address_id in owned if address_id == row.pk)
    return LetterReader(
        row.address, address_id=row.pk, only_changes=row.only_changes, only_own=row.only_own, owners=owners
    )


def _each_once(readers: Iterable[LetterReader]) -> tuple[LetterReader, ...]:
    """Join readers with one address into the first of them, who is the member where one is: one letter a reader."""
    found: dict[str, LetterReader] = {}
    for reader in readers:
        key = key_of(reader.email)
        first = found.setdefault(key, reader)
        if first is not reader:
            found[key] = replace(first, owners=first.owners | reader.owners)
    return tuple(found.values())
