"""What members decide about single tests: note, owner, and quarantine; each decision leaves a Remark.

Whether the member may decide was settled at the door in access.py. A quarantine mutes a test in CI and nowhere else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from projects.models import Flake, MutingPolicy, Project, Quarantine, Remark, Test
from projects.vocabulary import FlakeStatus

DEFAULT_DAYS = 14  # long enough to repair a test that matters
LONGEST_DAYS = 90  # a test muted for longer is one that nobody wants


class Unfit(Exception):
    """The decision makes no sense as asked; the sentence says why."""


def remark(
    project_id: int,
    sentence: str,
    *,
    by: User | None,
    now: datetime,
    test_id: int | None = None,
    run_number: int | None = None,
) -> None:
    """Keep who did what, and when."""
    Remark.objects.create(
        project_id=project_id, test_id=test_id, run_number=run_number, at=now, by=by, sentence=sentence[:1200]
    )


@transaction.atomic
def set_note(project: Project, test_id: int, *, note: str, owner: str, by: User, now: datetime) -> bool:
    """Keep note and owner of a test; False where both were so already."""
    flake, _ = Flake.objects.select_for_update().get_or_create(
        project=project, test_id=test_id, defaults={"status": FlakeStatus.HEALTHY}
    )
    said = []
    if flake.note != note:
        said.append(f"wrote the note: {note}" if note else "took the note away")
    if flake.owner != owner:
        said.append(f"made {owner} the owner" if owner else "took the owner away")
    if not said:
        return False
    Flake.objects.filter(pk=flake.pk).update(note=note, owner=owner)
    remark(project.pk, "; ".join(said), by=by, now=now, test_id=test_id)
    return True


@transaction.atomic
def mute(
    project: Project,
    test_id: int,
    *,
    reason: str,
    n_days: int,
    by: User | None,
    now: datetime,
    is_by_policy: bool = False,
) -> Quarantine:
    """Mute a test in CI for some days; raise Unfit where it is muted already or the days are out of range."""
    if not 1 <= n_days <= LONGEST_DAYS:
        raise Unfit(f"A test may be muted for 1 to {LONGEST_DAYS} days.")
    if not reason:
        raise Unfit("Say why the test is muted.")
    if not Test.objects.select_for_update().filter(project=project, id=test_id).exists():
        raise Unfit("The project has no such test.")
    if Quarantine.objects.filter(project=project, test_id=test_id, ended_at=None).exists():
        raise Unfit("The test is muted already.")
    until_on = now.date() + timedelta(days=n_days)
    kept = Quarantine.objects.create(
        project=project,
        test_id=test_id,
        reason=reason,
        created_at=now,
        by=by,
        until_on=until_on,
        is_by_policy=is_by_policy,
    )
    remark(project.pk, f"muted the test in CI until {until_on}: {reason}", by=by, now=now, test_id=test_id)
    return kept


@transaction.atomic
def unmute(project: Project, test_id: int, *, by: User, now: datetime) -> bool:
    """End the quarantine of a test; False where it has none."""
    ended = Quarantine.objects.filter(project=project, test_id=test_id, ended_at=None).update(
        ended_at=now, ended_by=by
    )
    if ended:
        remark(project.pk, "unmuted the test", by=by, now=now, test_id=test_id)
    return ended == 1


@transaction.atomic
def set_policy(project: Project, *, by: User, now: datetime, **fields: Any) -> bool:
    """Keep the policy by which the project mutes tests itself; False where it was so already."""
    policy, _ = MutingPolicy.objects.select_for_update().get_or_create(project=project)
    changed = {name: value for name, value in fields.items() if getattr(policy, name) != value}
    if not changed:
        return False
    MutingPolicy.objects.filter(pk=policy.pk).update(**changed)
    said = (
        [f"switched muting by policy {'on' if changed.pop('is_on') else 'off'}"] if "is_on" in changed else []
    )
    said += [f"set {name.replace('_', ' ')} to {value:g}" for name, value in sorted(changed.items())]
    remark(project.pk, "; ".join(said), by=by, now=now)
    return True


@transaction.atomic
def end_by_policy(project: Project, test_id: int, *, why: str, now: datetime) -> bool:
    """End the quarantine that the project's policy began; False where it has none."""
    ended = Quarantine.objects.filter(
        project=project, test_id=test_id, ended_at=None, is_by_policy=True
    ).update(ended_at=now)
    if ended:
        remark(project.pk, f"ended the quarantine: {why}", by=None, now=now, test_id=test_id)
    return ended == 1


@transaction.atomic
def expire(project_id: int, *, now: datetime) -> int:
    """End the quarantines whose last day is over; return how many."""
    over = list(
        Quarantine.objects.select_for_update().filter(
            project_id=project_id, ended_at=None, until_on__lt=now.date()
        )
    )
    for one in over:
        Quarantine.objects.filter(pk=one.pk).update(ended_at=now)
        remark(
            project_id, f"the quarantine until {one.until_on} is over", by=None, now=now, test_id=one.test_id
        )
    return len(over)
