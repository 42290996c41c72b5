"""The letter for people: a preview, the sent ones, one sent now on request, the way out without login; and
the buttons that send to channels.

A letter is shown as the document that it is, with a policy of its own: inline styles, and nothing else. The
pages around it, and the choice of day and hour, are the dashboard's settings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, Concatenate
from uuid import UUID

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from projects import access, announcing
from projects.access import Access
from projects.models import Channel, Letter, LetterAddress, LetterVersion, Membership
from projects.vocabulary import Role
from reports import channels, envelopes, look, readers, schedule, tasks, watch, weekly
from reports import messages as messages_of
from reports.messages import Message

LETTER_POLICY = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
}


def member_view(
    view: Callable[Concatenate[HttpRequest, Access, ...], HttpResponse],
) -> Callable[..., HttpResponseBase]:
    """Let members of the project through, and hand over their access."""

    @wraps(view)
    def guarded(request: HttpRequest, slug: str, **captured: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        # One question lets them in and tells what they read about.
        way_in = access.access_for(request.user, slug, with_owners=_is_mine(request))
        return view(request, way_in, **captured)

    return guarded


def _is_mine(request: HttpRequest) -> bool:
    """True where the letter is asked for as the member gets it."""
    return request.GET.get("whose") == "mine"


@require_safe
@never_cache
@xframe_options_sameorigin
@csp_replace(LETTER_POLICY)
@member_view
def preview(request: HttpRequest, way_in: Access) -> HttpResponse:
    """Show the letter about the seven full days before today: with ?whose=mine as the member gets it, with ?as=text as text."""
    days = schedule.days_to(timezone.now(), zone=way_in.project.time_zone)
    if _is_mine(request) and isinstance(request.user, User):
        reader = readers.of_access(way_in, email=request.user.email)
        letter = weekly.build_for(way_in.project, reader, days)
    else:
        letter = weekly.build(way_in.project, days)
    if request.GET.get("as") == "text":
        return _text(look.text(letter), way_in)
    return _document(look.html(letter), way_in)


@require_safe
@xframe_options_sameorigin
@csp_replace(LETTER_POLICY)
@member_view
def sent(request: HttpRequest, way_in: Access, week_on: date) -> HttpResponse:
    """Show a letter of the archive as it was sent; with ?version= as the readers of some owners' tests got it."""
    shown: Letter | LetterVersion = get_object_or_404(Letter, project=way_in.project, week_on=week_on)
    version = request.GET.get("version", "")
    if version:
        number = int(version) if version.isdigit() and len(version) < 16 else 0
        shown = get_object_or_404(LetterVersion, letter=shown.pk, pk=number)
    if request.GET.get("as") == "text":
        return _text(shown.text, way_in)
    return _document(shown.html, way_in)


@require_POST
@member_view
def send_me(request: HttpRequest, way_in: Access) -> HttpResponse:
    """Send the member who asks the letter as it would be today."""
    member = _membership(request, way_in)
    if member.user.email:
        tasks.send_sample.delay_on_commit(membership_id=member.pk)
        messages.success(request, f"A letter is on its way to {member.user.email}.")
    else:
        messages.error(request, "Your account has no e-mail address. Add one under your account.")
    return redirect("settings-reports", way_in.project.slug)


def _membership(request: HttpRequest, way_in: Access) -> Membership:
    rows = Membership.objects.select_related("project", "user")
    return rows.get(project=way_in.project, user=request.user.pk)


@require_POST
@member_view
def trial(request: HttpRequest, way_in: Access, channel_id: int) -> HttpResponse:
    """Send a channel a message that shows whether it works."""
    channel = announcing.channel(way_in.project, channel_id)
    if channel is None:
        raise Http404("No such channel.")
    _only_editors(way_in)
    message = watch.trial(way_in.project, name=channel.name)
    return _queued(request, way_in, channel, message)


@require_POST
@member_view
def again(request: HttpRequest, way_in: Access, delivery_id: UUID) -> HttpResponse:
    """Send a message of the log once more, as it was."""
    row = announcing.delivery(way_in.project, delivery_id)
    if row is None:
        raise Http404("No such message.")
    _only_editors(way_in)
    message = messages_of.from_json(row.message)
    return _queued(request, way_in, row.channel, message, replay_of=row.id)


def _only_editors(way_in: Access) -> None:
    if not way_in.may_edit:
        raise PermissionDenied(str(access.Forbidden(Role.EDITOR)))


def _queued(
    request: HttpRequest,
    way_in: Access,
    channel: Channel,
    message: Message,
    *,
    replay_of: UUID | None = None,
) -> HttpResponse:
    """Queue a message a member asked for, and ring for it."""
    with transaction.atomic():
        delivery_id = channels.queue(channel, message, now=timezone.now(), replay_of=replay_of)
        tasks.deliver_message.delay_on_commit(project_id=way_in.project.pk, delivery_id=str(delivery_id))
    messages.success(request, f"A message is on its way to {channel.name}. Reload to see how it went.")
    return redirect(reverse("settings-channels", args=[way_in.project.slug]) + "#log")


@csrf_exempt  # a mail program clicks for the reader (RFC 8058); the signed link is the proof
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before stopping a reader's letter on GET, since scanners open links; stop it on POST."""
    reader = envelopes.reader_to_stop(token)
    if reader is None:
        raise Http404("This link names no reader.")
    is_less = request.POST.get("do") == "changes"
    if request.method == "POST":
        reader.wants_letter, reader.only_changes = is_less, is_less or reader.only_changes
        reader.save(update_fields=["wants_letter", "only_changes"])
    context = {
        "named": reader.project.name,
        "wants_letter": reader.wants_letter,
        "only_changes": reader.only_changes,
        "is_saved": is_less,
        "address": reader.address if isinstance(reader, LetterAddress) else "",
    }
    return render(request, "reports/stop.html", context)


def _document(html: str, way_in: Access) -> HttpResponse:
    """Return a letter as a document whose links open in the whole window, should a frame show it."""
    framed = html.replace("<head>", '<head><base target="_top">', 1)
    return HttpResponse(look.addressed(framed, way_out=_settings_url(way_in), change=reverse("account")))


def _text(text: str, way_in: Access) -> HttpResponse:
    body = look.addressed(text, way_out=_settings_url(way_in), change=reverse("account"))
    return HttpResponse(body, content_type="text/plain; charset=utf-8")


def _settings_url(way_in: Access) -> str:
    return reverse("settings-reports", args=[way_in.project.slug])
