"""Record the results of one Upload: everything in one transaction, so that it happened wholly or not at all.

Reading and staging come first and hold no lock; the step that changes rows is short and takes the project's advisory lock, so
that uploads of one project are recorded one at a time. What the results mean is asked of analysis.refresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, BinaryIO

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from analysis import refresh, rollups
from analysis.flaking import Part
from ingest import bodies, failing, junit
from ingest.cases import Limits, Refused
from ingest.cases import Problem as ReportProblem
from ingest.staging import Stage
from projects.models import Problem, Project, Run, Upload
from projects.partitions import ensure_months
from projects.vocabulary import Layer, ProblemLevel, UploadState

# A project that grew by so much is one that the planner's statistics do not know: it would loop over all its tests for each.
WORTH_ANALYZING, GROWTH = 500, 0.2

LOCK_SPACE = 7_242  # the class of the advisory locks that keep one project's uploads apart

# The staged results take the ids of the tests just made from the statement that makes them: a look-up in a table that grew
# in this very transaction is one whose size the planner cannot know.
NEW_TESTS = """
WITH fresh AS (
    SELECT DISTINCT ON (fingerprint) * FROM newcomer WHERE test_id IS NULL ORDER BY fingerprint, seq
), made AS (
    INSERT INTO projects_test (project_id, id, fingerprint, base, suite, classname, name, file, line, variant, framework,
        owner, markers, properties, sent_layer, layer, confidence, evidence, tags, bucket, first_seen_on,
        last_seen_on, first_main_on, last_main_on, first_run, flake_status, traits, misfit_dismissed)
    SELECT %(project_id)s, %(n_tests)s + row_number() OVER (ORDER BY seq), fingerprint, base, suite, classname, name, file,
        line, variant, framework, owner, markers, properties, sent_layer, layer, confidence, evidence, tags, 0, %(day)s,
        %(day)s, CASE WHEN %(on_default)s THEN %(day)s::date END, CASE WHEN %(on_default)s THEN %(day)s::date END,
        %(run_number)s, 0, traits, ''
    FROM fresh
    ON CONFLICT (project_id, fingerprint) DO NOTHING
    RETURNING id, fingerprint, layer
), named AS (
    UPDATE incoming i SET test_id = made.id, layer = made.layer, bucket = 0
    FROM made WHERE i.test_id IS NULL AND i.fingerprint = made.fingerprint
)
SELECT count(*) FROM made
"""

# Tests that another upload made since these results were staged, or that were weighed anew meanwhile.
NAME_TESTS = """
UPDATE incoming i SET (test_id, layer, bucket) = (
    SELECT t.id, t.layer, t.bucket FROM projects_test t
    WHERE t.project_id = %(project_id)s AND t.fingerprint = i.fingerprint)
WHERE {which}
"""

CHANGED_TESTS = """
UPDATE projects_test t SET file = n.file, line = n.line, framework = n.framework, owner = n.owner, markers = n.markers,
    properties = n.properties, sent_layer = n.sent_layer, layer = n.layer, confidence = n.confidence, evidence = n.evidence,
    tags = n.tags, traits = n.traits
FROM (
    SELECT DISTINCT ON (test_id) n.*, o.layer AS layer_before
    FROM newcomer n JOIN projects_test o ON o.project_id = %(project_id)s AND o.id = n.test_id
    ORDER BY test_id, seq
) n
WHERE t.project_id = %(project_id)s AND t.id = n.test_id AND t.traits <> n.traits
RETURNING n.layer_before <> n.layer
"""

SEEN_TESTS = """
UPDATE projects_test t SET
    first_seen_on = least(t.first_seen_on, %(day)s), last_seen_on = greatest(t.last_seen_on, %(day)s),
    first_main_on = CASE WHEN %(on_default)s THEN least(t.first_main_on, %(day)s) ELSE t.first_main_on END,
    last_main_on = CASE WHEN %(on_default)s THEN greatest(t.last_main_on, %(day)s) ELSE t.last_main_on END
