"""The settings of owners: the CODEOWNERS file that CI sent or a person keeps, and what of it cannot be read."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from analysis import codeowners, queries
from analysis.tasks import settle_runs
from dashboard import beside, listing, orders, page
from dashboard.owner_forms import OwnersForm
from dashboard.page import ProjectRequest
from dashboard.views.settings import refused, said, show
from projects import code_owners
from projects.vocabulary import Role

HERE = "settings-owners"
SHOWN_OWNERS = 20  # those with the most tests; a file has them all


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def owners(request: ProjectRequest) -> HttpResponseBase:
    """Show the file, keep another, or give the kept one up for what CI sends."""
    kept = code_owners.kept(request.project)
    is_given_up = request.POST.get("do") == "give-up"
    posted = request.POST if request.method == "POST" and not is_given_up else None
    form = OwnersForm(posted, initial={"text": kept.text if kept else ""})
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if is_given_up:
            return _give_up(request)
        if form.is_valid():
            return _keep(request, form.cleaned_data["text"])
    owned = listing.ordered(
        queries.owned_tests(request.project, request.window), request.window.sort, orders.OWNERS
    )
    if file := beside.asked(request, "owners", beside.OWNERS, owned):
        return file
    read = codeowners.read(kept.text if kept else "")
    context = {
        "form": form,
        "kept": kept,
        "n_rules": read.n_rules,
        "unread": read.unread,
        "owned": owned[:SHOWN_OWNERS],
        "is_running": kept is not None and kept.owned_to < request.project.n_tests,
    }
    return show(request, HERE, context, status=422 if form.errors else 200)


def _keep(request: ProjectRequest, text: str) -> HttpResponseBase:
    by = User.objects.get(pk=request.user.pk)
    if not code_owners.keep(request.project, text, by=by, now=timezone.now()):
        return said(request, HERE, "Nothing was changed.")
    settle_runs.delay_on_commit(project_id=request.project.pk)
    return said(request, HERE, "Saved. The tests get their owners in a moment.")


def _give_up(request: ProjectRequest) -> HttpResponseBase:
    code_owners.give_up(request.project, now=timezone.now())
    settle_runs.delay_on_commit(project_id=request.project.pk)
    return said(request, HERE, "The file is gone. The next one that CI sends decides.")
