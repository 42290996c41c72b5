"""Accepts and records reports as the web server and the worker do, for the benches that bring their own clock."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from ingest.accept import Delivery, accept
from ingest.bodies_in import SentFile
from ingest.record import record
from ingest.stored import files
from ingest.tasks import limits
from ingest.wishes import fields
from projects.models import Project, Upload


def accepted(project: Project, body: bytes, *, run: str, started_at: datetime) -> Upload:
    """Accept a report as the API does."""
    sent = {"run": run, "commit": run.replace(" ", "-"), "started_at": started_at.isoformat()}
    now = timezone.now()
    asked = fields(sent, default_branch=project.default_branch, now=now)
    return accept(project, None, Delivery(asked, (SentFile("r.xml", "", body),)), now=now).upload


def sent(project: Project, body: bytes, **asked: str) -> None:
    """Accept a report with the fields that the sender gave, and record it."""
    now = timezone.now()
    wanted = fields(asked, default_branch=project.default_branch, now=now)
    recorded(accept(project, None, Delivery(wanted, (SentFile("r.xml", "", body),)), now=now).upload)


def recorded(upload: Upload) -> None:
    """Record an upload as a worker does that has no other one waiting."""
    now = timezone.now()
    assert upload.claim(now=now, stale_before=now)
    record(upload, files=files(upload), limits=limits(), now=now)
