"""Keep how many tests were fast, acceptable and slow in each week: derived from the days, in the background.

A test is judged by the median of its timed passes of that week on the default branch, by the layer and the limits of the day
on which the week is judged. Weeks that are over are judged once; after a change of rules or limits all are judged again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction

from analysis import timing, wishes
from analysis.slowdowns import unpacked
from analysis.timing import Limits
from projects.models import BucketWeek, Project
from projects.vocabulary import Layer, TimingBucket

N_WEEKS = 12
YOUNG_WEEKS = 2  # uploads of last week may still come in
BATCH = 20_000

WEEKS_WITH_RUNS = """
SELECT DISTINCT date_trunc('week', day)::date FROM projects_run
WHERE project_id = %(project_id)s AND is_default_branch AND day BETWEEN %(since)s AND %(until)s ORDER BY 1
"""
WEEK = """
SELECT t.layer, sum(d.seconds::float8), string_agg(d.timings, ''::bytea)
FROM projects_testday d JOIN projects_test t ON t.project_id = d.project_id AND t.id = d.test_id
WHERE d.project_id = %(project_id)s AND d.on_default AND d.day BETWEEN %(monday)s AND %(monday)s::date + 6
    AND d.n_passed + d.n_failed + d.n_error > 0
GROUP BY t.layer, t.id
"""

Counts = tuple[Counter[tuple[Layer, TimingBucket]], Counter[tuple[Layer, TimingBucket]]]


def forget(project_id: int) -> None:
    """Drop the weeks, so that each is judged again."""
    BucketWeek.objects.filter(project_id=project_id).delete()


def judge_weeks(project: Project, *, today: date) -> int:
    """Judge the weeks that want it and keep them; return how many were judged."""
    this_week = today - timedelta(days=today.weekday())
    since = this_week - timedelta(weeks=N_WEEKS - 1)
    young = this_week - timedelta(weeks=YOUNG_WEEKS - 1)
    known = set(
        BucketWeek.objects.filter(project_id=project.pk, monday__gte=since)
        .values_list("monday", flat=True)
        .distinct()
    )
    wanted = [
        monday
        for monday in _weeks_with_runs(project.pk, since, today)
        if monday >= young or monday not in known
    ]
    limits = wishes.limits(project.timing_limits)
    for monday in wanted:
        _keep(project.pk, monday, *_judged(project.pk, monday, limits))
    return len(wanted)


def _weeks_with_runs(project_id: int, since: date, until: date) -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(WEEKS_WITH_RUNS, {"project_id": project_id, "since": since, "until": until})
        return [monday for (monday,) in cursor.fetchall()]


def _judged(project_id: int, monday: date, limits: Mapping[Layer, Limits]) -> Counts:
    tests: Counter[tuple[Layer, TimingBucket]] = Counter()
    seconds: Counter[tuple[Layer, TimingBucket]] = Counter()
    for layer, spent, timings in _tests(project_id, monday):
        bins = sorted(unpacked(timings))
        middle = timing.from_bin(bins[(len(bins) - 1) // 2]) if bins else None
        bucket = timing.bucket(middle, layer=Layer(layer), n_timed=len(bins), limits=limits)
        tests[Layer(layer), bucket] += 1
        seconds[Layer(layer), bucket] += spent
    return tests, seconds


def _tests(project_id: int, monday: date) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(WEEK, {"project_id": project_id, "monday": monday})
        while found := cursor.fetchmany(BATCH):
            yield from found


@transaction.atomic
def _keep(
    project_id: int,
    monday: date,
    tests: Counter[tuple[Layer, TimingBucket]],
    seconds: Counter[tuple[Layer, TimingBucket]],
) -> None:
    BucketWeek.objects.filter(project_id=project_id, monday=monday).delete()
    BucketWeek.objects.bulk_create(
        BucketWeek(
            project_id=project_id,
            monday=monday,
            layer=layer,
            bucket=bucket,
            n_tests=n,
            seconds=seconds[layer, bucket],
        )
        for (layer, bucket), n in sorted(tests.items())
    )
