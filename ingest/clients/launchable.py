"""Serves `launchable record tests`: events become results.

The client sends variables of its environment along when the server names them. It is asked for those that say which build this
is, so that nothing need be remembered between its calls; a build or session that it records beforehand is taken note of only.
"""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from ingest.clients import builds, door
from ingest.formats import launchable as reader
from ingest.formats import loose
from ingest.refusals import Refusal

NO_BUILD = "nameless"
# Where each CI says what; the first that says something counts.
VARIABLES = {
    "branch": (
        *("GITHUB_HEAD_REF", "GITHUB_REF", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_REF_NAME"),
        *("BUILDKITE_BRANCH", "CIRCLE_BRANCH", "CHANGE_BRANCH", "BRANCH_NAME", "GIT_BRANCH"),
    ),
    "commit": ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILDKITE_COMMIT", "CIRCLE_SHA1", "GIT_COMMIT"),
    "job": ("GITHUB_JOB", "CI_JOB_NAME", "BUILDKITE_STEP_KEY", "BUILDKITE_LABEL", "CIRCLE_JOB", "JOB_NAME"),
    "attempt": ("GITHUB_RUN_ATTEMPT",),
    "pull_request": ("CI_MERGE_REQUEST_IID", "CHANGE_ID"),
    "url": ("CI_PIPELINE_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"),
}
KEYS = sorted({name for names in VARIABLES.values() for name in names} | set(builds.RUNS))


def refuse(refusal: Refusal) -> object:
    """Say a refusal as the client prints it: the reason of the response."""
    return {"reason": refusal.sentence}


@door.door("POST", refuse=refuse)
def events(request: HttpRequest, organization: str, workspace: str, build: str, session: str) -> HttpResponse:
    """Take the results of one chunk."""
    caller = door.caller_of(request)
    sent = door.document(request)
    runner = loose.text(sent.get("testRunner"))
    report = door.as_report(
        reader.results(sent.get("events"), runner=runner),
        name="events.json",
        root="pytest tests" if runner == "pytest" else "",
    )
    name, number = _session(build, session, report.content)
    if b"<testcase" in report.content:
        flavors = builds.tagged(loose.words(sent.get("flavors")))
        own = {"run": f"launchable-{name}", "shard": f"{number}"}
        door.taken(caller, [report], own, fields(loose.words(sent.get("metadata"))), flavors)
    return JsonResponse({"build": {"build": name}, "testSession": {"id": number, "isObservation": False}})


def _session(build: str, session: str, content: bytes) -> tuple[str, int | str]:
    """Return the build and session of a chunk; the first chunk without a build names them for those after it."""
    if build != NO_BUILD:
        return build, session
    number = int.from_bytes(hashlib.sha256(content).digest()[:4], "big")
    return f"nobuild-{number}", number


def fields(environment: dict[str, str]) -> dict[str, str]:
    """Return what variables of a CI say in the words of the upload API."""
    said = {
        field: next((value for name in names if (value := environment.get(name, ""))), "")
        for field, names in VARIABLES.items()
    }
    return {
        **said,
        **builds.branch(said["branch"].removeprefix("origin/")),
        "run": builds.run_in(environment),
    }


@door.door("POST", refuse=refuse)
def record_build(request: HttpRequest, organization: str, workspace: str) -> HttpResponse:
    """Let a build be recorded: each chunk says itself what was built."""
    door.caller_of(request)
    return JsonResponse({"id": loose.text(door.document(request).get("buildNumber"))})


@door.door("POST", refuse=refuse)
def record_session(request: HttpRequest, organization: str, workspace: str, build: str) -> HttpResponse:
    """Give a session its number."""
    door.caller_of(request)
    raw = b"".join(file.content for file in door.parcel(request).files)
    name, number = _session(NO_BUILD, "", raw)
    return JsonResponse({"id": number, "buildNumber": name if build == NO_BUILD else build})


@door.door("GET", refuse=refuse)
def keys(request: HttpRequest, organization: str, workspace: str) -> HttpResponse:
    """Name the variables that the client is to send along."""
    door.caller_of(request)
    return JsonResponse({"keys": KEYS})


@door.door("GET", refuse=refuse)
def state(request: HttpRequest, organization: str, workspace: str) -> HttpResponse:
    """Answer that a failure to send need not end the client's step."""
    door.caller_of(request)
    return JsonResponse({"isFailFastMode": False})


@door.door("GET", refuse=refuse)
def get_build(request: HttpRequest, organization: str, workspace: str, build: str) -> HttpResponse:
    """Answer since when results of a build count: from the first."""
    door.caller_of(request)
    return JsonResponse({"createdAt": "2000-01-01T00:00:00.000+00:00", "buildNumber": build})


@door.door("POST", refuse=refuse)
def tracking(request: HttpRequest) -> HttpResponse:
    """Let the client's own measurements go by."""
    return JsonResponse({})


PLACE = "intake/organizations/<str:organization>/workspaces/<str:workspace>"
urls: list[URLPattern] = [
    path("intake/cli_tracking", tracking),
    path(f"{PLACE}/state", state),
    path(f"{PLACE}/slack/notification/key/list", keys),
    path(f"{PLACE}/builds", record_build),
    path(f"{PLACE}/builds/<str:build>", get_build),
    path(f"{PLACE}/builds/<str:build>/test_sessions", record_session),
    path(f"{PLACE}/builds/<str:build>/test_sessions/<str:session>/events", events),
]
