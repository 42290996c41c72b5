"""Bring derived rows up to date: layers of tests, timing buckets, flakes of the tests an upload touched.

`after_upload` runs inside the transaction that records an upload and costs no more than the tests in it. `reclassify` weighs
every test of a project again, after its rules changed; it runs in the background.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from analysis import bucket_weeks, flaking, kept, layers, rollups, rules, slowdowns, timing, wishes
from analysis.kept import KeptTest
from projects.models import LayerRule, Project, Run
from projects.vocabulary import Layer, RuleField, RuleSyntax, TimingBucket

BATCH = 5_000  # tests judged at once
MOST_WAITING = 50_000  # held at once: all of most uploads, and some 10 MB of the largest
WORTH_HISTORY = 0.01  # of the tests in another layer, from which the weeks before are judged again
DAYS_OF_TIMINGS = 45  # the last ten passes of a weekly test lie within

# Timed passes that speak for another bucket than the test has; a new test has none and is asked for until it has passed
# often enough.
WAITING_BUCKETS = """
SELECT i.test_id, i.layer, i.bucket
FROM incoming i
JOIN unnest(%(layers)s::smallint[], %(fast)s::float8[], %(slow)s::float8[], %(slow_at_limit)s::boolean[])
    AS l (layer, fast_s, slow_s, limit_is_slow) ON l.layer = i.layer
WHERE i.outcome = 1 AND i.seconds > 0 AND i.bucket <> CASE
    WHEN i.seconds < l.fast_s THEN 1
    WHEN i.seconds < l.slow_s OR (i.seconds = l.slow_s AND NOT l.limit_is_slow) THEN 2 ELSE 3 END
    AND i.test_id > %(after)s
ORDER BY 1 LIMIT %(most)s
"""

# The newest passes of a test stand last, those of the default branch after all others. Cut down here, a test is one short
# row instead of a row a day.
LAST_TIMINGS = """
SELECT test_id, substr(timings, greatest(1, length(timings) - 2 * %(n)s + 1)) FROM (
    SELECT test_id, string_agg(timings, ''::bytea ORDER BY on_default, day) AS timings FROM projects_testday
    WHERE project_id = %(project_id)s AND on_default IN (false, true) AND day BETWEEN %(since)s AND %(until)s
        AND test_id = ANY(%(test_ids)s) AND timings <> ''
    GROUP BY test_id
) last
"""

KEEP_BUCKETS = """
UPDATE projects_test t SET bucket = b.bucket, median_s = b.median_s
FROM unnest(%(ids)s::int[], %(buckets)s::smallint[], %(medians)s::float8[]) AS b (id, bucket, median_s)
WHERE t.project_id = %(project_id)s AND t.id = b.id AND (t.bucket, t.median_s) IS DISTINCT FROM (b.bucket, b.median_s)
"""


@dataclass(frozen=True, slots=True)
class Moves:
    """What a set of rules would change: how many tests go from which layer to which, and a few of them."""

    counts: dict[tuple[Layer, Layer], int]
    samples: tuple[tuple[int, str, Layer, Layer], ...]
    matches: dict[int, int]

    @property
    def n_moved(self) -> int:
        """Count the tests that would change their layer."""
        return sum(self.counts.values())


def rules_of(project_id: int) -> rules.RuleSet | None:
    """Return the project's own rules, ready to match; None where it has none."""
    rows = LayerRule.objects.filter(project_id=project_id).order_by("position")
    found = [
        rules.Rule(
            position=row.position,
            field=RuleField(row.field),
            syntax=RuleSyntax(row.syntax),
            pattern=row.pattern,
            layer=Layer(row.layer),
        )
        for row in rows
    ]
    return rules.RuleSet(found) if found else None


def after_upload(project: Project, run: Run, part: flaking.Part) -> None:
    """Refresh what the staged results change: buckets, paces and flakes of their tests, the run's incident."""
    refresh_buckets(project, run.day)
    slowdowns.lay_aside(project.pk, run)
    flaking.after_upload(project, run, part)


def want_reclassify(project_id: int, *, now: datetime, sums_are_stale: bool = False) -> None:
    """Ask for the background job that weighs every test again; also for new sums by layer, where a layer changed."""
    project = Project.objects.filter(pk=project_id)
    project.update(reclassify_wanted_at=now)
    if sums_are_stale:
        project.update(sums_are_stale=True)


def refresh_buckets(project: Project, day: date) -> None:
    """Judge anew the staged tests whose bucket is young, or that this upload puts in doubt."""
    limits = wishes.limits(project.timing_limits)
    values: dict[str, Any] = {**_limit_columns(limits), "after": 0, "most": MOST_WAITING}
    waiting = [(0, 0, 0)] * MOST_WAITING
    while len(waiting) == MOST_WAITING:
        with connection.cursor() as cursor:
            cursor.execute(WAITING_BUCKETS, values)
            waiting = cursor.fetchall()
        for start in range(0, len(waiting), BATCH):
            judge_buckets(project, waiting[start : start + BATCH], until=day, limits=limits)
        values["after"] = waiting[-1][0] if waiting else 0


