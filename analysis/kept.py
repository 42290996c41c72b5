"""Tests as they are kept, a batch at a time: read as rows, weighed and judged in memory, written where they say other.

An object of each row would take longer than weighing it, and nearly all rows of a second look stay as they are. Which
tests are looked at, and when, is left to `refresh`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from analysis import layers, timing
from projects.models import title_of
from projects.vocabulary import Layer, TimingBucket

BATCH = 5_000  # tests weighed at once
MOST_READ = 50_000  # tests until what was read of their names is forgotten: some tens of MB

ROWS = """
SELECT id, suite, classname, name, file, framework, variant, markers, properties::text, sent_layer, layer, confidence,
    evidence::text, tags, bucket, median_s
FROM projects_test WHERE project_id = %(project_id)s AND id > %(last)s ORDER BY id LIMIT %(n)s
"""

# Tests share verdicts, so each is sent once.
KEEP = """
UPDATE projects_test t SET layer = v.layer, confidence = v.confidence, evidence = v.evidence, tags = v.tags::text[],
    bucket = n.bucket, median_s = n.median_s
FROM unnest(%(ids)s::int[], %(verdicts)s::int[], %(buckets)s::smallint[], %(medians)s::float8[])
    AS n (id, verdict, bucket, median_s)
JOIN unnest(%(layers)s::smallint[], %(confidences)s::float8[], %(evidences)s::jsonb[], %(tags)s::text[])
    WITH ORDINALITY AS v (layer, confidence, evidence, tags, n) ON v.n = n.verdict
WHERE t.project_id = %(project_id)s AND t.id = n.id
"""


class KeptTest(NamedTuple):
    """What a verdict on a Test rests on, and what it is compared with; JSON as PostgreSQL spells it."""

    id: int
    suite: str
    classname: str
    name: str
    file: str
    framework: str
    variant: str
    markers: list[str]
    properties: str
    sent_layer: int | None
    layer: int
    confidence: float
    evidence: str
    tags: list[str]
    bucket: int
    median_s: float | None

    def identity(self) -> layers.Identity:
        """Return what the evidence engine looks at."""
        return layers.Identity(
            self.suite,
            self.classname,
            self.name,
            self.file,
            self.framework,
            self.variant,
            tuple(self.markers),
            _pairs(self.properties),
            None if self.sent_layer is None else Layer(self.sent_layer),
        )

    @property
    def title(self) -> str:
        """Name the test as the pages do."""
        return title_of(suite=self.suite, classname=self.classname, name=self.name, file=self.file)


def _pairs(spelt: str) -> tuple[tuple[str, str], ...]:
    return () if spelt == "[]" else tuple((key, value) for key, value in json.loads(spelt))


def batches(project_id: int) -> Iterator[list[KeptTest]]:
    """Yield the tests of the project in the order of their ids, BATCH at a time."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(ROWS, {"project_id": project_id, "last": last, "n": BATCH})
            rows = list(map(KeptTest._make, cursor.fetchall()))
        if not rows:
            return
        last = rows[-1].id
        yield rows


def votes(verdict: layers.Verdict) -> list[list[Any]]:
    """Return the votes as they are kept with a Test: [words, layer, weight, kind] each."""
    return [[vote.words, int(vote.layer), round(vote.weight, 2), int(vote.kind)] for vote in verdict.evidence]


class Packed(NamedTuple):
    """A verdict as a row has it."""

    layer: int
    confidence: float
    evidence: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a row says from now on."""

    test_id: int
    verdict: Packed
    bucket: int
    median_s: float | None


def keep(project_id: int, changed: Sequence[Change]) -> None:
    """Write what changed, each verdict once."""
    if not changed:
        return
    places: dict[Packed, int] = {}
    numbers = [places.setdefault(change.verdict, len(places) + 1) for change in changed]
    values: dict[str, Any] = {
        "project_id": project_id,
        "ids": [change.test_id for change in changed],
        "verdicts": numbers,
        "buckets": [change.bucket for change in changed],
        "medians": [change.median_s for change in changed],
        "layers": [verdict.layer for verdict in places],
        "confidences": [verdict.confidence for verdict in places],
        "evidences": [verdict.evidence for verdict in places],
        "tags": ["{" + ",".join(verdict.tags) + "}" for verdict in places],
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP, values)


class Judge:
    """Weighs and judges kept tests one after another, and remembers what many of them share."""

    def __init__(
        self, weigh: layers.Weigher, *, limits: Mapping[Layer, timing.Limits], is_afresh: bool = False
    ) -> None:
        self._weigh = weigh
        self._limits = limits
        self._is_afresh = is_afresh
        self._packed: dict[int, tuple[layers.Verdict, Packed]] = {}  # by identity; the verdict keeps its id

    def changes(self, tests: Sequence[KeptTest], bins: Mapping[int, Sequence[int]]) -> list[Change | None]:
        """Judge tests by their last timed passes; return what is new about each, None where nothing is."""
        passes = [bins.get(test.id, ()) for test in tests]
        medians = [
            timing.from_bin(timing.middle(timed)) if len(timed) >= timing.ENOUGH_TIMED else test.median_s
            for test, timed in zip(tests, passes, strict=True)
        ]
        verdicts = self._weigh.verdicts([test.identity() for test in tests], medians)
        return list(map(self._change, tests, passes, medians, map(self._pack, verdicts)))

    def _change(
        self, test: KeptTest, bins: Sequence[int], median_s: float | None, packed: Packed
    ) -> Change | None:
        bucket = test.bucket
        if len(bins) >= timing.ENOUGH_TIMED:
            is_new = self._is_afresh or packed.layer != test.layer
            before = TimingBucket.UNTIMED if is_new else TimingBucket(test.bucket)
            bucket = timing.bucket(
                median_s, layer=Layer(packed.layer), n_timed=len(bins), before=before, limits=self._limits
            )
        if (
            packed.evidence == test.evidence
            and packed.layer == test.layer
            and packed.confidence == test.confidence
            and bucket == test.bucket
            and median_s == test.median_s
            and list(packed.tags) == test.tags
        ):
            return None
        return Change(test.id, packed, int(bucket), median_s)

    def _pack(self, verdict: layers.Verdict) -> Packed:
        known = self._packed.get(id(verdict))
        if known is None:
            # As PostgreSQL spells jsonb, so that two can be compared as text.
            spelt = json.dumps(votes(verdict), ensure_ascii=False)
            known = verdict, Packed(int(verdict.layer), verdict.confidence, spelt, verdict.tags)
            self._packed[id(verdict)] = known
        return known[1]
