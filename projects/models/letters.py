"""The weekly letters, their versions, who reads them and what became of each delivery."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.models.people import Membership
from projects.models.project import Project


class Letter(models.Model):
    """The weekly letter of one project for one week, as it was built."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="letters")
    week_on = models.DateField()
    built_at = models.DateTimeField()
    subject = models.CharField(max_length=300)
    html = models.TextField()
    text = models.TextField()
    asked = models.JSONField(default=list)
    is_calm = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "week_on"], name="one_letter_a_week")]

    def __str__(self) -> str:
        return self.subject


class LetterVersion(models.Model):
    """A Letter as the readers of some owners' tests get it: these tests first, or these alone."""

    letter = models.ForeignKey(Letter, models.CASCADE, related_name="versions")
    owners = ArrayField(models.TextField())
    only_own = models.BooleanField(default=False)
    subject = models.CharField(max_length=300)
    html = models.TextField()
    text = models.TextField()
    asked = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["letter", "owners", "only_own"], name="one_version_an_owner")
        ]

    def __str__(self) -> str:
        return self.subject


class LetterAddress(models.Model):
    """A reader without an account, such as a team's list: gets a project's letter about the tests of some owners."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="letter_addresses")
    address = models.CharField(max_length=254)
    wants_letter = models.BooleanField(default=True)
    only_changes = models.BooleanField(default=True)
    only_own = models.BooleanField(default=True)
    refused = models.CharField(max_length=500, blank=True)
    refused_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "address"], name="one_letter_an_address")]

    def __str__(self) -> str:
        return self.address


class OwnerReader(models.Model):
    """Who reads about the tests of one owner: a member, or an address without an account."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="owner_readers")
    owner = models.CharField(max_length=200)  # in lower case, as owners are told apart
    membership = models.ForeignKey(Membership, models.CASCADE, null=True, related_name="owners")
    address = models.ForeignKey(LetterAddress, models.CASCADE, null=True, related_name="owners")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "owner", "membership"], name="one_owner_a_member"),
            models.UniqueConstraint(fields=["project", "owner", "address"], name="one_owner_an_address"),
            models.CheckConstraint(
                condition=Q(membership=None) ^ Q(address=None), name="an_owner_has_one_kind_of_reader"
            ),
        ]

    def __str__(self) -> str:
        return self.owner


class LetterDelivery(models.Model):
    """One Letter on its way to one reader, in the version that is theirs where they have one."""

    letter = models.ForeignKey(Letter, models.CASCADE, related_name="deliveries")
    version = models.ForeignKey(LetterVersion, models.CASCADE, null=True, related_name="deliveries")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    address = models.ForeignKey(LetterAddress, models.CASCADE, null=True, related_name="deliveries")
    due_at = models.DateTimeField(null=True)
    n_tries = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    refused = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["letter", "user"], name="one_delivery_a_reader"),
            models.UniqueConstraint(fields=["letter", "address"], name="one_delivery_an_address"),
            models.CheckConstraint(
                condition=Q(user=None) ^ Q(address=None), name="a_delivery_has_one_kind_of_reader"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.letter_id} to {self.user_id or self.address_id}"
