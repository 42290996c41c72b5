"""Serves Mergify's clients: their traces become results, and their question which tests are quarantined is answered.

The CLI calls a test `classname.name`, the plugin for pytest by its node id.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone

from analysis import queries
from analysis.answers.of_care import Muted
from ingest.clients import builds, door
from ingest.formats import mergify as reader
from ingest.formats import otlp
from ingest.refusals import Refusal

QUARANTINED = "quarantined"


def refuse(refusal: Refusal) -> object:
    """Say a refusal as Mergify's API does."""
    return {"detail": refusal.sentence}


@door.door("POST", refuse=refuse)
def traces(request: HttpRequest, owner: str, repository: str) -> HttpResponse:
    """Take the results of one invocation."""
    caller = door.caller_of(request)
    raw = b"".join(door.content(file) for file in door.parcel(request).files)
    try:
        found = list(otlp.traces(raw))
    except otlp.Undecodable:
        raise Refusal("bad_traces", 400, "The body is no OTLP trace export. Send it again.") from None
    told = list(itertools.chain.from_iterable(reader.results(trace.spans) for trace in found))
    if not told:
        return HttpResponse(status=200)
    root = "pytest tests" if all(one.suites == ("pytest",) for one in told) else ""
    report = door.as_report(told, name="traces", root=root)
    accepted = door.taken(caller, [report], fields(found[0].resource))
    return JsonResponse({"id": str(accepted.upload.id), "url": door.address(accepted)})


@door.door("GET", refuse=refuse)
def states(request: HttpRequest, owner: str, repository: str) -> HttpResponse:
    """Answer the names of the tests that are quarantined, all of them at once."""
    caller = door.caller_of(request)
    asked = request.GET.get("state", QUARANTINED)
    muted = queries.quarantine(caller.project, today=timezone.now().date()) if asked == QUARANTINED else ()
    names = dict.fromkeys(name for one in muted for name in spellings(one))
    return JsonResponse({"test_states": [{"test_name": name, "state": asked} for name in names]})


def spellings(test: Muted) -> Iterator[str]:
    """Yield the names that Mergify's clients give a test: as its report has it, and for pytest as pytest itself has it."""
    yield ".".join(filter(None, (test.classname, test.name)))
    module = test.file.removesuffix(".py").replace("/", ".")
    if test.file.endswith(".py") and f"{test.classname}.".startswith(f"{module}."):
        classes = test.classname[len(module) + 1 :].split(".") if test.classname != module else []
        yield "::".join([test.file, *classes, test.name])


def fields(resource: Mapping[str, otlp.Value]) -> dict[str, str]:
    """Return what a trace says of its build in the words of the upload API."""
    said = {name: str(value) for name, value in resource.items()}
    head, base = said.get("vcs.ref.head.name", ""), said.get("vcs.ref.base.name", "")
    known = builds.branch(head)
    is_pull = bool(base) and base != known["branch"]
    url = said.get("cicd.pipeline.run.url", "")
    run_id, provider = said.get("cicd.pipeline.run.id", ""), said.get("cicd.provider.name", "")
    if provider.lower() not in builds.SYSTEMS and run_id:  # elsewhere it counts the runs of one pipeline
        run_id = f"{said.get('cicd.pipeline.name', provider)}-{run_id}"
    return {
        **builds.build(url=url, system=provider, id=run_id),
        "attempt": said.get("cicd.pipeline.run.attempt", ""),
        **known,
        "pull_request": known.get("pull_request", known["branch"] if is_pull else ""),
        "commit": said.get("vcs.ref.head.revision", ""),
        "job": said.get("cicd.pipeline.task.name", ""),
        # Legs of a matrix share the job's name; what was sent at once keeps them apart.
        "shard": said.get("test.run.id", ""),
        "url": url,
    }


PLACE = "v1/ci/<str:owner>/repositories/<str:repository>"
urls: list[URLPattern] = [
    path(f"{prefix}{PLACE}/{rest}", view)
    for prefix in ("", "mergify/")
    for rest, view in (("traces", traces), ("test-states", states))
]
