"""The tests of a project, and how their names change."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.models.project import Project
from projects.vocabulary import FlakeStatus, Layer, RenameState, TimingBucket, choices

# Some producers write the file where others write the class; "cart.spec.ts" has no last part that names anything.
FILE_ENDINGS = frozenset(
    {"ts", "tsx", "js", "jsx", "mjs", "cjs", "py", "rb", "php", "go", "vue", "feature", "robot"}
)


def title_of(*, suite: str, classname: str, name: str, file: str) -> str:
    """Name a test in one line: the last part of its class, or else of its file, and its name."""
    is_file = "/" in classname or classname.rpartition(".")[2] in FILE_ENDINGS
    home = classname.rsplit("/" if is_file else ".", 1)[-1] or file.rsplit("/", 1)[-1] or suite
    return f"{home} › {name}" if home and home != name else name or home


class Test(models.Model):
    """A thing with a stable identity that runs again and again; `id` counts from 1 in each project."""

    pk = models.CompositePrimaryKey("project_id", "id")
    # Without a constraint: one check a row would be a tenth of a first upload, and projects.ending deletes rows before projects.
    project = models.ForeignKey(
        Project, models.CASCADE, db_index=False, db_constraint=False, related_name="tests"
    )
    id = models.PositiveIntegerField()
    fingerprint = models.BinaryField(max_length=16)
    base = models.BinaryField(max_length=16)
    suite = models.TextField(blank=True)
    classname = models.TextField(blank=True)
    name = models.TextField(blank=True)
    file = models.TextField(blank=True)
    line = models.IntegerField(null=True)
    variant = models.TextField(blank=True)
    framework = models.TextField(blank=True)
    owner = models.TextField(blank=True)
    markers = ArrayField(models.TextField(), default=list)
    properties = models.JSONField(default=list)
    sent_layer = models.PositiveSmallIntegerField(choices=choices(Layer), null=True)
    layer = models.PositiveSmallIntegerField(choices=choices(Layer), default=Layer.UNKNOWN)
    confidence = models.FloatField(default=0)
    evidence = models.JSONField(default=list)
    tags = ArrayField(models.TextField(), default=list)
    bucket = models.PositiveSmallIntegerField(choices=choices(TimingBucket), default=TimingBucket.UNTIMED)
    median_s = models.FloatField(null=True)
    first_seen_on = models.DateField()
    last_seen_on = models.DateField()
    first_main_on = models.DateField(null=True)
    last_main_on = models.DateField(null=True)
    first_run = models.PositiveIntegerField()
    flake_status = models.PositiveSmallIntegerField(choices=choices(FlakeStatus), default=FlakeStatus.HEALTHY)
    traits = models.BigIntegerField(default=0)
    misfit_dismissed = models.CharField(max_length=300, blank=True)
    code_owner = models.TextField(
        blank=True, db_default=""
    )  # what CODEOWNERS says; owner where the report says nothing

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "fingerprint"], name="one_test_an_identity")
        ]
        indexes = [
            models.Index(
                fields=["project", "flake_status"],
                condition=~Q(flake_status=FlakeStatus.HEALTHY),
                name="test_unwell",
            ),
            models.Index(fields=["project", "base"], condition=~Q(variant=""), name="test_variants"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """Name the test as the pages do."""
        return title_of(suite=self.suite, classname=self.classname, name=self.name, file=self.file)


class Rename(models.Model):
    """A Test that goes on under another name: what it was called, since which run, how sure that is, who undid it.

    `other_id` is the row that keeps the other name's identity: uploads that still use that name land there first.
    """

    pk = models.CompositePrimaryKey("project_id", "id")
    project = models.ForeignKey(Project, models.CASCADE, db_index=False, related_name="+")
    id = models.UUIDField(default=uuid.uuid4)
    test_id = models.PositiveIntegerField()
    other_id = models.PositiveIntegerField()
    run_number = models.PositiveIntegerField()
    at = models.DateTimeField()
    state = models.PositiveSmallIntegerField(choices=choices(RenameState))
    likeness = models.FloatField()
    was = models.JSONField(default=dict)
    became = models.JSONField(default=dict)
    moved_runs = ArrayField(models.IntegerField(), default=list)
    late_runs = ArrayField(models.IntegerField(), default=list)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "test_id"], name="rename_by_test"),
            models.Index(fields=["project", "other_id"], name="rename_by_other"),
        ]

    def __str__(self) -> str:
        return f"{self.test_id} in #{self.run_number}"
