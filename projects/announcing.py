"""What members say about where a project's news is told: channels, their log, and the links that need no login.

Each function is one decision. Whether the member may make it was settled at the door in access.py, whether an
address makes sense in the forms; how a message gets there is not known here.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence

from django.core.signing import Signer
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils.crypto import constant_time_compare

from projects.models import Channel, ChannelDelivery, Project
from projects.vocabulary import ChannelKind, EventKind

MOST_CHANNELS = 20  # a project's people read fewer; each look writes to all of them
LOG_SHOWN = 50
SECRET_PREFIX = "whsec_"  # noqa: S105 - how the Standard Webhooks spell a secret
SALT = "projects.announcing.link"


class TooManyChannels(Exception):
    """The project has as many channels as it may."""


@transaction.atomic
def add_channel(
    project: Project,
    *,
    kind: ChannelKind,
    name: str,
    address: str,
    wants: Sequence[EventKind],
) -> Channel:
    """Add a channel; raise TooManyChannels where there are enough."""
    Project.objects.select_for_update().get(pk=project.pk)
    if Channel.objects.filter(project=project).count() >= MOST_CHANNELS:
        raise TooManyChannels(f"A project has at most {MOST_CHANNELS} channels. Remove one first.")
    return Channel.objects.create(
        project=project,
        kind=kind,
        name=name,
        address=address,
        secret=new_secret() if kind is ChannelKind.WEBHOOK else "",
        wants=sorted(wants),
    )


def channels(project: Project) -> QuerySet[Channel]:
    """Return the project's channels by age, each with how its last delivery ended."""
    last = ChannelDelivery.objects.filter(channel=OuterRef("pk"), is_over=True).order_by("-created_at", "id")
    return (
        Channel.objects.filter(project=project)
        .annotate(
            last_sent_at=Subquery(last.values("sent_at")[:1]),
            last_ended_at=Subquery(last.values("created_at")[:1]),
        )
        .order_by("id")
    )


def channel(project: Project, channel_id: int) -> Channel | None:
    """Return one channel of the project."""
    return Channel.objects.filter(project=project, pk=channel_id).first()


def set_channel(project: Project, channel_id: int, *, wants: Sequence[EventKind], is_on: bool) -> None:
    """Keep what a channel wants and whether it is on; turned on, it is believed again."""
    Channel.objects.filter(project=project, pk=channel_id).update(
        wants=sorted(wants), is_on=is_on, **({"why_off": ""} if is_on else {})
    )


def new_secret() -> str:
    """Return a fresh secret in the spelling of the Standard Webhooks."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def renew_secret(project: Project, channel_id: int) -> str:
    """Give a webhook another secret and return it; the old one ends at once."""
    secret = new_secret()
    Channel.objects.filter(project=project, pk=channel_id, kind=ChannelKind.WEBHOOK).update(secret=secret)
    return secret


def remove_channel(project: Project, channel_id: int) -> None:
    """Remove a channel with its log."""
    Channel.objects.filter(project=project, pk=channel_id).delete()


def log(project: Project, *, most: int = LOG_SHOWN) -> tuple[ChannelDelivery, ...]:
    """Return the latest deliveries of all channels, newest first."""
    rows = ChannelDelivery.objects.filter(project=project).select_related("channel")
    return tuple(rows.order_by("-created_at", "id")[:most])


def delivery(project: Project, delivery_id: uuid.UUID) -> ChannelDelivery | None:
    """Return one delivery of the project with its channel."""
    rows = ChannelDelivery.objects.filter(project=project, id=delivery_id)
    return rows.select_related("channel").first()


def link_key(project: Project, *, purpose: str) -> str:
    """Return what a link carries in place of a login: for one purpose of one project, until links are made anew."""
    return Signer(salt=SALT).signature(f"{project.pk}.{project.links_version}.{purpose}")


def project_of_link(slug: str, *, purpose: str, key: str) -> Project | None:
    """Return the project that a link opens; None for a wrong key as for a project that does not exist."""
    project = Project.objects.filter(slug=slug).first()
    if project is None or not constant_time_compare(key, link_key(project, purpose=purpose)):
        return None
    return project


def renew_links(project: Project) -> None:
    """End every link of the project that was given away."""
    Project.objects.filter(pk=project.pk).update(links_version=F("links_version") + 1)
