"""A large project by SQL: tests, runs, results, failures, flakes and every sum of them, as uploads would have left them.

Each run executes a tenth of the tests, as the jobs of a large suite do, unless told otherwise. Half of the runs are of the
default branch.
Sums are made by `analysis.rebuilding.rebuild`, the product's own.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import connection

from analysis import rebuilding, rollups
from projects import partitions
from projects.models import Project

PARTS = 10  # a run executes every tenth test
DAYS = 90

TESTS = """
INSERT INTO projects_test (project_id, id, fingerprint, base, suite, classname, name, file, variant, framework, owner, markers,
    properties, layer, confidence, evidence, tags, bucket, median_s, first_seen_on, last_seen_on, first_main_on, last_main_on,
    first_run, flake_status, traits, misfit_dismissed)
SELECT %(project_id)s, n, decode(md5('test ' || n), 'hex'), decode(md5('test ' || n), 'hex'), 'suite ' || n %% 40,
    'tests.' || word || '.module_' || n %% 700 || '.Case', 'handles_case_number_' || n || '_of_the_suite',
    'tests/' || word || '/package_' || n %% 70 || '/test_module_' || n %% 700 || '.py', '', 'pytest', '', '{}', '[]', layer, 0.9,
    jsonb_build_array(jsonb_build_array('path tests/' || word, layer, 3.0, 5)), '{}', CASE WHEN n %% 50 = 0 THEN 3 ELSE 1 END,
    CASE layer WHEN 2 THEN 0.01 WHEN 3 THEN 0.4 ELSE 8 END, %(first)s, %(last)s, %(first)s, %(last)s, 1,
    CASE WHEN n %% 400 = 0 THEN 2 ELSE 0 END, 0, ''
FROM (
    SELECT n, CASE WHEN n %% 20 = 0 THEN 4 WHEN n %% 20 < 5 THEN 3 ELSE 2 END AS layer,
        CASE WHEN n %% 20 = 0 THEN 'e2e' WHEN n %% 20 < 5 THEN 'integration' ELSE 'unit' END AS word
    FROM generate_series(1, %(n_tests)s) n
) made
"""
RUNS = """
INSERT INTO projects_run (project_id, number, key, branch, is_default_branch, commit, pull_request, url, started_at, day,
    n_shards, n_uploads, n_attempts, is_truncated, n_tests, n_passed, n_failed, n_error, n_skipped, n_flaky, n_new, seconds,
    is_incident, incident_sentence, n_machine_tests)
SELECT %(project_id)s, n, 'run-' || n, CASE WHEN n %% 2 = 0 THEN 'main' ELSE 'change-' || n %% 60 END, n %% 2 = 0,
    md5('commit ' || n), '', '', at, (at AT TIME ZONE 'UTC')::date, 1, 1, 1, false, 0, 0, 0, 0, 0, 0, 0, 0, false, '', 0
FROM (
    SELECT n, (%(first)s::timestamp + (n - 1) * (%(last)s::date - %(first)s::date + 1) * interval '1 day' / %(n_runs)s)
        AT TIME ZONE 'UTC' AS at FROM generate_series(1, %(n_runs)s) n
) made
"""
# A test in a hundred fails now and then, flaky ones more often; what is drawn follows from test and run alone.
RESULTS = """
INSERT INTO projects_result (project_id, test_id, run_number, ran_on, seconds, outcome, n_attempts)
SELECT %(project_id)s, t.id, u.number, u.day, t.median_s * (0.8 + (t.id * 31 + u.number * 17) %% 40 / 100.0),
    CASE WHEN t.flake_status = 2 AND (t.id + u.number / 10) %% 8 = 0 THEN 2
        WHEN t.id %% 97 = 0 AND (t.id + u.number) %% 53 = 0 THEN 2 WHEN t.id %% 31 = 0 THEN 4 ELSE 1 END,
    1
FROM projects_run u JOIN projects_test t ON t.project_id = u.project_id AND t.id %% %(parts)s = (u.number / 2) %% %(parts)s
WHERE u.project_id = %(project_id)s AND u.day BETWEEN %(since)s AND %(until)s
ORDER BY u.number, t.id
"""
SIGNATURES = """
INSERT INTO projects_signature (project_id, digest, version, title, boundary, matched, is_infrastructure, first_on)
SELECT %(project_id)s, decode(md5('signature ' || n), 'hex'), 1, 'AssertionError: case <n> of kind ' || n, n %% 10, '', false,
    %(first)s FROM generate_series(0, 199) n
