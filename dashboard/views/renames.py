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
from dashboard import page
from dashboard.page import ProjectRequest
from projects.care import Unfit
from projects.models import Rename
from projects.vocabulary import Role

DECISIONS = {
    "undo": (rename_decisions.undo, "Undone: these are two tests again, each with its own results."),
    "accept": (rename_decisions.accept, "Kept: the test goes on under its new name."),
    "refuse": (rename_decisions.refuse, "Kept: these are two tests."),
}


@require_safe
@page.project_page()
def renames(request: ProjectRequest) -> HttpResponseBase:
    """List the tests that changed their name, and those that may have."""
    return page.render(request, "renames.html", {"rows": queries.renames(request.project)}, place="tests")


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
