"""The settings of a project: rules, targets, limits, tokens, members, the letter, and its end.

Every member may read them. Each change names the role it needs; what is kept is projects.changes' affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from analysis import queries, timing, wishes
from analysis import tasks as queue
from analysis.shape import Shape, judge
from analysis.targets import BUILT_IN, CORE
from dashboard import beside, drafts, listing, orders, page
from dashboard.forms import (
    DeleteForm,
    InviteForm,
    KeepForm,
    LetterForm,
    RenameForm,
    RoleForm,
    TokenForm,
)
from dashboard.page import ProjectRequest
from dashboard.target_forms import LimitsForm, TargetForm
from projects import access, changes, ending, subscribing
from projects.changes import LastOwner
from projects.models import Project
from projects.tasks import end_project
from projects.vocabulary import Role, TargetKind

SECTIONS = (
    ("settings-rules", "Rules"),
    ("settings-targets", "Target"),
    ("settings-limits", "Limits and budgets"),
    ("settings-muting", "Flaky tests"),
    ("settings-owners", "Owners"),
    ("settings-tokens", "Tokens"),
    ("settings-trust", "Trusted jobs"),
    ("settings-members", "Members"),
    ("settings-reports", "Weekly letter"),
    ("settings-readers", "Letters by owner"),
    ("settings-channels", "Channels"),
    ("settings-danger", "Name and end"),
)
SHOWN_ONCE = "token-shown-once"


def show(
    request: ProjectRequest, here: str, context: Mapping[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Print one page of the settings with the list of them beside it."""
    sections = [(words, reverse(name, args=[request.project.slug]), name == here) for name, words in SECTIONS]
    template = f"settings/{here.removeprefix('settings-')}.html"
    frame = {"sections": sections, "section": dict(SECTIONS)[here]}
    return page.render(request, template, frame | dict(context or {}), place="settings-rules", status=status)


def refused(request: ProjectRequest, needed: Role) -> HttpResponse:
    """Say which role a change needs."""
    return page.render(request, "refused.html", {"sentence": str(access.Forbidden(needed))}, status=403)


def said(request: ProjectRequest, here: str, sentence: str) -> HttpResponse:
    """Say what was done, on the page where it was asked."""
    messages.success(request, sentence)
    return redirect(here, request.project.slug)


# --- Target


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def targets(request: ProjectRequest) -> HttpResponseBase:
    """Show and change the shape that the team wants."""
    form = TargetForm(request.POST or None, initial=TargetForm.initial_of(request.project))
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if form.is_valid():
            kind = form.chosen()
            bands = form.bands() if kind is TargetKind.CUSTOM else {}
            changes.set_fields(request.project, target_kind=kind, target_bands=bands)
            return said(
                request, "settings-targets", f"The target is {kind.word}." if kind else "There is no target."
            )
    context = {"form": form, "bands": _band_rows(form), "presets": _presets(request)}
    return show(request, "settings-targets", context, status=422 if form.errors else 200)


def _band_rows(form: TargetForm) -> list[tuple[str, Any, Any]]:
    return [(layer.word, form[f"{layer.word}_low"], form[f"{layer.word}_high"]) for layer in reversed(CORE)]


def _presets(request: ProjectRequest) -> list[dict[str, Any]]:
    """Return the built-in targets with the fit that the suite has to each today."""
    amounts = queries.layer_amounts(request.project, request.window)
    shape = Shape({amount.layer: amount.n_tests for amount in amounts})
    return [
        {
            "word": target.kind.word,
            "bands": [(layer.word, target.bands[layer]) for layer in reversed(CORE)],
            "fit": judge(shape, target).fit / 100 if shape.total else None,
        }
        for target in BUILT_IN
    ]