"""
FAILURES = """
INSERT INTO projects_failure (project_id, test_id, run_number, attempt, day, on_default, outcome, is_final, seconds, signature,
    in_incident, p_flaky)
SELECT r.project_id, r.test_id, r.run_number, 1, r.ran_on, u.is_default_branch, r.outcome, true, r.seconds,
    decode(md5('signature ' || r.test_id %% 200), 'hex'), false, 0.5
FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
WHERE r.project_id = %(project_id)s AND r.outcome = 2
"""
SAMPLES = """
INSERT INTO projects_failuresample (project_id, test_id, signature, slot, run_number, kind, message, text)
SELECT project_id, test_id, signature, 0, max(run_number), 'AssertionError', 'case ' || test_id, repeat('a line of a trace ', 40)
FROM projects_failure WHERE project_id = %(project_id)s GROUP BY project_id, test_id, signature
"""
FLAKES = """
INSERT INTO projects_flake (project_id, test_id, status, sentence, since_on, last_on, n_flakes, rate, rate_low, rate_high,
    few_runs, n_passes_needed, n_quiet, p_unfixed, proof_runs, state, awake_until, note, fixed_commit)
SELECT project_id, id, 2, 'it passed and failed on one commit', %(last)s::date - id %% 60, %(last)s, 5, 0.12, 0.08, 0.17, false,
    24, 0, 1, '{2, 12}', '', 0, '', ''
FROM projects_test WHERE project_id = %(project_id)s AND flake_status = 2
"""
PROOFS = """
INSERT INTO projects_flakeproof (project_id, test_id, run_number, rule, other_run, commit, day, on_default, in_incident)
SELECT f.project_id, f.test_id, f.run_number, 1, f.run_number, '', f.day, f.on_default, false
FROM projects_failure f JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
WHERE f.project_id = %(project_id)s AND t.flake_status = 2
"""
UPLOADS = """
INSERT INTO projects_upload (project_id, id, state, received_at, finished_at, n_tries, n_bytes, digest, run_key, branch, commit,
    shard, attempt, job, environment, url, pull_request, started_at, run_number, n_tests, n_passed, n_failed, n_error, n_skipped,
    layer_seconds)
SELECT project_id, md5('upload ' || number)::uuid, 3, started_at, started_at + interval '3 seconds', 1, 200000,
    decode(md5('upload ' || number), 'hex'), key, branch, commit, '', 1, 'tests', '', '', '', started_at, number, n_tests, n_passed,
    n_failed, n_error, n_skipped, '{}' FROM projects_run WHERE project_id = %(project_id)s
"""


def fill(
    project: Project,
    *,
    n_tests: int,
    n_runs: int,
    last: date,
    parts: int = PARTS,
    days: int = DAYS,
    with_paces: bool = True,
) -> int:
    """Give the project so many tests and runs in the days up to the last; return how many results that makes.

    A run executes every test of one of the parts. Paces take as long as all the rest, and can be left out.
    """
    first = last - timedelta(days=days)
    values: dict[str, Any] = {
        "project_id": project.pk,
        "n_tests": n_tests,
        "n_runs": n_runs,
        "first": first,
        "last": last,
        "parts": parts,
    }
    partitions.ensure_months({first + timedelta(days=n) for n in range(days + 1)})
    with connection.cursor() as cursor:
        cursor.execute(TESTS, values)
        cursor.execute(RUNS, values)
        for since, until in rollups.months(project.pk):
            cursor.execute(RESULTS, {**values, "since": since, "until": until})
        cursor.execute("ANALYZE")  # or the planner would look runs up one by one for ten million results
        for statement in (SIGNATURES, FAILURES, SAMPLES, FLAKES, PROOFS):
            cursor.execute(statement, values)
    Project.objects.filter(pk=project.pk).update(n_tests=n_tests, n_runs=n_runs)
    (rebuilding.rebuild if with_paces else rebuilding.rebuild_sums)(project.pk)
    with connection.cursor() as cursor:
        cursor.execute(UPLOADS, values)
        cursor.execute("ANALYZE")
        cursor.execute(
            "SELECT brin_summarize_new_values(oid) FROM pg_class WHERE relname LIKE 'projects_result%%run_number_idx'"
        )
        cursor.execute("SELECT count(*) FROM projects_result WHERE project_id = %s", [project.pk])
        (n_results,) = cursor.fetchone()
    return int(n_results)
