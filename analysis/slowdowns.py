"""Drive the duration detector from the rows: the pace of the tests of an upload, and the shifts that it shows.

Runs inside the transaction that records an upload, after its results are in. A test has a pace once a pass of it on the
default branch took LEAST_S; the others are too short for a shift that anybody would notice. What a shift is, is
analysis.durations' to say.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import exp, log
from typing import Any, NamedTuple

from django.db import connection

from analysis.durations import LEAST_S, LEAST_TESTS, RING, Pace, Shift, runner_factor
from projects.models import DurationShift, Project, Run
from projects.vocabulary import Layer

DAYS_OF_A_PACE = 45  # in which the passes lie that a pace begins with
KNOWN = 5  # passes after which a test may tell of the machine

# First attempts of the default branch that passed. Both sides are read whole: looked up one by one, the planner would take a
# table that just grew for an empty one.
PASSED = """
SELECT i.test_id, i.seconds, p.bins, p.n_held
FROM incoming i LEFT JOIN projects_testpace p ON p.project_id = %(project_id)s AND p.test_id = i.test_id
WHERE i.outcome = 1 AND i.n_attempts = 1 AND NOT i.is_merge AND i.layer <> %(load)s AND i.seconds > 0
    AND (i.seconds >= %(least_s)s OR p.test_id IS NOT NULL)
ORDER BY i.test_id
"""
HISTORY = """
SELECT test_id, string_agg(timings, ''::bytea ORDER BY day) FROM projects_testday
WHERE project_id = %(project_id)s AND on_default AND day BETWEEN %(since)s AND %(day)s AND test_id = ANY(%(ids)s)
GROUP BY test_id
"""
KEEP = """
INSERT INTO projects_testpace (project_id, test_id, bins, n_held)
SELECT %(project_id)s, * FROM unnest(%(ids)s::int[], %(bins)s::bytea[], %(held)s::smallint[])
ON CONFLICT (project_id, test_id) DO UPDATE SET bins = excluded.bins, n_held = excluded.n_held
"""
# The first run of the new pace and the last of the old one, counted back over the same passes.
STARTS = """
SELECT w.test_id, s.runs[1], s.days[1], s.runs[2]
FROM unnest(%(ids)s::int[], %(n_since)s::int[]) AS w (test_id, n_since)
CROSS JOIN LATERAL (
    SELECT array_agg(number ORDER BY place) AS runs, array_agg(day ORDER BY place) AS days FROM (
        SELECT u.number, u.day, row_number() OVER (ORDER BY u.started_at DESC, u.number DESC) AS place
        FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
        WHERE r.project_id = %(project_id)s AND r.test_id = w.test_id AND r.outcome = 1 AND r.n_attempts = 1
            AND r.seconds > 0 AND u.is_default_branch AND r.ran_on BETWEEN %(since)s AND %(until)s
        ORDER BY u.started_at DESC, u.number DESC LIMIT w.n_since + 1
    ) placed WHERE place >= w.n_since
) s
"""


class Passed(NamedTuple):
    """One pass of the upload with the pace of its test before it."""

    test_id: int
    seconds: float
    pace: Pace


def after_upload(project: Project, run: Run) -> None:
    """Add the staged passes to the pace of their tests, keep the shifts they show, and note the machine's speed."""
    if not run.is_default_branch:
        return
    passed = _passed(project, run)
    if not passed:
        return
    factor = _machine(run, passed)
    kept: list[tuple[int, Pace]] = []
    found: list[tuple[int, Shift]] = []
    for test_id, seconds, before in passed:
        pace, shift = before.after(seconds / factor)
        kept.append((test_id, pace))
        if shift is not None:
            found.append((test_id, shift))
    _keep(project.pk, kept)
    if found:
        _tell(project.pk, run, found)


def _machine(run: Run, passed: Sequence[Passed]) -> float:
    """Return how slow the machine of this upload was, and note the mean over the run's uploads with the run."""
    usual = {one.test_id: one.pace.usual_s or 0.0 for one in passed if len(one.pace.bins) >= KNOWN}
    seconds = {one.test_id: one.seconds for one in passed if one.test_id in usual}
    factor = runner_factor(seconds, usual)
    if len(seconds) >= LEAST_TESTS:
        n, n_before = len(seconds), run.n_machine_tests
        before = n_before * log(run.machine_factor or 1.0)
        run.machine_factor = exp((before + n * log(factor)) / (n + n_before))
        run.n_machine_tests = n + n_before
    return factor


def _passed(project: Project, run: Run) -> list[Passed]:
    values: dict[str, Any] = {
        "project_id": project.pk,
        "load": int(Layer.LOAD),
        "least_s": LEAST_S,
        "day": run.day,
        "since": run.day - timedelta(days=DAYS_OF_A_PACE),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(PASSED, values)
        rows = cursor.fetchall()
        cursor.execute("SET LOCAL enable_nestloop = on")
    history = _history(values, [row[0] for row in rows if row[2] is None])
    return [
        Passed(test_id, seconds, Pace(unpacked(bins), held) if bins is not None else history[test_id])
        for test_id, seconds, bins, held in rows
    ]


def _history(values: Mapping[str, Any], ids: list[int]) -> dict[int, Pace]:
    """Return the pace of tests that had none, from the passes of their days; the last is the staged one."""
    found = {test_id: Pace() for test_id in ids}
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(HISTORY, {**values, "ids": ids})
            for test_id, timings in cursor.fetchall():
                found[test_id] = Pace(unpacked(timings)[:-1][-RING:])
    return found


def _keep(project_id: int, kept: Sequence[tuple[int, Pace]]) -> None:
    values: dict[str, Any] = {
        "project_id": project_id,
        "ids": [test_id for test_id, _ in kept],
        "bins": [packed(pace.bins) for _, pace in kept],
        "held": [pace.n_held for _, pace in kept],
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP, values)


def _tell(project_id: int, run: Run, found: Sequence[tuple[int, Shift]]) -> None:
    shifts = dict(found)
    values: dict[str, Any] = {
        "project_id": project_id,
        "ids": list(shifts),
        "n_since": [shift.n_since for shift in shifts.values()],
        "since": run.day - timedelta(days=366),
        "until": run.day + timedelta(days=1),
    }
    with connection.cursor() as cursor:
        cursor.execute(STARTS, values)
        starts = {row[0]: row[1:] for row in cursor.fetchall() if row[1] is not None}
    DurationShift.objects.bulk_create(
        [
            _row(project_id, run, test_id, shift, starts.get(test_id, (run.number, run.day, None)))
            for test_id, shift in shifts.items()
        ],
        ignore_conflicts=True,
    )


def _row(project_id: int, run: Run, test_id: int, shift: Shift, start: Sequence[Any]) -> DurationShift:
    number, day, before = start
    return DurationShift(
        project_id=project_id,
        test_id=test_id,
        run_number=number,
        run_before=before,
        told_by_run=run.number,
        day=day,
        told_on=run.day,
        before_s=shift.before_s,
        since_s=shift.since_s,
    )


def packed(bins: Sequence[int]) -> bytes:
    """Return bins as two bytes each, in the order in which PostgreSQL sends integers."""
    numbers = array("H", bins)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(timings: bytes) -> tuple[int, ...]:
    """Return the bins that were packed."""
    numbers = array("H", bytes(timings))
    if sys.byteorder == "little":
        numbers.byteswap()
    return tuple(numbers)
