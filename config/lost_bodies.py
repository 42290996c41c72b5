"""Answers a POST that would be redirected for good with a sentence: a redirected POST arrives as a GET, without its body.

Django redirects plain HTTP to HTTPS, and an address without its last slash to the one with it. Programs either follow and
lose their report, or stop without a reason; a person reads this in the log of CI.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

SAFE = frozenset(["GET", "HEAD", "OPTIONS", "TRACE"])
FOR_GOOD = (301, 308)

GetResponse = Callable[[HttpRequest], HttpResponse]


def refuse_lost_bodies(get_response: GetResponse) -> GetResponse:
    """Return a middleware that lets no request with a body be redirected for good."""

    def answered(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.method in SAFE or response.status_code not in FOR_GOOD:
            return response
        message = f"Send this to {response.headers['Location']}: a redirect would lose what you send."
        if not request.is_secure() and response.headers["Location"].startswith("https:"):
            message += " Where that is what you did, the proxy must pass X-Forwarded-Proto on."
        body = {"error": "redirected", "message": message, "errors": [message]}
        return JsonResponse(body, status=400)

    return answered
