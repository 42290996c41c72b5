"""What a result takes on disk, with its indexes, the sums and everything else that is made of it.

20,000 tests in 500 runs over ninety days, ten million results, made by SQL in the shape in which uploads leave them.
TROPHYCASE_BENCH_SCALE makes fewer runs.
"""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from projects import access
from tests.bench.large_project import fill
from tests.bench.scale import scaled
from tests.factories import a_person

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

GOAL = 80
N_TESTS, N_RUNS = 20_000, 500
# Of each table with the rows of a project, its partitions together: rows' bytes, and those of the indexes. The words of tests
# and the deliveries themselves are no results.
SIZES = """
SELECT coalesce(i.inhparent, c.oid)::regclass::text AS name, sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'project_id' AND NOT a.attisdropped)
GROUP BY 1 ORDER BY 2 DESC
"""
NO_RESULTS = ("projects_test", "projects_upload", "projects_uploadfile", "projects_problem")


def test_bytes_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    project = access.create_project(name="Large", owner=a_person())
    n_results = fill(
        project, n_tests=N_TESTS, n_runs=scaled(N_RUNS, least=10), last=timezone.now().date(), parts=1
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(SIZES)
        sizes = [row for row in cursor.fetchall() if row[0] not in NO_RESULTS]
    total = sum(rows + indexes for _, rows, indexes in sizes) / n_results
    with capsys.disabled():
        print(f"\n{n_results:,} results of {N_TESTS:,} tests: {total:.1f} bytes each (goal {GOAL})")
        for name, rows, indexes in sizes:
            if (rows + indexes) / n_results >= 0.05:
                print(f"  {name:28} {rows / n_results:6.1f} and {indexes / n_results:5.1f} in indexes")

    assert total < 2 * GOAL  # beyond any doubt; what is between the two is printed
