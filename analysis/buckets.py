"""Judge the timing buckets of tests anew: of those that folded results put in doubt, and of batches that others ask for.

The median of a test's last timed passes decides, the default branch asked before others; the days of the test hold them. What
a bucket is, analysis.timing says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db import connection

from analysis import slowdowns, timing, wishes
from projects.models import Project
from projects.vocabulary import Layer, TimingBucket

BATCH = 5_000  # tests judged at once
MOST_WAITING = 50_000  # held at once: all of most uploads, and some 10 MB of the largest
DAYS_OF_TIMINGS = 45  # the last ten passes of a weekly test lie within
# Days of the default branch that are asked first, so that a test that runs often costs as much late in a project's life as
# early: its last ten passes lie within, and nothing older can be among them.
NEWEST_DAYS = 2, 14

# Tests whose folded passes speak for another bucket than the test has; a new test has none and is asked for until it has
# passed often enough. The quickest and the slowest of the passes speak for all.
BUCKET = """CASE WHEN {seconds} < l.fast_s THEN 1 WHEN {seconds} < l.slow_s OR ({seconds} = l.slow_s AND NOT l.limit_is_slow)
    THEN 2 ELSE 3 END"""
WAITING_BUCKETS = f"""
SELECT f.test_id, t.layer, t.bucket
FROM folded f JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = f.test_id
JOIN unnest(%(layers)s::smallint[], %(fast)s::float8[], %(slow)s::float8[], %(slow_at_limit)s::boolean[])
    AS l (layer, fast_s, slow_s, limit_is_slow) ON l.layer = t.layer
WHERE f.least_s IS NOT NULL AND f.test_id > %(after)s
    AND (t.bucket <> {BUCKET.format(seconds="f.least_s")} OR t.bucket <> {BUCKET.format(seconds="f.most_s")})
ORDER BY 1 LIMIT %(most)s
"""  # noqa: S608 - conditions of our own

# The newest passes of a test stand last, those of the default branch after all others. Cut down here, a test is one short
# row instead of a row a day.
LAST_TIMINGS = """
SELECT test_id, substr(timings, greatest(1, length(timings) - 2 * %(n)s + 1)) FROM (
    SELECT test_id, string_agg(timings, ''::bytea ORDER BY on_default, day) AS timings FROM projects_testday
    WHERE project_id = %(project_id)s AND on_default = ANY(%(branches)s) AND day BETWEEN %(since)s AND %(until)s
        AND test_id = ANY(%(test_ids)s) AND timings <> ''
    GROUP BY test_id
) last
"""

KEEP_BUCKETS = """
UPDATE projects_test t SET bucket = b.bucket, median_s = b.median_s
FROM unnest(%(ids)s::int[], %(buckets)s::smallint[], %(medians)s::float8[]) AS b (id, bucket, median_s)
WHERE t.project_id = %(project_id)s AND t.id = b.id AND (t.bucket, t.median_s) IS DISTINCT FROM (b.bucket, b.median_s)
"""


def judge_folded(project: Project, day: date) -> None:
    """Judge anew the tests whose bucket is young, or that the folded results put in doubt."""
    if project.n_runs < timing.ENOUGH_TIMED:  # a test passes once in a run
        return
    limits = wishes.limits(project.timing_limits)
    values: dict[str, Any] = {
        **_limit_columns(limits),
        "project_id": project.pk,
        "after": 0,
        "most": MOST_WAITING,
    }
    waiting = [(0, 0, 0)] * MOST_WAITING
    while len(waiting) == MOST_WAITING:
        with connection.cursor() as cursor:
            cursor.execute(WAITING_BUCKETS, values)
            waiting = cursor.fetchall()
        for start in range(0, len(waiting), BATCH):
            judge(project, waiting[start : start + BATCH], until=day, limits=limits)
        values["after"] = waiting[-1][0] if waiting else 0


def judge(
    project: Project,
    tests: Sequence[tuple[int, int, int]],
    *,
    until: date,
    limits: Mapping[Layer, timing.Limits],
) -> None:
    """Judge the median of the last passes of these tests (id, layer, bucket before), and keep each new bucket."""
    last = last_bins(project.pk, [test_id for test_id, _, _ in tests], until=until)
    kept: list[tuple[int, int, float]] = []
    for test_id, layer, before in tests:
        bins = last.get(test_id, ())
        if len(bins) < timing.ENOUGH_TIMED:
            continue
        median_s = timing.from_bin(timing.middle(bins))
        judged = timing.bucket(
            median_s, layer=Layer(layer), n_timed=len(bins), before=TimingBucket(before), limits=limits
        )
        if judged != before:
            kept.append((test_id, int(judged), median_s))
    if kept:
        ids, buckets, medians = (list(column) for column in zip(*kept, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(
                KEEP_BUCKETS, {"project_id": project.pk, "ids": ids, "buckets": buckets, "medians": medians}
            )


def _limit_columns(limits: dict[Layer, timing.Limits]) -> dict[str, Any]:
    return {
        "layers": [int(layer) for layer in limits],
        "fast": [limit.fast_s for limit in limits.values()],
        "slow": [limit.slow_s for limit in limits.values()],
        "slow_at_limit": [limit.limit_is_slow for limit in limits.values()],
    }


def last_bins(project_id: int, test_ids: list[int], *, until: date) -> dict[int, tuple[int, ...]]:
    """Return the duration bins of the last timed passes of each test; the default branch is asked before others."""
    found: dict[int, tuple[int, ...]] = {}
    wanted = test_ids
    for days in NEWEST_DAYS:
        found |= _bins(project_id, wanted, since=until - timedelta(days=days), until=until, branches=[True])
        wanted = [test_id for test_id in wanted if len(found.get(test_id, ())) < timing.LAST_PASSES]
        if not wanted:
            return found
    since = until - timedelta(days=DAYS_OF_TIMINGS)
    return found | _bins(project_id, wanted, since=since, until=until, branches=[False, True])


def _bins(
    project_id: int, test_ids: list[int], *, since: date, until: date, branches: list[bool]
) -> dict[int, tuple[int, ...]]:
    values: dict[str, Any] = {
        "project_id": project_id,
        "test_ids": test_ids,
        "since": since,
        "until": until + timedelta(days=DAYS_OF_TIMINGS),  # of late uploads, the days after them count
        "branches": branches,
        "n": timing.LAST_PASSES,
    }
    with connection.cursor() as cursor:
        cursor.execute(LAST_TIMINGS, values)
        return {test_id: slowdowns.unpacked(timings) for test_id, timings in cursor.fetchall()}
