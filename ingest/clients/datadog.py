"""Serves `datadog-ci junit upload`: one form a file, and the question which commits are known.

The body streams without a length; config.wsgi gives it one.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from ingest.bodies_in import SentFile
from ingest.clients import builds, door
from ingest.formats import loose
from ingest.refusals import Refusal

HEADER = "DD-API-KEY"
EVENT = "event.json"


def refuse(refusal: Refusal) -> object:
    """Say a refusal as Datadog does: a list of sentences."""
    return {"errors": [refusal.sentence]}


@door.door("POST", refuse=refuse)
def report(request: HttpRequest) -> HttpResponse:
    """Take one report with its event."""
    caller = door.caller_of(request, header=HEADER)
    body = door.parcel(request)
    event = next((file for file in body.files if file.name == EVENT), None)
    if event is None:
        raise Refusal("no_event", 400, "The form has no part `event`. Send it with datadog-ci junit upload.")
    said = door.mapping(door.content(event))
    reports = [file for file in body.files if file is not event]
    name = loose.text(said.get("_dd.report_name"))
    named = [SentFile(f"{name or file.name}", file.encoding, file.content) for file in reports]
    accepted = door.taken(caller, named, fields(said))
    return JsonResponse({"id": str(accepted.upload.id), "url": door.address(accepted)}, status=202)


@door.door("POST", refuse=refuse)
def commits(request: HttpRequest) -> HttpResponse:
    """Answer that every commit is known, so that the client sends no history of git."""
    door.caller_of(request, header=HEADER)
    asked = loose.mappings(door.document(request).get("data"))
    known = [{"id": one.get("id"), "type": "commit"} for one in asked]
    return JsonResponse({"data": known})


@door.door("POST", refuse=refuse)
def packfile(request: HttpRequest) -> HttpResponse:
    """Let git's history go by."""
    door.caller_of(request, header=HEADER)
    return HttpResponse(status=204)


def fields(event: dict[str, Any]) -> dict[str, str]:
    """Return what the event says in the words of the upload API."""
    metadata = event.get("metadata")
    said = {name: loose.text(loose.entry(metadata, name)) for name in NAMES}
    job, job_id = said["ci.job.name"], said["ci.job.id"]
    known = builds.branch(said["git.branch"] or said["git.tag"])
    is_pull = bool(said["git.pull_request.base_branch"] or said["pr.number"])
    pull = said["pr.number"] or (known["branch"] if is_pull else "")
    return {
        **builds.build(
            url=said["ci.pipeline.url"],
            system=said["ci.provider.name"],
            id=said["ci.pipeline.id"],
            id_may_repeat=True,
        ),
        **known,
        "pull_request": pull or known.get("pull_request", ""),
        "commit": said["git.commit.sha"],
        "job": job,
        # Legs of a matrix share a job's name; the job's own id keeps them apart.
        "shard": job_id if job_id != job else "",
        "url": said["ci.pipeline.url"] or said["ci.job.url"],
        **builds.tagged(loose.words(loose.entry(event.get("session"), "tags"))),
        **builds.tagged(loose.words(event.get("tags"))),
    }


NAMES = (
    *("git.branch", "git.tag", "git.commit.sha", "git.pull_request.base_branch", "pr.number"),
    *("ci.pipeline.id", "ci.pipeline.url", "ci.provider.name", "ci.job.name", "ci.job.id", "ci.job.url"),
)


urls: list[URLPattern] = [
    path("api/v2/cireport", report),
    path("api/v2/git/repository/search_commits", commits),
    path("api/v2/git/repository/packfile", packfile),
]
