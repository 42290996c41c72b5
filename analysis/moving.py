"""Move results from one test to another, with all that is kept of them: failures, sums, proofs, pace, care.

The caller holds the project's lock and has made sure that both are one thing. Sums are made again from the results of the
days that are touched; sums by layer stay, unless the two are of different layers, which is noted with the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from analysis import batches, rollups
from analysis.durations import RING
from projects import spans

# A test may have run in a day's runs of both names, in none of them under both.
RUNS = """
SELECT r.run_number, r.ran_on FROM projects_result r
WHERE r.project_id = %(project_id)s AND r.test_id = %(source)s AND r.ran_on >= %(kept_since)s
    AND (%(runs)s::int[] IS NULL OR r.run_number = ANY(%(runs)s))
"""
IN_BOTH = """
SELECT EXISTS (
    SELECT FROM projects_result a JOIN projects_result b ON b.project_id = a.project_id AND b.run_number = a.run_number
        AND b.ran_on = a.ran_on AND b.test_id = %(target)s
    WHERE a.project_id = %(project_id)s AND a.test_id = %(source)s)
"""
OF_RUNS = "WHERE project_id = %(project_id)s AND test_id = %(source)s AND run_number = ANY(%(runs)s)"
MOVES = (
    f"UPDATE projects_result SET test_id = %(target)s {OF_RUNS} AND ran_on = ANY(%(days)s)",
    f"UPDATE projects_failure SET test_id = %(target)s {OF_RUNS}",
    f"UPDATE projects_flakeproof SET test_id = %(target)s {OF_RUNS}",
    f"UPDATE projects_durationshift SET test_id = %(target)s {OF_RUNS}",
    f"UPDATE projects_flakeevent SET test_id = %(target)s {OF_RUNS}",
    """DELETE FROM projects_failuresample s WHERE project_id = %(project_id)s AND test_id = %(source)s AND EXISTS (
        SELECT FROM projects_failuresample o WHERE o.project_id = s.project_id AND o.test_id = %(target)s
            AND o.signature = s.signature AND o.slot = s.slot) AND run_number = ANY(%(runs)s)""",
    f"UPDATE projects_failuresample SET test_id = %(target)s {OF_RUNS}",
    """UPDATE projects_environmentrun SET unexpected = array_replace(unexpected, %(source)s, %(target)s)
        WHERE project_id = %(project_id)s AND run_number = ANY(%(runs)s) AND %(source)s = ANY(unexpected)""",
    """DELETE FROM projects_testday WHERE project_id = %(project_id)s AND on_default IN (false, true)
        AND day = ANY(%(days)s) AND test_id = ANY(%(tests)s)""",
    rollups.DAYS_FROM_RESULTS.format(narrow="AND r.test_id = ANY(%(tests)s) AND r.ran_on = ANY(%(days)s)"),
    """UPDATE projects_passbatch SET test_ids = array_replace(test_ids, %(source)s, %(target)s)
        WHERE project_id = %(project_id)s AND run_number = ANY(%(runs)s) AND %(source)s = ANY(test_ids)""",
)
# What people and the engine know of a test as a whole; where both have something, that of the target stands.
CARE = (
    f"""WITH gone AS (
        DELETE FROM projects_testpace WHERE project_id = %(project_id)s AND test_id = %(source)s RETURNING *)
    INSERT INTO projects_testpace AS p (project_id, test_id, bins, n_held)
    SELECT project_id, %(target)s, bins, n_held FROM gone
    ON CONFLICT (project_id, test_id) DO UPDATE SET bins = substr(p.bins || excluded.bins,
        greatest(1, length(p.bins || excluded.bins) - {2 * RING - 1}))""",
    """UPDATE projects_quarantine q SET ended_at = %(now)s WHERE project_id = %(project_id)s AND test_id = %(source)s
        AND ended_at IS NULL AND EXISTS (SELECT FROM projects_quarantine o WHERE o.project_id = q.project_id
            AND o.test_id = %(target)s AND o.ended_at IS NULL)""",
    "UPDATE projects_quarantine SET test_id = %(target)s WHERE project_id = %(project_id)s AND test_id = %(source)s",
    "UPDATE projects_remark SET test_id = %(target)s WHERE project_id = %(project_id)s AND test_id = %(source)s",
    """UPDATE projects_flake f SET note = CASE WHEN f.note = '' THEN s.note ELSE f.note END,
        owner = CASE WHEN f.owner = '' THEN s.owner ELSE f.owner END
    FROM projects_flake s WHERE f.project_id = %(project_id)s AND f.test_id = %(target)s
        AND s.project_id = %(project_id)s AND s.test_id = %(source)s""",
    """UPDATE projects_flake f SET test_id = %(target)s WHERE project_id = %(project_id)s AND test_id = %(source)s
        AND NOT EXISTS (SELECT FROM projects_flake o WHERE o.project_id = f.project_id AND o.test_id = %(target)s)""",
    "DELETE FROM projects_flake WHERE project_id = %(project_id)s AND test_id = %(source)s",
    """UPDATE projects_test t SET flake_status = coalesce((SELECT status FROM projects_flake f
        WHERE f.project_id = t.project_id AND f.test_id = t.id), 0)
    WHERE project_id = %(project_id)s AND id = ANY(%(tests)s)""",
)


def are_in_one_run(project_id: int, *, source: int, target: int) -> bool:
    """True where a run has results of both: then they are two tests."""
    with connection.cursor() as cursor:
        cursor.execute(IN_BOTH, {"project_id": project_id, "source": source, "target": target})
        return bool(cursor.fetchone()[0])


def move(project_id: int, *, source: int, target: int, runs: Sequence[int] | None = None) -> list[int]:
    """Move the results of a test to another, all of them or those of some runs; return the runs."""
    values: dict[str, Any] = {
        "project_id": project_id,
        "source": source,
        "target": target,
        "tests": [source, target],
        "kept_since": rollups.results_since(project_id),
        "runs": None if runs is None else list(runs),
    }
    batches.fold_held(project_id)  # before the numbers of the tests change
    with connection.cursor() as cursor:
        cursor.execute(RUNS, values)
        found = cursor.fetchall()
        if not found:
            return []
        days = sorted({day for _, day in found})
        values |= {
            "runs": sorted({run for run, _ in found}),
            "days": days,
            "since": days[0],
            "until": days[-1],
        }
        for statement in MOVES:
            cursor.execute(statement, values)
    spans.set_aside(project_id, since=days[0], until=days[-1])
    moved: list[int] = values["runs"]
    return moved


def move_care(project_id: int, *, source: int, target: int, now: Any) -> None:
    """Move what is known of a test as a whole: its pace, its verdict, and what people decided about it."""
    values = {
        "project_id": project_id,
        "source": source,
        "target": target,
        "tests": [source, target],
        "now": now,
    }
    with connection.cursor() as cursor:
        for statement in CARE:
            cursor.execute(statement, values)
