"""`manage.py demo`: create the demo project and send its ninety days through the upload API.

Knows the order of events: project, token, uploads, waiting. The history itself is ingest/demo's.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analysis.tasks import ask_for_reclassification
from ingest.demo.runs import KEY_PREFIX
from ingest.demo.sender import Sender, SendingFailed
from ingest.demo.story import Delivery, deliveries
from projects import access
from projects.models import Project, Run, Token, Upload
from projects.vocabulary import UploadState

PROJECT_NAME, SLUG = "Webshop", "webshop"
TOKEN_NAME = "demo history"  # noqa: S105 - a name, not a token
ENDED = (UploadState.DONE, UploadState.REJECTED)
LOOK_EVERY_S = 0.5
SAY_EVERY_S = 3.0
STALLED_AFTER_S = 480.0  # the sweep, every five minutes, rings again for uploads unheard for two


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo project, ready to be filled."""

    project: Project
    owner: User
    began_at: datetime  # the history ends here, also when an interrupted demo is continued later


def prepare(*, username: str, password: str) -> Demo:
    """Return the demo project of the user, both created when missing."""
    owner = User.objects.filter(username=username).first()
    if owner is None:
        owner = User.objects.create_user(username, f"{username}@webshop.example", password)
    project = access.projects_for(owner).filter(slug__startswith=SLUG, name=PROJECT_NAME).first()
    if project is None:
        project = access.create_project(name=PROJECT_NAME, owner=owner, slug=SLUG)
    return Demo(project, owner, began_at=project.created_at)


def n_ended(project: Project) -> int:
    """Count the uploads of the demo that the worker is through with."""
    return Upload.objects.filter(project=project, run_key__startswith=KEY_PREFIX, state__in=ENDED).count()


def new_token(demo: Demo) -> str:
    """Return a token for the time of the sending."""
    return access.create_token(demo.project, name=TOKEN_NAME, by=demo.owner)


def revoke_tokens(demo: Demo) -> None:
    """End the tokens that the demo has used."""
    for token in Token.objects.filter(project=demo.project, name=TOKEN_NAME, revoked_at=None):
        token.revoke(now=timezone.now())


def n_runs(project: Project) -> int:
    """Count the runs that the uploads made."""
    return Run.objects.filter(project=project, key__startswith=KEY_PREFIX).count()


class Command(BaseCommand):
    """Fill the demo project; a second call finds it full, a call after an interruption goes on."""

    help = "Create the demo project and send ninety days of reports through the upload API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for the server, and for the person who will look at the demo."""
        parser.add_argument("--base-url", default="http://127.0.0.1:8000", help="where the server runs")
        parser.add_argument(
            "--username", default="demo", help="the owner of the demo project, created if missing"
        )
        parser.add_argument("--password", default="demo", help="of an owner that is created")

    def handle(self, *, base_url: str, username: str, password: str, **_: Any) -> None:
        """Send what is missing, and wait until everything is recorded."""
        demo = prepare(username=username, password=password)
        history = deliveries(demo.began_at)
        if n_ended(demo.project) >= len(history):
            self.stdout.write(f"{PROJECT_NAME} is complete: {n_runs(demo.project):,} runs.")
            return
        began = time.monotonic()
        self._fill(demo, history, base_url=base_url)
        ask_for_reclassification(
            demo.project.pk
        )  # what a night would have done: medians, and the weeks behind
        seconds = time.monotonic() - began
        self.stdout.write(
            f"{PROJECT_NAME}: {n_runs(demo.project):,} runs from {len(history):,} uploads in {seconds:.0f} s."
        )

    def _fill(self, demo: Demo, history: tuple[Delivery, ...], *, base_url: str) -> None:
        sender = Sender(history, base_url=base_url, token=new_token(demo))
        sender.start()
        try:
            self._watch(demo, sender, n_deliveries=len(history))
        except (SendingFailed, OSError, HTTPException) as failure:
            raise CommandError(f"The server at {base_url} did not take the demo: {failure}") from failure
        finally:
            revoke_tokens(demo)

    def _watch(self, demo: Demo, sender: Sender, *, n_deliveries: int) -> None:
        """Say how far it is, until every upload is recorded."""
        seen, moved_at, said_at = (-1, -1), time.monotonic(), time.monotonic()
        while True:
            is_sent, n = not sender.is_busy, n_ended(demo.project)
            if is_sent and n >= n_deliveries:
                return
            now = time.monotonic()
            if (n, sender.n_sent) != seen:
                seen, moved_at = (n, sender.n_sent), now
            if now - moved_at > STALLED_AFTER_S:
                raise CommandError(f"{n_deliveries - n:,} uploads wait and none moves: is a worker running?")
            if now - said_at > SAY_EVERY_S:
                said_at = now
                self.stdout.write(f"  {sender.n_sent:,} of {n_deliveries:,} uploads sent, {n:,} recorded")
            time.sleep(LOOK_EVERY_S)
