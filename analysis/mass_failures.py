"""The rows behind incidents: what failed unexpectedly in each environment of each run, and which incidents are undecided.

analysis.incidents says what a mass failure is; this module remembers what it needs to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Q, QuerySet

from analysis.engine import Judged, RunSeen
from analysis.incidents import (
    COMMON,
    KEPT_DAYS,
    N_SPREAD_BRANCHES,
    NEAR_DAYS,
    FailingRun,
    Failure,
    Incident,
    Kind,
    Surroundings,
    is_mass,
    share,
)
from analysis.states import mark
from projects.models import EnvironmentRun, Run
from projects.models import Failure as FailureRow

USUAL_RUNS = 50
OPEN = (Kind.OUTAGE_SUSPECTED, Kind.CODE_BREAK)
DAY_S = 86_400.0


def days(at: datetime) -> float:
    """Return a moment as days since 1970, as the engine counts time."""
    return at.timestamp() / DAY_S


def moment(at: float) -> datetime:
    """Return the engine's days since 1970 as a moment."""
    return datetime.fromtimestamp(at * DAY_S, tz=UTC)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The runs of an environment's default branch around one run: days since the last, and whether a newer is known."""

    gap_days: float
    has_newer: bool


ALONE = Neighbours(0.0, has_newer=False)


def neighbours(run: Run, environment: str) -> Neighbours:
    """Return how a run stands among those of its environment on the default branch."""
    others = EnvironmentRun.objects.filter(
        project_id=run.project_id, environment=environment, is_default_branch=True
    ).exclude(run_number=run.number)
    found = others.aggregate(
        last=Max("at", filter=Q(at__lt=run.started_at)), newest=Max("at", filter=Q(at__gt=run.started_at))
    )
    gap = run.started_at - found["last"] if found["last"] else timedelta()
    return Neighbours(gap / timedelta(days=1), has_newer=found["newest"] is not None)


def surroundings(project_id: int, run: FailingRun, said: Collection[bytes]) -> Surroundings:
    """Return what happened around a run with failures that `said` these signatures.

    Unless so many failed that the run may be an incident, of the last hours no more is looked up than whether other branches
    failed alike.
    """
    rows = EnvironmentRun.objects.filter(project_id=project_id).exclude(run_number=run.run)
    at = moment(run.at)
    usual = rows.filter(environment=run.environment, at__lt=at, incident=None).order_by("-at", "-run_number")
    sizes = tuple(usual.values_list("unexpected__len", flat=True)[:USUAL_RUNS])
    near = timedelta(days=NEAR_DAYS)
    recent = rows.filter(at__range=(at - near, at + near)).exclude(unexpected=[])
    if not is_mass(run, sizes=sizes):
        is_spread = recent.values("branch").distinct().count() >= N_SPREAD_BRANCHES
        return Surroundings(sizes=sizes, recent=_failing_runs(recent, said) if is_spread else ())
    kept = timedelta(days=KEPT_DAYS)
    around = rows.filter(at__range=(at - kept, at + kept)).exclude(unexpected=[])
    twins = [
        row for row in around.exclude(environment=run.environment) if mark(row.commit) == run.commit != 0
    ]
    return Surroundings(sizes=sizes, same_commit=_failing_runs(twins), recent=_failing_runs(recent))


def open_incidents(project_id: int, seen: RunSeen) -> list[Incident]:
    """Return the incidents of the last days that this run may help to decide."""
    since = moment(seen.at) - timedelta(days=KEPT_DAYS)
    rows = EnvironmentRun.objects.filter(
        project_id=project_id, incident__in=OPEN, at__range=(since, moment(seen.at))
    )
    return _incidents(rows)


def incidents_of_run(project_id: int, run_number: int) -> list[Incident]:
    """Return the incidents of a run, one for each environment that had one."""
    rows = EnvironmentRun.objects.filter(project_id=project_id, run_number=run_number)
    return _incidents(rows.exclude(incident=None))


def _incidents(rows: QuerySet[EnvironmentRun]) -> list[Incident]:
    found = list(rows.order_by("at", "run_number", "environment"))
    return [
        Incident(
            seen=failing,
            kind=Kind(row.incident or 0),
            why=row.why,
            decided_by=row.decided_by,
            n_failing_on=row.n_failing_on,
        )
        for row, failing in zip(found, _failing_runs(found), strict=True)
    ]


