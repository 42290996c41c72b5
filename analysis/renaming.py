"""Drive renames from the rows: find them in whole runs of the default branch, and let history follow.

The old test takes over the new one's words and results, so that its address, history, verdict and care go on. The new one's
row stays behind with the old words: uploads that still use the old name land there, and are moved on from there. What people
decide about it is analysis.rename_decisions' affair.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F

from analysis import counting, moving, refresh
from analysis import renames as pure
from analysis.completeness import Tally
from projects import locks
from projects.care import remark
from projects.models import Project, Rename, Run, Test
from projects.vocabulary import Layer, RenameState

MOST = 5_000  # tests that vanish or appear; with more, the suite was replaced
LEAST_SHARE = 0.99  # of the tests of the run before: a smaller one may not be all there yet
MOST_CANDIDATES = 3  # put to a person; more say that the name is everybody's
MOST_TURNS = 4  # of a name that changes to and fro: then both are in use, and these are two tests
MOST_PROPOSED = 20  # of a run; with more, its tests were written anew
NEVER = date(1970, 1, 1)  # when a row was seen that only keeps a name
IDENTITY = (
    *("fingerprint", "base", "suite", "classname", "name", "file", "line", "variant", "framework", "owner"),
    *(
        "code_owner",
        "markers",
        "properties",
        "sent_layer",
        "layer",
        "confidence",
        "evidence",
        "tags",
        "traits",
    ),
)
WORDS = ("suite", "classname", "name", "file")

COLUMNS = "t.id, t.suite, t.name, t.median_s, coalesce(nullif(t.file, ''), t.classname), t.variant"
# First seen on the default branch in this run: other branches may have had it before, where the change was made.
APPEARED = f"""
SELECT {COLUMNS} FROM projects_result r JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s AND r.run_number = %(number)s AND r.ran_on = %(day)s AND t.first_main_on = %(day)s
    AND t.layer <> ALL(%(apart)s) AND NOT EXISTS (
        SELECT FROM projects_result p JOIN projects_run u ON u.project_id = p.project_id AND u.number = p.run_number
        WHERE p.project_id = t.project_id AND p.test_id = t.id AND p.run_number <> %(number)s AND u.is_default_branch)
ORDER BY t.id LIMIT %(most)s
"""
VANISHED = f"""
SELECT {COLUMNS} FROM projects_result r JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s AND r.run_number = %(before)s AND r.ran_on = %(day_before)s
    AND t.layer <> ALL(%(apart)s) AND NOT EXISTS (
        SELECT FROM projects_result h WHERE h.project_id = t.project_id AND h.test_id = t.id
            AND h.run_number = %(number)s AND h.ran_on = %(day)s)
ORDER BY t.id LIMIT %(most)s
"""
# Results that came under a name that a test had before.
LANDED = """
SELECT n.id, array_agg(DISTINCT r.run_number ORDER BY r.run_number),
    max(u.number) FILTER (WHERE u.is_default_branch AND u.started_at > s.started_at)
FROM projects_rename n
JOIN projects_result r ON r.project_id = n.project_id AND r.test_id = n.other_id
JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
JOIN projects_run s ON s.project_id = n.project_id AND s.number = n.run_number
WHERE n.project_id = %(project_id)s AND n.state = %(applied)s GROUP BY n.id, n.at ORDER BY n.at
"""
SEEN = """
SELECT min(r.ran_on), max(r.ran_on), min(r.ran_on) FILTER (WHERE u.is_default_branch),
    max(r.ran_on) FILTER (WHERE u.is_default_branch), min(r.run_number)
FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
WHERE r.project_id = %(project_id)s AND r.test_id = %(test_id)s
"""


def follow(run: Run, *, here: Tally, before: Tally | None, now: datetime) -> int:
    """Let history follow the tests that a whole run of the default branch shows under new names; return how many."""
    if before is None or sum(here.homes.values()) < LEAST_SHARE * sum(before.homes.values()):
        return 0
    found = _found(run, before.run)
    if not found:
        return 0
    locks.hold(run.project_id)
    if not Run.objects.filter(pk=run.pk, n_uploads=run.n_uploads).exists():
        return 0  # another upload came meanwhile, after which the run is judged again
    proposed = [one for one in found if not one.is_sure and len(one.candidates) <= MOST_CANDIDATES]
    for rename in proposed if len(proposed) <= MOST_PROPOSED else ():
        _propose(run, rename, now=now)
    return _follow_all(run, [rename for rename in found if rename.is_sure], now=now)


def _follow_all(run: Run, sure: Sequence[pure.Rename], *, now: datetime) -> int:
    old = [rename.candidates[0] for rename in sure]
    homes = counting.homes_of(run.project_id, old)
    runs_of = counting.tallied_runs_of(run.project_id, old)
    n_applied = sum(_try(run, rename, now=now) for rename in sure)
    counting.rehome(run.project_id, homes, runs_of=runs_of)
    return n_applied


def _found(run: Run, before: int) -> list[pure.Rename]:
    values: dict[str, Any] = {
        "project_id": run.project_id,
        "number": run.number,
        "day": run.day,
        "before": before,
        "day_before": Run.objects.values_list("day", flat=True).get(project_id=run.project_id, number=before),
        "apart": [int(Layer.STATIC), int(Layer.LOAD)],
        "most": MOST + 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(APPEARED, values)
        appeared = cursor.fetchall()
        if not appeared or len(appeared) > MOST:
            return []
        cursor.execute(VANISHED, values)
        vanished = cursor.fetchall()
    if len(vanished) > MOST:
        return []
    return [
        rename
        for variant in sorted({row[5] for row in appeared})
        for rename in _of(variant, vanished, appeared)
    ]


def _of(
    variant: str, vanished: Iterable[Sequence[Any]], appeared: Iterable[Sequence[Any]]
) -> list[pure.Rename]:
    """Compare the tests of one environment: each has the same names in it."""
    return pure.renames(
        vanished=[pure.Known(*row[:5]) for row in vanished if row[5] == variant],
        appeared=[pure.Known(*row[:5]) for row in appeared if row[5] == variant],
    )


def _try(run: Run, rename: pure.Rename, *, now: datetime) -> int:
    old_id = rename.candidates[0]
    if _is_known(run.project_id, old_id, rename.new) or moving.are_in_one_run(
        run.project_id, source=rename.new, target=old_id
    ):
        return 0
    _apply(run.project_id, old_id, rename.new, run=run.number, likeness=rename.likeness, by=None, now=now)
    return 1


def _is_known(project_id: int, test_id: int, other_id: int) -> bool:
    return Rename.objects.filter(project_id=project_id, test_id=test_id, other_id=other_id).exists()


def _propose(run: Run, rename: pure.Rename, *, now: datetime) -> None:
    tests = {
        test.id: test
        for test in Test.objects.filter(project_id=run.project_id, id__in=[rename.new, *rename.candidates])
    }
    Rename.objects.bulk_create(
        Rename(
            project_id=run.project_id,
            test_id=old_id,
            other_id=rename.new,
            run_number=run.number,
            at=now,
            state=RenameState.PROPOSED,
            likeness=rename.likeness,
            was=_words(tests[old_id]),
            became=_words(tests[rename.new]),
        )
        for old_id in rename.candidates
        if not _is_known(run.project_id, old_id, rename.new)
    )


def apply_one(project_id: int, old_id: int, new_id: int, **told: Any) -> None:
    """Apply one rename, and count the test where it is now in the runs that had it before."""
    homes = counting.homes_of(project_id, [old_id])
    runs_of = counting.tallied_runs_of(project_id, [old_id])
    _apply(project_id, old_id, new_id, **told)
    counting.rehome(project_id, homes, runs_of=runs_of)


def _apply(
    project_id: int, old_id: int, new_id: int, *, run: int, likeness: float, by: User | None, now: datetime
) -> None:
    """Give the old test the new one's words and results, and leave the old words with the new row."""
    old = Test.objects.select_for_update().get(project_id=project_id, id=old_id)
    new = Test.objects.select_for_update().get(project_id=project_id, id=new_id)
    swap(old, new)
    moved = moving.move(project_id, source=new_id, target=old_id)
    moving.move_care(project_id, source=new_id, target=old_id, now=now)
    Run.objects.filter(project_id=project_id, number=new.first_run, n_new__gt=0).update(n_new=F("n_new") - 1)
    see(project_id, old_id)
    _retire(project_id, new_id)
    Rename.objects.create(
        project_id=project_id,
        test_id=old_id,
        other_id=new_id,
        run_number=run,
        at=now,
        state=RenameState.APPLIED,
        likeness=likeness,
        was=_words(old),
        became=_words(new),
        moved_runs=moved,
        decided_by=by,
        decided_at=now if by else None,
    )
    say_that_names_changed(project_id, old, new, now=now)


def swap(one: Test, other: Test) -> None:
    """Exchange the words of two tests, and all that was concluded from them."""
    first, second = ({name: getattr(test, name) for name in IDENTITY} for test in (one, other))
    # No two tests may have one fingerprint, not even for a moment.
    Test.objects.filter(pk=other.pk).update(fingerprint=os.urandom(16))
    Test.objects.filter(pk=one.pk).update(**second)
    Test.objects.filter(pk=other.pk).update(**first)


def _words(test: Test) -> dict[str, str]:
    return {name: getattr(test, name) for name in WORDS}


