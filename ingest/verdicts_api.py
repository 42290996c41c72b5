"""The gate's question over the API: what each failure of a run most likely is.

Answers in the words of analysis.queries.verdicts; whether a build goes on is the asker's decision.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from ninja import Router, Schema, Status

from analysis import queries
from analysis.answers.of_care import Muted
from analysis.answers.of_verdicts import FailureVerdict, RunVerdicts
from ingest.bearer import project_of
from ingest.refusals import Refusal
from projects.models import Project

router = Router(tags=["runs"])


class MutedOut(Schema):
    """Why a failure need not stop the build, and until when that holds."""

    reason: str
    until_on: date


class TestOut(Schema):
    """A test by its number, its page and the words of its report."""

    test: int
    url: str
    title: str
    suite: str
    classname: str
    name: str
    file: str


class FailureOut(TestOut):
    """A test that failed in the run, and what its failure most likely is."""

    layer: str
    outcome: str
    verdict: str
    p_flaky: float | None
    status: str
    failing_since: int | None
    in_incident: bool
    quarantine: MutedOut | None
    sentence: str


class MutedTestOut(TestOut):
    """A test that is muted now: why, by whom, since when and until when; and that it goes on failing."""

    variant: str
    status: str
    reason: str
    by: str
    created_at: datetime
    until_on: date
    runs_failed_since: int


class QuarantineOut(Schema):
    """The tests that are muted now, those that end first at the top."""

    tests: list[MutedTestOut]


class VerdictsOut(Schema):
    """The failures of a run with their verdicts; `n_failures` counts those too that are not listed."""

    key: str
    number: int
    url: str
    n_failures: int
    n_waiting: int
    is_truncated: bool
    is_incomplete: bool
    why_incomplete: str
    failures: list[FailureOut]


@router.get(
    "/runs/{path:key}/verdict",
    response={200: VerdictsOut},
    summary="What each failure of a run most likely is",
)
def get_verdict(request: HttpRequest, key: str) -> Any:
    """Answer known-flaky, failing-before, likely-flaky or likely-yours for each test that failed, the worst first."""
    project, _ = project_of(request)
    found = queries.verdicts(project, key, today=timezone.now().date())
    if found is None:
        raise Refusal(
            "unknown_run", 404, "No upload with this run key was recorded yet. Send one, or ask again later."
        )
    return Status(200, _out(project, found))


@router.get("/quarantine", response={200: QuarantineOut}, summary="The tests that are muted now")
def get_quarantine(request: HttpRequest) -> Any:
    """Answer the tests whose failures need not stop a build, with reason, owner of the decision and last day."""
    project, _ = project_of(request)
    muted = queries.quarantine(project, today=timezone.now().date())
    return Status(200, QuarantineOut(tests=[_muted(project, one) for one in muted]))


def _test(project: Project, one: FailureVerdict | Muted) -> dict[str, Any]:
    """Spell a test as TestOut does."""
    return {
        "test": one.test_id,
        "url": settings.BASE_URL + reverse("test", args=[project.slug, one.test_id]),
        "title": one.title,
        "suite": one.suite,
        "classname": one.classname,
        "name": one.name,
        "file": one.file,
    }


def _muted(project: Project, one: Muted) -> MutedTestOut:
    return MutedTestOut(
        **_test(project, one),
        variant=one.variant,
        status=one.status.word,
        reason=one.reason,
        by=one.by,
        created_at=one.created_at,
        until_on=one.until_on,
        runs_failed_since=one.n_failed_since,
    )


def _out(project: Project, found: RunVerdicts) -> VerdictsOut:
    return VerdictsOut(
        key=found.key,
        number=found.number,
        url=settings.BASE_URL + reverse("run", args=[project.slug, found.number]),
        n_failures=found.n_failures,
        n_waiting=found.n_waiting,
        is_truncated=found.is_truncated,
        is_incomplete=found.is_incomplete,
        why_incomplete=found.why_incomplete,
        failures=[_failure(project, failure) for failure in found.failures],
    )


def _failure(project: Project, failure: FailureVerdict) -> FailureOut:
    return FailureOut(
        **_test(project, failure),
        layer=failure.layer.word,
        outcome=failure.outcome.word,
        verdict=failure.blame.word,
        p_flaky=failure.p_flaky,
        status=failure.status.word,
        failing_since=failure.failing_since,
        in_incident=failure.in_incident,
        quarantine=MutedOut(reason=failure.muted_because, until_on=failure.muted_until)
        if failure.muted_until
        else None,
        sentence=failure.sentence,
    )
