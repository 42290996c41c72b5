"""Executions of the suite: what a run had, as a whole, by suite and file, and in each environment."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from projects.models.project import Project


class Run(models.Model):
    """One execution of the suite at a commit on a branch, made of one or more uploads."""

    pk = models.CompositePrimaryKey("project_id", "number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="runs")
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=200)
    branch = models.CharField(max_length=200)
    is_default_branch = models.BooleanField()
    commit = models.CharField(max_length=64, blank=True)
    pull_request = models.CharField(max_length=50, blank=True)
    url = models.CharField(max_length=1000, blank=True)
    started_at = models.DateTimeField()
    day = models.DateField()
    shard_total = models.PositiveSmallIntegerField(null=True)
    n_shards = models.PositiveSmallIntegerField(default=0)
    n_uploads = models.PositiveIntegerField(default=0)
    n_attempts = models.PositiveSmallIntegerField(default=1)
    is_truncated = models.BooleanField(default=False)
    n_tests = models.PositiveIntegerField(default=0)
    n_passed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveIntegerField(default=0)
    n_error = models.PositiveIntegerField(default=0)
    n_skipped = models.PositiveIntegerField(default=0)
    n_flaky = models.PositiveIntegerField(default=0)
    n_new = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    is_incident = models.BooleanField(default=False)
    incident_sentence = models.CharField(max_length=500, blank=True)
    machine_factor = models.FloatField(null=True)
    n_machine_tests = models.PositiveIntegerField(default=0)
    is_incomplete = models.BooleanField(default=False, db_default=False)
    incomplete_sentence = models.CharField(max_length=500, blank=True, db_default="")
    n_judged = models.PositiveIntegerField(default=0, db_default=0)  # uploads it had when that was judged

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="one_run_a_key")]
        indexes = [
            models.Index(fields=["project", "is_default_branch", "started_at"], name="run_by_time"),
            models.Index(fields=["project", "commit"], name="run_by_commit"),
            models.Index(fields=["project", "branch", "started_at"], name="run_by_branch"),
            models.Index(fields=["project", "day"], condition=Q(is_incomplete=True), name="run_incomplete"),
            models.Index(
                fields=["project", "started_at"], condition=~Q(n_judged=F("n_uploads")), name="run_unjudged"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"


class RunTally(models.Model):
    """How many tests of each suite and file a whole Run had, and which jobs: what later runs are compared with."""

    pk = models.CompositePrimaryKey("project_id", "run_number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    run_number = models.PositiveIntegerField()
    on_default = models.BooleanField()
    started_at = models.DateTimeField()
    n_tests = models.PositiveIntegerField()
    jobs = models.JSONField(default=dict)
    shards = models.JSONField(default=dict)
    suites = ArrayField(models.IntegerField(), default=list)
    homes = ArrayField(models.IntegerField(), default=list)
    counts = ArrayField(models.IntegerField(), default=list)

    class Meta:
        indexes = [models.Index(fields=["project", "on_default", "started_at"], name="tally_by_time")]

    def __str__(self) -> str:
        return f"#{self.run_number}"


class EnvironmentRun(models.Model):
    """One environment's part in a Run: how much failed there that nobody expected, and the incident that it was."""

    pk = models.CompositePrimaryKey("project_id", "run_number", "environment")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    run_number = models.PositiveIntegerField()
    environment = models.CharField(max_length=400)
    branch = models.CharField(max_length=200)
    is_default_branch = models.BooleanField()
    commit = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
    n_tests = models.PositiveIntegerField(default=0)
    unexpected = ArrayField(models.IntegerField(), default=list)
    incident = models.PositiveSmallIntegerField(null=True)
    why = models.CharField(max_length=1000, blank=True)
    decided_by = models.PositiveIntegerField(default=0)
    n_failing_on = models.PositiveIntegerField(default=0)
    passed_elsewhere = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["project", "at"], name="environment_run_by_time"),
            models.Index(fields=["project", "commit"], name="environment_run_by_commit"),
        ]

    def __str__(self) -> str:
        return f"{self.environment} in #{self.run_number}"
