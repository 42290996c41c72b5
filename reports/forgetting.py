"""Drops what was told long ago: events, letters with their deliveries, and the log of the channels.

Nightly, in batches, so that nobody who writes is kept waiting; what is left over waits for the next night. How long a
project keeps what it told is the project's own; the log of channels holds whole messages and has one period for all.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

LOG_FOR = timedelta(days=60)
BATCH = 5_000  # rows a statement: some 50 ms
MOST_BATCHES = 200  # of a table and night

EVENTS = """
DELETE FROM projects_event WHERE ctid = ANY(ARRAY(
    SELECT old.ctid FROM projects_project p CROSS JOIN LATERAL (
        SELECT e.ctid FROM projects_event e
        WHERE e.project_id = p.id AND e.at < %(now)s - make_interval(days => p.keep_told_days) LIMIT %(batch)s
    ) old LIMIT %(batch)s))
"""
LOG = """
DELETE FROM projects_channeldelivery WHERE ctid = ANY(ARRAY(
    SELECT old.ctid FROM projects_channel c CROSS JOIN LATERAL (
        SELECT d.ctid FROM projects_channeldelivery d
        WHERE d.channel_id = c.id AND d.created_at < %(now)s - %(log_for)s LIMIT %(batch)s
    ) old LIMIT %(batch)s))
"""
OLD_LETTERS = """projects_letter l JOIN projects_project p ON p.id = l.project_id
        AND l.built_at < %(now)s - make_interval(days => p.keep_told_days)"""
DELIVERIES = f"""
DELETE FROM projects_letterdelivery WHERE ctid = ANY(ARRAY(
    SELECT d.ctid FROM {OLD_LETTERS} JOIN projects_letterdelivery d ON d.letter_id = l.id LIMIT %(batch)s))
"""  # noqa: S608 - a constant of the code
VERSIONS = f"""
DELETE FROM projects_letterversion WHERE ctid = ANY(ARRAY(
    SELECT v.ctid FROM {OLD_LETTERS} JOIN projects_letterversion v ON v.letter_id = l.id
    WHERE NOT EXISTS (SELECT FROM projects_letterdelivery d WHERE d.letter_id = l.id) LIMIT %(batch)s))
"""  # noqa: S608 - a constant of the code
LETTERS = f"""
DELETE FROM projects_letter WHERE ctid = ANY(ARRAY(
    SELECT l.ctid FROM {OLD_LETTERS} WHERE NOT EXISTS (SELECT FROM projects_letterdelivery d WHERE d.letter_id = l.id)
        AND NOT EXISTS (SELECT FROM projects_letterversion v WHERE v.letter_id = l.id) LIMIT %(batch)s))
"""  # noqa: S608 - a constant of the code


def forget_old(*, now: datetime, batch: int = BATCH, most_batches: int = MOST_BATCHES) -> None:
    """Drop what is older than it is kept, deliveries before the letters that they are of."""
    values = {"now": now, "log_for": LOG_FOR, "batch": batch}
    for statement in (EVENTS, LOG, DELIVERIES, VERSIONS, LETTERS):
        _in_batches(statement, values, most_batches=most_batches)


def _in_batches(statement: str, values: dict[str, Any], *, most_batches: int) -> None:
    with connection.cursor() as cursor:
        for _ in range(most_batches):
            cursor.execute(statement, values)
            if cursor.rowcount < values["batch"]:
                return
