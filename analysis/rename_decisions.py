"""What people decide about renames: that a proposed one is right or wrong, and that one is undone.

Runs under the project's lock, as recording does, since test and results move. Whether the person may decide was settled at the
door.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from analysis import counting, moving
from analysis.renaming import apply_one, say_that_names_changed, see, seen, swap
from projects import locks
from projects.care import Unfit, remark
from projects.models import Project, Rename, Run, Test, title_of
from projects.vocabulary import RenameState

RUNS_SINCE = """
SELECT r.run_number FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
WHERE r.project_id = %(project_id)s AND r.test_id = %(test_id)s AND r.run_number <> ALL(%(late)s)
    AND (r.run_number = ANY(%(moved)s) OR u.started_at >= %(since)s)
"""


@transaction.atomic
def accept(project: Project, rename_id: uuid.UUID, *, by: User, now: datetime) -> Rename:
    """Let history follow a rename that was only proposed; raise Unfit where that cannot be."""
    counting.hold(project.pk)
    locks.hold(project.pk)
    rename = _asked(project, rename_id, RenameState.PROPOSED)
    if moving.are_in_one_run(project.pk, source=rename.other_id, target=rename.test_id):
        raise Unfit("A run has results of both, so they are two tests.")
    taken = Q(test_id=rename.other_id) | Q(other_id=rename.other_id) | Q(other_id=rename.test_id)
    if Rename.objects.filter(taken, project=project, state=RenameState.APPLIED).exists():
        raise Unfit("One of the two goes by another name already. Undo that first.")
    Rename.objects.filter(project=project, other_id=rename.other_id, state=RenameState.PROPOSED).delete()
    apply_one(
        project.pk,
        rename.test_id,
        rename.other_id,
        run=rename.run_number,
        likeness=rename.likeness,
        by=by,
        now=now,
    )
    said = f"said that it is the test that was called {title_of(**rename.was)}"
    remark(project.pk, said, by=by, now=now, test_id=rename.test_id)
    return rename


@transaction.atomic
def refuse(project: Project, rename_id: uuid.UUID, *, by: User, now: datetime) -> Rename:
    """Say that a proposed rename is none."""
    rename = _asked(project, rename_id, RenameState.PROPOSED)
    _decide(rename, RenameState.UNDONE, by=by, now=now)
    return rename


@transaction.atomic
def undo(project: Project, rename_id: uuid.UUID, *, by: User, now: datetime) -> Rename:
    """Make two tests of one again: each gets back its name and the results that came under it; raise Unfit if it cannot be."""
    counting.hold(project.pk)
    locks.hold(project.pk)
    rename = _asked(project, rename_id, RenameState.APPLIED)
    later = Rename.objects.filter(
        project=project, test_id=rename.test_id, at__gt=rename.at, state=RenameState.APPLIED
    )
    if later.exists():
        raise Unfit("The test was renamed again since. Undo that first.")
    old = Test.objects.select_for_update().get(project=project, id=rename.test_id)
    new = Test.objects.select_for_update().get(project=project, id=rename.other_id)
    homes = counting.homes_of(project.pk, [old.id])
    swap(old, new)
    moving.move(project.pk, source=old.id, target=new.id, runs=_runs_since(rename))
    counting.rehome(project.pk, homes, runs_of=counting.tallied_runs_of(project.pk, [old.id]))
    see(project.pk, new.id)
    _shrink(project.pk, old.id)
    _decide(rename, RenameState.UNDONE, by=by, now=now)
    say_that_names_changed(project.pk, old, new, now=now)
    for test_id, other in ((old.id, rename.became), (new.id, rename.was)):
        remark(project.pk, f"said that it is not {title_of(**other)}", by=by, now=now, test_id=test_id)
    return rename


def _asked(project: Project, rename_id: uuid.UUID, state: RenameState) -> Rename:
    rename = Rename.objects.select_for_update().filter(project=project, id=rename_id, state=state).first()
    if rename is None:
        raise Unfit("That was decided already.")
    return rename


def _decide(rename: Rename, state: RenameState, *, by: User, now: datetime) -> None:
    Rename.objects.filter(pk=rename.pk).update(state=state, decided_by=by, decided_at=now)


def _runs_since(rename: Rename) -> list[int]:
    """Return the runs that had the test under its new name."""
    since = Run.objects.values_list("started_at", flat=True).get(
        project_id=rename.project_id, number=rename.run_number
    )
    values: dict[str, Any] = {
        "project_id": rename.project_id,
        "test_id": rename.test_id,
        "late": rename.late_runs,
        "moved": rename.moved_runs,
        "since": since,
    }
    with connection.cursor() as cursor:
        cursor.execute(RUNS_SINCE, values)
        return [run for (run,) in cursor.fetchall()]


def _shrink(project_id: int, test_id: int) -> None:
    """Set back the last days of a test to those of the results that it kept."""
    _, last, _, last_main, _ = seen(project_id, test_id)
    if last is not None:
        Test.objects.filter(project_id=project_id, id=test_id).update(
            last_seen_on=Greatest(F("first_seen_on"), last), last_main_on=last_main
        )
