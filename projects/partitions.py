"""The monthly partitions of the large tables: making the ones that are needed, dropping the ones that are over.

A month is made before the first row of it is written, and ahead of time by the nightly upkeep.
"""

from __future__ import annotations

from datetime import date

from django.db import connection, transaction

from projects import locks

TABLES = ("projects_result", "projects_testday")

# Leave a little room in the pages of the day rows, so that some of the updates of today's rows stay in their page.
OPTIONS = {"projects_result": "", "projects_testday": "WITH (fillfactor = 90)"}

SUMMARISE_EVERY = 10_000  # results, some seventy blocks

_unsummarised: dict[str, int] = {}
_made: set[tuple[str, ...]] = set()  # server, database and name of partitions that are there


def month_of(day: date) -> date:
    """Return the first day of the month."""
    return day.replace(day=1)


def month_after(day: date) -> date:
    """Return the first day of the next month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def name_of(table: str, day: date) -> str:
    """Return the name of the partition that holds the day."""
    return f"{table}_{day:%Y_%m}"


def ensure_months(days: set[date]) -> None:
    """Make the partitions that hold the days, where they are missing."""
    for month in sorted({month_of(day) for day in days}):
        for table in TABLES:
            _ensure(table, month)


def _ensure(table: str, month: date) -> None:
    name = name_of(table, month)
    known = (*(str(connection.settings_dict[part]) for part in ("HOST", "PORT", "NAME")), name)
    if known in _made:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        locks.hold_server(locks.Lock.MONTH)
        cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
        if cursor.fetchone()[0]:
            # Attaching takes a weaker lock on the parent than creating in place, so pages go on reading.
            cursor.execute(
                f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) {OPTIONS[table]}"
            )
            cursor.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{month}') TO ('{month_after(month)}')"
            )
    if not connection.in_atomic_block:  # a month made in a transaction may yet be rolled back
        _made.add(known)


def note_new_results(day: date, n: int) -> None:
    """Count the results written to a month, and have its block-range index summarised now and then.

    Blocks without a summary are read for every look-up of a run. Autovacuum writes summaries too, but comes by once a minute
    at best, and a history that is sent at once fills thousands of blocks in that time.
    """
    name = name_of("projects_result", day)
    _unsummarised[name] = _unsummarised.get(name, 0) + n
    if _unsummarised[name] < SUMMARISE_EVERY:
        return
    _unsummarised[name] = 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT brin_summarize_new_values(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'brin' AND i.indrelid = to_regclass(%s)",
            [name],
        )


def partitions(table: str) -> list[str]:
    """Return the names of the table's partitions, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]


def drop_months_before(table: str, day: date) -> list[str]:
    """Drop the partitions of the table that end on or before the day; return their names."""
    last = name_of(table, month_of(day))
    over = [name for name in partitions(table) if name < last]
    with connection.cursor() as cursor:
        for name in over:
            cursor.execute(f"DROP TABLE {name}")
    _made.difference_update({known for known in _made if known[-1] in over})
    return over
