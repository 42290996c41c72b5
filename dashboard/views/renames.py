"""Tests under other names: the list of them, and what an editor decides.

What a decision does is analysis.rename_decisions' affair.
"""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from analysis import queries, rename_decisions
from analysis.answers.of_renames import RenameRow
from dashboard import export, page, short_lists
from dashboard.export import Column
from dashboard.listing import Order
from dashboard.page import ProjectRequest
from dashboard.short_lists import ShortList
from projects.care import Unfit
from projects.models import Project, Rename
from projects.vocabulary import Role

ORDER: Order[RenameRow] = Order(
    {
        "name": lambda row: row.was.lower(),
        "run": lambda row: row.run_number,
        "when": lambda row: row.at,
        "alike": lambda row: row.likeness,
        "is": lambda row: row.became.lower(),
        "state": lambda row: row.state.word,
    },
    default="-when",
    text=lambda row: f"{row.was} {row.was_home} {row.became} {row.became_home} {row.state.word} {row.by}",
)
RENAMED = ShortList("renames.html", "tests", "renamed tests", ORDER, "Search name, file or state")
DECISIONS = {
    "undo": (rename_decisions.undo, "Undone: these are two tests again, each with its own results."),
    "accept": (rename_decisions.accept, "Kept: the test goes on under its new name."),
    "refuse": (rename_decisions.refuse, "Kept: these are two tests."),
}


@require_safe
@page.project_page()
def renames(request: ProjectRequest) -> HttpResponseBase:
    """List the tests that changed their name, and those that may have."""
    return short_lists.show(request, queries.renames(request.project), columns(request.project), RENAMED)


def columns(project: Project) -> list[Column[RenameRow]]:
    """Return the columns of a rename in a file, in the order of the page."""
    url = export.url_of_tests(project)
    return [
        Column("test_id", lambda row: row.test_id),
        Column("was", lambda row: row.was),
        Column("was_home", lambda row: row.was_home),
        Column("is", lambda row: row.became),
        Column("is_home", lambda row: row.became_home),
        Column("run", lambda row: row.run_number),
        Column("at", lambda row: row.at),
        Column("likeness", lambda row: row.likeness),
        Column("state", lambda row: row.state),
        Column("by", lambda row: row.by),
        Column("url", lambda row: f"{url}{row.test_id}"),
    ]


@require_POST
@page.project_page(needs=Role.EDITOR)
def decide(request: ProjectRequest, rename_id: uuid.UUID) -> HttpResponse:
    """Undo a rename, or judge one that was only proposed."""
    known = Rename.objects.filter(project=request.project, id=rename_id).first()
    if known is None or request.POST.get("do") not in DECISIONS:
        raise Http404("No such rename.")
    decision, said = DECISIONS[request.POST["do"]]
    by = User.objects.get(pk=request.user.pk)
    try:
        decision(request.project, rename_id, by=by, now=timezone.now())
        messages.success(request, said)
    except Unfit as refusal:
        messages.error(request, str(refusal))
    return redirect("test", request.project.slug, known.test_id)
