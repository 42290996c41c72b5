"""The people of a project: members, what they ask of their mail, the views they keep; and wrong logins."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from projects.models.project import Project
from projects.vocabulary import Role, choices


class Membership(models.Model):
    """A person in a project, with the role that says what they may do."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=choices(Role), default=Role.VIEWER)
    wants_letter = models.BooleanField(default=True)
    only_changes = models.BooleanField(default=False)
    only_own = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_membership_a_person")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}"


class Reader(models.Model):
    """What a person asks of all their letters, and the address that a mail server refused for good."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="reader"
    )
    time_zone = models.CharField(max_length=64, blank=True)
    refused_address = models.CharField(max_length=254, blank=True)
    refused = models.CharField(max_length=500, blank=True)
    refused_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.user_id}"


class SavedView(models.Model):
    """The filters of one page under a name: a person's own, or shared with the project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="views")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    page = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True)
    is_shared = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user", "page", "name"], name="one_view_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class WrongLogin(models.Model):
    """One wrong password: when, from where and for whom, both as digests; kept for minutes."""

    at = models.DateTimeField(db_index=True)
    address = models.BinaryField(max_length=16)
    account = models.BinaryField(max_length=16)
    is_known_browser = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(fields=["address", "at"], name="wrong_login_by_address"),
            models.Index(fields=["account", "at"], name="wrong_login_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.at}"
