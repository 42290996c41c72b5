"""Record the results of one Upload: everything in one transaction, so that it happened wholly or not at all.

Reading and staging come first and hold no lock; the step that changes rows is short and takes the project's advisory lock, so
that uploads of one project are recorded one at a time. What the results mean is asked of analysis.refresh.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import BinaryIO

from django.db import connection, transaction
from django.db.models import F

from analysis import batches, flaking, refresh, rollups, trials
from analysis.flaking import Part
from analysis.rollups import RunChange
from analysis.seats import Report
from ingest import bodies, failing, junit, readers, results
from ingest.cases import Limits, Refused
from ingest.cases import Problem as ReportProblem
from ingest.newcomers import FirstTests
from ingest.recall import Memory, memory_of
from ingest.remembered import Remembered
from ingest.staging import Outdated, Stage
from projects import columns, locks
from projects.models import Problem, Project, Run, Upload
from projects.partitions import ensure_months
from projects.vocabulary import WAITING, Layer, ProblemLevel, UploadState

COUNTS = """
SELECT count(*), count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
    count(*) FILTER (WHERE outcome = 3), count(*) FILTER (WHERE outcome = 4), coalesce(sum(seconds::float8), 0),
    count(*) FILTER (WHERE is_flaky)
FROM incoming
"""
# What this upload added to its run by layer: what its machine spent on a first attempt.
LAYER_SECONDS = """
SELECT layer, sum(coalesce(seconds, 0)::float8 - CASE WHEN is_merge THEN coalesce(old_seconds, 0) ELSE 0 END)
FROM incoming GROUP BY layer ORDER BY layer
"""


# What recording an upload changes of its run; the rest of the row is others' to write.
RECORDED = (
    *("n_tests", "n_passed", "n_failed", "n_error", "n_skipped", "n_flaky", "n_new", "seconds"),
    *("n_shards", "shard_total", "n_uploads", "n_attempts", "is_truncated", "url"),
    *("is_incident", "incident_sentence"),
)


class NothingToRecord(Exception):
    """No file of the upload could be read; the problems say why."""

    def __init__(self, problems: list[ReportProblem]) -> None:
        super().__init__(problems[0].sentence if problems else "")
        self.problems = problems


class Superseded(Exception):
    """Another worker took the upload over while this one read it; what was read here is dropped."""


def record(
    upload: Upload, *, files: Iterable[tuple[str, str, BinaryIO]], limits: Limits, now: datetime
) -> Run:
    """Read the files (name, encoding, bytes) and record their results; raise NothingToRecord for unreadable ones.

    Everything happens in one transaction, with the Upload marked done in it, so that a second call after a crash starts
    from nothing and a second call after success finds nothing to do. Raises Outdated where the tests changed under the
    reader's feet; the next call succeeds.
    """
    ensure_months({upload.started_at.date()})
    project = Project.objects.get(pk=upload.project_id)
    with _few_collections(), transaction.atomic():
        first_tests = _first_tests(project, upload)
        stage, problems, is_truncated = _stage(project, upload, files, limits=limits, first_tests=first_tests)
        arrived = _arrived(stage.remembered)
        was_classified_at, was_identities = project.reclassified_at, project.identities
        project = _lock(upload)
        is_stale = project.reclassified_at != was_classified_at
        if project.identities != was_identities or (is_stale and len(stage.remembered)):
            raise Outdated
        if first_tests is not None and (project.n_tests or project.n_runs):
            raise Outdated
        run = _run(project, upload)
        place = rollups.Place(project.pk, run.number, run.day, run.is_default_branch)
        tried = trials.known(project.pk, run)
        if stage.remembered.is_in(run):
            stage.stage_remembered()
        else:
            stage.stage_tried(tried)
        failed = _record_results(project, run, upload, place, stage, arrived, is_stale=is_stale, now=now)
        part = _part(upload, arrived, stage)
        failed.write(flaking.after_upload(project, run, part, known=tried, said=failed.said))
        if is_last(upload) or batches.are_many(project.pk):
            batches.fold_held(project.pk)
        _close(upload, run, arrived, problems, is_truncated=is_truncated, now=now)
    stage.remember()
    return run


@contextmanager
def _few_collections() -> Iterator[None]:
    """Have the collector look for cycles rarely: cases make none, and it would walk over all that is remembered."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _first_tests(project: Project, upload: Upload) -> FirstTests | None:
    """Return what makes the tests of the project's first upload; None where it has tests, or another makes them now."""
    if project.n_tests or project.n_runs or not locks.is_mine(project.pk, lock=locks.Lock.FIRST_TESTS):
        return None
    if Project.objects.filter(pk=project.pk, n_tests=0, n_runs=0).exists():
        day, on_default = upload.started_at.date(), _is_default_branch(project, upload)
        return FirstTests(project.pk, run_number=1, day=day, on_default=on_default)
    return None


