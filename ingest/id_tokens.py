"""The ID token of a CI job: whether it is genuine, whose job it is, and what that job may say of itself.

GitHub Actions and GitLab sign the same facts under different names. A job whose code may be a stranger's counts for a
pull request, whatever it claims. Knows no rows; PyJWT looks at the clock. Where keys come from is issuers.py's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from ingest.refusals import Refusal
from projects.trust import Job

ALGORITHMS = ("RS256", "ES256")
LEEWAY_S = 60  # runners and servers are seldom further apart
LONGEST = 8_000  # characters; GitHub's have about 2,000
REQUIRED = ("exp", "iat", "iss", "aud", "sub")
SHAPE = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+\Z")

# Events in which the repository's own people decided what runs; all others count for a pull request.
OWN_GITHUB = frozenset(
    [
        *("push", "schedule", "workflow_dispatch", "repository_dispatch", "merge_group", "workflow_run"),
        *("release", "deployment", "create"),
    ]
)
OWN_GITLAB = frozenset(["push", "web", "schedule", "api", "trigger", "pipeline", "chat", "webide"])
PULL_REFERENCE = re.compile(r"refs/(?:pull|merge-requests)/(\d+)/")


@dataclass(frozen=True, slots=True)
class Claim:
    """A verified token: the job, and the fields of its uploads, which nobody but the issuer decides."""

    job: Job
    fields: Mapping[str, str]

    def bound(self, sent: Mapping[str, str]) -> dict[str, str]:
        """Return the fields of an upload: the issuer's word for what the run is, the sender's for its parts."""
        said = {name: value for name, value in sent.items() if value.strip()} | dict(self.fields)
        if self.job.is_pull and not said.get("pull_request"):
            said["pull_request"] = self.job.branch or "unnamed"
        return {name: value[: LENGTHS.get(name, len(value))] for name, value in said.items() if value}


LENGTHS = {"branch": 200, "pull_request": 50}


def is_one(plain: str) -> bool:
    """True for what is spelt like an ID token; our own tokens begin otherwise."""
    return SHAPE.match(plain) is not None


def told(plain: str) -> tuple[str, str]:
    """Return issuer and key id that a token names, before anything of it is believed."""
    try:
        if len(plain) > LONGEST:
            raise jwt.DecodeError
        head = jwt.get_unverified_header(plain)
        body = jwt.decode(plain, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Refusal("bad_id_token", 401, "The ID token cannot be read. Ask the CI for a new one.") from None
    if head.get("alg") not in ALGORITHMS:
        raise Refusal("bad_id_token", 401, f"The ID token must be signed with {' or '.join(ALGORITHMS)}.")
    return _text(body, "iss"), _text(head, "kid")


def verified(plain: str, *, key: jwt.PyJWK, issuer: str, audience: str) -> Claim:
    """Return what a token says, once signature, times, issuer and audience hold; refuse any other."""
    try:
        claims = jwt.decode(
            plain,
            key,
            algorithms=list(ALGORITHMS),
            audience=[audience, f"{audience}/"],
            issuer=issuer,
            leeway=LEEWAY_S,
            options={"require": list(REQUIRED)},
        )
    except jwt.ExpiredSignatureError:
        raise Refusal(
            "expired_id_token", 401, "The ID token is no longer valid. Ask the CI for a new one."
        ) from None
    except jwt.InvalidAudienceError:
        raise Refusal(
            "wrong_audience",
            401,
            f"The ID token is meant for another server. Ask for the audience {audience}.",
        ) from None
    except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError):
        raise Refusal(
            "bad_id_token", 401, "The ID token is from the future. Set the clock of this server."
        ) from None
    except jwt.PyJWTError as problem:
        raise Refusal("bad_id_token", 401, f"The ID token does not hold: {problem}.") from None
    return claim_of(claims)


def claim_of(claims: Mapping[str, Any]) -> Claim:
    """Return the job that the claims of either CI describe."""
    if _text(claims, "repository"):
        return _github(claims)
    if _text(claims, "project_path"):
        return _gitlab(claims)
    raise Refusal("bad_id_token", 401, "The ID token names no repository. Is it one of a CI job?")


def _github(claims: Mapping[str, Any]) -> Claim:
    event, reference, repository = (_text(claims, name) for name in ("event_name", "ref", "repository"))
    pull = PULL_REFERENCE.match(reference)
    is_pull = event not in OWN_GITHUB or pull is not None
    number = pull[1] if pull else ""
    branch = _text(claims, "head_ref") or ("" if pull else _bare(reference))
    job = Job(
        issuer=_text(claims, "iss"),
        repository=repository,
        owner_id=_text(claims, "repository_owner_id"),
        branch=branch or (f"pull/{number}" if number else ""),
        event=event,
        is_pull=is_pull,
    )
    if event == "workflow_run":  # a workflow of the default branch, which speaks for the run that started it
        return Claim(job, {})
    run_id = _text(claims, "run_id")
    fields = {
        "branch": job.branch,
        # In other events the reference is that of the default branch, and what was tested is not.
        "commit": _text(claims, "sha") if not is_pull or pull else "",
        "run": f"github-{run_id}",
        "attempt": _text(claims, "run_attempt"),
        "pull_request": number if is_pull else "",
        "url": f"{_home(job.issuer)}/{repository}/actions/runs/{run_id}",
    }
    return Claim(job, _kept(fields, is_pull=is_pull))


def _gitlab(claims: Mapping[str, Any]) -> Claim:
    event, reference, repository = (
        _text(claims, name) for name in ("pipeline_source", "ref", "project_path")
    )
    pull = PULL_REFERENCE.match(_text(claims, "ref_path"))
    # A child pipeline does not say what its parent ran for; a protected branch is nobody else's.
    is_own = event in OWN_GITLAB or (event == "parent_pipeline" and _text(claims, "ref_protected") == "true")
    is_pull = not is_own or pull is not None
    job = Job(
        issuer=_text(claims, "iss"),
        repository=repository,
        owner_id=_text(claims, "namespace_id"),
        branch=_bare(reference),
        event=event,
        is_pull=is_pull,
    )
    pipeline = _text(claims, "pipeline_id")
    fields = {
        "branch": job.branch,
        "commit": _text(claims, "sha"),
        "run": f"gitlab-{pipeline}",
        "pull_request": pull[1] if pull else "",
        "url": f"{job.issuer}/{repository}/-/pipelines/{pipeline}",
    }
    return Claim(job, _kept(fields, is_pull=is_pull))


def _kept(fields: Mapping[str, str], *, is_pull: bool) -> dict[str, str]:
    """Leave out what the issuer does not say, but for what the sender may not say in its place."""
    closed = {"commit"} if is_pull else {"commit", "pull_request"}
    return {name: value for name, value in fields.items() if value or name in closed}


def _home(issuer: str) -> str:
    """Return where the runs of an issuer can be seen; a GitHub of one's own signs under its own host."""
    own = issuer.removesuffix("/_services/token")
    return own if own != issuer else "https://github.com"


def _bare(reference: str) -> str:
    return reference.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
