"""The staged results become rows: tests made, changed and seen, results kept or merged with those of the same run.

Set-based statements over the temporary tables of ingest.staging, in the transaction and under the lock of ingest.record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import F

from analysis import refresh
from analysis.rollups import Place
from ingest.staging import Outdated, Stage
from projects.cursors import without_loops
from projects.models import Project, Run

# A project that grew by so much is one that the planner's statistics do not know: it would loop over all its tests for each.
WORTH_ANALYZING, GROWTH = 500, 0.2

# What look-ups need, of a few thousand rows; autovacuum comes by for the rest.
ANALYZE = """
SET LOCAL default_statistics_target = 10; ANALYZE projects_test (project_id, id, fingerprint);
RESET default_statistics_target
"""

# The staged results take the ids of the tests just made from the statement that makes them: a look-up in a table that grew
# in this very transaction is one whose size the planner cannot know.
NEW_TESTS = """
WITH fresh AS MATERIALIZED (
    SELECT seq, row_number() OVER (ORDER BY seq) AS place
    FROM (SELECT min(seq) AS seq FROM newcomer WHERE test_id IS NULL GROUP BY fingerprint) f
), made AS (
    INSERT INTO projects_test (project_id, id, fingerprint, base, suite, classname, name, file, line, variant, framework,
        owner, markers, properties, sent_layer, layer, confidence, evidence, tags, bucket, first_seen_on,
        last_seen_on, first_main_on, last_main_on, first_run, flake_status, traits, misfit_dismissed)
    SELECT %(project_id)s, %(n_tests)s + place, fingerprint, base, suite, classname, name, file,
        line, variant, framework, owner, markers, properties, sent_layer, layer, confidence, evidence, tags, 0, %(day)s,
        %(day)s, CASE WHEN %(on_default)s THEN %(day)s::date END, CASE WHEN %(on_default)s THEN %(day)s::date END,
        %(run_number)s, 0, traits, ''
    FROM newcomer JOIN fresh USING (seq)
    ON CONFLICT (project_id, fingerprint) DO NOTHING
    RETURNING id, fingerprint, layer
), named AS (
    UPDATE incoming i SET test_id = made.id, layer = made.layer
    FROM made WHERE i.test_id IS NULL AND i.fingerprint = made.fingerprint
)
SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM fresh)
"""

# Tests that another upload made since these results were staged.
NAME_TESTS = """
UPDATE incoming i SET (test_id, layer) = (
    SELECT t.id, t.layer FROM projects_test t
    WHERE t.project_id = %(project_id)s AND t.fingerprint = i.fingerprint)
WHERE i.test_id IS NULL
"""
NAMED_TWICE = "SELECT EXISTS (SELECT FROM incoming GROUP BY test_id HAVING count(*) > 1)"
# Tests that were weighed anew meanwhile.
WEIGH_AGAIN = """
UPDATE incoming i SET layer = t.layer
FROM projects_test t WHERE t.project_id = %(project_id)s AND t.id = i.test_id
"""

CHANGED_TESTS = """
UPDATE projects_test t SET file = n.file, line = n.line, framework = n.framework,
    owner = coalesce(nullif(n.owner, ''), t.code_owner, ''), markers = n.markers,
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

# What the run already holds of these tests. A later attempt of a job decides, but a pass after a pass adds nothing; a result
# of another job of the same attempt only counts when it is worse, and proves nothing.
MERGE = """
UPDATE incoming i SET is_merge = true, n_before = r.n_attempts, old_outcome = r.outcome, old_seconds = r.seconds,
    outcome = CASE %(kind)s
        WHEN 'later' THEN CASE WHEN i.outcome = 4 THEN r.outcome ELSE i.outcome END
        WHEN 'earlier' THEN CASE WHEN r.outcome = 4 THEN i.outcome ELSE r.outcome END
        ELSE CASE WHEN array_position(ARRAY[2, 3, 1, 4]::smallint[], i.outcome)
            < array_position(ARRAY[2, 3, 1, 4]::smallint[], r.outcome) THEN i.outcome ELSE r.outcome END END,
    seconds = CASE %(kind)s
        WHEN 'later' THEN CASE WHEN i.outcome = 4 OR (i.outcome = 1 AND r.outcome = 1) THEN r.seconds ELSE i.seconds END
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


def keep(
    project: Project, run: Run, place: Place, stage: Stage, *, kind: str, is_stale: bool, now: datetime
) -> list[int]:
    """Keep the staged results; return the tests that the run had results of already.

    `kind` says how these relate to those (later, earlier or same attempt); `is_stale` that the layers read while staging may
    be old.
    """
    values: dict[str, Any] = {
        "project_id": project.pk,
        "run_number": run.number,
        "day": place.day,
        "on_default": place.on_default,
        "n_tests": project.n_tests,
        "kind": kind,
    }
    with connection.cursor() as cursor:
        _keep_tests(cursor, project, run, stage, values, is_stale=is_stale, now=now)
        merged = _merge(cursor, values) if run.n_uploads else []
        cursor.execute(KEEP_RESULTS, values)
        stage.remembered.keep(cursor, project_id=project.pk, run_number=run.number, day=place.day)
    return merged


def _keep_tests(
    cursor: CursorWrapper,
    project: Project,
    run: Run,
    stage: Stage,
    values: dict[str, Any],
    *,
    is_stale: bool,
    now: datetime,
) -> None:
    """Make the new tests, rewrite the changed ones, and name the staged results after them."""
    moved = False
    if stage.first_tests is not None:
        n_made = stage.first_tests.n_made
        _note_made(cursor, project, run, n_made=n_made, n_given=n_made)
    if stage.n_changed:
        cursor.execute(CHANGED_TESTS, values)
        moved = any(changed for (changed,) in cursor.fetchall())
    if stage.n_new:
        _make_tests(cursor, project, run, values)
        cursor.execute(NAME_TESTS, values)
        if cursor.rowcount and _is_named_twice(cursor):
            raise Outdated
        stage.name_new(cursor)
    if moved or is_stale:
        cursor.execute(WEIGH_AGAIN, values)
    if moved:
        stage.memory.forget()  # the layers that were learned are those from before
        refresh.want_reclassify(project.pk, now=now, sums_are_stale=True)


def _is_named_twice(cursor: CursorWrapper) -> bool:
    """True where a test that another upload made meanwhile was staged as a new one and as a known one."""
    cursor.execute(NAMED_TWICE)
    return bool(cursor.fetchone()[0])


def _make_tests(cursor: CursorWrapper, project: Project, run: Run, values: dict[str, Any]) -> None:
    with without_loops(cursor):
        cursor.execute(NEW_TESTS, values)
        n_made, n_given = cursor.fetchone()
    _note_made(cursor, project, run, n_made=n_made, n_given=n_given)


def _note_made(cursor: CursorWrapper, project: Project, run: Run, *, n_made: int, n_given: int) -> None:
    if n_made >= max(WORTH_ANALYZING, GROWTH * project.n_tests):
        cursor.execute(ANALYZE)
    # Ids are given out for every new identity staged, also for one that another upload made a moment ago.
    Project.objects.filter(pk=project.pk).update(n_tests=F("n_tests") + n_given)
    run.n_new += n_made


def _merge(cursor: CursorWrapper, values: dict[str, Any]) -> list[int]:
    """Join the staged results with those that the run has of the same tests; return these tests."""
    with without_loops(cursor):  # both sides are as large as a run
        cursor.execute(MERGE, values)
        merged = [test_id for (test_id,) in cursor.fetchall()]
        if merged:
            cursor.execute(KEEP_MERGED, values)
    return merged
