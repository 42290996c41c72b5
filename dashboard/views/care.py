"""Decisions about tests and runs: note and owner, mute, fixed at a commit, put back; and the list of what is muted.

Each is a POST that goes back to the page it came from. What a decision does is projects.care's and analysis.decisions' affair.
"""

from __future__ import annotations

from typing import TypeVar

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from analysis import decisions, queries
from analysis.answers.of_care import Muted
from dashboard import export, page, short_lists
from dashboard.export import Column
from dashboard.forms import CareForm, FixedForm, MuteForm
from dashboard.listing import Order
from dashboard.page import ProjectRequest
from dashboard.short_lists import ShortList
from projects import care
from projects.care import Unfit
from projects.models import Project, Test
from projects.vocabulary import Role

F = TypeVar("F", bound=forms.Form)

ORDER: Order[Muted] = Order(
    {
        "name": lambda row: row.title.lower(),
        "reason": lambda row: row.reason.lower(),
        "by": lambda row: row.by.lower(),
        "since": lambda row: row.created_at,
        "until": lambda row: row.until_on,
        "failed": lambda row: row.n_failed_since,
    },
    default="until",
    text=lambda row: f"{row.title} {row.file} {row.classname} {row.reason} {row.by}",
)

MUTED = ShortList("quarantine.html", "flaky", "muted tests", ORDER, "Search name, file, reason or person")


@require_safe
@page.project_page()
def quarantine(request: ProjectRequest) -> HttpResponseBase:
    """List the tests that are muted in CI."""
    muted = queries.quarantine(request.project, today=timezone.now().date())
    return short_lists.show(request, muted, columns(request.project), MUTED)


def columns(project: Project) -> list[Column[Muted]]:
    """Return the columns of a muted test in a file, in the order of the page."""
    url = export.url_of_tests(project)
    return [
        Column("id", lambda row: row.test_id),
        Column("test", lambda row: row.title),
        Column("file", lambda row: row.file),
        Column("variant", lambda row: row.variant),
        Column("status", lambda row: row.status),
        Column("reason", lambda row: row.reason),
        Column("by", lambda row: row.by),
        Column("since", lambda row: row.created_at),
        Column("until_on", lambda row: row.until_on),
        Column("runs_failed_since", lambda row: row.n_failed_since),
        Column("url", lambda row: f"{url}{row.test_id}"),
    ]


@require_POST
@page.project_page(needs=Role.EDITOR)
def keep(request: ProjectRequest, test_id: int) -> HttpResponse:
    """Keep the note and the owner of a test."""
    _known(request, test_id)
    form = _valid(request, CareForm(request.POST))
    if form is not None:
        kept = care.set_note(
            request.project,
            test_id,
            note=form.cleaned_data["note"],
            owner=form.cleaned_data["owner"],
            by=request.user,
            now=timezone.now(),
        )
        messages.success(request, "Kept." if kept else "Nothing was changed.")
    return _back(request, test_id)


@require_POST
@page.project_page(needs=Role.EDITOR)
def mute(request: ProjectRequest, test_id: int) -> HttpResponse:
    """Mute a test in CI, or end that."""
    _known(request, test_id)
    now = timezone.now()
    if request.POST.get("do") == "unmute":
        ended = care.unmute(request.project, test_id, by=request.user, now=now)
        messages.success(request, "The test counts in CI again." if ended else "The test was not muted.")
        return _back(request, test_id)
    form = _valid(request, MuteForm(request.POST))
    if form is not None:
        try:
            kept = care.mute(
                request.project,
                test_id,
                reason=form.cleaned_data["reason"],
                n_days=form.cleaned_data["days"],
                by=request.user,
                now=now,
            )
            messages.success(
                request, f"Muted in CI until {kept.until_on:%-d %b %Y}. Its failures are still counted."
            )
        except Unfit as refusal:
            messages.error(request, str(refusal))
    return _back(request, test_id)


@require_POST
@page.project_page(needs=Role.EDITOR)
def fixed(request: ProjectRequest, test_id: int) -> HttpResponse:
    """Mark a flaky test as fixed at a commit."""
    _known(request, test_id)
    form = _valid(request, FixedForm(request.POST))
    if form is not None:
        try:
            commit = form.cleaned_data["commit"]
            decisions.mark_fixed(request.project, test_id, commit=commit, by=request.user, now=timezone.now())
            messages.success(
                request, f"Marked as fixed at {commit[:12]}. A failure from now on takes that back."
            )
        except Unfit as refusal:
            messages.error(request, str(refusal))
    return _back(request, test_id)


@require_POST
@page.project_page(needs=Role.EDITOR)
def put_back(request: ProjectRequest, number: int) -> HttpResponse:
    """Count what an incident of the run left out: all of it, or one test's failure."""
    asked = request.POST.get("test", "")
    test_id = int(asked) if asked.isdecimal() else None
    try:
        n = decisions.put_back(request.project, number, by=request.user, now=timezone.now(), test_id=test_id)
        messages.success(request, f"Put back: the failures of {n} {'test' if n == 1 else 'tests'} count now.")
    except Unfit as refusal:
        messages.error(request, str(refusal))
    return redirect("run", request.project.slug, number)


def _known(request: ProjectRequest, test_id: int) -> None:
    if not Test.objects.filter(project=request.project, id=test_id).exists():
        raise Http404("No such test.")


def _valid(request: ProjectRequest, form: F) -> F | None:
    """Return the form where it is sound; else say what is wrong."""
    if form.is_valid():
        return form
    for name, errors in form.errors.items():
        messages.error(request, f"{form.fields[name].label}: {' '.join(map(str, errors))}")
    return None


def _back(request: ProjectRequest, test_id: int) -> HttpResponse:
    """Go back to the list that asked, or else to the test."""
    back = request.POST.get("next", "")
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        return redirect(back)
    return redirect("test", request.project.slug, test_id)
