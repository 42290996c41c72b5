"""What was delivered, whatever became of it: uploads, their bytes and their problems."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from projects.models.project import Project
from projects.models.senders import Token
from projects.vocabulary import Layer, ProblemLevel, UploadState, choices


class Upload(models.Model):
    """One delivery over the API, whatever its fate; the row is the queue of record."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="uploads")
    id = models.UUIDField(default=uuid.uuid4)
    state = models.PositiveSmallIntegerField(choices=choices(UploadState), default=UploadState.RECEIVED)
    received_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    n_tries = models.PositiveSmallIntegerField(default=0)
    token = models.ForeignKey(Token, models.SET_NULL, null=True, related_name="+")
    repository = models.CharField(max_length=300, blank=True, default="", db_default="")  # of a trusted job
    n_bytes = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)
    run_key = models.CharField(max_length=200)
    branch = models.CharField(max_length=200)
    commit = models.CharField(max_length=64, blank=True)
    shard = models.CharField(max_length=100, blank=True)
    shard_total = models.PositiveSmallIntegerField(null=True)
    attempt = models.PositiveSmallIntegerField(default=1)
    job = models.CharField(max_length=200, blank=True)
    environment = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=1000, blank=True)
    pull_request = models.CharField(max_length=50, blank=True)
    layer = models.PositiveSmallIntegerField(choices=choices(Layer), null=True)
    started_at = models.DateTimeField()
    run_number = models.PositiveIntegerField(null=True)
    n_tests = models.PositiveIntegerField(default=0)
    n_passed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_error = models.PositiveIntegerField(default=0)
    n_skipped = models.PositiveIntegerField(default=0)
    layer_seconds = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "digest"], name="one_upload_a_delivery"),
            models.CheckConstraint(
                condition=~Q(state=UploadState.DONE) | Q(run_number__isnull=False),
                name="done_uploads_have_a_run",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-received_at"], name="upload_by_time"),
            models.Index(
                fields=["state", "received_at"],
                condition=Q(state__in=[UploadState.RECEIVED, UploadState.PROCESSING, UploadState.FAILED]),
                name="upload_waiting",
            ),
            models.Index(fields=["project", "run_number"], condition=Q(attempt__gt=1), name="upload_again"),
            BrinIndex(fields=["received_at"], pages_per_range=16, autosummarize=True, name="upload_by_age"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def claim(self, *, now: datetime, stale_before: datetime) -> bool:
        """Take the upload for processing; False when somebody else has it or it has ended."""
        free = Q(state__in=[UploadState.RECEIVED, UploadState.FAILED])
        abandoned = Q(state=UploadState.PROCESSING, claimed_at__lt=stale_before)
        taken = Upload.objects.filter(free | abandoned, pk=self.pk).update(
            state=UploadState.PROCESSING, claimed_at=now, n_tries=F("n_tries") + 1
        )
        if taken:
            self.refresh_from_db()
        return taken == 1


class UploadFile(models.Model):
    """The bytes of one file of an Upload as they came, kept until retention drops them."""

    pk = models.CompositePrimaryKey("project_id", "upload_id", "position")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    upload_id = models.UUIDField()
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=500)
    encoding = models.CharField(max_length=20, blank=True)
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.name


class Problem(models.Model):
    """Why an Upload, or a part of it, was not taken."""

    pk = models.CompositePrimaryKey("project_id", "upload_id", "position")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    upload_id = models.UUIDField()
    position = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    level = models.PositiveSmallIntegerField(choices=choices(ProblemLevel))
    code = models.CharField(max_length=50)
    sentence = models.CharField(max_length=500)
    file = models.CharField(max_length=500, blank=True)
    line = models.PositiveIntegerField(null=True)
    column = models.PositiveIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"


class RefusedHour(models.Model):
    """Requests of one hour that were refused before an Upload was made of them: a count a code, with the last example."""

    pk = models.CompositePrimaryKey("project_id", "hour_at", "code")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    hour_at = models.DateTimeField()
    code = models.CharField(max_length=50)
    n = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    sentence = models.CharField(max_length=500)
    token = models.ForeignKey(Token, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.n} {self.code}"
