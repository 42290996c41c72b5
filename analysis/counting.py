"""Count what a run had, test by suite and home, and keep it as the run's tally; follow tests that moved home.

One statement counts, keeps and looks whether one of the last runs had just the same: that is nearly every run, and nothing of it
leaves the database. What a tally says of the run is analysis.tallies' to judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet

from projects import locks
from projects.models import Run, RunTally, Upload
from projects.vocabulary import Layer, UploadState

RECENT = 5  # runs whose tally, or judgement, a run like them takes over
LOOKED_AT = 60  # runs before one, among which those like it are looked for

Home = tuple[int, int]  # suite and home, as PostgreSQL hashes their names

HASHED = """CASE WHEN t.suite IN (t.file, t.classname) THEN 0 ELSE hashtext(t.suite) END,
    hashtext(coalesce(nullif(t.file, ''), t.classname))"""
# Static checks list what they found, and that is fewer each time somebody mends something; load tests are scripts.
COUNTED = f"""
    SELECT coalesce(array_agg(suite ORDER BY suite, home), '{{}}') AS suites,
        coalesce(array_agg(home ORDER BY suite, home), '{{}}') AS homes,
        coalesce(array_agg(n ORDER BY suite, home), '{{}}') AS counts, coalesce(sum(n_new), 0) AS n_new
    FROM (
        SELECT suite, home, count(*)::int AS n, count(*) FILTER (WHERE is_new) AS n_new FROM (
            SELECT {HASHED}, t.first_main_on = r.ran_on
            FROM projects_result r JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
            WHERE r.project_id = %(project_id)s AND r.run_number = %(number)s AND r.ran_on = %(day)s
                AND t.layer <> ALL(%(apart)s)
        ) results (suite, home, is_new) GROUP BY suite, home
    ) homes"""
COPIED = """
    SELECT suites, homes, counts, 0 AS n_new FROM projects_runtally
    WHERE project_id = %(project_id)s AND run_number = %(known)s"""
KEEP = """
WITH packed AS ({packed}), kept AS (
    INSERT INTO projects_runtally (project_id, run_number, on_default, started_at, n_tests, jobs, shards, suites, homes, counts)
    SELECT %(project_id)s, %(number)s, %(on_default)s, %(started_at)s, %(n_tests)s, %(jobs)s::jsonb, %(shards)s::jsonb,
        suites, homes, counts FROM packed
    ON CONFLICT (project_id, run_number) DO UPDATE SET started_at = excluded.started_at, n_tests = excluded.n_tests,
        jobs = excluded.jobs, shards = excluded.shards, suites = excluded.suites, homes = excluded.homes,
        counts = excluded.counts
), others AS (
    SELECT * FROM projects_runtally
    WHERE project_id = %(project_id)s AND on_default = %(on_default)s AND run_number <> %(number)s
    ORDER BY started_at DESC, run_number DESC LIMIT %(recent)s
)
SELECT n_new, NOT EXISTS (SELECT FROM others WHERE (started_at, run_number) > (%(started_at)s, %(number)s)) AND EXISTS (
    SELECT FROM others o JOIN projects_run u ON u.project_id = %(project_id)s AND u.number = o.run_number
    WHERE NOT u.is_incomplete AND u.n_judged = u.n_uploads AND o.jobs = %(jobs)s::jsonb AND o.shards = %(shards)s::jsonb
        AND o.suites = packed.suites AND o.homes = packed.homes AND o.counts = packed.counts)
FROM packed
"""
HOMES = (
    f"SELECT t.id, {HASHED} FROM projects_test t WHERE t.project_id = %(project_id)s AND t.id = ANY(%(ids)s)"
)
RAN_IN = """
SELECT r.run_number, r.test_id FROM projects_result r
WHERE r.project_id = %(project_id)s AND r.test_id = ANY(%(ids)s) AND r.run_number = ANY(%(runs)s)
    AND r.ran_on BETWEEN %(since)s AND %(until)s
