"""What members tell the flake engine: that a commit repaired a test, and that an incident was none.

Runs under the project's lock, as recording does, since both move the same states. Rows in, rows out, and a Remark for each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from analysis import flake_rows, flaking, mass_failures
from analysis.flakes import Update, declare_fixed
from analysis.incidents import Kind
from analysis.states import State
from projects import locks
from projects.care import Unfit, remark
from projects.models import Flake, Project, Run

FIRST_RUN_OF_COMMIT = """
SELECT number, started_at FROM projects_run
WHERE project_id = %(project_id)s AND commit LIKE %(commit)s AND is_default_branch ORDER BY started_at, number LIMIT 1
"""
SINCE_COMMIT = """
SELECT count(*) FILTER (WHERE r.outcome = 1), min(r.run_number) FILTER (WHERE r.outcome IN (2, 3) OR f.test_id IS NOT NULL)
FROM projects_result r
JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number AND NOT u.is_incident
LEFT JOIN LATERAL (
    SELECT f.test_id FROM projects_failure f WHERE f.project_id = r.project_id AND f.test_id = r.test_id
        AND f.run_number = r.run_number AND NOT f.in_incident LIMIT 1
) f ON true
WHERE r.project_id = %(project_id)s AND r.test_id = %(test_id)s AND r.ran_on >= %(day)s AND u.is_default_branch
    AND u.started_at >= %(started_at)s
"""


@transaction.atomic
def mark_fixed(project: Project, test_id: int, *, commit: str, by: User, now: datetime) -> None:
    """Count the passes of a flaky test from the commit that repaired it; raise Unfit where it failed since."""
    locks.hold(project.pk)
    flake = (
        Flake.objects.select_for_update().filter(project=project, test_id=test_id).exclude(state=b"").first()
    )
    state = State.unpack(flake.state) if flake else None
    if flake is None or state is None or not state.is_flagged:
        raise Unfit("Only a test that is flaky now can be marked as fixed.")
    first_run, n_passes = _since(project.pk, test_id, commit)
    event = declare_fixed(state, n_passes=n_passes, run=first_run, at=mass_failures.days(now))
    told = {test_id: Update(None, None, (), event)}
    flake_rows.keep_states(project.pk, {test_id: state}, told, at=mass_failures.days(now))
    Flake.objects.filter(pk=flake.pk).update(fixed_commit=commit)
    passes = f"{n_passes} passes since" if first_run else "no run of it yet"
    remark(project.pk, f"marked it as fixed at {commit} ({passes})", by=by, now=now, test_id=test_id)


def _since(project_id: int, test_id: int, commit: str) -> tuple[int, int]:
    """Return the first run of the commit and the test's passes since; raise Unfit where it failed since."""
    values: dict[str, Any] = {"project_id": project_id, "test_id": test_id}
    like = commit.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    with connection.cursor() as cursor:
        cursor.execute(FIRST_RUN_OF_COMMIT, {**values, "commit": like})
        found = cursor.fetchone()
        if found is None:
            return 0, 0
        number, started_at = found
        cursor.execute(SINCE_COMMIT, {**values, "started_at": started_at, "day": started_at.date()})
        n_passes, failed_run = cursor.fetchone()
    if failed_run is not None:
        raise Unfit(f"It failed in run #{failed_run}, which is not older than that commit.")
    return number, n_passes


@transaction.atomic
def put_back(
    project: Project, run_number: int, *, by: User, now: datetime, test_id: int | None = None
) -> int:
    """Count the failures that an incident of the run left out, or those of one test; raise Unfit where it has none.

    Return how many tests that are.
    """
    locks.hold(project.pk)
    run = Run.objects.select_for_update().filter(project=project, number=run_number).first()
    past = mass_failures.incidents_of_run(project.pk, run_number) if run else []
    held = [one for one in past if one.kind is not Kind.CODE_BREAK]
    if run is None or not run.is_incident or not held:
        raise Unfit("No incident of this run leaves anything out.")
    why = f"put back by {by.get_username()}"
    n_tests = flaking.count_again(project, run, held, why=why, at=mass_failures.days(now), only=test_id)
    if test_id is not None and not n_tests:
        raise Unfit("The incident leaves out no failure of this test.")
    whose = (
        f"the failures of {n_tests} {'test' if n_tests == 1 else 'tests'}"
        if test_id is None
        else "a test's failure"
    )
    sentence = f"put back {whose} that the incident left out"
    remark(project.pk, sentence, by=by, now=now, run_number=run_number, test_id=test_id)
    return n_tests
