"""Months that are over, written anew without the room that a growing month keeps: each once, at night, while nothing waits.

Knows which indexes want it and how nobody has to wait for it: an index is made beside the one that is in use. The days of a
month, whose rows were written many times while they grew, are written anew with their index, under a lock that is asked for for
a moment and held for seconds; larger months have their index made anew alone. So has a month that grows, where half-full pages
and entries of rows as they were have made its index a quarter larger for each entry than it was when it was new. What is not
got is left to the next night.
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
DONE = "packed"  # said of the index of a month that is over once it is, so that it is done once
GROWING = "packed to"  # so many bytes an entry: said of that of a month that grows
MORE = 1.25  # times as many are worth making it anew
PATIENCE = "3s"  # for a lock of a month's own: what comes meanwhile waits behind it
WITHOUT_HARM = "1min"  # for a lock that keeps nobody waiting but autovacuum, and for those who read
MOST_ROW_BYTES = 512 << 20  # of a month of days that is locked meanwhile: some five seconds
LEAST_GROWING, MOST_GROWING = (
    1 << 20,
    512 << 20,
)  # bytes of one that grows: worth it, and made in half a minute
MOST_INDEX_BYTES = 4 << 30  # of an index, some five minutes: a task lives for ten

WANTED = """
SELECT month, index, is_over, is_over AND is_of_days AND row_bytes <= %(most_rows)s FROM (
    SELECT t.relname AS month, i.relname AS index, i.reltuples, obj_description(i.oid) AS said,
        t.relname < h.inhparent::regclass::text || to_char(%(month)s::date, '_YYYY_MM') AS is_over,
        h.inhparent = 'projects_testday'::regclass AS is_of_days, pg_relation_size(t.oid) AS row_bytes,
        pg_relation_size(i.oid) AS bytes
    FROM pg_inherits h JOIN pg_class t ON t.oid = h.inhrelid JOIN pg_index x ON x.indrelid = t.oid
    JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
    WHERE h.inhparent = ANY(%(tables)s::regclass[]) AND a.amname = 'btree' AND x.indisvalid
) found
WHERE bytes BETWEEN 1 AND %(most_index)s AND CASE WHEN is_over THEN said IS DISTINCT FROM %(done)s
    ELSE bytes BETWEEN %(least)s AND %(most)s
        AND bytes > coalesce(substr(said, length(%(growing)s) + 1)::float8, 0) * %(more)s * reltuples END
ORDER BY right(month, 7), month LIMIT 1
"""
# What an interrupted REINDEX CONCURRENTLY leaves behind: nobody reads it, and every row is written to it.
REMAINS = """
SELECT i.relname FROM pg_inherits h JOIN pg_index x ON x.indrelid = h.inhrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE h.inhparent = ANY(%(tables)s::regclass[]) AND NOT x.indisvalid AND i.relname ~ '_cc(new|old)[0-9]*$'
"""

SIZE = "SELECT pg_relation_size(oid) / greatest(1, reltuples) FROM pg_class WHERE oid = %s::regclass"


@dataclass(frozen=True, slots=True)
class Packable:
    """An index that is made anew, for the last time where its month is over; with its rows, where these are written anew too."""

    month: str
    index: str
    is_over: bool
    with_rows: bool


def pack_next(today: date) -> str | None:
    """Write the next index that wants it anew; return its name, None where there is none or it was not got.

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
    """Give a cursor that waits for locks no longer than is good, nor works for longer than a task may."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{WITHOUT_HARM}'; SET statement_timeout = '8min'")
        try:
            yield cursor
        finally:
            cursor.execute("RESET lock_timeout; RESET statement_timeout")


def _wanted(cursor: CursorWrapper, today: date) -> Packable | None:
    values: dict[str, Any] = {
        "tables": list(TABLES),
        "month": month_of(today - LATE),
        "done": DONE,
        "growing": GROWING,
        "more": MORE,
        "least": LEAST_GROWING,
        "most": MOST_GROWING,
        "most_rows": MOST_ROW_BYTES,
        "most_index": MOST_INDEX_BYTES,
    }
    cursor.execute(WANTED, values)
    found = cursor.fetchone()
    return Packable(*found) if found else None


def _pack(cursor: CursorWrapper, found: Packable) -> None:
    if not found.is_over:
        cursor.execute(f"REINDEX INDEX CONCURRENTLY {found.index}")
        cursor.execute(SIZE, [found.index])
        cursor.execute(f"COMMENT ON INDEX {found.index} IS '{GROWING} {cursor.fetchone()[0]:.2f}'")
        return
    cursor.execute(f"ALTER INDEX {found.index} SET (fillfactor = 100)")
    if found.with_rows:
        cursor.execute(f"ALTER TABLE {found.month} SET (fillfactor = 100)")
        cursor.execute(f"SET lock_timeout = '{PATIENCE}'")
        cursor.execute(f"VACUUM (FULL, ANALYZE) {found.month}")
    else:
        cursor.execute(f"REINDEX INDEX CONCURRENTLY {found.index}")
    cursor.execute(f"COMMENT ON INDEX {found.index} IS '{DONE}'")


def _sweep(cursor: CursorWrapper) -> None:
    """Drop what an interrupted night left; a month that has any is not done, so its own night comes."""
    cursor.execute(REMAINS, {"tables": list(TABLES)})
    for (index,) in cursor.fetchall():
        cursor.execute(f"DROP INDEX CONCURRENTLY {index}")