WHERE t.project_id = %(project_id)s AND t.id = ANY(%(unseen)s)
"""

# What the run already holds of these tests. A later attempt of a job decides; a result of another job of the same
# attempt only counts when it is worse, and proves nothing.
MERGE = """
UPDATE incoming i SET is_merge = true, n_before = r.n_attempts,
    outcome = CASE %(kind)s
        WHEN 'later' THEN CASE WHEN i.outcome = 4 THEN r.outcome ELSE i.outcome END
        WHEN 'earlier' THEN CASE WHEN r.outcome = 4 THEN i.outcome ELSE r.outcome END
        ELSE CASE WHEN array_position(ARRAY[2, 3, 1, 4]::smallint[], i.outcome)
            < array_position(ARRAY[2, 3, 1, 4]::smallint[], r.outcome) THEN i.outcome ELSE r.outcome END END,
    seconds = CASE %(kind)s
        WHEN 'later' THEN CASE WHEN i.outcome = 4 THEN r.seconds ELSE i.seconds END
        WHEN 'earlier' THEN CASE WHEN r.outcome = 4 THEN i.seconds ELSE r.seconds END
        ELSE nullif(coalesce(r.seconds, 0) + coalesce(i.seconds, 0), 0) END,
    n_attempts = CASE WHEN %(kind)s = 'same' THEN greatest(r.n_attempts, i.n_attempts)
        ELSE least(r.n_attempts + i.n_attempts, 32000) END,
    is_flaky = i.is_flaky OR (%(kind)s = 'later' AND r.outcome IN (2, 3) AND i.outcome = 1)
        OR (%(kind)s = 'earlier' AND r.outcome = 1 AND i.outcome IN (2, 3))
FROM projects_result r
WHERE r.project_id = %(project_id)s AND r.run_number = %(run_number)s AND r.ran_on = %(day)s AND r.test_id = i.test_id
RETURNING i.test_id
"""

KEEP_MERGED = """
UPDATE projects_result r SET outcome = i.outcome, seconds = i.seconds, n_attempts = i.n_attempts
FROM incoming i
WHERE i.is_merge AND r.project_id = %(project_id)s AND r.run_number = %(run_number)s AND r.ran_on = %(day)s
    AND r.test_id = i.test_id
"""

# In the order of the test ids, so that the index grows at one place instead of all over.
KEEP_RESULTS = """
INSERT INTO projects_result (project_id, test_id, run_number, ran_on, seconds, outcome, n_attempts)
SELECT %(project_id)s, test_id, %(run_number)s, %(day)s, seconds, outcome, n_attempts
FROM incoming WHERE NOT is_merge ORDER BY test_id
"""

COUNTS = """
SELECT count(*), count(*) FILTER (WHERE outcome = 1), count(*) FILTER (WHERE outcome = 2),
    count(*) FILTER (WHERE outcome = 3), count(*) FILTER (WHERE outcome = 4), count(*) FILTER (WHERE is_flaky),
    coalesce(sum(seconds), 0)
FROM incoming
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one upload brought, as its status shows it."""

    n_tests: int
    n_passed: int
    n_failed: int
    n_error: int
    n_skipped: int
    n_flaky: int
    seconds: float


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
    from nothing and a second call after success finds nothing to do.
    """
    ensure_months({upload.started_at.date()})
    project = Project.objects.get(pk=upload.project_id)
    with transaction.atomic():
        stage, problems, is_truncated = _stage(project, upload, files, limits=limits)
        was_classified_at = project.reclassified_at
        project = _lock(upload)
        run = _run(project, upload)
        place = rollups.Place(project.pk, run.number, run.day, run.is_default_branch)
        is_stale = project.reclassified_at != was_classified_at
        arrived = _record_results(project, run, upload, place, stage, is_stale=is_stale, now=now)
        refresh.after_upload(project, run, _part(upload))
        _close(upload, run, arrived, problems, is_truncated=is_truncated, now=now)
    return run


def _stage(
    project: Project, upload: Upload, files: Iterable[tuple[str, str, BinaryIO]], *, limits: Limits
) -> tuple[Stage, list[ReportProblem], bool]:
    """Read every file into the staging tables; a file that is refused leaves the others standing."""
    sent = None if upload.layer is None else Layer(upload.layer)
    stage = Stage(
        project.pk,
        rules=refresh.rules_of(project.pk),
        sent=sent,
        day=upload.started_at.date(),
        on_default=_is_default_branch(project, upload),
    )
    problems: list[ReportProblem] = []
    is_truncated = False
    for reading in _readings(upload, files, limits=limits, problems=problems):
        n_before = stage.n_cases
        try:
            stage.add(reading.cases())
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
) -> Iterable[junit.Reading]:
    for name, encoding, stream in files:
        try:
            for inner, part in bodies.open_body(
                stream, file_name=name, content_encoding=encoding, limits=limits
            ):
                yield junit.read(part, file_name=inner, limits=limits, environment=upload.environment)
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


