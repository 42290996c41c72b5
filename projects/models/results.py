"""What tests did in runs: a row a result, and more of those that went wrong.

`Result` is partitioned by month; its SQL is in the migrations.
"""

from __future__ import annotations

from django.db import models

from projects.models.project import Project
from projects.vocabulary import Boundary, Outcome, choices


class Result(models.Model):
    """One Test in one Run; append-only, partitioned by month, a row a result and nothing to spare."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number", "ran_on")
    project_id = models.IntegerField()
    test_id = models.IntegerField()
    run_number = models.IntegerField()
    ran_on = models.DateField()
    seconds = models.FloatField(null=True)
    outcome = models.PositiveSmallIntegerField(choices=choices(Outcome))
    n_attempts = models.PositiveSmallIntegerField(default=1)

    class Meta:
        managed = False
        db_table = "projects_result"

    def __str__(self) -> str:
        return f"{self.test_id} in #{self.run_number}"


class Signature(models.Model):
    """A failure message with numbers, ids, paths and addresses removed."""

    pk = models.CompositePrimaryKey("project_id", "digest")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    digest = models.BinaryField(max_length=16)
    version = models.PositiveSmallIntegerField()
    title = models.TextField()
    boundary = models.PositiveSmallIntegerField(choices=choices(Boundary))
    matched = models.TextField(blank=True)
    is_infrastructure = models.BooleanField(default=False)
    first_on = models.DateField()

    def __str__(self) -> str:
        return self.title


class Failure(models.Model):
    """A try of a Test that went wrong: the final one, or one that a retry forgave."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number", "attempt")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField()
    day = models.DateField()
    on_default = models.BooleanField()
    outcome = models.PositiveSmallIntegerField(choices=choices(Outcome))
    is_final = models.BooleanField()
    seconds = models.FloatField(null=True)
    signature = models.BinaryField(max_length=16)
    in_incident = models.BooleanField(default=False)
    p_flaky = models.FloatField(null=True)
    # Where it stood: right after this test (0: the first, or after one that did not run), at this place of so many cases.
    after_test = models.PositiveIntegerField(null=True)
    place = models.PositiveIntegerField(null=True)
    n_cases = models.PositiveIntegerField(null=True)
    worker = models.CharField(max_length=100, blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["project", "run_number"], name="failure_by_run"),
            models.Index(fields=["project", "day"], name="failure_by_day"),
            models.Index(fields=["project", "signature"], name="failure_by_signature"),
        ]

    def __str__(self) -> str:
        return f"{self.test_id} in #{self.run_number}, attempt {self.attempt}"


class FailureSample(models.Model):
    """The words of a failure, kept for a few failures of each test and signature."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "signature", "slot")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    signature = models.BinaryField(max_length=16)
    slot = models.PositiveSmallIntegerField()
    run_number = models.PositiveIntegerField()
    kind = models.TextField(blank=True)
    message = models.TextField(blank=True)
    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.message