"""


class Counted(NamedTuple):
    """Whether tests of a run were first seen on its day, and whether it has just what one of the last whole runs had."""

    has_new: bool
    is_as_before: bool


def hold(project_id: int) -> None:
    """Wait for the turn to change the project's tallies; who wants the project's lock too, asks for it after this one."""
    locks.hold(project_id, lock=locks.Lock.TALLIES)


def uploads_of(run: Run) -> QuerySet[Upload]:
    """Return the recorded uploads of a run, bounded by time, since uploads have no index on their run."""
    return Upload.objects.filter(
        project_id=run.project_id,
        run_number=run.number,
        state=UploadState.DONE,
        received_at__gte=run.started_at - timedelta(days=1),
    )


def tally(run: Run) -> Counted:
    """Count what the run had and keep it.

    Outside of the default branch, and without new tests, the count of a run with as many tests in the same jobs is taken over.
    """
    jobs, shards = _jobs(run)
    known = None if run.is_default_branch or run.n_new else _same(run, jobs)
    values: dict[str, Any] = {
        "project_id": run.project_id,
        "number": run.number,
        "day": run.day,
        "on_default": run.is_default_branch,
        "started_at": run.started_at,
        "n_tests": run.n_tests,
        "jobs": json.dumps(jobs),
        "shards": json.dumps(shards),
        "known": known,
        "apart": [int(Layer.STATIC), int(Layer.LOAD)],
        "recent": RECENT,
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP.format(packed=COUNTED if known is None else COPIED), values)
        n_new, is_as_before = cursor.fetchone()
    return Counted(run.is_default_branch and n_new > 0, bool(is_as_before))


def _jobs(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Return the tests of each job and environment, and the shards of each job that does not say how many it has."""
    jobs: dict[str, int] = {}
    shards: dict[str, set[str]] = {}
    uploads = uploads_of(run).order_by("received_at", "id")
    for job, environment, shard, total, n in uploads.values_list(
        "job", "environment", "shard", "shard_total", "n_tests"
    ):
        name = " · ".join(filter(None, [job, environment]))
        jobs[name] = jobs.get(name, 0) + n
        if shard and not total:
            shards.setdefault(name, set()).add(shard)
    return jobs, {name: len(found) for name, found in shards.items()}


def _same(run: Run, jobs: Mapping[str, int]) -> int | None:
    """Return a recent run with as many tests in the same jobs: without new tests these are the same ones."""
    others = RunTally.objects.filter(project_id=run.project_id, on_default=False).exclude(
        run_number=run.number
    )
    found = others.order_by("-started_at", "-run_number").values_list("run_number", "n_tests", "jobs")[
        :RECENT
    ]
    return next((number for number, n, its in found if n == run.n_tests and its == jobs), None)


# --- Tests that moved


def homes_of(project_id: int, test_ids: Iterable[int]) -> dict[int, Home]:
    """Return suite and home of each test."""
    with connection.cursor() as cursor:
        cursor.execute(HOMES, {"project_id": project_id, "ids": list(test_ids)})
        return {test_id: (suite, home) for test_id, suite, home in cursor.fetchall()}


def rehome(project_id: int, before: Mapping[int, Home], *, runs_of: Mapping[int, Sequence[int]]) -> None:
    """Count tests that moved where they are now, in the runs that had them before, so that they are not missed there."""
    after = homes_of(project_id, before)
    moved = {test_id: (home, after[test_id]) for test_id, home in before.items() if after[test_id] != home}
    changes: dict[int, list[tuple[Home, Home]]] = {}
    for test_id, move in moved.items():
        for run in runs_of.get(test_id, ()):
            changes.setdefault(run, []).append(move)
    rows = list(RunTally.objects.filter(project_id=project_id, run_number__in=list(changes)))
    for row in rows:
        _recount(row, changes[row.run_number])
        RunTally.objects.filter(pk=row.pk).update(suites=row.suites, homes=row.homes, counts=row.counts)


def _recount(row: RunTally, moves: Iterable[tuple[Home, Home]]) -> None:
    counts = dict(zip(zip(row.suites, row.homes, strict=True), row.counts, strict=True))
    for before, after in moves:
        if counts.get(before):
            counts[before] -= 1
            counts[after] = counts.get(after, 0) + 1
    kept = sorted((home, n) for home, n in counts.items() if n)
    row.suites, row.homes = [home[0] for home, _ in kept], [home[1] for home, _ in kept]
    row.counts = [n for _, n in kept]


def tallied_runs_of(project_id: int, test_ids: Iterable[int]) -> dict[int, list[int]]:
    """Return the runs with a tally that later runs are compared with, by the tests that ran in them."""
    ids = list(test_ids)
    runs: dict[int, Any] = {}
    for on_default in (True, False):
        kind = RunTally.objects.filter(project_id=project_id, on_default=on_default)
        newest = kind.order_by("-started_at", "-run_number").values_list("run_number", "started_at")
        runs |= dict(newest[:LOOKED_AT])
    if not ids or not runs:
        return {}
    return ran_in(project_id, ids, days={run: started_at.date() for run, started_at in runs.items()})


def ran_in(project_id: int, test_ids: Iterable[int], *, days: Mapping[int, date]) -> dict[int, list[int]]:
    """Return in which of the runs, told with their days, each test ran."""
    values: dict[str, Any] = {
        "project_id": project_id,
        "ids": list(test_ids),
        "runs": list(days),
        "since": min(days.values()),
        "until": max(days.values()),
    }
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(RAN_IN, values)
        for run, test_id in cursor.fetchall():
            found.setdefault(test_id, []).append(run)
    return found
