"""The upload API: takes reports in, answers how they fare. It never parses a report.

Whatever is acknowledged is durable in PostgreSQL before the answer leaves. Refusals are raised as `Refusal` and become JSON in
one place.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from ninja import NinjaAPI, Schema, Status

from ingest import bodies_in, owners_in, refused, summary_api, verdicts_api, wishes
from ingest.accept import Accepted, Delivery, accept
from ingest.bearer import Caller, caller_of, project_of
from ingest.refusals import Refusal
from projects.models import Problem, Upload
from projects.vocabulary import ProblemLevel, UploadState

log = logging.getLogger(__name__)

api = NinjaAPI(
    title="Trophycase",
    version="1",
    description="Upload JUnit XML, and ask what became of it.",
    urls_namespace="api",
    docs_url="/docs",
)
api.add_router("", verdicts_api.router)
api.add_router("", summary_api.router)


class Counts(Schema):
    """What an upload brought, once it is done."""

    tests: int
    passed: int
    failed: int
    error: int
    skipped: int


class ProblemOut(Schema):
    """Why an upload (level error), or a part of it (warning), was not taken."""

    level: str
    code: str
    sentence: str
    file: str
    line: int | None
    column: int | None


class RunOut(Schema):
    """The run that an upload became part of."""

    number: int
    url: str


class UploadOut(Schema):
    """Where an upload stands: received, processing, done, rejected or failed."""

    id: uuid.UUID
    state: str
    status_url: str
    received_at: datetime
    finished_at: datetime | None
    counts: Counts | None
    run: RunOut | None
    problems: list[ProblemOut]


class RefusalOut(Schema):
    """Why a request was not taken: a code for programs, a sentence for people."""

    error: str
    message: str
    field: str | None = None


@api.exception_handler(Refusal)
def refuse(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """Turn a refusal into its JSON; the only place that does."""
    body = {"error": refusal.code, "message": refusal.sentence, "field": refusal.field}
    response = JsonResponse(body, status=refusal.status)
    if refusal.retry_after_s is not None:
        response["Retry-After"] = str(refusal.retry_after_s)
    if refusal.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def come_again(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer a database that is gone, or whose disk is full, with when to send again: nothing of the upload was kept."""
    log.warning("The database did not take a request: %s", error)
    sentence = "The database does not take uploads at the moment. Nothing was kept; send it again later."
    return refuse(request, Refusal("database_unavailable", 503, sentence, retry_after_s=10))


FIELDS = {
    "branch": "The branch; `refs/heads/` is cut. Default: the project's default branch.",
    "commit": "The commit's hash. Without it no two runs can be compared on one commit.",
    "run": "A key that joins the uploads (shards, jobs) of one run. Default: each upload is a run of its own.",
    "shard": "Which shard this is, any text.",
    "shard_total": "How many shards the job has, so that a missing one is noticed.",
    "attempt": "Which attempt of the CI job this is, from 1. Later attempts are attempts of the same tests.",
    "job": "The CI job's name, without shard or matrix index.",
    "environment": "What the tests ran in (python3.12, windows). It is part of a test's identity.",
    "url": "Where the build can be seen.",
    "pull_request": "The pull request's number. Its runs never count for the default branch.",
    "layer": "static, unit, integration, e2e or load: the layer of every test in this upload.",
    "started_at": "When the run began, ISO 8601. Default: now.",
}
FORM = {name: {"type": "string", "description": words} for name, words in FIELDS.items()}
DOCS = {
    "parameters": [
        {"name": name, "in": "query", "schema": {"type": "string"}, "description": words}
        for name, words in FIELDS.items()
    ],
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "One or many reports: XML, gzip, zstd, zip or tar of them.",
                        },
                        "codeowners": {
                            "type": "string",
                            "format": "binary",
                            "description": "The repository's CODEOWNERS file, from runs of the default branch.",
                        },
                        **FORM,
                    },
                }
            },
            "application/xml": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}


@api.post(
    "/uploads",
    response={202: UploadOut, 200: UploadOut, frozenset({401, 403, 413, 415, 422, 503}): RefusalOut},
    summary="Upload reports of one run",
    openapi_extra=DOCS,
    tags=["uploads"],
)
def create_upload(request: HttpRequest) -> Any:
    """Take one or many reports. 202: stored and about to be read. 200: these bytes came before, see the first upload."""
    caller = caller_of(request)
    with refused.counted(caller.project, caller.token):
        return _taken(request, caller)


def _taken(request: HttpRequest, caller: Caller) -> Any:
    body = bodies_in.read(request, limit=settings.TROPHYCASE_MAX_UPLOAD_BYTES)
    now = timezone.now()
    fields = caller.bound(body.fields)
    asked = wishes.fields(fields, default_branch=caller.project.default_branch, now=now)
    accepted: Accepted = accept(
        caller.project,
        caller.token,
        Delivery(asked, body.files),
        now=now,
        repository=caller.repository,
    )
    owners_in.take(accepted.upload, body.codeowners, now=now)
    return Status(202 if accepted.is_new else 200, status_of(accepted.upload))


@api.get(
    "/uploads/{upload_id}",
    response={200: UploadOut, frozenset({401, 404}): RefusalOut},
    summary="What became of an upload",
    tags=["uploads"],
)
def get_upload(request: HttpRequest, upload_id: uuid.UUID) -> Any:
    """Answer the state of an upload, its counts once it is done, and its problems with their places."""
    project, _ = project_of(request)
    upload = Upload.objects.filter(project=project, id=upload_id).first()
    if upload is None:
        raise Refusal("unknown_upload", 404, "This project has no upload with this id.")
    return Status(200, status_of(upload))


def status_of(upload: Upload) -> UploadOut:
    """Say where an upload stands."""
    problems = Problem.objects.filter(project_id=upload.project_id, upload_id=upload.id).order_by("position")
    return UploadOut(
        id=upload.id,
        state=UploadState(upload.state).word,
        status_url=settings.BASE_URL + reverse("api:get_upload", args=[upload.id]),
        received_at=upload.received_at,
        finished_at=upload.finished_at,
        counts=_counts(upload) if upload.state == UploadState.DONE else None,
        run=_run(upload),
        problems=[
            ProblemOut(
                level=ProblemLevel(problem.level).word,
                code=problem.code,
                sentence=problem.sentence,
                file=problem.file,
                line=problem.line,
                column=problem.column,
            )
            for problem in problems
        ],
    )


def _counts(upload: Upload) -> Counts:
    return Counts(
        tests=upload.n_tests,
        passed=upload.n_passed,
        failed=upload.n_failed,
        error=upload.n_error,
        skipped=upload.n_skipped,
    )


def _run(upload: Upload) -> RunOut | None:
    if upload.run_number is None:
        return None
    path = reverse("run", args=[upload.project.slug, upload.run_number])
    return RunOut(number=upload.run_number, url=settings.BASE_URL + path)