def _stage(
    project: Project,
    upload: Upload,
    files: Iterable[tuple[str, str, BinaryIO]],
    *,
    limits: Limits,
    first_tests: FirstTests | None,
) -> tuple[Stage, list[ReportProblem], bool]:
    """Read every file into the staging tables; a file that is refused leaves the others standing."""
    sent = None if upload.layer is None else Layer(upload.layer)
    stage = Stage(
        project.pk,
        rules=refresh.rules_of(project.pk),
        sent=sent,
        memory=memory_of(project.pk, identities=project.identities, classified_at=project.reclassified_at),
        first_tests=first_tests,
    )
    problems: list[ReportProblem] = []
    is_truncated = False
    for reading in _readings(upload, files, limits=limits, problems=problems, memory=stage.memory):
        n_before = stage.n_cases
        try:
            stage.add(reading)
        except Refused as refusal:
            problems.append(refusal.problem)
            is_truncated |= stage.n_cases > n_before  # what came before the refusal is kept
        problems.extend(reading.problems)
        is_truncated |= reading.is_incomplete
    if not stage.n_cases:
        raise NothingToRecord(problems if _has_error(problems) else [*problems, _no_cases()])
    stage.fold_duplicates()
    return stage, problems, is_truncated


def _readings(
    upload: Upload,
    files: Iterable[tuple[str, str, BinaryIO]],
    *,
    limits: Limits,
    problems: list[ReportProblem],
    memory: Memory,
) -> Iterable[junit.Reading]:
    for name, encoding, stream in files:
        try:
            for inner, part in bodies.open_body(
                stream, file_name=name, content_encoding=encoding, limits=limits
            ):
                yield readers.read(
                    part, file_name=inner, limits=limits, environment=upload.environment, memory=memory
                )
        except Refused as refusal:
            problems.append(refusal.problem)


def _has_error(problems: list[ReportProblem]) -> bool:
    return any(problem.level is ProblemLevel.ERROR for problem in problems)


def _no_cases() -> ReportProblem:
    return ReportProblem(
        ProblemLevel.ERROR,
        "no-testcases",
        "The upload has no <testcase>. Send the JUnit XML of a test run.",
        "",
        None,
        None,
    )


def is_last(upload: Upload) -> bool:
    """True where no other upload of the project waits or is being read."""
    waiting = Upload.objects.filter(project_id=upload.project_id, state__in=WAITING)
    return not waiting.exclude(pk=upload.pk).exists()


def _lock(upload: Upload) -> Project:
    """Wait for the project's turn; raise Superseded when the upload was recorded or claimed anew meanwhile."""
    locks.hold_beside(upload.project_id, lock=locks.Lock.FIRST_TESTS)
    mine = Upload.objects.filter(pk=upload.pk, state=UploadState.PROCESSING, n_tries=upload.n_tries)
    if not mine.select_for_update().exists():
        raise Superseded
    return Project.objects.get(pk=upload.project_id)


def _run(project: Project, upload: Upload) -> Run:
    """Return the run that the upload belongs to, made when it is the first of it."""
    run = Run.objects.filter(project=project, key=upload.run_key).first()
    if run is not None:
        return run
    Project.objects.filter(pk=project.pk).update(n_runs=F("n_runs") + 1)
    project.n_runs += 1
    return Run.objects.create(
        project=project,
        number=project.n_runs,
        key=upload.run_key,
        branch=upload.branch,
        is_default_branch=_is_default_branch(project, upload),
        commit=upload.commit,
        pull_request=upload.pull_request,
        url=upload.url,
        started_at=upload.started_at,
        day=upload.started_at.date(),
    )


def _is_default_branch(project: Project, upload: Upload) -> bool:
    """A pull request's runs never count for the default branch, whatever the branch is called in the fork."""
    return upload.branch == project.default_branch and not upload.pull_request


def _record_results(
    project: Project,
    run: Run,
    upload: Upload,
    place: rollups.Place,
    stage: Stage,
    arrived: RunChange,
    *,
    is_stale: bool,
    now: datetime,
) -> failing.Held:
    kind = _kind(run, upload)
    merged = results.keep(project, run, place, stage, kind=kind, is_stale=is_stale, now=now)
    failed = failing.record(
        place, kind=kind, has_merges=bool(merged), is_first=not run.n_uploads, reports=_reports(stage, upload)
    )
    remembered = stage.remembered.sums()
    numbers, seconds = stage.remembered.numbers(), stage.remembered.seconds()
    batches.lay_aside(place, numbers=columns.sent(numbers), seconds=columns.sent(seconds))
    rollups.add_layers(place, remembered)
    upload.layer_seconds = _layer_seconds(remembered)
    if not merged:
        _count(run, arrived)
        return failed
    batches.fold_held(project.pk)
    passes_changed = rollups.change(place)
    _count(run, _with(rollups.run_change(), stage.remembered))
    if passes_changed:
        run.n_flaky = rollups.n_flaky(place)
    return failed


