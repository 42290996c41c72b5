"""Serves what sends to Buildkite Test Engine: `curl -F`, the plugin, and the test collectors.

One address takes two bodies, a form with a JUnit report and a JSON document of results.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from ingest.accept import Accepted
from ingest.bodies_in import Body, SentFile
from ingest.clients import builds, door
from ingest.formats import buildkite as reader
from ingest.formats import loose
from ingest.refusals import Refusal

FORMATS = ("junit", "json")


def refuse(refusal: Refusal) -> object:
    """Say a refusal in the form that the collectors and the plugin print."""
    says = f"Unauthorized. {refusal.sentence}" if refusal.status == 401 else refusal.sentence
    return {"message": says, "errors": [says]}


@door.door("POST", refuse=refuse)
def upload(request: HttpRequest) -> HttpResponse:
    """Take the results of one batch; answer as Test Engine does."""
    caller = door.caller_of(request)
    body = door.parcel(request)
    if request.content_type == "multipart/form-data":
        kind, run_env, tags, files = _form(body)
    else:
        kind, run_env, tags, files = _json(body)
    if kind not in FORMATS:
        raise Refusal(
            "unknown_format",
            422,
            f"format is {kind[:50]!r}: send one of {', '.join(FORMATS)}.",
            field="format",
        )
    if not run_env.get("key"):
        raise Refusal("no_run_key", 422, "run_env[key] is required", field="run_env[key]")
    if kind == "json" and not files:
        return _answer(None, run_env["key"], queued=0)
    n_results = door.n_cases(files)
    accepted = door.taken(caller, files, fields(run_env), builds.tagged(tags))
    return _answer(accepted, run_env["key"], queued=n_results)


def _answer(accepted: Accepted | None, key: str, *, queued: int) -> HttpResponse:
    """Answer 202, as Test Engine does; results that came before count as skipped."""
    is_new = accepted is None or accepted.is_new
    body: dict[str, object] = {
        "id": str(accepted.upload.id) if accepted else None,
        "run_id": accepted.upload.run_key if accepted else key,
        "queued": queued if is_new else 0,
        "skipped": 0 if is_new else queued,
        "errors": [],
        "run_url": door.address(accepted) if accepted else None,
    }
    return JsonResponse(body, status=202)


@door.door("GET", refuse=refuse)
def metadata(request: HttpRequest) -> HttpResponse:
    """Answer the collector for Ruby, which asks for settings: there are none."""
    door.caller_of(request)
    return JsonResponse({})


def _form(body: Body) -> tuple[str, dict[str, str], dict[str, str], list[SentFile]]:
    kind = body.fields.get("format", "junit")
    run_env, tags = _nested(body.fields, "run_env"), _nested(body.fields, "tags")
    if kind != "json":
        return kind, run_env, tags, list(body.files)
    results = [result for file in body.files for result in loose.mappings(door.parsed(door.content(file)))]
    return kind, run_env, tags, _reports(results, run_env)


def _json(body: Body) -> tuple[str, dict[str, str], dict[str, str], list[SentFile]]:
    sent = door.mapping(b"".join(door.content(file) for file in body.files))
    run_env, tags = loose.words(sent.get("run_env")), loose.words(sent.get("tags"))
    return loose.text(sent.get("format")), run_env, tags, _reports(sent.get("data"), run_env)


def _reports(results: object, run_env: Mapping[str, str]) -> list[SentFile]:
    runner = run_env.get("test_runner", "")
    told = list(reader.results(results, runner=runner))
    root = "pytest tests" if runner == "pytest" else ""
    return [door.as_report(told, name="buildkite.json", root=root)] if told else []


def _nested(fields: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the fields `name[key]` by key."""
    start = f"{name}["
    return {key[len(start) : -1]: value for key, value in fields.items() if key.startswith(start)}


def fields(run_env: Mapping[str, str]) -> dict[str, str]:
    """Return what `run_env` says in the words of the upload API."""
    system = run_env.get("CI") or run_env.get("ci", "")  # the collector for JavaScript writes it small
    key, url = run_env.get("key", ""), run_env.get("url", "")
    found = builds.build(url=url, system=system if system != "github_actions" else "", id=key)
    return {
        **found,
        "attempt": found.get("attempt") or _attempt(key, found["run"]),
        **builds.branch(run_env.get("branch", "")),
        "commit": run_env.get("commit_sha", ""),
        "url": url,
    }


def _attempt(key: str, run: str) -> str:
    """Return the attempt that the end of a GitHub key tells; the key itself is new in every attempt."""
    return key.rpartition("-")[2] if run.startswith("github-") and key.count("-") >= 2 else ""


urls: list[URLPattern] = [
    path(f"{prefix}v1/uploads{rest}", view)
    for prefix in ("", "buildkite/")
    for rest, view in (("", upload), ("/metadata", metadata))
]
