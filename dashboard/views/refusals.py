"""What a reader sees where there is nothing, where they may not go, and where the server broke: each says what to do."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import Resolver404
from django.utils import timezone

from dashboard import page


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for an address that leads nowhere, or to what the reader may not know of."""
    return page.render(request, "404.html", {"sentence": _sentence(exception)}, status=404)


def _sentence(exception: Exception) -> str:
    """Return what a view said; the resolver's own words are about patterns."""
    is_ours = isinstance(exception, Http404) and not isinstance(exception, Resolver404)
    return str(exception) if is_ours and exception.args and isinstance(exception.args[0], str) else ""


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for what the reader may not do."""
    sentence = str(exception) or "Ask an owner of the project, or whoever runs this server."
    return page.render(request, "refused.html", {"sentence": sentence}, status=403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer for a form that cannot be trusted; the reason is logged by Django."""
    return page.render(request, "stale_form.html", status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for a request that makes no sense; not even its host may be trusted, so nothing is asked of it."""
    return HttpResponse(render_to_string("400.html", {"theme": page.theme(request)}), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for a fault of ours, without asking the database, which may be what broke."""
    context = {"theme": page.theme(request), "now": timezone.now()}
    return HttpResponse(render_to_string("500.html", context), status=500)
