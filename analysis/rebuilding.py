"""Make the derived rows of a project again from its results: the sums of tests, layers and runs, then paces and shifts.

Knows the steps and their size: each is one transaction under the project's lock that reads a bounded number of results, so
that uploads are recorded in between. What a sum is, analysis.rollups says. Results that retention has deleted are in sums
alone, so nothing older than `results_since` is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from analysis import batches, paces, rollups
from projects import locks, spans
from projects.models import Run, Test

ROWS = 200_000  # results a step reads: a second or two, which an upload can wait for
MOST_TESTS = 5_000  # of a step where runs are few
MOST_RUNS = 200  # of a step where they are small

# Failures are looked up for each result. On a guess of their number, after a restore say, the planner would take an index that
# leads to all of the project.
ANALYZE = "ANALYZE projects_failure"
FORGET_DAYS = """
DELETE FROM projects_testday WHERE project_id = %(project_id)s AND on_default IN (false, true)
    AND day BETWEEN %(since)s AND %(until)s AND test_id BETWEEN %(first)s AND %(last)s
"""
FORGET_RUN_LAYERS = """
DELETE FROM projects_runlayer WHERE project_id = %(project_id)s AND run_number = ANY(%(runs)s)
"""
OF_TESTS = "AND r.test_id BETWEEN %(first)s AND %(last)s"
OF_RUNS = "AND r.run_number = ANY(%(runs)s)"


@dataclass(frozen=True, slots=True)
class Month:
    """The part of a month whose results are kept, with its runs and how many tests each has."""

    since: date
    until: date
    runs: tuple[tuple[int, int], ...]
    days: tuple[date, ...]


def rebuild(project_id: int) -> None:
    """Make every sum, pace and shift again whose results are kept."""
    rebuild_sums(project_id)
    since = rollups.results_since(project_id)
    paces.rebuild(project_id, n_tests=_last_test(project_id), since=since, rows=ROWS)


def rebuild_sums(project_id: int) -> None:
    """Make every sum again whose results are kept."""
    with connection.cursor() as cursor:
        cursor.execute(ANALYZE)
    n_tests = _last_test(project_id)
    for month in _months(project_id):
        _sum_tests(project_id, month, n_tests)
        _sum_layers(project_id, month)
        _sum_runs(project_id, month)
    spans.forget(project_id)


def _last_test(project_id: int) -> int:
    return int(Test.objects.filter(project_id=project_id).aggregate(last=Max("id"))["last"] or 0)


def _months(project_id: int) -> Iterator[Month]:
    kept_since = rollups.results_since(project_id)
    for first, until in rollups.months(project_id):
        since = max(first, kept_since)
        if since <= until:
            found = Run.objects.filter(project_id=project_id, day__range=(since, until)).order_by("number")
            runs = tuple(found.values_list("number", "n_tests"))
            days = tuple(found.order_by("day").values_list("day", flat=True).distinct())
            yield Month(since, until, runs, days)


def _sum_tests(project_id: int, month: Month, n_tests: int) -> None:
    size = max(1, min(MOST_TESTS, ROWS // max(1, len(month.runs))))
    for first in range(1, n_tests + 1, size):
        narrow = {"first": first, "last": first + size - 1}
        values = {"project_id": project_id, "since": month.since, "until": month.until, **narrow}
        _step(project_id, values, FORGET_DAYS, rollups.DAYS_FROM_RESULTS.format(narrow=OF_TESTS))


def _sum_layers(project_id: int, month: Month) -> None:
    for day in month.days:
        with transaction.atomic():
            locks.hold(project_id)
            batches.fold_held(project_id)
            rollups.replace_layer_days({"project_id": project_id, "since": day, "until": day})


def _sum_runs(project_id: int, month: Month) -> None:
    counts = rollups.RUN_COUNTS.format(sums=rollups.SUMS, flaky=rollups.FLAKY, narrow=OF_RUNS)
    layers = rollups.RUN_LAYERS_FROM_RESULTS.format(narrow=OF_RUNS)
    for runs in _portions(month.runs):
        values = {"project_id": project_id, "since": month.since, "until": month.until, "runs": runs}
        _step(project_id, values, FORGET_RUN_LAYERS, layers, counts)


def _portions(runs: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Yield the numbers of runs, as many as have ROWS results together."""
    portion: list[int] = []
    n_rows = 0
    for number, n_tests in runs:
        if portion and (n_rows + n_tests > ROWS or len(portion) == MOST_RUNS):
            yield portion
            portion, n_rows = [], 0
        portion.append(number)
        n_rows += n_tests
    if portion:
        yield portion


def _step(project_id: int, values: dict[str, Any], *statements: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        locks.hold(project_id)
        batches.fold_held(project_id)  # what waits is in the results too, and must not be counted later
        for statement in statements:
            cursor.execute(statement, values)
