"""A codebase whose tests are watched, with its settings: what every other row belongs to."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.urls import reverse

from projects.vocabulary import TargetKind, choices

SLUG = RegexValidator(r"^[a-z0-9][a-z0-9-]{0,49}\Z", "Use lower-case letters, digits and hyphens.")


def default_budgets() -> dict[str, float]:
    """Return the budget of a new project in seconds a run: five minutes of integration tests."""
    return {"integration": 300.0}


class LivingProjects(models.Manager["Project"]):
    """The projects but for those that are being deleted."""

    def get_queryset(self) -> models.QuerySet[Project]:
        """Leave out what is marked for deletion."""
        return super().get_queryset().filter(deleted_at=None)


class Project(models.Model):
    """One codebase whose tests are watched."""

    slug = models.CharField(max_length=50, unique=True, validators=[SLUG])
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    default_branch = models.CharField(max_length=200, default="main")
    target_kind = models.PositiveSmallIntegerField(
        choices=choices(TargetKind), null=True, default=TargetKind.PYRAMID
    )
    target_bands = models.JSONField(default=dict, blank=True)
    timing_limits = models.JSONField(default=dict, blank=True)
    budgets = models.JSONField(default=default_budgets, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    letter_weekday = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(6)])
    letter_hour = models.PositiveSmallIntegerField(default=9, validators=[MaxValueValidator(23)])
    sends_letter = models.BooleanField(default=True)
    n_runs = models.PositiveIntegerField(default=0)
    n_tests = models.PositiveIntegerField(default=0)
    # Another value says that known words may mean another test by now: what workers remember of them is void.
    identities = models.UUIDField(default=uuid.uuid4)
    keep_bodies_days = models.PositiveIntegerField(default=30, validators=[MinValueValidator(1)])
    keep_results_days = models.PositiveIntegerField(default=400, validators=[MinValueValidator(30)])
    keep_sums_days = models.PositiveIntegerField(default=800, validators=[MinValueValidator(30)])
    keep_told_days = models.PositiveIntegerField(
        default=400, db_default=400, validators=[MinValueValidator(30)]
    )
    results_since = models.DateField(null=True)  # retention has deleted the results before this day
    reclassify_wanted_at = models.DateTimeField(null=True)
    reclassified_at = models.DateTimeField(null=True)
    n_reclassified = models.PositiveIntegerField(default=0)
    judged_limits = models.JSONField(default=dict, blank=True)
    sums_are_stale = models.BooleanField(default=False)
    links_version = models.PositiveIntegerField(default=1)
    deleted_at = models.DateTimeField(null=True)  # its rows go in the background

    objects = LivingProjects()
    every = models.Manager["Project"]()

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the path of the project's overview."""
        return reverse("overview", args=[self.slug])
