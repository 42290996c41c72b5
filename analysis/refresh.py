"""Weigh every test of a project again, after its rules or what is known of its tests changed; in the background.

A test that an upload brings is weighed when it is staged (ingest.staging).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from analysis import batches, bucket_weeks, buckets, kept, layers, rollups, rules, wishes
from analysis.kept import KeptTest
from projects import locks
from projects.models import LayerRule, Project
from projects.vocabulary import Layer, RuleField, RuleSyntax

WORTH_HISTORY = 0.01  # of the tests in another layer, from which the weeks before are judged again


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


def want_reclassify(project_id: int, *, now: datetime, sums_are_stale: bool = False) -> None:
    """Ask for the background job that weighs every test again; also for new sums by layer, where a layer changed."""
    project = Project.objects.filter(pk=project_id)
    project.update(reclassify_wanted_at=now)
    if sums_are_stale:
        project.update(sums_are_stale=True)


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
    mine.update(reclassified_at=now)  # from here on nobody records what was remembered of the layers before
    _sum_again(project.pk)
    mine.update(n_reclassified=0, judged_limits=project.timing_limits)
    mine.filter(reclassify_wanted_at=wanted_at).update(reclassify_wanted_at=None, sums_are_stale=False)
    if is_afresh or n_moved > WORTH_HISTORY * n_done:
        bucket_weeks.forget(project.pk)
    return n_moved


def _reclassify_batch(project: Project, batch: Sequence[KeptTest], judge: kept.Judge, *, day: date) -> int:
    """Keep what is new about the tests of a batch; return how many are in another layer."""
    bins = buckets.last_bins(project.pk, [test.id for test in batch], until=day)
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
            locks.hold(project_id)
            batches.fold_held(project_id)
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
