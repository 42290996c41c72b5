"""The settings of flaky tests: what the project mutes by itself, and what a broken run costs its people."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from analysis import muting as policies
from analysis import queries
from dashboard import page
from dashboard.format import plural
from dashboard.muting_forms import MutingForm
from dashboard.page import ProjectRequest
from dashboard.views.settings import refused, said, show
from projects import care
from projects.models import MutingPolicy
from projects.vocabulary import Role


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def muting(request: ProjectRequest) -> HttpResponseBase:
    """Show and change the policy; what it asks for is done at once, and every night."""
    policy = MutingPolicy.objects.filter(project=request.project).first() or MutingPolicy()
    form = MutingForm(request.POST or None, initial=MutingForm.initial_of(policy))
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if form.is_valid():
            return _keep(request, form)
    context = {"form": form, "remarks": queries.remarks_of_project(request.project)}
    return show(request, "settings-muting", context, status=422 if form.errors else 200)


def _keep(request: ProjectRequest, form: MutingForm) -> HttpResponseBase:
    now = timezone.now()
    care.set_policy(request.project, by=request.user, now=now, **form.chosen())
    n_muted, n_ended = policies.apply(request.project, now=now)
    done = [f"{plural(n_muted, 'test is', 'tests are')} muted now"] if n_muted else []
    done += [f"{plural(n_ended, 'quarantine')} ended"] if n_ended else []
    return said(request, "settings-muting", f"Saved. {', '.join(done)}." if done else "Saved.")
