"""How did the tests of each layer stand to its limits, week by week?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from analysis.answers.of_time import BucketCounts
from analysis.queries import rows
from analysis.window import Window
from projects.models import BucketWeek, Project
from projects.vocabulary import Layer, TimingBucket


def bucket_weeks(project: Project, window: Window, n_weeks: int = 12) -> tuple[BucketCounts, ...]:
    """How many tests of each layer were fast, acceptable, slow and untimed in each week of the default branch?"""
    mondays = rows.mondays(window.until, n_weeks)
    found: dict[tuple[date, Layer], dict[TimingBucket, tuple[int, float]]] = {}
    kept = BucketWeek.objects.filter(project_id=project.pk, monday__gte=mondays[0], monday__lte=mondays[-1])
    for week in kept.order_by("monday", "layer", "bucket"):
        of_week = found.setdefault((week.monday, Layer(week.layer)), {})
        of_week[TimingBucket(week.bucket)] = (week.n_tests, week.seconds)
    return tuple(_counts(monday, layer, buckets) for (monday, layer), buckets in sorted(found.items()))


def _counts(monday: date, layer: Layer, buckets: Mapping[TimingBucket, tuple[int, float]]) -> BucketCounts:
    return BucketCounts(
        monday,
        layer,
        {bucket: n for bucket, (n, _) in buckets.items()},
        {bucket: seconds for bucket, (_, seconds) in buckets.items()},
    )
