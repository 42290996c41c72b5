"""Who may upload without being a person: tokens, and repositories whose CI signs for its jobs."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q

from projects.models.project import Project


def token_digest(plain: str) -> bytes:
    """Return the SHA-256 that stands for a token in the database; tokens are random, so no salt is needed."""
    return hashlib.sha256(plain.encode()).digest()


class Token(models.Model):
    """A key with which CI uploads to one project; only its digest is kept."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def touch(self, *, now: datetime) -> None:
        """Note the use, at most once a minute, so that a busy token is not a busy row."""
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - timedelta(minutes=1))
        Token.objects.filter(stale, pk=self.pk).update(last_used_at=now)

    def revoke(self, *, now: datetime) -> None:
        """End the token; a second call keeps the first time."""
        Token.objects.filter(pk=self.pk, revoked_at__isnull=True).update(revoked_at=now)


class Trust(models.Model):
    """A repository whose CI jobs may upload without a token: their CI signs which job is asking."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="trusts")
    issuer = models.CharField(max_length=200)
    repository = models.CharField(max_length=300)
    owner_id = models.CharField(max_length=50, blank=True)  # kept at the first use: names change hands
    branches = models.CharField(max_length=500, blank=True)
    events = models.CharField(max_length=500, blank=True)
    takes_pulls = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "repository", "project"], name="one_trust_a_repository")
        ]

    def __str__(self) -> str:
        return self.repository