def judge_buckets(
    project: Project,
    tests: Sequence[tuple[int, int, int]],
    *,
    until: date,
    limits: Mapping[Layer, timing.Limits],
) -> None:
    """Judge the median of the last passes of these tests (id, layer, bucket before), and keep each new bucket."""
    last = _last_bins(project.pk, [test_id for test_id, _, _ in tests], until=until)
    kept: list[tuple[int, int, float]] = []
    for test_id, layer, before in tests:
        bins = last.get(test_id, [])
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


def _last_bins(project_id: int, test_ids: list[int], *, until: date) -> dict[int, list[int]]:
    """Return the duration bins of the last timed passes of each test; the default branch is asked before others."""
    values: dict[str, Any] = {
        "project_id": project_id,
        "test_ids": test_ids,
        "since": until - timedelta(days=DAYS_OF_TIMINGS),
        "until": until + timedelta(days=DAYS_OF_TIMINGS),
        "n": timing.LAST_PASSES,
    }
    with connection.cursor() as cursor:
        cursor.execute(LAST_TIMINGS, values)
        return {test_id: bins_of(bytes(timings)) for test_id, timings in cursor.fetchall()}


def bins_of(timings: bytes) -> list[int]:
    """Return the duration bins that a day's timings hold, two bytes each."""
    bins = array("H", timings)
    if sys.byteorder == "little":  # they are kept as PostgreSQL sends integers
        bins.byteswap()
    return bins.tolist()


def reclassify(project: Project, *, now: datetime) -> int:
    """Weigh every test of the project again under its rules of now; return how many changed their layer.

    Buckets are judged afresh where the limits are others than when they were last judged. How far it is stands with the
    project after each batch.
    """
    wanted_at, mine = project.reclassify_wanted_at, Project.objects.filter(pk=project.pk)
    ruleset, limits = rules_of(project.pk), wishes.limits(project.timing_limits)
    is_afresh = limits != wishes.limits(project.judged_limits)
    n_moved = n_done = n_read = 0
    for batch in kept.batches(project.pk):
        if n_read == 0:
            judge = kept.Judge(layers.Weigher(ruleset), limits=limits, is_afresh=is_afresh)
        with transaction.atomic():
            moved = _reclassify_batch(project, batch, judge, day=now.date())
            n_done, n_moved = n_done + len(batch), n_moved + moved
            mine.update(n_reclassified=n_done, **({"sums_are_stale": True} if moved else {}))
        n_read = n_read + len(batch) if n_read < kept.MOST_READ else 0
    _sum_again(project.pk)
    mine.update(reclassified_at=now, n_reclassified=0, judged_limits=project.timing_limits)
    mine.filter(reclassify_wanted_at=wanted_at).update(reclassify_wanted_at=None, sums_are_stale=False)
    if is_afresh or n_moved > WORTH_HISTORY * n_done:
        bucket_weeks.forget(project.pk)
    return n_moved


def _reclassify_batch(project: Project, batch: Sequence[KeptTest], judge: kept.Judge, *, day: date) -> int:
    """Keep what is new about the tests of a batch; return how many are in another layer."""
    bins = _last_bins(project.pk, [test.id for test in batch], until=day)
    changes = judge.changes(batch, bins)
    kept.keep(project.pk, [change for change in changes if change])
    judged = zip(batch, changes, strict=True)
    return sum(change is not None and change.verdict.layer != test.layer for test, change in judged)


def _sum_again(project_id: int) -> None:
    """Sum by layer again, month by month, where a layer changed since that was last done."""
    if not Project.objects.filter(pk=project_id, sums_are_stale=True).exists():
        return
    for since, until in rollups.months(project_id):
        with transaction.atomic():
            rollups.relayer(project_id, since=since, until=until)


def preview(project: Project, wanted: Sequence[rules.Rule], *, n_samples: int = 20) -> Moves:
    """Say what these rules would change, without changing anything; raise rules.BadPattern or BadRules for bad ones."""
    before, after = rules_of(project.pk), rules.RuleSet(list(wanted))
    weigh = layers.Weigher(after)
    counts: Counter[tuple[Layer, Layer]] = Counter()
    matches: Counter[int] = Counter()
    samples: list[tuple[int, str, Layer, Layer]] = []
    for batch in kept.batches(project.pk):
        touched = []
        for test in batch:
            identity = test.identity()
            rule = after.match(identity)
            if rule is not None:
                matches[rule.position] += 1
            elif before is None or before.match(identity) is None:
                continue  # no rule decides, before or after
            touched.append((test, identity))
        verdicts = weigh.verdicts([one for _, one in touched], [test.median_s for test, _ in touched])
        for (test, _), verdict in zip(touched, verdicts, strict=True):
            move = Layer(test.layer), verdict.layer
            if move[0] is not move[1]:
                counts[move] += 1
                if len(samples) < n_samples:
                    samples.append((test.id, test.title, *move))
        after.check_pace()
    return Moves(dict(counts), tuple(samples), dict(matches))


def evidence_json(verdict: layers.Verdict) -> str:
    """Spell the votes as they are kept with a Test."""
    return json.dumps(kept.votes(verdict))
