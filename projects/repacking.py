"""Months that are over, written anew without the room that a growing month keeps: each once, at night, while nothing waits.

Knows which indexes want it and how nobody has to wait for it: an index is made beside the one that is in use. The days of a
month, whose rows were written many times while they grew, are written anew with their index, under a lock that is asked for for
a moment and held for seconds; larger months have their index made anew alone. What is not got is left to the next night.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper

from projects import locks
from projects.models import Upload
from projects.partitions import TABLES, month_of
from projects.vocabulary import WAITING

LATE = timedelta(days=3)  # in which uploads of a month's last days still come
DONE = "packed"  # said of an index once it is, so that it is done once
PATIENCE = "3s"  # for a lock: what comes meanwhile waits behind it
MOST_ROW_BYTES = 512 << 20  # of a month of days that is locked meanwhile: some five seconds
MOST_INDEX_BYTES = 4 << 30  # of an index, some five minutes: a task lives for ten

WANTED = """
SELECT t.relname, i.relname, h.inhparent::regclass::text = 'projects_testday' AND pg_relation_size(t.oid) <= %(most_rows)s
FROM pg_inherits h JOIN pg_class t ON t.oid = h.inhrelid JOIN pg_index x ON x.indrelid = t.oid
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
WHERE h.inhparent = ANY(%(tables)s::regclass[]) AND a.amname = 'btree' AND x.indisvalid
    AND t.relname < h.inhparent::regclass::text || to_char(%(month)s::date, '_YYYY_MM')
    AND pg_relation_size(i.oid) BETWEEN 1 AND %(most_index)s AND obj_description(i.oid) IS DISTINCT FROM %(done)s
ORDER BY right(t.relname, 7), t.relname LIMIT 1
"""
# What an interrupted REINDEX CONCURRENTLY leaves behind: nobody reads it, and every row is written to it.
REMAINS = """
SELECT i.relname FROM pg_inherits h JOIN pg_index x ON x.indrelid = h.inhrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE h.inhparent = ANY(%(tables)s::regclass[]) AND NOT x.indisvalid AND i.relname ~ '_cc(new|old)[0-9]*$'
"""


@dataclass(frozen=True, slots=True)
class Packable:
    """An index of a month that is over; with its rows, where these are written anew too."""

    month: str
    index: str
    with_rows: bool


def pack_next(today: date) -> str | None:
    """Write the next index of a month that is over anew; return its name, None where there is none or it was not got.

    Must not be called in a transaction. While uploads wait, nothing is done.
    """
    with locks.alone(locks.Lock.REPACK, 0) as is_mine:
        if not is_mine or Upload.objects.filter(state__in=WAITING).exists():
            return None
        with _patience() as cursor:
            found = _wanted(cursor, today)
            if found is None:
                return None
            try:
                _sweep(cursor)
                _pack(cursor, found)
            except OperationalError:  # somebody reads for so long that it must wait for the next night
                return None
            return found.index


@contextmanager
def _patience() -> Iterator[CursorWrapper]:
    """Give a cursor that does not wait for locks, nor work for longer than a task may."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{PATIENCE}'; SET statement_timeout = '8min'")
        try:
            yield cursor
        finally:
            cursor.execute("RESET lock_timeout; RESET statement_timeout")


def _wanted(cursor: CursorWrapper, today: date) -> Packable | None:
    values: dict[str, Any] = {
        "tables": list(TABLES),
        "month": month_of(today - LATE),
        "done": DONE,
        "most_rows": MOST_ROW_BYTES,
        "most_index": MOST_INDEX_BYTES,
    }
    cursor.execute(WANTED, values)
    found = cursor.fetchone()
    return Packable(*found) if found else None


def _pack(cursor: CursorWrapper, found: Packable) -> None:
    cursor.execute(f"ALTER INDEX {found.index} SET (fillfactor = 100)")
    if found.with_rows:
        cursor.execute(f"ALTER TABLE {found.month} SET (fillfactor = 100)")
        cursor.execute(f"VACUUM (FULL, ANALYZE) {found.month}")
    else:
        cursor.execute(f"REINDEX INDEX CONCURRENTLY {found.index}")
    cursor.execute(f"COMMENT ON INDEX {found.index} IS '{DONE}'")


def _sweep(cursor: CursorWrapper) -> None:
    """Drop what an interrupted night left; a month that has any is not done, so its own night comes."""
    cursor.execute(REMAINS, {"tables": list(TABLES)})
    for (index,) in cursor.fetchall():
        cursor.execute(f"DROP INDEX CONCURRENTLY {index}")
