"""How long tests take by now, and since when they take longer."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from projects.models.project import Project


class TestPace(models.Model):
    """The last passing durations of a Test on the default branch, at machine speed 1: what a shift is told from."""

    pk = models.CompositePrimaryKey("project_id", "test_id")
    # Without a constraint: checking the many that a first upload begins takes longer than writing them.
    project = models.ForeignKey(
        Project, models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    test_id = models.PositiveIntegerField()
    bins = models.BinaryField(default=bytes)
    n_held = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.test_id}"


class PassBatch(models.Model):
    """The timed passes of one upload that wait to be added to the paces of their tests."""

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    noted_at = models.DateTimeField()
    run_number = models.PositiveIntegerField()
    test_ids = ArrayField(models.IntegerField())
    seconds = ArrayField(models.FloatField())

    def __str__(self) -> str:
        return f"{len(self.test_ids)} of #{self.run_number}"


class DurationShift(models.Model):
    """A Test became slower or faster for good: since which run of the default branch, and what it took before."""

    pk = models.CompositePrimaryKey("project_id", "test_id", "run_number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    test_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    run_before = models.PositiveIntegerField(null=True)
    told_by_run = models.PositiveIntegerField()
    day = models.DateField()
    told_on = models.DateField()
    before_s = models.FloatField()
    since_s = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["project", "told_on"], name="shift_by_day")]

    def __str__(self) -> str:
        return f"{self.test_id} since #{self.run_number}"
