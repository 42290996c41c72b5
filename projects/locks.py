"""The advisory locks, by name: what each keeps apart. Most are taken project by project, some for the whole server.

PostgreSQL keeps no list of them; whoever takes one takes it here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, unique

from django.db import connection


@unique
class Lock(IntEnum):
    """What a lock keeps apart; the numbers are any that other users of the database are unlikely to choose."""

    MONTH = 7_241  # of the server: two makers of one month's partition
    RECORD = 7_242  # whatever changes results and verdicts: one upload, or one decision, at a time
    RECLASSIFY = 7_243  # two reclassifications
    TALLIES = 7_244  # two judgements of what is missing of runs, or following of renames; taken before RECORD
    DELETE = 7_245  # two workers that delete the project
    SPANS = 7_246  # two makings of its spans
    PACES = 7_247  # two followers of the passes that uploads laid aside
    FIRST_TESTS = 7_248  # the upload that makes a project's first tests, and all others; taken before RECORD
    REPACK = 7_249  # of the server, as project 0: two who write months that are over anew
    FIRST_ACCOUNT = 7_301  # of the server: two people who open an empty one at once


def hold(project_id: int, *, lock: Lock = Lock.RECORD) -> None:
    """Wait for the project's turn at this lock; it ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [lock.value, project_id])


def hold_beside(project_id: int, *, lock: Lock) -> None:
    """Wait until nobody has this lock alone, and for the project's turn to record; both end with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, %s), pg_advisory_xact_lock(%s, %s)",
            [lock.value, project_id, Lock.RECORD.value, project_id],
        )


def is_mine(project_id: int, *, lock: Lock) -> bool:
    """Take this lock of the project until the transaction ends, if nobody has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [lock.value, project_id])
        return bool(cursor.fetchone()[0])


def hold_server(lock: Lock) -> None:
    """Wait for the one turn that the server has at this lock; it ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock.value])


@contextmanager
def alone(lock: Lock, project_id: int) -> Iterator[bool]:
    """Keep the project's lock while the block lasts, whatever its transactions; False where somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock.value, project_id])
        is_mine = bool(cursor.fetchone()[0])
        try:
            yield is_mine
        finally:
            if is_mine:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock.value, project_id])
