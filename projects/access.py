"""The only door to projects: who may see or change one, and which project a token opens.

Pages come through `project_for`, uploads through `project_for_token`. Strangers get the same answer as for a
project that does not exist.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, QuerySet
from django.http import Http404
from django.utils.text import slugify

from projects.models import Membership, OwnerReader, Project, Token, token_digest
from projects.vocabulary import Role

TOKEN_PREFIX = "tc_"  # noqa: S105 - so that a leaked one is recognised

OWNERS = OwnerReader.objects.filter(membership=OuterRef("pk")).order_by("owner").values("owner")


@dataclass(frozen=True, slots=True)
class Access:
    """A member's way into one project: the project, what they may do there, and which projects are theirs beside it."""

    project: Project
    role: Role
    mine: tuple[Project, ...] = ()
    only_own: bool = False  # they read about the tests of their owners alone
    owners: tuple[str, ...] = ()  # whose tests they read about; told where asked for

    @property
    def may_edit(self) -> bool:
        """True when rules, targets, limits and tests may be changed."""
        return self.role >= Role.EDITOR

    @property
    def may_own(self) -> bool:
        """True when tokens, members and the project itself may be changed."""
        return self.role >= Role.OWNER


class Forbidden(Exception):
    """The member may look, but this change needs a higher role."""

    def __init__(self, needed: Role) -> None:
        super().__init__(f"This needs the role {needed.word}. Ask an owner of the project.")
        self.needed = needed


class UnknownToken(Exception):
    """No token, or one that is not known or was revoked; a revoked one still tells whose it was."""

    def __init__(self, revoked: Token | None = None) -> None:
        super().__init__()
        self.revoked = revoked


def access_for(
    user: AbstractBaseUser | AnonymousUser, slug: str, *, needs: Role = Role.VIEWER, with_owners: bool = False
) -> Access:
    """Return the user's access to the project; raise Http404 for strangers and Forbidden for a role too low.

    One question for the project and for its neighbours, which every page names; `with_owners` asks it for theirs, too.
    """
    theirs = (
        Membership.objects.select_related("project")
        .filter(user=user.pk)
        .order_by("project__name", "project_id")
    )
    if with_owners:
        theirs = theirs.annotate(owner_keys=ArraySubquery(OWNERS))
    memberships = tuple(theirs)
    membership = next((one for one in memberships if _opens(one, slug)), None)
    if membership is None:
        raise Http404("No such project.")
    if membership.role < needs:
        raise Forbidden(needs)
    mine = tuple(one.project for one in memberships)
    return Access(
        project=membership.project,
        role=Role(membership.role),
        mine=mine,
        only_own=membership.only_own,
        owners=tuple(getattr(membership, "owner_keys", ())),
    )


def _opens(membership: Membership, slug: str) -> bool:
    return membership.project.slug == slug and membership.project.deleted_at is None


def projects_for(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Project]:
    """Return the projects that the user is a member of, by name."""
    return Project.objects.filter(memberships__user=user.pk).order_by("name", "id")


def project_for_token(plain: str, *, now: datetime) -> tuple[Project, Token]:
    """Return the project that the token opens, and the token; raise UnknownToken otherwise."""
    token = (
        Token.objects.select_related("project")
        .filter(digest=token_digest(plain), project__deleted_at=None)
        .first()
    )
    if token is None or token.revoked_at is not None:
        raise UnknownToken(revoked=token)
    token.touch(now=now)
    return token.project, token


@transaction.atomic
def create_project(*, name: str, owner: User, slug: str = "") -> Project:
    """Create a project with its first owner; the slug is made from the name, with a number if it is taken."""
    stem = slug or slugify(name)[:40].strip("-_") or "project"
    taken = set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    free = next(s for s in [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))] if s not in taken)
    project = Project.objects.create(name=name, slug=free)
    Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    return project


def create_token(project: Project, *, name: str, by: User | None) -> str:
    """Create a token and return it in plain; it cannot be shown again."""
    plain = TOKEN_PREFIX + secrets.token_urlsafe(30)
    Token.objects.create(
        project=project, name=name, prefix=plain[:9], digest=token_digest(plain), created_by=by
    )
    return plain
