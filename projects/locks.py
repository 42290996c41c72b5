"""The lock under which a project's results and verdicts change: one upload, or one decision, at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

LOCK_SPACE = 7_242  # the class of the advisory locks that keep one project's uploads apart


def hold(project_id: int, *, space: int = LOCK_SPACE) -> None:
    """Wait for the project's turn in this class of locks; the lock ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [space, project_id])


@contextmanager
def alone(space: int, number: int) -> Iterator[bool]:
    """Keep a lock of this class while the block lasts, whatever its transactions; False where somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [space, number])
        is_mine = bool(cursor.fetchone()[0])
        try:
            yield is_mine
        finally:
            if is_mine:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [space, number])
