"""Statements as Django's cursor would not send them: parameters bound on the server, and joins without nested loops.

Knows PostgreSQL alone, no table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.adapt import Dumper
from psycopg.pq import Format


class PackedArray(bytes):
    """An array in PostgreSQL's binary form; the statement casts it to its type."""


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: PackedArray) -> bytes:
        return obj


@contextmanager
def binding_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """Open a cursor that sends parameters apart from the statement, packed arrays as they are.

    Django's would write them into the statement as escaped text.
    """
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.adapters.register_dumper(PackedArray, _AsItIs)
        yield cursor


@contextmanager
def without_loops(cursor: CursorWrapper) -> Iterator[None]:
    """Have both sides of a join read whole, in this transaction and while the block lasts.

    The planner knows nothing of temporary tables and of tables that just grew: it would loop over one side for each row of
    the other.
    """
    cursor.execute("SET LOCAL enable_nestloop = off")
    yield
    cursor.execute("SET LOCAL enable_nestloop = on")


@contextmanager
def without_sorting(cursor: psycopg.Cursor[Any]) -> Iterator[None]:
    """Have rows come from an index that has the order asked for, in this transaction and while the block lasts."""
    cursor.execute("SET LOCAL enable_sort = off")
    yield
    cursor.execute("SET LOCAL enable_sort = on")
