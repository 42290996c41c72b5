"""Who is asking: the project that a token opens, or that trusts the CI job whose ID token came. The door of all of CI.

Knows the headers. What a token is and whether it still counts is projects.access's business, which jobs a project
trusts projects.trust's, and whether an ID token is genuine id_tokens.py's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from ingest import id_tokens, issuers, refused
from ingest.id_tokens import Claim
from ingest.refusals import Refusal
from projects import access, trust
from projects.models import Project, Token

SENDING = ("POST", "PUT")  # who only asks has nothing that could get lost
PROJECT = "Trophycase-Project"  # says which of several projects a job means that all trust it


@dataclass(frozen=True, slots=True)
class Caller:
    """A project, and what opened it: one of its tokens, or a job that it trusts."""

    project: Project
    token: Token | None = None
    claim: Claim | None = None
    repository: str = ""

    def bound(self, sent: Mapping[str, str]) -> dict[str, str]:
        """Return the fields of an upload: a job says of its run only what its CI signed."""
        return self.claim.bound(sent) if self.claim else dict(sent)


def project_of(request: HttpRequest) -> tuple[Project, Token | None]:
    """Return the project that the request opens; refuse a request without token."""
    caller = caller_of(request)
    return caller.project, caller.token


def caller_of(request: HttpRequest) -> Caller:
    """Return who is asking; refuse a request without token."""
    scheme, _, plain = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not plain.strip():
        raise Refusal("no_token", 401, "Send the project's token as `Authorization: Bearer tc_…`.")
    return caller_with(plain.strip(), request)


def caller_with(plain: str, request: HttpRequest) -> Caller:
    """Return whom a token, or an ID token, speaks for."""
    if id_tokens.is_one(plain):
        return _job(plain, slug=request.headers.get(PROJECT, ""))
    try:
        project, token = access.project_for_token(plain, now=timezone.now())
    except access.UnknownToken as unknown:
        refusal = Refusal(
            "unknown_token", 401, "This token is not known or was revoked. Create one under Settings, Tokens."
        )
        if unknown.revoked is not None and request.method in SENDING:
            refused.count(unknown.revoked.project, unknown.revoked, refusal, now=timezone.now())
        raise refusal from None
    return Caller(project, token=token)


def _job(plain: str, *, slug: str) -> Caller:
    now = timezone.now()
    issuer, key_id = id_tokens.told(plain)
    key = issuers.key(
        issuer,
        key_id,
        allowed=settings.TROPHYCASE_ID_TOKEN_ISSUERS,
        allows_private=settings.TROPHYCASE_PRIVATE_ISSUERS,
        now=now,
    )
    claim = id_tokens.verified(plain, key=key, issuer=issuer, audience=settings.BASE_URL)
    try:
        project = trust.project_for_job(claim.job, slug=slug, now=now)
    except trust.Untrusted as refusal:
        raise Refusal(refusal.code, 403, str(refusal)) from None
    return Caller(project, claim=claim, repository=claim.job.repository)
