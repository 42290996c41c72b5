"""Drive the duration detector from the rows: the pace of the tests of an upload, and the shifts that it shows.

analysis.batches lays the passes of uploads aside when it folds their results; `follow` adds those of many uploads to the paces
at once, in the order in which they were recorded, and tells the shifts. A test has a pace once a pass of it on the default
branch took LEAST_S; the others are too short for a shift that anybody would notice. What a shift is, is analysis.durations' to
say.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from math import exp, log
from typing import Any

from django.db import connection, transaction

from analysis.durations import LEAST_S, LEAST_TESTS, Pace, Shift, runner_factor
from projects import locks
from projects.models import DurationShift, PassBatch, Run

DAYS_OF_A_PACE = 45  # in which the passes lie that a pace begins with
KNOWN = 5  # passes after which a test may tell of the machine
MOST_BATCHES = 20  # uploads whose passes are held at once

PACES = """
SELECT test_id, bins, n_held FROM projects_testpace WHERE project_id = %(project_id)s AND test_id = ANY(%(ids)s)
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
            AND (u.started_at, u.number) <= (%(started_at)s, %(number)s)
        ORDER BY u.started_at DESC, u.number DESC LIMIT w.n_since + 1
    ) placed WHERE place >= w.n_since
) s
"""


def waiting() -> list[int]:
    """Return the projects that have passes laid aside."""
    return list(PassBatch.objects.order_by("project_id").values_list("project_id", flat=True).distinct())


def follow(project_id: int) -> int:
    """Add the passes that were laid aside to the paces of their tests; return how many uploads they came from.

    The batches go with the transaction that counts them, so each is counted once whoever comes.
    """
    n_followed = 0
    while True:
        with transaction.atomic():
            locks.hold(project_id, lock=locks.Lock.PACES)
            batches = list(
                PassBatch.objects.filter(project_id=project_id).order_by("noted_at")[:MOST_BATCHES]
            )
            _follow(project_id, batches)
            PassBatch.objects.filter(project_id=project_id, id__in=[one.id for one in batches]).delete()
        n_followed += len(batches)
        if len(batches) < MOST_BATCHES:
            return n_followed


def _follow(project_id: int, batches: Sequence[PassBatch]) -> None:
    if not batches:
        return
    paces = _paces(project_id, {test_id for batch in batches for test_id in batch.test_ids})
    runs = Run.objects.select_for_update().filter(
        project_id=project_id, number__in={batch.run_number for batch in batches}
    )
    by_number = {run.number: run for run in runs.order_by("number")}
    for batch in batches:
        if (run := by_number.get(batch.run_number)) is not None:
            found = _after_upload(run, dict(zip(batch.test_ids, batch.seconds, strict=True)), paces)
            if found:
                _tell(project_id, run, found)
    _keep(project_id, list(paces.items()))
    Run.objects.bulk_update(by_number.values(), ["machine_factor", "n_machine_tests"])


def _after_upload(run: Run, passed: Mapping[int, float], paces: dict[int, Pace]) -> list[tuple[int, Shift]]:
    """Add the passes of one upload to the paces, note the machine's speed, and return the shifts they show."""
    factor = _machine(run, passed, paces)
    found: list[tuple[int, Shift]] = []
    for test_id, seconds in passed.items():
        paces[test_id], shift = paces.get(test_id, Pace()).after(seconds / factor)
        if shift is not None:
            found.append((test_id, shift))
    return found


def _machine(run: Run, passed: Mapping[int, float], paces: Mapping[int, Pace]) -> float:
    """Return how slow the machine of this upload was, and note the mean over the run's uploads with the run."""
    usual = {
        test_id: pace.usual_s or 0.0
        for test_id, seconds in passed.items()
        if seconds >= LEAST_S and (pace := paces.get(test_id)) is not None and len(pace.bins) >= KNOWN
    }
    factor = runner_factor({test_id: passed[test_id] for test_id in usual}, usual)
    if len(usual) >= LEAST_TESTS:
        n, n_before = len(usual), run.n_machine_tests
        before = n_before * log(run.machine_factor or 1.0)
        run.machine_factor = exp((before + n * log(factor)) / (n + n_before))
        run.n_machine_tests = n + n_before
    return factor


def _paces(project_id: int, test_ids: Iterable[int]) -> dict[int, Pace]:
    with connection.cursor() as cursor:
        cursor.execute(PACES, {"project_id": project_id, "ids": list(test_ids)})
        return {test_id: Pace(unpacked(bins), held) for test_id, bins, held in cursor.fetchall()}


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
        "started_at": run.started_at,
        "number": run.number,
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
