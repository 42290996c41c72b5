"""What members change about a project: its rules, wishes, tokens, people and name. Its end is projects.ending's.

Each function is one decision in one transaction. Whether the member may make it was settled at the door in
access.py; whether the values make sense, in the forms. Derived rows are made anew in the background.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, QuerySet

from projects.models import LayerRule, Letter, Membership, Project, Reader, Test, Token, Upload
from projects.vocabulary import Layer, Role, RuleField, RuleSyntax, UploadState


class LastOwner(Exception):
    """The change would leave the project without an owner."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A LayerRule as it is to be kept; its place in the list is its position."""

    field: RuleField
    syntax: RuleSyntax
    pattern: str
    layer: Layer


def set_fields(project: Project, **values: Any) -> None:
    """Keep some fields of the project, and nothing else of it."""
    Project.objects.filter(pk=project.pk).update(**values)


@transaction.atomic
def set_rules(project: Project, rows: Iterable[RuleRow]) -> None:
    """Replace the project's rules by these, in this order."""
    LayerRule.objects.filter(project=project).delete()
    LayerRule.objects.bulk_create(
        LayerRule(
            project=project,
            position=place,
            field=row.field,
            syntax=row.syntax,
            pattern=row.pattern,
            layer=row.layer,
        )
        for place, row in enumerate(rows, start=1)
    )


def tokens(project: Project) -> QuerySet[Token]:
    """Return the project's tokens, those in use first, newest first."""
    return (
        Token.objects.filter(project=project)
        .select_related("created_by")
        .order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-id")
    )


def revoke_token(project: Project, token_id: int, *, now: datetime) -> Token | None:
    """End one token of the project; None when it has no such token."""
    token = Token.objects.filter(project=project, pk=token_id).first()
    if token is not None:
        token.revoke(now=now)
    return token


def members(project: Project) -> QuerySet[Membership]:
    """Return the project's members, owners first, then by name."""
    return (
        Membership.objects.filter(project=project).select_related("user").order_by("-role", "user__username")
    )


@transaction.atomic
def set_role(project: Project, membership_id: int, *, role: Role) -> Membership | None:
    """Give a member another role; raise LastOwner rather than leave nobody in charge."""
    membership = _locked(project, membership_id)
    if membership is None:
        return None
    if membership.role == Role.OWNER and role != Role.OWNER:
        _keep_an_owner(project, but=membership)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    return membership


@transaction.atomic
def remove_member(project: Project, membership_id: int) -> Membership | None:
    """Take a member out of the project; raise LastOwner rather than leave nobody in charge."""
    membership = _locked(project, membership_id)
    if membership is None:
        return None
    if membership.role == Role.OWNER:
        _keep_an_owner(project, but=membership)
    Membership.objects.filter(pk=membership.pk).delete()
    return membership


def add_member(project: Project, user: User, *, role: Role) -> bool:
    """Make a person a member; False when they are one already, whose role then stays."""
    _, is_new = Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
    return is_new


def letters(project: Project, *, most: int = 26) -> tuple[Letter, ...]:
    """Return the latest letters, newest first, without their bodies."""
    rows = Letter.objects.filter(project=project).defer("html", "text").order_by("-week_on")
    return tuple(rows.prefetch_related("deliveries__user", "deliveries__address")[:most])


def refused_addresses(project: Project) -> dict[int, str]:
    """Return, by user, what the mail server said of the address that they still have."""
    rows = Reader.objects.filter(user__memberships__project=project).exclude(refused_address="")
    return dict(rows.filter(refused_address=F("user__email")).values_list("user_id", "refused"))


def read_again(project: Project, upload_id: UUID) -> bool:
    """Put an upload that could not be read back in the queue, where the next sweep finds it."""
    unread = Upload.objects.filter(
        project=project, id=upload_id, state__in=[UploadState.FAILED, UploadState.REJECTED]
    )
    return unread.update(state=UploadState.RECEIVED, n_tries=0, claimed_at=None, finished_at=None) == 1


MOST_REASON = 300  # letters of a reason, as the column has them


def dismiss_misfit(project: Project, test_id: int, *, reason: str) -> bool:
    """Keep why a misfit stays as it is; an empty reason lists it again. Return False where there is no such test."""
    mine = Test.objects.filter(project=project, id=test_id)
    return mine.update(misfit_dismissed=reason[:MOST_REASON]) == 1


def _locked(project: Project, membership_id: int) -> Membership | None:
    # All members are locked, in one order: two owners who demote each other must not both succeed.
    rows = (
        Membership.objects.filter(project=project)
        .select_for_update(of=("self",))
        .select_related("user")
        .order_by("id")
    )
    return next((row for row in rows if row.pk == membership_id), None)


def _keep_an_owner(project: Project, *, but: Membership) -> None:
    others = Membership.objects.filter(project=project, role=Role.OWNER).exclude(pk=but.pk)
    if not others.exists():
        raise LastOwner("A project needs an owner. Make somebody else an owner first.")


def memberships(user: User) -> QuerySet[Membership]:
    """Return a person's memberships, by project."""
    return (
        Membership.objects.filter(user=user).select_related("project").order_by("project__name", "project_id")
    )


class LetterWish(Enum):
    """Which weekly letters of a project a person wants."""

    OFF = "off"
    WEEKLY = "weekly"
    CHANGES = "changes"


@transaction.atomic
def set_letters(
    user: User,
    wishes: Mapping[int, LetterWish],
    *,
    time_zone: str,
    only_own: Mapping[int, bool] | None = None,
) -> None:
    """Keep which letters a person wants of their projects, and in which time zone; "" is each project's own.

    `only_own` says of which memberships the letter is to be about their own tests alone.
    """
    for membership_id, wish in wishes.items():
        Membership.objects.filter(user=user, pk=membership_id).update(
            wants_letter=wish is not LetterWish.OFF, only_changes=wish is LetterWish.CHANGES
        )
    for membership_id, is_only in (only_own or {}).items():
        Membership.objects.filter(user=user, pk=membership_id).update(only_own=is_only)
    Reader.objects.update_or_create(user=user, defaults={"time_zone": time_zone})


def reader(user: User) -> Reader:
    """Return what a person asks of all their letters."""
    return Reader.objects.filter(user=user).first() or Reader(user=user)


def confirm_address(user: User) -> None:
    """Believe a person that their address works, whatever a mail server said."""
    Reader.objects.filter(user=user).update(refused_address="", refused="", refused_at=None)


@transaction.atomic
def person_with(email: str) -> tuple[User, bool]:
    """Return the person who has this address, and whether they have neither password nor project."""
    known = User.objects.filter(email__iexact=email).order_by("id").first()
    if known is not None:
        # A link to choose the password would hand their other projects to whoever invites them.
        return known, not known.has_usable_password() and not known.memberships.exists()
    stem = email.partition("@")[0][:140] or "member"
    taken = set(User.objects.filter(username__istartswith=stem).values_list("username", flat=True))
    free = next(
        name for name in [stem, *(f"{stem}{n}" for n in range(2, len(taken) + 3))] if name not in taken
    )
    return User.objects.create_user(free, email=email), True
