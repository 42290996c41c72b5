"""Looking at a misfit and letting it stay, with the reason; and taking that back."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dashboard import page
from dashboard.page import ProjectRequest
from projects import changes
from projects.vocabulary import Role


@require_POST
@page.project_page(needs=Role.EDITOR)
def misfit(request: ProjectRequest, test_id: int) -> HttpResponseBase:
    """Keep why a misfit stays, or list it again."""
    is_undone = request.POST.get("do") == "undo"
    reason = "" if is_undone else " ".join(request.POST.get("reason", "").split())
    if not reason and not is_undone:
        messages.error(request, "Say why the test stays as it is; those who come after you will ask.")
    elif not changes.dismiss_misfit(request.project, test_id, reason=reason):
        raise Http404("No such test.")
    else:
        said = (
            "The test is listed again." if is_undone else "The test is taken off the list, with your reason."
        )
        messages.success(request, said)
    return redirect(f"{reverse('slow', args=[request.project.slug])}{page.kept(request.window)}#misfits")
