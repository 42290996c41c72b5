"""Serves `jux-publish` and whatever else posts one bare report: what the build was stands in its properties.

Fields may also come in the query, as with the upload API; there they win.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import unescape

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from ingest.clients import builds, door

HEAD_BYTES = 200_000  # properties stand before the cases
PROPERTY = re.compile(r"<property\s[^<>]*>")
ATTRIBUTE = re.compile(r"""\b(name|value)\s*=\s*("[^"]*"|'[^']*')""")
QUOTES = {"&quot;": '"', "&apos;": "'"}


@door.door("POST", refuse=door.message)
def submit(request: HttpRequest) -> HttpResponse:
    """Take one report; the numbers of the answer are those that its tags show, before it is read."""
    caller = door.caller_of(request)
    body = door.parcel(request)
    head = b"".join(file.content[:HEAD_BYTES] for file in body.files if not file.encoding)
    accepted = door.taken(caller, body.files, fields(properties(head)), body.fields)
    whole = b"".join(file.content for file in body.files if not file.encoding)
    answer = {
        "test_run_id": str(accepted.upload.id),
        "message": f"Stored. See {door.address(accepted)}",
        "test_count": whole.count(b"<testcase"),
        "failure_count": whole.count(b"<failure"),
        "error_count": whole.count(b"<error"),
        "skipped_count": whole.count(b"<skipped"),
    }
    return JsonResponse(answer, status=201 if accepted.is_new else 200)


def properties(head: bytes) -> dict[str, str]:
    """Return the properties that the beginning of a report shows."""
    text = head.decode(errors="replace")
    found: dict[str, str] = {}
    for tag in PROPERTY.findall(text):
        said = {name: unescape(quoted[1:-1], QUOTES) for name, quoted in ATTRIBUTE.findall(tag)}
        if said.get("name"):
            found.setdefault(said["name"], said.get("value", ""))
    return found


def fields(said: Mapping[str, str]) -> dict[str, str]:
    """Return what pytest-jux writes in the words of the upload API."""
    url = said.get("ci:build_url", "")
    return {
        **builds.build(
            url=url,
            system=said.get("ci:provider", ""),
            id=said.get("ci:build_id", ""),
            id_may_repeat=True,
        ),
        "attempt": said.get("env:GITHUB_RUN_ATTEMPT", ""),
        "job": said.get("env:GITHUB_JOB", ""),
        **builds.branch(said.get("git:branch", "")),
        "commit": said.get("git:commit", ""),
        "url": url,
    }


urls: list[URLPattern] = [path("junit/submit", submit), path("api/v1/junit/submit", submit)]
