"""The CODEOWNERS file that comes with an upload: kept where the run speaks for the default branch."""

from __future__ import annotations

from datetime import datetime

from ingest.tasks import ask_to_settle
from projects import code_owners
from projects.models import Upload


def take(upload: Upload, text: str, *, now: datetime) -> None:
    """Keep the file if the run is one of the default branch, and have the tests owned by it if it is new."""
    if not text.strip() or upload.pull_request:
        return
    project = upload.project
    if upload.branch != project.default_branch:
        return
    if code_owners.take(project, text, sent_at=upload.started_at, now=now):
        ask_to_settle(project.pk)
