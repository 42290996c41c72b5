"""The settings of what is told outside the pages: channels, their log, badges and the feed.

A message is sent by reports; its buttons lead there. What is kept is projects.announcing's affair.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import beside, listing, orders, page
from dashboard.channel_forms import EVENTS, KINDS, ChannelForm, WantsForm
from dashboard.page import ProjectRequest
from dashboard.views.settings import refused, said, show
from projects import addresses, announcing
from projects.models import Channel, ChannelDelivery
from projects.vocabulary import ChannelKind, EventKind, Role

HERE = "settings-channels"
SECRET_ONCE = "channel-secret-once"  # noqa: S105 - a key of the session
BADGES = (("flaky", "Flaky tests"), ("shape", "Shape"), ("pass-rate", "Pass rate"))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def channels(request: ProjectRequest) -> HttpResponseBase:
    """List the channels with what they told; add one."""
    everything = {"wants": [kind.word for kind in EVENTS], "name": "Team"}
    form = ChannelForm(request.POST or None, initial=everything)
    if request.method == "POST":
        if not request.access.may_edit:
            return refused(request, Role.EDITOR)
        if form.is_valid():
            return _add(request, form)
    log = listing.ordered(announcing.log(request.project), request.window.sort_of("sent"), orders.SENT)
    if file := beside.asked(request, "sent messages", beside.SENT, log, part="sent"):
        return file
    context = {
        "form": form,
        "channels": [_shown(channel) for channel in announcing.channels(request.project)],
        "log": [_logged(row) for row in log],
        "secret": request.session.pop(SECRET_ONCE, ""),
        "badges": _badges(request),
        "feed": _link(request, reverse("events-atom", args=[request.project.slug]), purpose="events"),
    }
    return show(request, HERE, context, status=422 if form.errors else 200)


def _add(request: ProjectRequest, form: ChannelForm) -> HttpResponse:
    try:
        channel = announcing.add_channel(
            request.project,
            kind=form.chosen(),
            name=form.cleaned_data["name"],
            address=form.cleaned_data["address"],
            wants=form.wanted(),
        )
    except announcing.TooManyChannels as refusal:
        messages.error(request, str(refusal))
        return redirect(HERE, request.project.slug)
    if channel.secret:
        request.session[SECRET_ONCE] = channel.secret
    return said(request, HERE, f"{channel.name} is added. Send it a trial to see whether it works.")


def _shown(channel: Channel) -> dict[str, Any]:
    wants = [EventKind(kind).word for kind in channel.wants]
    return {
        "channel": channel,
        "kind": KINDS[ChannelKind(channel.kind)],
        "address": addresses.hidden(channel.address),
        "form": WantsForm(initial={"wants": wants}, auto_id=f"channel{channel.pk}-%s"),
        "is_webhook": channel.kind == ChannelKind.WEBHOOK,
    }


def _logged(row: ChannelDelivery) -> dict[str, Any]:
    """Return a line of the log: how the delivery stands, and what the other side said."""
    state = "sent" if row.sent_at else "failed" if row.is_over else "tried" if row.n_tries else "waiting"
    looks = {
        "sent": ("passed", "✓"),
        "failed": ("failed", "✕"),
        "tried": ("flaky", "↻"),
        "waiting": ("skipped", "○"),
    }
    words = {"tried": "tried again soon"}.get(state, state)
    return {"row": row, "look": looks[state][0], "glyph": looks[state][1], "words": words}


def _badges(request: ProjectRequest) -> list[dict[str, str]]:
    """Return each badge with its address and the Markdown that shows it."""
    overview = settings.BASE_URL + reverse("overview", args=[request.project.slug])
    badges = []
    for name, words in BADGES:
        path = reverse("badge", args=[request.project.slug, name])
        url = _link(request, path, purpose="badge")
        badges.append(
            {
                "words": words,
                "path": url.removeprefix(settings.BASE_URL),
                "markdown": f"[![{words}]({url})]({overview})",
            }
        )
    return badges


def _link(request: ProjectRequest, path: str, *, purpose: str) -> str:
    return f"{settings.BASE_URL}{path}?key={announcing.link_key(request.project, purpose=purpose)}"


@require_POST
@page.project_page(needs=Role.EDITOR)
def channel(request: ProjectRequest, channel_id: int) -> HttpResponseBase:
    """Change what a channel tells, turn it on or off, give it a new secret, or remove it."""
    found = announcing.channel(request.project, channel_id)
    if found is None:
        raise Http404("No such channel.")
    wants = request.POST.get("do", "")
    if wants == "remove":
        announcing.remove_channel(request.project, channel_id)
        return said(request, HERE, f"{found.name} is removed.")
    if wants == "secret":
        request.session[SECRET_ONCE] = announcing.renew_secret(request.project, channel_id)
        return said(request, HERE, f"{found.name} has a new secret. The old one ended.")
    form = WantsForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose at least one event, or turn the channel off.")
        return redirect(HERE, request.project.slug)
    is_on = "is_on" in request.POST
    announcing.set_channel(request.project, channel_id, wants=form.wanted(), is_on=is_on)
    return said(request, HERE, f"{found.name} is saved{'' if is_on else ' and off'}.")


@require_POST
@page.project_page(needs=Role.EDITOR)
def renew_links(request: ProjectRequest) -> HttpResponseBase:
    """End the links of badges and feed that were given away."""
    announcing.renew_links(request.project)
    return said(request, HERE, "There are new links. The old ones show nothing any more.")