def say_that_names_changed(project_id: int, one: Test, other: Test, *, now: datetime) -> None:
    """Have workers forget which words mean which test; and, where a layer changed, the sums by layer made again."""
    Project.objects.filter(pk=project_id).update(identities=uuid.uuid4())
    if one.layer != other.layer:
        refresh.want_reclassify(project_id, now=now, sums_are_stale=True)


def see(project_id: int, test_id: int) -> None:
    """Widen the days on which a test was seen by those of its results; retention may have deleted earlier ones."""
    first, last, first_main, last_main, run = seen(project_id, test_id)
    test = Test.objects.get(project_id=project_id, id=test_id)
    if first is None:
        return
    Test.objects.filter(pk=test.pk).update(
        first_seen_on=min(first, test.first_seen_on) if test.first_seen_on > NEVER else first,
        last_seen_on=max(last, test.last_seen_on),
        first_main_on=min(filter(None, [first_main, test.first_main_on]), default=None),
        last_main_on=max(filter(None, [last_main, test.last_main_on]), default=None),
        first_run=test.first_run or run,
    )


def seen(project_id: int, test_id: int) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(SEEN, {"project_id": project_id, "test_id": test_id})
        return tuple(cursor.fetchone())


def _retire(project_id: int, test_id: int) -> None:
    """Let a row keep a name and nothing else: it was never seen, so no list and no count has it."""
    Test.objects.filter(project_id=project_id, id=test_id).update(
        first_seen_on=NEVER,
        last_seen_on=NEVER,
        first_main_on=None,
        last_main_on=None,
        first_run=0,
        bucket=0,
        median_s=None,
        misfit_dismissed="",
    )


# --- Uploads that still use the old name


@transaction.atomic
def gather(project_id: int, *, now: datetime) -> int:
    """Move on what uploads brought under old names; return how many tests that were."""
    if not Rename.objects.filter(project_id=project_id, state=RenameState.APPLIED).exists():
        return 0
    counting.hold(project_id)
    locks.hold(project_id)
    with connection.cursor() as cursor:
        cursor.execute(LANDED, {"project_id": project_id, "applied": RenameState.APPLIED})
        landed = cursor.fetchall()
    for rename_id, runs, back_in in landed:
        rename = Rename.objects.get(project_id=project_id, id=rename_id)
        if _are_two(rename, is_back=back_in is not None):
            _part(rename, runs, now=now)
        elif back_in is not None:
            _turn_back(rename, back_in, now=now)
        else:
            _take_late(rename, runs, now=now)
    return len(landed)


def _are_two(rename: Rename, *, is_back: bool) -> bool:
    """True where both names are in use: in one run, or by turns."""
    project_id, test_id, other_id = rename.project_id, rename.test_id, rename.other_id
    if moving.are_in_one_run(project_id, source=other_id, target=test_id):
        return True
    turns = Rename.objects.filter(project_id=project_id, test_id=test_id, other_id=other_id)
    return is_back and turns.count() >= MOST_TURNS


def _take_late(rename: Rename, runs: list[int], *, now: datetime) -> None:
    project_id, other_id = rename.project_id, rename.other_id
    layers = set(
        Test.objects.filter(project_id=project_id, id__in=[rename.test_id, other_id]).values_list(
            "layer", flat=True
        )
    )
    moving.move(project_id, source=other_id, target=rename.test_id)
    moving.move_care(project_id, source=other_id, target=rename.test_id, now=now)
    see(project_id, rename.test_id)
    _retire(project_id, other_id)
    Rename.objects.filter(pk=rename.pk).update(late_runs=[*rename.late_runs, *runs])
    if len(layers) > 1:
        refresh.want_reclassify(project_id, now=now, sums_are_stale=True)


def _part(rename: Rename, runs: list[int], *, now: datetime) -> None:
    """The old name is in use beside the new one: a test of its own, and the history stays where it is."""
    see(rename.project_id, rename.other_id)
    Rename.objects.filter(pk=rename.pk).update(state=RenameState.ENDED, decided_at=now)
    for test_id in (rename.test_id, rename.other_id):
        words = f"both names are in use, see run #{runs[-1]}: these are two tests from now on"
        remark(rename.project_id, words, by=None, now=now, test_id=test_id)


def _turn_back(rename: Rename, run: int, *, now: datetime) -> None:
    """The default branch has the old name again, and not the new one: the test goes by it again."""
    Rename.objects.filter(pk=rename.pk).update(state=RenameState.ENDED, decided_at=now)
    apply_one(
        rename.project_id,
        rename.test_id,
        rename.other_id,
        run=run,
        likeness=rename.likeness,
        by=None,
        now=now,
    )