# --- Limits and budgets


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def limits(request: ProjectRequest) -> HttpResponseBase:
    """Show and change how long tests may take, and layers in a run."""
    form = LimitsForm(request.POST or None, initial=LimitsForm.initial_of(request.project))
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if form.is_valid():
            return _keep_limits(request, form)
    rows = [(layer, form[f"{layer.word}_fast_s"], form[f"{layer.word}_slow_s"]) for layer in timing.DEFAULTS]
    spent = {answer.layer: answer for answer in queries.budgets(request.project, request.window)}
    budgets = [(layer, form[f"{layer.word}_budget_s"], spent.get(layer)) for layer in CORE]
    context = {
        "form": form,
        "rows": rows,
        "budgets": budgets,
        "is_running": request.project.reclassify_wanted_at is not None,
        "share_done": drafts.progress(request.project.n_reclassified, request.project.n_tests),
    }
    return show(request, "settings-limits", context, status=422 if form.errors else 200)


def _keep_limits(request: ProjectRequest, form: LimitsForm) -> HttpResponse:
    changed = wishes.limits(form.limits()) != wishes.limits(request.project.timing_limits)
    changes.set_fields(request.project, timing_limits=form.limits(), budgets=form.budgets())
    if not changed:
        return said(request, "settings-limits", "The budgets are saved.")
    queue.ask_for_reclassification(request.project.pk)
    return said(request, "settings-limits", "Saved. Every test is being judged by the new limits.")


# --- Tokens


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def tokens(request: ProjectRequest) -> HttpResponseBase:
    """List the tokens; make one, which is shown once."""
    form = TokenForm(request.POST or None)
    if request.method == "POST":
        if not request.access.may_own:
            return refused(request, Role.OWNER)
        if form.is_valid():
            make_token(request, form.cleaned_data["name"])
            return redirect(came_from(request, "settings-tokens"))
    tokens = listing.ordered(list(changes.tokens(request.project)), request.window.sort, orders.TOKENS)
    if file := beside.asked(request, "tokens", beside.TOKENS, tokens):
        return file
    context = {
        "form": form,
        "tokens": tokens,
        "plain": request.session.pop(SHOWN_ONCE, ""),
    }
    return show(request, "settings-tokens", context, status=422 if form.errors else 200)


def make_token(request: ProjectRequest, name: str) -> None:
    """Make a token and keep it in the session until the next page has shown it."""
    by = User.objects.get(pk=request.user.pk)
    request.session[SHOWN_ONCE] = access.create_token(request.project, name=name, by=by)


def came_from(request: ProjectRequest, default: str) -> str:
    """Return the page that asked for a token: the first visit of the uploads, or the settings."""
    is_first_visit = request.POST.get("from") == "uploads"
    address = reverse("uploads" if is_first_visit else default, args=[request.project.slug])
    return address + (request.GET.urlencode() and f"?{request.GET.urlencode()}")


@require_POST
@page.project_page(needs=Role.OWNER)
def revoke_token(request: ProjectRequest, token_id: int) -> HttpResponseBase:
    """End a token."""
    token = changes.revoke_token(request.project, token_id, now=timezone.now())
    if token is None:
        raise Http404("No such token.")
    return said(
        request, "settings-tokens", f"{token.name} is revoked. Uploads with it are refused from now on."
    )


# --- Members


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def members(request: ProjectRequest) -> HttpResponseBase:
    """List the members; add one by e-mail."""
    form = InviteForm(request.POST or None)
    if request.method == "POST":
        if not request.access.may_own:
            return refused(request, Role.OWNER)
        if form.is_valid():
            return _invite(
                request, email=form.cleaned_data["email"], role=Role.from_word(form.cleaned_data["role"])
            )
    members = listing.ordered(list(changes.members(request.project)), request.window.sort, orders.MEMBERS)
    if file := beside.asked(request, "members", beside.MEMBERS, members):
        return file
    context = {
        "form": form,
        "members": members,
        "refused": changes.refused_addresses(request.project),
        "roles": list(Role),
        "invitation": request.session.pop("invitation", None),
    }
    return show(request, "settings-members", context, status=422 if form.errors else 200)


def _invite(request: ProjectRequest, *, email: str, role: Role) -> HttpResponse:
    """Add a person; who has no account yet gets one, and a link to choose a password."""
    person, is_new = changes.person_with(email)
    if not changes.add_member(request.project, person, role=role):
        return said(request, "settings-members", f"{email} is a member already.")
    if is_new:
        uid = urlsafe_base64_encode(force_bytes(person.pk))
        link = reverse("join", args=[uid, default_token_generator.make_token(person)])
        request.session["invitation"] = {"email": email, "link": settings.BASE_URL + link}
    return said(request, "settings-members", f"{email} is a {role.word} now.")


