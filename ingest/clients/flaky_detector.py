"""Serves `flaky-detector submit`: one form with a report and five fields."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from ingest.clients import builds, door


@door.door("POST", refuse=door.message)
def submit(request: HttpRequest) -> HttpResponse:
    """Take one report; the CLI prints whether it is new, and its number of tests."""
    caller = door.caller_of(request)
    body = door.parcel(request)
    accepted = door.taken(caller, body.files, fields(body.fields))
    answer = {
        "created": accepted.is_new,
        "run": door.address(accepted),
        "tests_in_report": door.n_cases(body.files),
        "tests_scored": 0,
    }
    return JsonResponse(answer, status=201 if accepted.is_new else 200)


def fields(sent: Mapping[str, str]) -> dict[str, str]:
    """Return the form's fields in the words of the upload API; a bare number is the id of a GitHub run."""
    run_id = sent.get("run_id", "")
    return {
        "run": f"github-{run_id}" if run_id.isdigit() else run_id,
        "attempt": sent.get("run_attempt", ""),
        "job": sent.get("job_name", ""),
        "commit": sent.get("commit_sha", ""),
        **builds.branch(sent.get("branch", "")),
    }


urls: list[URLPattern] = [path("api/ingest/", submit)]
