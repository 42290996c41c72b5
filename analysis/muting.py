"""Which tests a project's policy mutes in CI by itself: the dearest of those whose failures are surely flakes.

Pure choice on top; below it the rows that it is made from, and the quarantines that it leads to. Off unless a project switches
it on. What a person decided is left alone, and no statistic knows of a quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from analysis import queries
from analysis.window import read
from projects import care
from projects.models import MutingPolicy, Project, Quarantine
from projects.vocabulary import FLAKY_NOW, FlakeStatus

DAYS = 30  # in which cost and certainty are measured

CERTAINTY = """
SELECT f.test_id, t.flake_status, avg(f.p_flaky) FROM projects_failure f
JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id AND t.flake_status IN (2, 6)
WHERE f.project_id = %(project_id)s AND f.day BETWEEN %(since)s AND %(until)s AND NOT f.in_incident AND f.p_flaky IS NOT NULL
GROUP BY f.test_id, t.flake_status ORDER BY f.test_id
"""


class Candidate(NamedTuple):
    """A test that is flaky now: how surely its failures are flakes, and what they cost in minutes."""

    test_id: int
    p: float
    minutes: float


@dataclass(frozen=True, slots=True)
class Limits:
    """From when a test is muted, and how many may be at once."""

    least_p: float
    least_minutes: float
    most: int


def chosen(candidates: Iterable[Candidate], *, limits: Limits, n_muted: int) -> list[Candidate]:
    """Return the candidates to mute, the dearest first, while fewer than the most are muted already."""
    fit = [one for one in candidates if one.p >= limits.least_p and one.minutes >= limits.least_minutes]
    fit.sort(key=lambda one: (-one.minutes, one.test_id))
    return fit[: max(0, limits.most - n_muted)]


def limits_of(policy: MutingPolicy, *, n_tests: int) -> Limits:
    """Return the limits of a policy for a suite: at most so many tests, and at most a share of them."""
    return Limits(
        policy.least_p, policy.least_minutes, min(policy.most_tests, int(policy.most_share * n_tests))
    )


@transaction.atomic
def apply(project: Project, *, now: datetime) -> tuple[int, int]:
    """End what the policy muted and is flaky no more, and mute what it asks for; return how many of each: muted, ended."""
    policy = MutingPolicy.objects.select_for_update().filter(project=project).first()
    if policy is None:
        return 0, 0
    n_ended = _end(project, now=now, is_on=policy.is_on)
    if not policy.is_on:
        return 0, n_ended
    open_ones = Quarantine.objects.filter(project=project, ended_at=None)
    muted = set(open_ones.values_list("test_id", flat=True))
    candidates = [one for one in _candidates(project, now=now) if one.test_id not in muted]
    wanted = chosen(candidates, limits=limits_of(policy, n_tests=project.n_tests), n_muted=len(muted))
    for one in wanted:
        care.mute(
            project,
            one.test_id,
            reason=_reason(one),
            n_days=policy.n_days,
            by=None,
            now=now,
            is_by_policy=True,
        )
    return len(wanted), n_ended


def _reason(one: Candidate) -> str:
    return f"Its failures are flakes with P = {one.p:.2f} on average, and cost {one.minutes:.0f} minutes in {DAYS} days."


def _end(project: Project, *, now: datetime, is_on: bool) -> int:
    """End the policy's quarantines of tests that are not flaky any more; all of them where it was switched off."""
    kept = Quarantine.objects.filter(project=project, ended_at=None, is_by_policy=True)
    statuses = _statuses(project.pk, list(kept.values_list("test_id", flat=True)))
    n_ended = 0
    for test_id, status in statuses.items():
        if is_on and status in (*FLAKY_NOW, FlakeStatus.STALE):
            continue
        why = f"the test is {status.word}" if is_on else "the policy is off"
        n_ended += care.end_by_policy(project, test_id, why=why, now=now)
    return n_ended


def _statuses(project_id: int, test_ids: Sequence[int]) -> dict[int, FlakeStatus]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, flake_status FROM projects_test WHERE project_id = %s AND id = ANY(%s) ORDER BY id",
            [project_id, list(test_ids)],
        )
        return {test_id: FlakeStatus(status) for test_id, status in cursor.fetchall()}


def _candidates(project: Project, *, now: datetime) -> list[Candidate]:
    window = read({"branch": "*"}, default_branch=project.default_branch, today=now.date())
    spent = queries.costs(project, window).of_tests
    values: dict[str, Any] = {"project_id": project.pk, "since": window.since, "until": window.until}
    with connection.cursor() as cursor:
        cursor.execute(CERTAINTY, values)
        return [
            Candidate(test_id, p, (spent[test_id].seconds_lost + spent[test_id].developer_s) / 60)
            for test_id, _, p in cursor.fetchall()
            if test_id in spent
        ]