@require_POST
@page.project_page(needs=Role.OWNER)
def member(request: ProjectRequest, membership_id: int) -> HttpResponseBase:
    """Change a member's role, or take the member out."""
    try:
        return _change_member(request, membership_id)
    except LastOwner as refusal:
        messages.error(request, str(refusal))
        return redirect("settings-members", request.project.slug)


def _change_member(request: ProjectRequest, membership_id: int) -> HttpResponseBase:
    if request.POST.get("do") == "remove":
        gone = changes.remove_member(request.project, membership_id)
        if gone is None:
            raise Http404("No such member.")
        is_me = gone.user_id == request.user.pk
        messages.success(request, f"{gone.user} is no longer a member.")
        return redirect("projects") if is_me else redirect("settings-members", request.project.slug)
    form = RoleForm(request.POST)
    if not form.is_valid():
        raise Http404("No such role.")
    role = Role.from_word(form.cleaned_data["role"])
    changed = changes.set_role(request.project, membership_id, role=role)
    if changed is None:
        raise Http404("No such member.")
    return said(request, "settings-members", f"{changed.user} is a {role.word} now.")


# --- The weekly letter


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def reports(request: ProjectRequest) -> HttpResponseBase:
    """Show when the letter goes out, to whom, what it would say today, and the letters sent."""
    names = ("sends_letter", "letter_weekday", "letter_hour", "time_zone")
    form = LetterForm(request.POST or None, initial={name: getattr(request.project, name) for name in names})
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if form.is_valid():
            changes.set_fields(request.project, **form.cleaned_data)
            return said(request, "settings-reports", "The letter's day and hour are saved.")
    letters = listing.ordered(changes.letters(request.project), request.window.sort, orders.LETTERS)
    if file := beside.asked(request, "letters", beside.LETTERS, letters):
        return file
    context = {
        "form": form,
        "members": changes.members(request.project),
        "addresses": [row for row in subscribing.addresses(request.project) if row.wants_letter],
        "letters": letters,
        "email": request.user.email,
    }
    return show(request, "settings-reports", context, status=422 if form.errors else 200)


# --- Name and end


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def danger(request: ProjectRequest) -> HttpResponseBase:
    """Rename the project, change its default branch, or delete it."""
    if request.method == "POST" and not request.access.may_own:
        return refused(request, Role.OWNER)
    wants = request.POST.get("change", "")
    now = {"name": request.project.name, "default_branch": request.project.default_branch}
    rename = RenameForm(request.POST if wants == "name" else None, initial=now)
    delete = DeleteForm(request.POST if wants == "delete" else None, expected=request.project.slug)
    keep = KeepForm(request.POST if wants == "keep" else None, initial=_kept(request.project))
    if wants == "keep" and keep.is_valid():
        changes.set_fields(request.project, **keep.cleaned_data)
        return said(request, "settings-danger", "Saved. What is older is deleted in the coming nights.")
    if wants == "name" and rename.is_valid():
        changes.set_fields(request.project, **rename.cleaned_data)
        return said(request, "settings-danger", "The name and the branch are saved.")
    if wants == "delete" and delete.is_valid():
        ending.mark(request.project, now=timezone.now())
        end_project.delay_on_commit(project_id=request.project.pk)
        said_so = f"{request.project.name} is deleted. What was recorded of it goes in the coming minutes."
        messages.success(request, said_so)
        return redirect("projects")
    context = {"rename": rename, "keep": keep, "delete": delete}
    is_wrong = bool(rename.errors or keep.errors or delete.errors)
    return show(request, "settings-danger", context, status=422 if is_wrong else 200)


def _kept(project: Project) -> dict[str, int]:
    return {name: getattr(project, name) for name in KeepForm.base_fields}


@require_safe
@page.project_page()
def first(request: ProjectRequest) -> HttpResponseBase:
    """Go to the first page of the settings."""
    return redirect("settings-rules", request.project.slug)
