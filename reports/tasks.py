"""The tasks of what is sent: letters that are due, news of projects, and each delivery on its own.

The rows are the queue of record, so a doorbell that the broker lost is rung again by the next beat.
"""

from __future__ import annotations

import uuid
from typing import Any

from celery import shared_task
from django.db.models import Max
from django.utils import timezone

from projects.models import Membership, Project
from reports import channels, delivery, envelopes, forgetting, readers, refusals, schedule, watch, weekly


@shared_task
def send_due_letters(**_: Any) -> None:
    """Ask every project that sends letters whether one is due, and wake the deliveries that wait."""
    now = timezone.now()
    rows = Project.objects.filter(sends_letter=True).annotate(told_on=Max("letters__week_on")).order_by("id")
    wanted = rows.values_list("id", "letter_weekday", "letter_hour", "time_zone", "told_on")
    for project_id, weekday, hour, zone, told_on in wanted.iterator():
        days = schedule.due(now, weekday=weekday, hour=hour, zone=zone)
        if days is not None and not schedule.overlaps(days, told_on):
            build_letter.delay_on_commit(project_id=project_id)
    for letter_id in delivery.waiting(now=now):
        deliver_letter.delay_on_commit(letter_id=letter_id)


@shared_task
def build_letter(*, project_id: int, **_: Any) -> None:
    """Build the project's due letter and wake its deliveries; a second call finds it built."""
    project = Project.objects.filter(pk=project_id).first()
    letter = weekly.due_letter(project, now=timezone.now()) if project else None
    if letter is not None:
        deliver_letter.delay_on_commit(letter_id=letter.pk)


@shared_task
def deliver_letter(*, letter_id: int, **_: Any) -> None:
    """Claim deliveries of one letter and send them, and ring again while there are more."""
    now = timezone.now()
    claimed = delivery.claim(letter_id, now=now)
    if delivery.send(claimed, now=now) and len(claimed) == delivery.AT_ONCE:
        deliver_letter.delay_on_commit(letter_id=letter_id)


@shared_task(autoretry_for=refusals.MAIL_TROUBLE, retry_backoff=True, retry_jitter=True, max_retries=5)
def send_sample(*, membership_id: int, **_: Any) -> None:
    """Send one member the letter as it would be today."""
    now = timezone.now()
    member = Membership.objects.select_related("project", "user").get(pk=membership_id)
    composed = weekly.build_for(
        member.project, readers.of_membership(member), schedule.days_to(now, zone=member.project.time_zone)
    )
    delivery.send_sample(envelopes.sample(member.project, composed, now=now), member, now=now)


@shared_task
def watch_projects(**_: Any) -> None:
    """Look at the projects that may have news, and ring again for messages that wait."""
    now = timezone.now()
    for project_id in watch.due(now=now):
        watch_project.delay_on_commit(project_id=project_id)
    for project_id, delivery_id in channels.waiting(now=now):
        deliver_message.delay_on_commit(project_id=project_id, delivery_id=str(delivery_id))


@shared_task
def watch_project(*, project_id: int, **_: Any) -> None:
    """Look at one project, and ring for what is to be told of it."""
    for delivery_id in watch.look(project_id, now=timezone.now()):
        deliver_message.delay_on_commit(project_id=project_id, delivery_id=str(delivery_id))


@shared_task
def deliver_message(*, project_id: int, delivery_id: str, **_: Any) -> None:
    """Claim one message to a channel and send it."""
    now = timezone.now()
    claimed = channels.claim(project_id, uuid.UUID(delivery_id), now=now)
    if claimed is not None:
        channels.send(claimed, now=now)


@shared_task
def forget_deliveries(**_: Any) -> None:
    """Drop what is older than it is kept: events, messages to channels, letters with their deliveries."""
    forgetting.forget_old(now=timezone.now())