def _arrived(remembered: Remembered) -> RunChange:
    """Count what the upload brought, staged or remembered."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return _with(RunChange(*cursor.fetchone()), remembered)


def _with(staged: RunChange, remembered: Remembered) -> RunChange:
    """Add the results that are not staged."""
    n, n_skipped = len(remembered), remembered.n_skipped()
    return replace(
        staged,
        n_tests=staged.n_tests + n,
        n_passed=staged.n_passed + n - n_skipped,
        n_skipped=staged.n_skipped + n_skipped,
        seconds=staged.seconds + sum(remembered.seconds()),
    )


def _kind(run: Run, upload: Upload) -> str:
    """Say how results that the run has already relate to these: a later attempt, an earlier one, or another job."""
    if upload.attempt > run.n_attempts:
        return "later"
    if upload.attempt < run.n_attempts:
        return "earlier"
    again = Upload.objects.filter(
        project_id=upload.project_id,
        run_number=run.number,
        state=UploadState.DONE,
        job=upload.job,
        shard=upload.shard,
        environment=upload.environment,
    )
    return "later" if (upload.job or upload.shard) and again.exists() else "same"


def _reports(stage: Stage, upload: Upload) -> list[Report]:
    """Return the reports of the upload; its shard is the worker of those that name none."""
    shard = f"shard {upload.shard}" if upload.shard else ""
    return [report._replace(worker=report.worker or shard) for report in stage.reports]


def _part(upload: Upload, arrived: RunChange, stage: Stage) -> Part:
    """Say which environment the upload speaks for: the CI job and what it ran in, without its shard."""
    environment = " · ".join(filter(None, [upload.job, upload.environment]))
    return Part(
        environment=environment,
        attempt=upload.attempt,
        n_tests=arrived.n_tests,
        reports=_reports(stage, upload),
        workers=stage.workers,
    )


def _count(run: Run, change: RunChange) -> None:
    run.n_tests += change.n_tests
    run.n_passed += change.n_passed
    run.n_failed += change.n_failed
    run.n_error += change.n_error
    run.n_skipped += change.n_skipped
    run.n_flaky += change.n_flaky
    run.seconds += change.seconds


def _close(
    upload: Upload,
    run: Run,
    arrived: RunChange,
    problems: list[ReportProblem],
    *,
    is_truncated: bool,
    now: datetime,
) -> None:
    """Mark the upload done and the run richer by it."""
    upload.run_number, upload.n_tests = run.number, arrived.n_tests
    _save_run(run, upload, is_truncated=is_truncated)
    keep_problems(upload, problems, now=now)
    Upload.objects.filter(pk=upload.pk).update(
        state=UploadState.DONE,
        finished_at=now,
        run_number=run.number,
        n_tests=arrived.n_tests,
        n_passed=arrived.n_passed,
        n_failed=arrived.n_failed,
        n_error=arrived.n_error,
        n_skipped=arrived.n_skipped,
        layer_seconds=upload.layer_seconds,
    )


def _layer_seconds(remembered: Iterable[rollups.LayerSum]) -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute(LAYER_SECONDS)
        seconds = Counter(dict(cursor.fetchall()))
    seconds.update({one.layer: one.seconds for one in remembered})
    return {str(layer): round(total, 3) for layer, total in sorted(seconds.items())}


def _save_run(run: Run, upload: Upload, *, is_truncated: bool) -> None:
    run.n_shards, run.shard_total = _shards(run, upload)
    run.n_uploads += 1
    run.n_attempts = max(run.n_attempts, upload.attempt)
    run.is_truncated |= is_truncated
    run.url = run.url or upload.url
    run.save(update_fields=RECORDED)


def _shards(run: Run, upload: Upload) -> tuple[int, int | None]:
    """Count the shards that came and those that were announced, over the jobs that announce a total."""
    others = Upload.objects.filter(
        project_id=run.project_id, run_number=run.number, state=UploadState.DONE, shard_total__isnull=False
    ).values_list("job", "shard", "shard_total")
    here = [(upload.job, upload.shard, upload.shard_total)] if upload.shard_total else []
    deliveries = list(chain(others, here))
    totals: dict[str, int] = {}
    for job, _, total in deliveries:
        totals[job] = max(total or 0, totals.get(job, 0))
    return len({(job, shard) for job, shard, _ in deliveries}), sum(totals.values()) or None


def keep_problems(upload: Upload, problems: Iterable[ReportProblem], *, now: datetime) -> None:
    """Keep the problems of the upload, in place of those of an earlier try."""
    if upload.n_tries > 1:
        Problem.objects.filter(project_id=upload.project_id, upload_id=upload.id).delete()
    Problem.objects.bulk_create(
        Problem(
            project_id=upload.project_id,
            upload_id=upload.id,
            position=position,
            at=now,
            level=problem.level,
            code=problem.code,
            sentence=problem.sentence[:500],
            file=problem.file[:500],
            line=problem.line,
            column=problem.column,
        )
        for position, problem in enumerate(list(problems)[:100], 1)
    )