def passed_elsewhere(
    project_id: int, seen: RunSeen, still_open: Sequence[Incident], *, failing: Iterable[int]
) -> set[int]:
    """Return the runs of open incidents whose environment has passed on another branch since; note this run's word on it."""
    failed = set(failing)
    for past in still_open:
        is_other = past.seen.branch != seen.branch and past.seen.environment == seen.environment
        if is_other and share(past.seen.failures.keys(), failed) < COMMON:
            _rows_of(project_id, past).update(passed_elsewhere=True)
    noted = EnvironmentRun.objects.filter(
        project_id=project_id, run_number__in=[past.seen.run for past in still_open], passed_elsewhere=True
    )
    return set(noted.values_list("run_number", flat=True)) if still_open else set()


def _rows_of(project_id: int, past: Incident) -> QuerySet[EnvironmentRun]:
    return EnvironmentRun.objects.filter(
        project_id=project_id, run_number=past.seen.run, environment=past.seen.environment
    )


def _failing_runs(rows: Iterable[EnvironmentRun], said: Collection[bytes] | None = None) -> list[FailingRun]:
    """Return the runs with their failures; of those that said something else than `said` not what it was."""
    found = list(rows)
    signatures = _signatures(found, said)
    return [
        FailingRun(
            run=row.run_number,
            environment=row.environment,
            branch=row.branch,
            is_default_branch=row.is_default_branch,
            commit=mark(row.commit),
            at=days(row.at),
            n_tests=row.n_tests,
            failures={
                test_id: Failure(0, signatures.get((row.run_number, test_id), b""))
                for test_id in row.unexpected
            },
        )
        for row in found
    ]


def _signatures(
    rows: Sequence[EnvironmentRun], said: Collection[bytes] | None
) -> dict[tuple[int, int], bytes]:
    if not rows:
        return {}
    kept = FailureRow.objects.filter(
        project_id=rows[0].project_id, run_number__in=[row.run_number for row in rows]
    )
    if said is not None:
        kept = kept.filter(signature__in=said)
    return {
        (run_number, test_id): bytes(signature)
        for run_number, test_id, signature in kept.values_list("run_number", "test_id", "signature")
    }


KEEP_RUN = """
INSERT INTO projects_environmentrun AS e (project_id, run_number, environment, branch, is_default_branch, commit, at, n_tests,
    unexpected, incident, why, decided_by, n_failing_on, passed_elsewhere)
VALUES (%(project_id)s, %(run_number)s, %(environment)s, %(branch)s, %(is_default_branch)s, %(commit)s, %(at)s, %(n_tests)s,
    %(unexpected)s, %(incident)s, %(why)s, %(decided_by)s, 0, false)
ON CONFLICT (project_id, run_number, environment) DO UPDATE SET
    n_tests = e.n_tests + excluded.n_tests,
    unexpected = ARRAY(SELECT DISTINCT unnest(e.unexpected || excluded.unexpected) ORDER BY 1),
    incident = coalesce(excluded.incident, e.incident),
    why = coalesce(nullif(excluded.why, ''), e.why), decided_by = greatest(excluded.decided_by, e.decided_by)
"""


def keep_run(project_id: int, run: Run, seen: RunSeen, judged: Judged | None = None) -> None:
    """Remember what failed unexpectedly in this environment of the run, joined with what its other shards had."""
    mass = judged.incident if judged else None
    values: dict[str, Any] = {
        "project_id": project_id,
        "run_number": run.number,
        "environment": seen.environment,
        "branch": run.branch,
        "is_default_branch": run.is_default_branch,
        "commit": run.commit,
        "at": run.started_at,
        "n_tests": seen.n_tests,
        "unexpected": sorted(judged.seen.failures) if judged else [],
        "incident": None if mass is None else int(mass.kind),
        "why": "" if mass is None else mass.why[:1000],
        "decided_by": 0 if mass is None else mass.decided_by,
    }
    with connection.cursor() as cursor:
        cursor.execute(KEEP_RUN, values)


def keep(project_id: int, past: Incident) -> None:
    """Remember what an incident is now taken for."""
    _rows_of(project_id, past).update(
        incident=past.kind, why=past.why[:1000], decided_by=past.decided_by, n_failing_on=past.n_failing_on
    )
