"""The background work on what is recorded: reclassifying a project, and the nightly upkeep."""

from __future__ import annotations

from datetime import datetime, timedelta

from celery import shared_task
from django.db import transaction
from django.utils import timezone

from analysis import (
    batches,
    bucket_weeks,
    environments,
    flaking,
    hints,
    muting,
    owning,
    refresh,
    renaming,
    slowdowns,
    spans,
    tallies,
    together,
)
from projects import care, locks, repacking, retention
from projects.models import Project
from projects.partitions import ensure_months


@shared_task
def reclassify_project(*, project_id: int, **_: object) -> None:
    """Weigh every test of the project again if that is wanted; one worker at a time does it."""
    wanting = Project.objects.exclude(reclassify_wanted_at=None).filter(pk=project_id)
    with locks.alone(locks.Lock.RECLASSIFY, project_id) as is_mine:
        project = wanting.first()
        if is_mine and project is not None:
            now = timezone.now()
            refresh.reclassify(project, now=now)
            bucket_weeks.judge_weeks(project, today=now.date())
    if (
        is_mine and wanting.exists()
    ):  # wanted again meanwhile, and whoever rang for it found this worker at it
        reclassify_project.delay_on_commit(project_id=project_id)


def ask_for_reclassification(project_id: int) -> None:
    """Note that the project's tests want weighing again, and ring for it on commit."""
    refresh.want_reclassify(project_id, now=timezone.now())
    reclassify_project.delay_on_commit(project_id=project_id)


@shared_task
def settle_runs(*, project_id: int, **_: object) -> None:
    """Do what recorded uploads leave to do: judge which runs are whole, follow renames, own new tests, find causes."""
    now = timezone.now()
    batches.fold(project_id)
    renaming.gather(project_id, now=now)
    tallies.settle(project_id, now=now, on_whole=renaming.follow)
    owning.own(project_id)
    hints.catch_up(project_id, today=now.date())


@shared_task
def keep_spans(**_: object) -> None:
    """Ring for the spans of each project that has so many tests that its pages need them."""
    for project in Project.objects.filter(n_tests__gte=spans.WORTH).order_by("id"):
        keep_spans_of.delay_on_commit(project_id=project.pk)


@shared_task
def keep_spans_of(*, project_id: int, **_: object) -> None:
    """Make the spans of a project that are missing or out of date; one worker at a time does it."""
    with locks.alone(locks.Lock.SPANS, project_id) as is_mine:
        project = Project.objects.filter(pk=project_id).first()
        if is_mine and project is not None:
            spans.keep_up(project, now=timezone.now())


@shared_task
def follow_paces(**_: object) -> None:
    """Fold what uploads laid aside and no worker folded, and add their passes to the paces: those of a minute at once."""
    for project_id in batches.waiting():
        batches.fold(project_id)
    for project_id in slowdowns.waiting():
        slowdowns.follow(project_id)


def _look_again(project_id: int, *, now: datetime) -> None:
    """Look for likely causes, and let the project's policy mute what it asks for."""
    project = Project.objects.get(pk=project_id)
    hints.keep(project, today=now.date())
    muting.apply(project, now=now)


@shared_task
def pack_months(**_: object) -> None:
    """Write an index of a month that is over anew without spare room, and ring for the next one."""
    if repacking.pack_next(timezone.now().date()):
        pack_months.delay_on_commit()


@shared_task
def upkeep(**_: object) -> None:
    """Make the next partitions, delete what is old, and look again at every verdict, median and layer."""
    now = timezone.now()
    ensure_months({now.date(), now.date() + timedelta(days=31)})
    retention.keep_house(now)
    for project_id in Project.objects.order_by("id").values_list("id", flat=True):
        batches.fold(project_id)
        flaking.age(project_id, now=now)
        environments.compare(project_id, today=now.date(), now=now)
        together.join(project_id, today=now.date())
        care.expire(project_id, now=now)
        _look_again(project_id, now=now)
        tallies.forget(project_id, now=now)
        owning.own(project_id, afresh=True)
        with transaction.atomic():
            ask_for_reclassification(project_id)
    pack_months.delay_on_commit()
