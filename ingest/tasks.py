"""The work behind an upload: claim it, record it, say how it ended; and the sweep that finds forgotten ones.

The row of the Upload is the queue of record, a Celery message is only the doorbell: whatever Redis loses, the sweep rings
again.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone

from analysis import batches
from analysis.owning import with_unowned_tests
from analysis.tallies import with_unjudged_runs
from analysis.tasks import reclassify_project, settle_runs
from ingest import stored
from ingest.cases import Limits, Problem
from ingest.record import NothingToRecord, Superseded, is_last, keep_problems, record
from ingest.staging import Outdated
from projects import locks
from projects.models import Project, Run, Upload
from projects.partitions import note_new_results
from projects.vocabulary import ProblemLevel, UploadState

log = logging.getLogger(__name__)

TRANSIENT = (OperationalError, InterfaceError, Outdated)
MOST_TRIES = 5  # a fault of ours that five tries do not pass needs a person
UNHEARD = timedelta(minutes=2)  # after which a received upload's doorbell counts as lost


def ring(project_id: int, upload_id: uuid.UUID) -> None:
    """Ask a worker to process the upload once the transaction is committed; the sweep rings again if none hears."""

    def send() -> None:
        process_upload.apply_async(
            kwargs={"project_id": project_id, "upload_id": str(upload_id)}, retry=False
        )

    # A function and no partial: Django names the callback when it logs that it failed, and a partial has no name.
    transaction.on_commit(send, robust=True)


@shared_task(autoretry_for=TRANSIENT, retry_backoff=True, retry_jitter=True, max_retries=5)
def process_upload(*, project_id: int, upload_id: str, **_: object) -> None:
    """Record one upload, or say why that cannot be."""
    upload = Upload.objects.filter(project_id=project_id, id=upload_id, project__deleted_at=None).first()
    now = timezone.now()
    if upload is None or not upload.claim(now=now, stale_before=stale_before(now)):
        return
    try:
        run = _recorded(upload)
    except (Superseded, Project.DoesNotExist):  # the project is being deleted
        return
    except NothingToRecord as nothing:
        _reject(upload, nothing.problems)
        _after_none(upload)
        return
    except TRANSIENT:
        _release(upload)
        raise
    except Exception:
        log.exception("Upload %s of project %s failed", upload.id, project_id)
        _fail(upload)
        _after_none(upload)
        return
    _after(upload, run)


def _recorded(upload: Upload) -> Run:
    """Record the upload; read it once more at once where its tests changed under the reader's feet."""
    try:
        return record(upload, files=stored.files(upload), limits=limits(), now=timezone.now())
    except Outdated:
        return record(upload, files=stored.files(upload), limits=limits(), now=timezone.now())


def _after(upload: Upload, run: Run) -> None:
    """Do what a recorded upload leaves to do, outside its transaction; the last one of many asks for it."""
    note_new_results(run.day, upload.n_tests)
    if is_last(upload):
        ask_to_settle(run.project_id)
        _ask_for_reclassification(run.project_id)


def _after_none(upload: Upload) -> None:
    """Do what those before it left to the last of many, where that one came to nothing."""
    with transaction.atomic():
        # Whoever records right now may have left it to this one: only behind them is it known who was last.
        locks.hold(upload.project_id)
        if not is_last(upload):
            return
        batches.fold_held(upload.project_id)
    ask_to_settle(upload.project_id)


def limits() -> Limits:
    """Return how much of a report is read, as the settings say."""
    return Limits(
        expanded_bytes=settings.TROPHYCASE_MAX_EXPANDED_BYTES,
        cases=settings.TROPHYCASE_MAX_CASES,
        files=settings.TROPHYCASE_MAX_FILES,
    )


def stale_before(now: datetime) -> datetime:
    """Return the time before which a claim counts as abandoned: no task lives that long."""
    return now - timedelta(seconds=1.2 * settings.TASK_SECONDS)


def _reject(upload: Upload, problems: list[Problem]) -> None:
    now = timezone.now()
    with transaction.atomic():
        keep_problems(upload, problems, now=now)
        _still_mine(upload).update(state=UploadState.REJECTED, finished_at=now)


def _fail(upload: Upload) -> None:
    problem = Problem(
        ProblemLevel.ERROR,
        "internal",
        f"Trophycase failed on this upload, not you; it is kept and tried again (try {upload.n_tries} of {MOST_TRIES}).",
    )
    now = timezone.now()
    with transaction.atomic():
        keep_problems(upload, [problem], now=now)
        _still_mine(upload).update(state=UploadState.FAILED, finished_at=now)


def _release(upload: Upload) -> None:
    """Give the claim back, so that the retry finds the upload free; the sweep does it where the database is gone."""
    try:
        _still_mine(upload).update(state=UploadState.RECEIVED, n_tries=F("n_tries") - 1)
    except TRANSIENT:
        log.warning("Upload %s stays claimed until the sweep", upload.id)


def _still_mine(upload: Upload) -> Any:
    return Upload.objects.filter(pk=upload.pk, state=UploadState.PROCESSING, n_tries=upload.n_tries)


@shared_task
def sweep_uploads(**_: object) -> None:
    """Ring again for uploads whose doorbell was lost, whose worker died, or that failed and may be tried again."""
    now = timezone.now()
    unheard = Q(state=UploadState.RECEIVED, received_at__lt=now - UNHEARD)
    abandoned = Q(state=UploadState.PROCESSING, claimed_at__lt=stale_before(now))
    failed = Q(state=UploadState.FAILED, n_tries__lt=MOST_TRIES)
    waiting = Upload.objects.filter(unheard | abandoned | failed, project__deleted_at=None)
    waiting = waiting.order_by("received_at", "id")
    for project_id, upload_id in waiting.values_list("project_id", "id")[:10_000]:
        ring(project_id, upload_id)
    for project_id in {*with_unjudged_runs(), *with_unowned_tests()}:
        ask_to_settle(project_id)
    for project in Project.objects.exclude(reclassify_wanted_at=None).order_by("id"):
        reclassify_project.delay_on_commit(project_id=project.pk)


def ask_to_settle(project_id: int) -> None:
    """Ask a worker to do what uploads left to do; where nobody hears it, the sweep asks again."""

    def send() -> None:
        settle_runs.apply_async(kwargs={"project_id": project_id}, retry=False)

    transaction.on_commit(send, robust=True)


def _ask_for_reclassification(project_id: int) -> None:
    if Project.objects.filter(pk=project_id).exclude(reclassify_wanted_at=None).exists():
        reclassify_project.delay_on_commit(project_id=project_id)
