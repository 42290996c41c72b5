"""Which project a request's token opens: the door of every address that CI speaks to.

Knows the Authorization header. What a token is and whether it still counts is projects.access's business.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone

from ingest.refusals import Refusal
from projects import access
from projects.models import Project, Token


def project_of(request: HttpRequest) -> tuple[Project, Token]:
    """Return the project that the request's token opens; refuse a request without one."""
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        raise Refusal("no_token", 401, "Send the project's token as `Authorization: Bearer tc_…`.")
    try:
        return access.project_for_token(plain.strip(), now=timezone.now())
    except access.UnknownToken:
        raise Refusal(
            "unknown_token", 401, "This token is not known or was revoked. Create one under Settings, Tokens."
        ) from None
