"""Serves the Codecov CLI and action, report type test_results: ask for a place, then put the reports there.

The place is an address that carries everything the second request needs, signed, for a quarter of an hour. It names the upload
that it will become, so it takes one upload and no other; the same bytes once more are the same upload.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse

from ingest.bearer import Caller
from ingest.bodies_in import SentFile
from ingest.clients import builds, door
from ingest.formats import loose
from ingest.refusals import Refusal
from projects.models import Project, Token

SALT = "codecov-upload"
VALID_S = 15 * 60
# Codecov's client calls a GitHub workflow, a GitLab job's number and a CircleCI node its job; none is a job's name.
# The names that do tell the job and its attempt come with `--env`.
ATTEMPTS = ("GITHUB_RUN_ATTEMPT", "SYSTEM_JOBATTEMPT", "BITBUCKET_STEP_RUN_NUMBER")
RETRIES = ("BUILDKITE_RETRY_COUNT",)  # counted from 0
JOBS = ("GITHUB_JOB", "CI_JOB_NAME", "CIRCLE_JOB", "BUILDKITE_STEP_KEY", "BUILDKITE_LABEL", "JOB_NAME")


def refuse(refusal: Refusal) -> object:
    """Say a refusal as the CLI prints it, after `Upload queued for processing failed:`."""
    return {"message": refusal.sentence}


@door.door("POST", refuse=refuse)
def ask(request: HttpRequest) -> HttpResponse:
    """Answer the address that takes the reports."""
    caller = door.caller_of(request)
    asked = door.document(request)
    if asked.get("file_not_found") is True:  # the CLI only tells that it found none, and reads no answer
        return JsonResponse({"raw_upload_location": None}, status=201)
    upload_id = uuid.uuid4()
    promise = {
        "project": caller.project.pk,
        "token": caller.token.pk if caller.token else None,
        "repository": caller.repository,
        "upload": upload_id.hex,
        "bytes": loose.number(asked.get("report_payload_bytes")),
        "said": caller.bound(builds.fitting(fields(asked))),
    }
    place = reverse("codecov-put", args=[signing.dumps(promise, salt=SALT, compress=True)])
    page = reverse("upload", args=[caller.project.slug, upload_id])
    answer = {"raw_upload_location": f"{settings.BASE_URL}{place}", "url": f"{settings.BASE_URL}{page}"}
    return JsonResponse(answer, status=201)


@door.door("PUT", refuse=refuse)
def put(request: HttpRequest, promise: str) -> HttpResponse:
    """Take the reports at the address that was promised; it needs no token."""
    said = _promised(promise)
    caller = door.known(request, _asker(said))
    body = door.parcel(request)
    sent = b"".join(door.content(file) for file in body.files)
    if said["bytes"] is not None and len(sent) > said["bytes"]:
        raise Refusal(
            "too_large", 413, f"{len(sent):,} bytes came; {said['bytes']:,} were announced. Send it again."
        )
    upload_id = uuid.UUID(said["upload"])
    files = list(_files(door.mapping(sent)))
    accepted = door.taken(caller, files, said["said"], upload_id=upload_id)
    return JsonResponse({"id": str(accepted.upload.id), "url": door.address(accepted)})


@door.door("POST", refuse=refuse)
def commit(request: HttpRequest, service: str, slug: str) -> HttpResponse:
    """Take note of a commit, as `upload-process` wants first: the upload itself names it again."""
    door.caller_of(request)
    return JsonResponse({"service": service, "repository": decoded(slug)}, status=201)


def decoded(slug: str) -> str:
    """Return the repository that a slug spells: `group:::sub::::repository` is `group/sub/repository`."""
    return slug.replace("::::", "/").replace(":::", "/")


def fields(asked: dict[str, Any]) -> dict[str, str]:
    """Return what the CLI says in the words of the upload API."""
    arguments = asked.get("cli_args")
    said = {
        name: loose.text(asked.get(name)) for name in ("ci_url", "ci_service", "branch", "commit", "slug")
    }
    build_code = loose.text(loose.entry(arguments, "build_code"))
    service, env = said["ci_service"], loose.words(asked.get("env"))
    found = builds.build(url=said["ci_url"], system=_system(service), id=build_code, id_may_repeat=True)
    own_key = f"codecov-{decoded(said['slug'])}-{said['commit']}"
    pull = loose.text(loose.entry(arguments, "pull_request_number"))
    known = builds.branch(said["branch"])
    return {
        **found,
        "run": builds.run_in(env) or found["run"] or own_key,
        **known,
        "pull_request": pull or known.get("pull_request", ""),
        "commit": said["commit"],
        "url": said["ci_url"],
        **_flags(loose.texts(asked.get("flags"))),
        **_environment(env),
    }


def _system(service: str) -> str:
    """Return the CI whose `build_code` names a build; elsewhere it names a job, or counts."""
    return service if service.startswith(("github", "bitbucket")) else ""


def _flags(flags: list[str]) -> dict[str, str]:
    """A flag that is called like a layer is one; the others tell what the tests ran in."""
    layer = next((flag for flag in flags if flag.lower() in builds.LAYERS), "")
    return {"layer": layer, "environment": " ".join(sorted(flag for flag in flags if flag != layer))}


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    job = next((env[name] for name in JOBS if env.get(name)), "")
    attempt = next((env[name] for name in ATTEMPTS if env.get(name)), "")
    retries = next((n for name in RETRIES if (n := loose.number(env.get(name))) is not None), None)
    return {"job": job, "attempt": attempt or ("" if retries is None else str(retries + 1))}


def _asker(said: Mapping[str, Any]) -> Caller:
    """Return who asked for an address; what a trusted job may say was settled when it asked."""
    if said["token"] is None:
        project = Project.objects.filter(pk=said["project"]).first()
        if project is not None:
            return Caller(project, repository=said["repository"])
    token = Token.objects.select_related("project").filter(pk=said["token"], revoked_at=None).first()
    if token is None or token.project_id != said["project"]:
        raise Refusal("unknown_token", 403, "The token that asked for this address was revoked.")
    return Caller(token.project, token=token)


def _promised(promise: str) -> dict[str, Any]:
    try:
        said: dict[str, Any] = signing.loads(promise, salt=SALT, max_age=VALID_S)
    except signing.SignatureExpired:
        minutes = VALID_S // 60
        raise Refusal(
            "expired", 403, f"This address was good for {minutes} minutes. Ask for a new one."
        ) from None
    except signing.BadSignature:
        raise Refusal(
            "unknown_address", 403, "This address was not given by this server. Ask for a new one."
        ) from None
    return said


def _files(sent: dict[str, Any]) -> Iterator[SentFile]:
    """Yield the reports, packed as they came: the worker unpacks them."""
    for file in loose.mappings(sent.get("test_results_files")):
        name = loose.text(file.get("filename")) or "report.xml"
        try:
            raw = base64.b64decode(loose.text(file.get("data")), validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(
                "bad_base64", 400, f"The data of {name[:200]} is not base64. Send it again."
            ) from None
        yield SentFile(name[-500:], "", raw)


urls: list[URLPattern] = [
    path("upload/raw/<str:promise>", put, name="codecov-put"),
    *(
        one
        for prefix in ("", "codecov/")
        for one in (
            path(f"{prefix}upload/test_results/v1", ask),
            path(f"{prefix}upload/<str:service>/<str:slug>/commits", commit),
        )
    ),
]
