"""Prepares what somebody needs on a fresh server: a login, and a project with a token for a first report.

Imported once Django is set up. The demo project beside it is the `demo` command's.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import connections
from django.utils import timezone

from projects import access

USERNAME = "demo"
PROJECT = "My suite"


@dataclass(frozen=True)
class FirstSteps:
    """What the person at the terminal is told."""

    username: str
    password: str
    is_password_ours: bool
    token: str


def prepare(home: Path) -> FirstSteps:
    """Return login and token, made on the first run and kept in the data folder."""
    password = _kept(home / "password", value=secrets.token_urlsafe(9))
    owner = User.objects.filter(username=USERNAME).first() or User.objects.create_user(
        USERNAME, f"{USERNAME}@example.com", password
    )
    steps = FirstSteps(
        username=USERNAME,
        password=password,
        is_password_ours=owner.check_password(password),
        token=_token(home / "token", owner=owner),
    )
    connections.close_all()
    return steps


def _token(path: Path, *, owner: User) -> str:
    """Return the kept token while it opens a project, else a new one."""
    try:
        kept = path.read_text()
        access.project_for_token(kept, now=timezone.now())
    except (FileNotFoundError, access.UnknownToken):
        path.unlink(missing_ok=True)
        project = access.projects_for(owner).filter(name=PROJECT).first()
        project = project or access.create_project(name=PROJECT, owner=owner)
        return _kept(path, value=access.create_token(project, name="make run", by=owner))
    return kept


def _kept(path: Path, *, value: str) -> str:
    """Return what the file holds; write `value` first, for the owner's eyes only, where there is none."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(value)
    return path.read_text()
