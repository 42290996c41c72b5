"""Requests that are refused before they become an upload, counted for the project whose token they carry.

A row an hour and code, with the last sentence: however often a client comes back, the table does not grow with it. Requests
without a token of the project are nobody's and are not counted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection
from django.utils import timezone

from ingest.refusals import Refusal
from projects.models import Project, Token

log = logging.getLogger(__name__)

COUNT = """
INSERT INTO projects_refusedhour (project_id, hour_at, code, n, first_at, last_at, sentence, token_id)
VALUES (%(project_id)s, date_trunc('hour', %(now)s::timestamptz, 'UTC'), %(code)s, 1, %(now)s, %(now)s, %(sentence)s, %(token_id)s)
ON CONFLICT (project_id, hour_at, code) DO UPDATE SET n = projects_refusedhour.n + 1, last_at = excluded.last_at,
    sentence = excluded.sentence, token_id = excluded.token_id
"""


@contextmanager
def counted(project: Project, token: Token | None) -> Iterator[None]:
    """Count a refusal that leaves the block, and let it go on."""
    try:
        yield
    except Refusal as refusal:
        count(project, token, refusal, now=timezone.now())
        raise


def count(project: Project, token: Token | None, refusal: Refusal, *, now: datetime) -> None:
    """Count one refusal; the sender gets its answer whatever becomes of the count."""
    values: dict[str, Any] = {
        "project_id": project.pk,
        "now": now,
        "code": refusal.code[:50],
        "sentence": refusal.sentence[:500],
        "token_id": token.pk if token else None,
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(COUNT, values)
    except DatabaseError as error:
        log.warning("A refusal of project %s was not counted: %s", project.pk, error)
