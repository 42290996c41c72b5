"""What the results come to, kept ahead of the pages that ask: by day, span, layer, run and bucket.

`TestDay` is partitioned by month; its SQL is in the migrations.
"""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models

from projects.models.project import Project
from projects.vocabulary import Layer, TimingBucket, choices


class TestDay(models.Model):
    """What a Test did on one day, on the default branch or off it; `timings` holds a bin for each timed pass.

    As narrow as can be, since a large suite has a row a test and day: seconds are of four bytes, and the counts of two stop at
    analysis.rollups.MOST_A_DAY.
    """

    pk = models.CompositePrimaryKey("project_id", "on_default", "day", "test_id")
    project_id = models.IntegerField()
    on_default = models.BooleanField()
    day = models.DateField()
    test_id = models.IntegerField()
    n_passed = models.PositiveIntegerField(default=0)
    n_failed = models.PositiveSmallIntegerField(default=0)
    n_error = models.PositiveSmallIntegerField(default=0)
    n_skipped = models.PositiveSmallIntegerField(default=0)
    n_flaky = models.PositiveSmallIntegerField(default=0)
    seconds = models.FloatField(default=0)
    timings = models.BinaryField(default=bytes)

    class Meta:
        managed = False
        db_table = "projects_testday"

    def __str__(self) -> str:
        return f"{self.test_id} on {self.day}"


class Span(models.Model):
    """Days of the default branch, or of all branches, that are summed test by test ahead of the pages that ask for them."""

    pk = models.CompositePrimaryKey("project_id", "number")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    number = models.PositiveIntegerField()
    on_default = models.BooleanField()
    since = models.DateField()
    until = models.DateField()
    has_bins = models.BooleanField(
        default=True, db_default=True
    )  # of what a window is compared with, none are kept
    n_uploads = (
        models.PositiveIntegerField()
    )  # of the runs of these days: one more, and the span is out of date
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.since} to {self.until}"


class TestSpan(models.Model):
    """What a Test did in a Span; of the bins of its timed passes, in order, those around the median and the 95th percentile."""

    pk = models.CompositePrimaryKey("project_id", "span_number", "test_id")
    project = models.ForeignKey(
        Project, models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )  # checked by the span: a check of every row would take longer than the row
    span_number = models.PositiveIntegerField()
    test_id = models.PositiveIntegerField()
    n_results = models.PositiveIntegerField()
    n_bad = models.PositiveIntegerField()
    n_skipped = models.PositiveIntegerField()
    n_flaky = models.PositiveIntegerField()
    seconds = models.FloatField()
    n_timed = models.PositiveIntegerField()
    near_median = models.BinaryField()
    near_p95 = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.test_id} in span {self.span_number}"


class LayerDay(models.Model):
    """What the results of one layer came to on one day."""

    pk = models.CompositePrimaryKey("project_id", "on_default", "day", "layer")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    on_default = models.BooleanField()
    day = models.DateField()
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))
    n_passed = models.IntegerField(default=0)
    n_failed = models.IntegerField(default=0)
    n_error = models.IntegerField(default=0)
    n_skipped = models.IntegerField(default=0)
    n_flaky = models.IntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{Layer(self.layer).word} on {self.day}"


class RunLayer(models.Model):
    """What the tests of one layer came to in one Run."""

    pk = models.CompositePrimaryKey("project_id", "run_number", "layer")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    run_number = models.PositiveIntegerField()
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))
    n_tests = models.IntegerField(default=0)
    n_bad = models.IntegerField(default=0)
    n_skipped = models.IntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{Layer(self.layer).word} in #{self.run_number}"


class BucketWeek(models.Model):
    """How many tests of a layer were in one timing bucket in one week of the default branch, and what they took."""

    pk = models.CompositePrimaryKey("project_id", "monday", "layer", "bucket")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    monday = models.DateField()
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))
    bucket = models.PositiveSmallIntegerField(choices=choices(TimingBucket))
    n_tests = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"{TimingBucket(self.bucket).word} {Layer(self.layer).word} in the week of {self.monday}"


class ResultBatch(models.Model):
    """The results of one upload that wait to be added to the days of their tests.

    Three columns of results that were staged, and two of remembered tests: `numbers` are tests that passed, with a minus for
    those that were skipped. What a code means is analysis.batches' to know. Seconds are of four bytes.
    """

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    noted_at = models.DateTimeField()
    run_number = models.PositiveIntegerField()
    day = models.DateField()
    on_default = models.BooleanField()
    test_ids = ArrayField(models.IntegerField())
    seconds = ArrayField(models.FloatField(null=True))
    codes = ArrayField(models.SmallIntegerField())
    numbers = ArrayField(models.IntegerField())
    number_seconds = ArrayField(models.FloatField())

    def __str__(self) -> str:
        return f"#{self.run_number}"
