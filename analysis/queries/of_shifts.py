"""Questions about tests that became slower: which, since which run, and whether it was the machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from analysis.answers.of_time import ShiftRow
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Layer

WORTH_S, WORTH_SHARE = 0.5, 0.01  # what a list names: half a second, or a hundredth of a run
USUAL_RUNS = 20  # runs that a machine is compared with

COLUMNS = """t.id, t.suite, t.classname, t.name, t.file, t.layer, d.before_s, d.since_s, d.run_number, d.run_before,
    u.commit, b.commit, d.day"""
JOINED = """FROM projects_durationshift d
JOIN projects_test t ON t.project_id = d.project_id AND t.id = d.test_id
JOIN projects_run u ON u.project_id = d.project_id AND u.number = d.run_number
LEFT JOIN projects_run b ON b.project_id = d.project_id AND b.number = d.run_before"""
# A shift that a later one took back or made worse is history.
LATEST = """NOT EXISTS (SELECT FROM projects_durationshift n WHERE n.project_id = d.project_id AND n.test_id = d.test_id
    AND n.run_number > d.run_number)"""

# Slower for good, told in the window, and worth a line.
TOLD = f"""d.project_id = %(project_id)s AND d.told_on BETWEEN %(since)s AND %(until)s AND d.since_s > d.before_s AND {LATEST}
    AND d.since_s - d.before_s >= least({WORTH_S}, {WORTH_SHARE} * (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM projects_run r
        WHERE r.project_id = %(project_id)s AND r.is_default_branch AND r.day BETWEEN %(since)s AND %(until)s))"""

SLOWER = f"""
SELECT {COLUMNS}, (d.since_s - d.before_s) * coalesce((
    SELECT sum(n_passed) FROM projects_testday y WHERE y.project_id = d.project_id AND y.on_default
        AND y.day BETWEEN greatest(d.day, %(since)s) AND %(until)s AND y.test_id = d.test_id), 0) AS added
{JOINED}
WHERE {TOLD} AND t.layer = ANY(%(layers)s)
ORDER BY added DESC, t.id LIMIT %(limit)s
"""
# As one value, so that the page of a test asks no question more.
OF_ONE = f"""
SELECT coalesce(json_agg(json_build_array({COLUMNS}, 0) ORDER BY d.run_number DESC), '[]')
FROM (SELECT * FROM projects_durationshift d WHERE d.project_id = %(project_id)s AND d.test_id = %(test_id)s) d
JOIN projects_test t ON t.project_id = d.project_id AND t.id = d.test_id
JOIN projects_run u ON u.project_id = d.project_id AND u.number = d.run_number
LEFT JOIN projects_run b ON b.project_id = d.project_id AND b.number = d.run_before
"""
MACHINE = """
SELECT u.machine_factor / nullif((
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY machine_factor) FROM (
        SELECT b.machine_factor FROM projects_run b
        WHERE b.project_id = u.project_id AND b.is_default_branch AND b.started_at < u.started_at
            AND b.machine_factor IS NOT NULL
        ORDER BY b.started_at DESC LIMIT %(n_usual)s) before), 0)
FROM projects_run u WHERE u.project_id = %(project_id)s AND u.number = %(number)s
"""


def slower(project: Project, window: Window, *, limit: int | None = None) -> tuple[ShiftRow, ...]:
    """Which tests became slower in the window and are so still, and since which run? Most time added first."""
    if rows.kind_of(window) == "branch":  # told of the default branch alone
        return ()
    values = rows.values_of(project, window, limit=limit)
    return tuple(map(_shift, rows.fetch(SLOWER, values)))


def shifts_of_one(found: str) -> tuple[ShiftRow, ...]:
    """Read what OF_ONE returned, when a test became slower or faster, newest first; or SLOWER as one value."""
    return tuple(_shift([*row[:12], date.fromisoformat(row[12]), *row[13:]]) for row in json.loads(found))


def machine(project: Project, number: int) -> float | None:
    """How many times as slow as usual was the machine of this run? None where too few tests can tell."""
    found = rows.fetch(MACHINE, {"project_id": project.pk, "number": number, "n_usual": USUAL_RUNS})
    return found[0][0] if found else None


def _shift(row: Sequence[Any]) -> ShiftRow:
    (
        test_id,
        suite,
        classname,
        name,
        file,
        layer,
        before_s,
        since_s,
        number,
        before,
        commit,
        old,
        day,
        added,
    ) = row
    return ShiftRow(
        test_id=test_id,
        title=title_of(suite=suite, classname=classname, name=name, file=file),
        home=file or classname or suite,
        layer=Layer(layer),
        before_s=before_s,
        since_s=since_s,
        run_number=number,
        run_before=before,
        commit=commit,
        commit_before=old or "",
        day=day,
        added_s=float(added),
    )
