"""What was worth telling between two letters, the channels it goes to, and what came of each message."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.models.project import Project
from projects.vocabulary import ChannelKind, EventKind, choices


class Watch(models.Model):
    """What was known of a project when it was last looked at for news."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="watch")
    looked_at = models.DateTimeField()
    over_budget = ArrayField(models.PositiveSmallIntegerField(), default=list)
    is_off_target = models.BooleanField(null=True)
    is_silent = models.BooleanField(default=False)
    is_refused = models.BooleanField(default=False)
    incidents = ArrayField(models.PositiveIntegerField(), default=list)

    def __str__(self) -> str:
        return f"{self.project_id}"


class Event(models.Model):
    """One thing that was worth telling; those of one look share their time."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    kind = models.PositiveSmallIntegerField(choices=choices(EventKind))
    at = models.DateTimeField()
    key = models.CharField(max_length=100)
    title = models.TextField()
    detail = models.CharField(max_length=500, blank=True)
    path = models.CharField(max_length=300)
    is_good = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["project", "-at"], name="told_by_time")]

    def __str__(self) -> str:
        return self.title


class Channel(models.Model):
    """Where a project's events are told: a mail address, or an address that takes a POST."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="channels")
    kind = models.PositiveSmallIntegerField(choices=choices(ChannelKind))
    name = models.CharField(max_length=100)
    address = models.CharField(max_length=1000)
    secret = models.CharField(max_length=100, blank=True)
    wants = ArrayField(models.PositiveSmallIntegerField(choices=choices(EventKind)), default=list)
    is_on = models.BooleanField(default=True)
    why_off = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class ChannelDelivery(models.Model):
    """One message on its way to one Channel, with what came of the last try."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    replay_of = models.UUIDField(null=True)
    subject = models.CharField(max_length=300)
    message = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    n_tries = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    took_s = models.FloatField(null=True)
    sent_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.CharField(max_length=500, blank=True)
    is_over = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(is_over=False), name="channel_waiting"),
            models.Index(fields=["channel", "-created_at"], name="channel_log"),
        ]

    def __str__(self) -> str:
        return self.subject