def _lock(upload: Upload) -> Project:
    """Wait for the project's turn; raise Superseded when the upload was recorded or claimed anew meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_SPACE, upload.project_id])
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
    *,
    is_stale: bool,
    now: datetime,
) -> Arrived:
    values: dict[str, Any] = {
        "project_id": project.pk,
        "run_number": run.number,
        "day": run.day,
        "on_default": run.is_default_branch,
        "n_tests": project.n_tests,
        "kind": _kind(run, upload),
        "unseen": list(stage.unseen),
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        arrived = Arrived(*cursor.fetchone())
        _record_tests(cursor, project, run, values, is_stale=is_stale, now=now)
        merged = _merge(cursor, values) if run.n_uploads else []
        cursor.execute(KEEP_RESULTS, values)
        if stage.unseen:
            cursor.execute(SEEN_TESTS, values)
    failing.record(place, kind=values["kind"])
    rollups.add(place)
    if merged:
        rollups.recount(place, merged)
        rollups.recount_run(place)
        run.refresh_from_db()
    else:
        _count(run, arrived)
    return arrived


def _merge(cursor: CursorWrapper, values: dict[str, Any]) -> list[int]:
    """Join the staged results with those that the run has of the same tests; return these tests.

    Both sides are as large as a run, and the planner knows the size of neither: no nested loops.
    """
    cursor.execute("SET LOCAL enable_nestloop = off")
    cursor.execute(MERGE, values)
    merged = [test_id for (test_id,) in cursor.fetchall()]
    if merged:
        cursor.execute(KEEP_MERGED, values)
    cursor.execute("SET LOCAL enable_nestloop = on")
    return merged


def _record_tests(
    cursor: CursorWrapper,
    project: Project,
    run: Run,
    values: dict[str, Any],
    *,
    is_stale: bool,
    now: datetime,
) -> None:
    cursor.execute(NEW_TESTS, values)
    n_new = cursor.fetchone()[0]
    if n_new >= max(WORTH_ANALYZING, GROWTH * project.n_tests):
        cursor.execute("ANALYZE projects_test")
    cursor.execute(CHANGED_TESTS, values)
    moved = any(changed for (changed,) in cursor.fetchall())
    cursor.execute(NAME_TESTS.format(which="true" if is_stale or moved else "i.test_id IS NULL"), values)
    if n_new:
        Project.objects.filter(pk=project.pk).update(n_tests=F("n_tests") + n_new)
        run.n_new += n_new
    if moved:
        refresh.want_reclassify(project.pk, now=now)


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


def _part(upload: Upload) -> Part:
    """Say which environment the upload speaks for: the CI job and what it ran in, without its shard."""
    environment = " · ".join(filter(None, [upload.job, upload.environment]))
    return Part(environment=environment, attempt=upload.attempt)


def _count(run: Run, arrived: Arrived) -> None:
    run.n_tests += arrived.n_tests
    run.n_passed += arrived.n_passed
    run.n_failed += arrived.n_failed
    run.n_error += arrived.n_error
    run.n_skipped += arrived.n_skipped
    run.n_flaky += arrived.n_flaky
    run.seconds += arrived.seconds


def _close(
    upload: Upload,
    run: Run,
    arrived: Arrived,
    problems: list[ReportProblem],
    *,
    is_truncated: bool,
    now: datetime,
) -> None:
    """Mark the upload done and the run richer by it."""
    upload.run_number = run.number
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
    )


def _save_run(run: Run, upload: Upload, *, is_truncated: bool) -> None:
    run.n_shards, run.shard_total = _shards(run, upload)
    run.n_uploads += 1
    run.n_attempts = max(run.n_attempts, upload.attempt)
    run.is_truncated |= is_truncated
    run.url = run.url or upload.url
    run.save()


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
