"""Saved views: the filters of a page under a name, for oneself or for the project."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from analysis import window as windows
from dashboard import page
from dashboard.page import ProjectRequest
from projects import saved
from projects.models import SavedView

LONGEST_NAME = SavedView._meta.get_field("name").max_length or 60


@require_POST
@page.project_page()
def save_view(request: ProjectRequest) -> HttpResponseBase:
    """Keep the filters of a page under a name."""
    of, query = request.POST.get("page", ""), _query(request)
    name = " ".join(request.POST.get("name", "").replace("\x00", "").split())[:LONGEST_NAME]
    if of not in page.WITH_VIEWS:
        of, query = "overview", ""
    if not name:
        messages.error(request, "Give the view a name.")
        return _back(request, of, query)
    try:
        saved.save_view(
            request.access,
            User.objects.get(pk=request.user.pk),
            page=of,
            name=name,
            query=query,
            is_shared="shared" in request.POST,
        )
    except saved.TooManyViews as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"The view “{name}” is saved. It is under Views in the filter bar.")
    return _back(request, of, query)


@require_POST
@page.project_page()
def forget_view(request: ProjectRequest, view_id: int) -> HttpResponseBase:
    """Delete a saved view."""
    if saved.forget_view(request.access, User.objects.get(pk=request.user.pk), view_id):
        messages.success(request, "The view is deleted.")
    else:
        messages.error(request, "This view is not there any more, or belongs to somebody else.")
    of = request.POST.get("page", "")
    return _back(request, of if of in page.WITH_VIEWS else "overview", _query(request))


def _query(request: ProjectRequest) -> str:
    """Return the sent filters as links write them: what is unknown or default is left out."""
    sent = QueryDict(request.POST.get("query", "")[:2000].removeprefix("?")).dict()
    window = windows.read(
        {name: str(value) for name, value in sent.items()},
        today=timezone.now().date(),
        default_branch=request.project.default_branch,
    )
    return window.query(page=1)[:1000]


def _back(request: ProjectRequest, of: str, query: str) -> HttpResponse:
    return redirect(f"{reverse(of, args=[request.project.slug])}{query}")
