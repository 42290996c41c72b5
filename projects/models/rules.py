"""What a project decides for all its tests: rules of layers, owners by CODEOWNERS, muting by policy."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from projects.models.project import Project
from projects.vocabulary import Layer, RuleField, RuleSyntax, choices


class LayerRule(models.Model):
    """A project's own ordered pattern; the first match wins over all evidence."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="rules")
    position = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    field = models.PositiveSmallIntegerField(choices=choices(RuleField))
    syntax = models.PositiveSmallIntegerField(choices=choices(RuleSyntax), default=RuleSyntax.GLOB)
    pattern = models.CharField(max_length=300)
    layer = models.PositiveSmallIntegerField(choices=choices(Layer))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "position"],
                name="one_rule_a_position",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]

    def __str__(self) -> str:
        return f"{self.position} {RuleField(self.field).word} {self.pattern} {Layer(self.layer).word}"


class CodeOwners(models.Model):
    """The CODEOWNERS file of a project, sent by CI or kept by a person, and how far the tests are owned by it."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="code_owners")
    text = models.TextField(blank=True)
    digest = models.BinaryField(max_length=32)
    sent_at = models.DateTimeField(
        null=True
    )  # when the run began that it came with; none where a person keeps it
    kept_at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    is_by_hand = models.BooleanField(default=False)
    owned_to = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.project_id}"


class MutingPolicy(models.Model):
    """What a project mutes by itself: nothing, until somebody switches it on; and what a broken run costs its people."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="muting")
    is_on = models.BooleanField(default=False)
    least_p = models.FloatField(default=0.95, validators=[MinValueValidator(0.5), MaxValueValidator(1.0)])
    least_minutes = models.PositiveIntegerField(default=30)
    most_tests = models.PositiveSmallIntegerField(default=10)
    most_share = models.FloatField(default=0.01, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)])
    n_days = models.PositiveSmallIntegerField(
        default=14, validators=[MinValueValidator(1), MaxValueValidator(90)]
    )
    developer_minutes = models.PositiveSmallIntegerField(default=10)

    def __str__(self) -> str:
        return f"{self.project_id}: {'on' if self.is_on else 'off'}"
