"""The filters that members save under a name: keeping and forgetting them. Who sees which is asked in analysis.queries.frame."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from projects.access import Access
from projects.models import SavedView

MOST_VIEWS = 50  # of one person in one project: more is a list that nobody reads


class TooManyViews(Exception):
    """The person has as many views in the project as one may have."""

    def __init__(self) -> None:
        super().__init__(f"You have {MOST_VIEWS} views in this project. Delete one first.")


@transaction.atomic
def save_view(access: Access, user: User, *, page: str, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep a view; one of the same name on the same page is replaced. Only editors share."""
    mine = SavedView.objects.filter(project=access.project, user=user)
    if mine.count() >= MOST_VIEWS and not mine.filter(page=page, name=name).exists():
        raise TooManyViews
    view, _ = SavedView.objects.update_or_create(
        project=access.project,
        user=user,
        page=page,
        name=name,
        defaults={"query": query, "is_shared": is_shared and access.may_edit},
    )
    return view


def forget_view(access: Access, user: User, view_id: int) -> bool:
    """Delete a view of one's own, or, as an editor, a shared one; False when there is no such view."""
    theirs = Q(user=user) | Q(is_shared=True) if access.may_edit else Q(user=user)
    deleted, _ = SavedView.objects.filter(theirs, project=access.project, pk=view_id).delete()
    return deleted > 0
