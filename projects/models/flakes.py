"""The verdicts on tests, the runs that prove them, and what people decided about them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.models.project import Project
from projects.vocabulary import Cause, FlakeRule, FlakeStatus, choices


class FlakeProof(models.Model):
    """The runs that prove one Flake: a retry in one run, or two runs of one commit that disagree."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number", "rule", "other_run")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    rule = models.PositiveSmallIntegerField(choices=choices(FlakeRule))
    other_run = models.PositiveIntegerField()
    commit = models.CharField(max_length=64, blank=True)
    day = models.DateField()
    on_default = models.BooleanField()
    in_incident = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["project", "day"], name="proof_by_day")]

    def __str__(self) -> str:
        return f"{self.test_id}: #{self.run_number} against #{self.other_run}"


class Flake(models.Model):
    """The verdict on a Test that has failed: its status, the rule behind it and the engine's state."""

    pk = models.CompositePrimaryKey("project_id", "test_id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(choices=choices(FlakeStatus))
    sentence = models.CharField(max_length=500, blank=True)
    since_on = models.DateField(null=True)
    last_on = models.DateField(null=True)
    n_flakes = models.PositiveIntegerField(default=0)
    rate = models.FloatField(null=True)
    rate_low = models.FloatField(null=True)
    rate_high = models.FloatField(null=True)
    few_runs = models.BooleanField(default=False)
    n_passes_needed = models.PositiveIntegerField(default=0)
    n_quiet = models.PositiveIntegerField(default=0)
    p_unfixed = models.FloatField(default=1)
    proof_runs = ArrayField(models.IntegerField(), default=list)
    state = models.BinaryField(default=bytes)
    awake_until = models.FloatField(default=0)
    note = models.CharField(max_length=1000, blank=True)
    owner = models.CharField(max_length=200, blank=True, db_default="")
    fixed_commit = models.CharField(max_length=64, blank=True)
    cluster = models.PositiveIntegerField(null=True)
    only_here = models.CharField(max_length=300, blank=True, db_default="")
    cause = models.PositiveSmallIntegerField(choices=choices(Cause), null=True)
    cause_evidence = models.CharField(max_length=500, blank=True, db_default="")
    # Passes soon after a failure, newest last, with where they stood: what its failures are held against.
    passes_seen = ArrayField(models.TextField(), default=list, db_default=[])

    def __str__(self) -> str:
        return f"{self.test_id}: {FlakeStatus(self.status).word}"


class FlakeEvent(models.Model):
    """A change of a Test's status, with its time and the run that brought it."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField()
    at = models.DateTimeField()
    run_number = models.PositiveIntegerField(null=True)
    before = models.PositiveSmallIntegerField(choices=choices(FlakeStatus))
    after = models.PositiveSmallIntegerField(choices=choices(FlakeStatus))
    sentence = models.CharField(max_length=500, blank=True)
    is_told = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["project", "at"], name="event_by_time"),
            models.Index(fields=["project"], condition=Q(is_told=False), name="event_untold"),
        ]

    def __str__(self) -> str:
        return f"{self.test_id}: {FlakeStatus(self.before).word} to {FlakeStatus(self.after).word}"


class Quarantine(models.Model):
    """A Test muted in CI until a day: somebody's decision, with its reason; statistics know nothing of it."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    until_on = models.DateField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    is_by_policy = models.BooleanField(db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "test_id"], condition=Q(ended_at=None), name="one_quarantine_a_test"
            )
        ]

    def __str__(self) -> str:
        return f"{self.test_id} until {self.until_on}"


class Remark(models.Model):
    """What a person, or time, did about a Test or a Run: the audit that nobody edits."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField(null=True)
    run_number = models.PositiveIntegerField(null=True)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    sentence = models.CharField(max_length=1200)

    class Meta:
        indexes = [
            models.Index(fields=["project", "test_id", "at"], name="remark_by_test"),
            models.Index(
                fields=["project", "run_number"], condition=Q(run_number__isnull=False), name="remark_by_run"
            ),
        ]

    def __str__(self) -> str:
        return self.sentence
