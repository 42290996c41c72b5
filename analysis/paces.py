"""Make the paces of tests and the shifts of their durations again, from the passes that are kept.

A replay of what analysis.slowdowns did upload by upload, test by test and in the order of the runs. The speed of a run's
machine is taken as it was noted with the run. Where retention has deleted the passes that a pace or a shift was told from,
both stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection, transaction

from analysis import batches, slowdowns, timing
from analysis.durations import LEAST_S, RING, Pace, Shift
from projects import locks
from projects.models import DurationShift, Run
from projects.vocabulary import Layer

PASSES = """
SELECT r.test_id, r.run_number, r.ran_on, r.seconds::float8, r.n_attempts = 1, coalesce(u.machine_factor, 1)
FROM projects_result r
JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s AND r.test_id BETWEEN %(first)s AND %(last)s AND r.ran_on >= %(since)s
    AND r.outcome = 1 AND r.seconds > 0 AND u.is_default_branch AND t.layer <> %(load)s
ORDER BY r.test_id, r.run_number
"""
FORGET_PACES = """
DELETE FROM projects_testpace WHERE project_id = %(project_id)s AND test_id = ANY(%(replayed)s)
"""
FORGET_SHIFTS = """
DELETE FROM projects_durationshift s USING unnest(%(replayed)s::int[], %(from_runs)s::int[]) AS w (test_id, from_run)
WHERE s.project_id = %(project_id)s AND s.test_id = w.test_id AND s.told_by_run >= w.from_run
"""


class Pass(NamedTuple):
    """One timed pass of a test on the default branch."""

    test_id: int
    run_number: int
    day: date
    seconds: float
    is_first_attempt: bool
    factor: float


class Told(NamedTuple):
    """A shift, the passes between which it happened, and the pass that told it."""

    shift: Shift
    before: Pass | None
    start: Pass
    by: Pass


class Replayed(NamedTuple):
    """What the passes of one test come to: its pace, None for a test that was always short, and its shifts.

    `full_from` is the first run before which a whole ring of passes was replayed; None where there were too few.
    """

    test_id: int
    pace: Pace | None
    told: tuple[Told, ...]
    full_from: int | None


def rebuild(project_id: int, *, n_tests: int, since: date, rows: int) -> None:
    """Replay every test, so many that some `rows` passes are read in one transaction."""
    n_runs = Run.objects.filter(project_id=project_id, is_default_branch=True, day__gte=since).count()
    size = max(1, min(5_000, rows // max(1, n_runs)))
    for first in range(1, n_tests + 1, size):
        with transaction.atomic():
            locks.hold(project_id)
            batches.fold_held(project_id)
            slowdowns.follow(
                project_id
            )  # what is laid aside is in the results too, and must not be counted later
            found = list(_replays(project_id, first, first + size - 1, since=since))
            _keep(project_id, found, is_cut=since > date.min)


def _replays(project_id: int, first: int, last: int, *, since: date) -> Iterator[Replayed]:
    values: dict[str, Any] = {
        "project_id": project_id,
        "first": first,
        "last": last,
        "since": since,
        "load": int(Layer.LOAD),
    }
    with connection.cursor() as cursor:
        cursor.execute(PASSES, values)
        passes = [Pass(*row) for row in cursor.fetchall()]
    for test_id, of_test in groupby(passes, attrgetter("test_id")):
        yield replay(test_id, of_test)


def replay(test_id: int, passes: Iterable[Pass]) -> Replayed:
    """Let the passes of one test come by in their order, as the uploads brought them."""
    pace: Pace | None = None
    earlier: list[Pass] = []
    first_attempts: list[Pass] = []
    told: list[Told] = []
    for one in passes:
        if one.is_first_attempt:
            first_attempts.append(one)
            if pace is None and one.seconds >= LEAST_S:
                pace = _known_before(earlier, one.day)
            if pace is not None:
                pace, shift = pace.after(one.seconds / one.factor)
                if shift is not None:
                    told.append(_told(shift, first_attempts))
        earlier.append(one)
    full_from = earlier[RING].run_number if len(earlier) > RING else None
    return Replayed(test_id, pace, tuple(told), full_from)


def _known_before(earlier: list[Pass], day: date) -> Pace:
    oldest = day - timedelta(days=slowdowns.DAYS_OF_A_PACE)
    return Pace(tuple(timing.to_bin(one.seconds) for one in earlier[-RING:] if one.day >= oldest))


def _told(shift: Shift, first_attempts: list[Pass]) -> Told:
    start = max(0, len(first_attempts) - shift.n_since)
    before = first_attempts[start - 1] if start else None
    return Told(shift, before, first_attempts[start], first_attempts[-1])


def _keep(project_id: int, found: Sequence[Replayed], *, is_cut: bool) -> None:
    """Replace paces and shifts by those that the replay is sure of: from a cut on, it must have filled a ring first."""
    sure = {one: (one.full_from or 0) if is_cut else 0 for one in found if one.full_from or not is_cut}
    paces = {one.test_id: one.pace for one in sure if one.pace is not None}
    values: dict[str, Any] = {
        "project_id": project_id,
        "replayed": [one.test_id for one in sure],
        "from_runs": list(sure.values()),
        "ids": list(paces),
        "bins": [slowdowns.packed(pace.bins) for pace in paces.values()],
        "held": [pace.n_held for pace in paces.values()],
    }
    with connection.cursor() as cursor:
        for statement in (FORGET_PACES, FORGET_SHIFTS, slowdowns.KEEP):
            cursor.execute(statement, values)
    told = [
        _row(project_id, each)
        for one, since in sure.items()
        for each in one.told
        if each.by.run_number >= since
    ]
    DurationShift.objects.bulk_create(told, ignore_conflicts=True)


def _row(project_id: int, told: Told) -> DurationShift:
    return DurationShift(
        project_id=project_id,
        test_id=told.start.test_id,
        run_number=told.start.run_number,
        run_before=told.before.run_number if told.before else None,
        told_by_run=told.by.run_number,
        day=told.start.day,
        told_on=told.by.day,
        before_s=told.shift.before_s,
        since_s=told.shift.since_s,
    )
