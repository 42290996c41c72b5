"""Which flaky tests are flaky in one environment alone, kept with their verdicts.

A test that runs in several environments is several tests of one base here. Whether one stands out is analysis.verdicts' to say;
nightly upkeep calls here.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from analysis.verdicts import Count, one_environment
from projects.models import FlakeEvent
from projects.vocabulary import FlakeStatus

DAYS = 90  # as the causes: what differed a season ago may have been pinned since

# Every variant of each base that has a flaky one: how many of its runs failed at first, outside of incidents, out of how many.
VARIANTS = """
WITH kin AS (
    SELECT o.base, o.id, o.variant, o.flake_status FROM projects_test o
    WHERE o.project_id = %(project_id)s AND o.variant <> '' AND o.base IN (
        SELECT t.base FROM projects_test t
        WHERE t.project_id = %(project_id)s AND t.variant <> '' AND t.flake_status IN (2, 6))
)
SELECT k.base, k.id, k.variant, k.flake_status IN (2, 6),
    (SELECT count(DISTINCT f.run_number) FROM projects_failure f
        WHERE f.project_id = %(project_id)s AND f.test_id = k.id AND f.day BETWEEN %(since)s AND %(today)s
            AND NOT f.in_incident)::int,
    coalesce((SELECT sum(d.n_passed + d.n_failed + d.n_error) FROM projects_testday d
        WHERE d.project_id = %(project_id)s AND d.on_default IN (false, true) AND d.day BETWEEN %(since)s AND %(today)s
            AND d.test_id = k.id), 0)::int
FROM kin k ORDER BY k.base, k.id
"""
KEEP = """
UPDATE projects_flake f SET only_here = coalesce(n.words, ''),
    status = CASE WHEN f.status NOT IN (2, 6) THEN f.status WHEN n.words IS NULL THEN 2 ELSE 6 END
FROM projects_flake o LEFT JOIN unnest(%(ids)s::int[], %(words)s::text[]) AS n (test_id, words) ON n.test_id = o.test_id
WHERE f.project_id = %(project_id)s AND o.project_id = f.project_id AND o.test_id = f.test_id
    AND o.only_here <> coalesce(n.words, '')
RETURNING f.test_id, o.status, f.status, f.sentence
"""
KEEP_STATUSES = """
UPDATE projects_test t SET flake_status = f.status FROM projects_flake f
WHERE t.project_id = %(project_id)s AND t.id = ANY(%(ids)s) AND f.project_id = t.project_id AND f.test_id = t.id
"""


class Variant(NamedTuple):
    """One environment's test of a base, and how it fared there."""

    base: bytes
    test_id: int
    environment: str
    is_flaky: bool
    n_failed: int
    n_runs: int


@transaction.atomic
def compare(project_id: int, *, today: date, now: datetime) -> int:
    """Find the tests that are flaky in one environment alone, and keep it; return how many there are."""
    values: dict[str, Any] = {
        "project_id": project_id,
        "today": today,
        "since": today - timedelta(days=DAYS - 1),
    }
    with connection.cursor() as cursor:
        cursor.execute(VARIANTS, values)
        found = _only_here(Variant(bytes(row[0]), *row[1:]) for row in cursor.fetchall())
        cursor.execute(
            KEEP,
            {
                "project_id": project_id,
                "ids": list(found),
                "words": [words[:300] for words in found.values()],
            },
        )
        changed = [row for row in cursor.fetchall() if row[1] != row[2]]
        cursor.execute(KEEP_STATUSES, {"project_id": project_id, "ids": [row[0] for row in changed]})
    FlakeEvent.objects.bulk_create(_event(project_id, row, now) for row in changed)
    return len(found)


def _only_here(variants: Iterable[Variant]) -> dict[int, str]:
    """Return, by test, what sets its environment apart."""
    bases: dict[bytes, list[Variant]] = defaultdict(list)
    for one in variants:
        bases[one.base].append(one)
    return dict(told for kin in bases.values() if (told := _told(kin)) is not None)


def _told(kin: Sequence[Variant]) -> tuple[int, str] | None:
    name = one_environment({one.environment: Count(one.n_failed, one.n_runs) for one in kin})
    flaky = [one for one in kin if one.is_flaky]
    if name is None or [one.environment for one in flaky] != [name]:
        return None
    here = flaky[0]
    n_failed = sum(one.n_failed for one in kin) - here.n_failed
    n_runs = sum(one.n_runs for one in kin) - here.n_runs
    return here.test_id, (
        f"failed in {here.n_failed} of {here.n_runs} runs in {name}, and in {n_failed} of {n_runs} elsewhere"
    )


def _event(project_id: int, row: Sequence[Any], now: datetime) -> FlakeEvent:
    test_id, before, after, sentence = row
    return FlakeEvent(
        project_id=project_id,
        id=uuid.uuid4(),
        test_id=test_id,
        at=now,
        before=FlakeStatus(before),
        after=FlakeStatus(after),
        sentence=sentence,
    )
