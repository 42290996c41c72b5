"""Whether an upload costs the same late in a project's life: the 2,000th of 10,000 cases beside the 20th.

The first upload goes the usual way; its results are then copied by SQL to runs of the days before, and the sums made of them.
What is measured goes through the whole path again, several times, in CPU seconds of worker and PostgreSQL backend together.
TROPHYCASE_BENCH_SCALE makes fewer runs.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from analysis import rebuilding
from projects import access, partitions
from projects.models import Project, Result, Run
from tests.bench.bench_ingest import measured, report
from tests.bench.delivering import accepted, recorded
from tests.bench.scale import scaled
from tests.factories import a_person

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

GOAL = 1.2
N_CASES, EARLY, LATE = 10_000, 20, 2_000
N_WARM, N_MEASURED = 2, 5  # the first uploads after a copy find paces without passes, and begin them
DAYS = 90

RUNS = """
INSERT INTO projects_run SELECT (jsonb_populate_record(u, jsonb_build_object('number', n, 'key', 'copy-' || n,
    'commit', md5(n::text), 'started_at', at, 'day', at::date))).*
FROM projects_run u CROSS JOIN LATERAL (
    SELECT n, u.started_at - interval '1 day' - (%(n_runs)s - n) * interval '1 day' * %(days)s / %(n_runs)s AS at
    FROM generate_series(%(first)s::int, %(last)s::int) n) copied
WHERE u.project_id = %(project_id)s AND u.number = 1
"""
# Somewhat faster or slower, and by test and run alone.
RESULTS = """
INSERT INTO projects_result (project_id, test_id, run_number, ran_on, seconds, outcome, n_attempts)
SELECT r.project_id, r.test_id, u.number, u.day, r.seconds * (0.8 + (r.test_id * 31 + u.number * 17) %% 40 / 100.0), r.outcome,
    r.n_attempts
FROM projects_run u JOIN projects_result r ON r.project_id = u.project_id AND r.run_number = 1
WHERE u.project_id = %(project_id)s AND u.number BETWEEN %(first)s AND %(last)s ORDER BY u.number, r.test_id
"""
FAILURES = """
INSERT INTO projects_failure SELECT (jsonb_populate_record(f, jsonb_build_object('run_number', u.number, 'day', u.day))).*
FROM projects_run u JOIN projects_failure f ON f.project_id = u.project_id AND f.run_number = 1
WHERE u.project_id = %(project_id)s AND u.number BETWEEN %(first)s AND %(last)s
"""
COPIED_AT_ONCE = 50  # runs, half a million results


def test_the_cost_of_an_upload_stays(capsys: pytest.CaptureFixture[str]) -> None:
    project = access.create_project(name="Bench", owner=a_person())
    bodies = [report(N_CASES, run=run) for run in range(N_WARM + N_MEASURED)]
    deliver(project, bodies[0], run=1)

    age(project, until=EARLY - N_WARM - 1)
    early = cost(project, bodies)
    age(project, until=scaled(LATE, least=2 * EARLY) - N_WARM - 1)
    late = cost(project, bodies)

    n_runs = Run.objects.filter(project=project).count()
    n_results = Result.objects.filter(project_id=project.pk).count()
    with capsys.disabled():
        print(
            f"\n{N_CASES:,} cases: {early:.3f} CPU-s around the {EARLY}th upload, {late:.3f} around the {n_runs:,}th"
            f" of {n_results:,} results: {late / early:.2f} times (goal {GOAL})"
        )
    assert late < 3 * early  # beyond any doubt; what is between the two is printed


def cost(project: Project, bodies: list[bytes]) -> float:
    """Record some uploads and return what the middle one of them took."""
    first = Run.objects.filter(project=project).count() + 1
    spent = [
        measured(partial(deliver, project, body, run=run)) for run, body in enumerate(bodies, start=first)
    ]
    return sorted(one.client_s + one.server_s for one in spent[N_WARM:])[N_MEASURED // 2]


def deliver(project: Project, body: bytes, *, run: int) -> None:
    """Accept and record a report of now."""
    recorded(accepted(project, body, run=f"r{run}", started_at=timezone.now()))


def age(project: Project, *, until: int) -> None:
    """Copy the first run until the project has so many, over the days before it, and make all that follows from them."""
    n_runs = Run.objects.filter(project=project).count()
    today = timezone.now().date()
    partitions.ensure_months({today - timedelta(days=n) for n in range(DAYS + 3)})
    for first in range(n_runs + 1, until + 1, COPIED_AT_ONCE):
        last = min(until, first + COPIED_AT_ONCE - 1)
        values: dict[str, Any] = {
            "project_id": project.pk,
            "first": first,
            "last": last,
            "n_runs": scaled(LATE, least=2 * EARLY),
            "days": DAYS,
        }
        with connection.cursor() as cursor:
            for statement in (RUNS, RESULTS, FAILURES):
                cursor.execute(statement, values)
    Project.objects.filter(pk=project.pk).update(n_runs=until)
    rebuilding.rebuild_sums(project.pk)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
