"""What a result takes on disk, with its indexes, the sums and everything else that is made of it.

20,000 tests in 500 runs, ten million results, made by SQL in the shape in which uploads leave them: over thirty days, half of
the runs on the default branch. Fewer runs a day cost more, since each test then has a row of sums for fewer results; that is
printed too. Real uploads write the rows of a day again and again: what that leaves is measured with fewer tests, with a VACUUM
each day for autovacuum's. Spans are made and months that are over are packed, as beat and the night do. TROPHYCASE_BENCH_SCALE
makes fewer tests, of which each carries more of the rows of runs, and fewer real uploads.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from analysis import slowdowns, spans
from analysis.durations import LEAST_S, RING
from projects import access, repacking
from projects.models import Project
from tests.bench.bench_ingest import report
from tests.bench.delivering import sent
from tests.bench.large_project import fill
from tests.bench.scale import scaled
from tests.factories import a_person

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

GOAL = 80
N_TESTS, N_RUNS = 20_000, 500
N_UPLOADED, DAYS_UPLOADED = 2_000, 30  # tests of real uploads, and the days of these
# Of each table with the rows of a project, its partitions together: rows' bytes, and those of the indexes. The words of tests
# and the deliveries themselves are no results.
PACES = f"""
INSERT INTO projects_testpace (project_id, test_id, bins, n_held)
SELECT project_id, test_id, substr(timings, greatest(1, length(timings) - {2 * RING - 1})), 0 FROM (
    SELECT project_id, test_id, string_agg(timings, ''::bytea ORDER BY day) AS timings FROM projects_testday
    WHERE on_default GROUP BY project_id, test_id
) d JOIN projects_test t USING (project_id) WHERE t.id = d.test_id AND t.median_s >= {LEAST_S}
ON CONFLICT DO NOTHING
"""
SIZES = """
SELECT coalesce(i.inhparent, c.oid)::regclass::text AS name, sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped)
GROUP BY 1 ORDER BY 2 DESC
"""
NO_RESULTS = ("projects_test", "projects_upload", "projects_uploadfile", "projects_problem")


@pytest.mark.parametrize(("days", "share"), [(30, 1.0), (90, 0.2)], ids=["often", "seldom"])
def test_bytes_a_result(days: int, share: float, capsys: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE projects_result, projects_testday")  # no test empties these
    project = access.create_project(name="Large", owner=a_person())
    n_tests = scaled(round(N_TESTS * share), least=200)
    today = timezone.now().date()
    n_results = fill(
        project, n_tests=n_tests, n_runs=N_RUNS, last=today, parts=1, days=days, with_paces=False
    )
    total = show(
        project, n_results=n_results, of=f"{n_tests:,} tests in {N_RUNS} runs over {days} days", capsys=capsys
    )

    assert total < 3 * GOAL  # beyond any doubt; what is between the two is printed


def test_bytes_a_result_of_real_uploads(capsys: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE projects_result, projects_testday")
    project = access.create_project(name="Large", owner=a_person())
    n_runs = scaled(N_RUNS, least=60)
    first = timezone.now() - timedelta(days=DAYS_UPLOADED)

    for run in range(n_runs):
        at = first + timedelta(days=DAYS_UPLOADED * run / n_runs)
        branch = "main" if run % 2 else f"change-{run % 60}"
        sent(project, report(N_UPLOADED, run=run), run=f"r{run}", branch=branch, started_at=at.isoformat())
        if at.date() != (at + timedelta(days=DAYS_UPLOADED / n_runs)).date():
            slowdowns.follow(project.pk)
            with connection.cursor() as cursor:
                cursor.execute("VACUUM")

    of = f"{N_UPLOADED:,} tests in {n_runs} real uploads over {DAYS_UPLOADED} days"
    total = show(project, n_results=n_runs * N_UPLOADED, of=of, capsys=capsys)
    assert total < 3 * GOAL


def show(project: Project, *, n_results: int, of: str, capsys: pytest.CaptureFixture[str]) -> float:
    """Do what beat and the night do, print what a result takes, and return it."""
    project.refresh_from_db()
    n_spans = spans.keep_up(project, now=timezone.now())
    packed = list(iter(lambda: repacking.pack_next(timezone.now().date()), None))
    with connection.cursor() as cursor:
        cursor.execute(PACES)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(SIZES)
        sizes = [row for row in cursor.fetchall() if row[0] not in NO_RESULTS]
    total: float = sum(rows + indexes for _, rows, indexes in sizes) / n_results
    with capsys.disabled():
        print(
            f"\n{n_results:,} results of {of}: {total:.1f} bytes each"
            f" (goal {GOAL}), with {n_spans} spans; {len(packed)} indexes were packed"
        )
        for name, rows, indexes in sizes:
            if (rows + indexes) / n_results >= 0.1:
                print(f"  {name:28} {rows / n_results:6.1f} and {indexes / n_results:5.1f} in indexes")
    return total
