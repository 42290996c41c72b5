"""Columns as PostgreSQL sends and takes them."""

from __future__ import annotations

from array import array
from datetime import date
from typing import Any

import pytest
from django.db import connection

from projects import columns
from projects.cursors import binding_cursor

pytestmark = pytest.mark.django_db

ARRAYS = [
    array("i", [1, -2, 2**31 - 1]),
    array("h", [0, -32_768, 7]),
    array("f", [0.25, 1e9, -0.5]),
    array("d", [0.1, 1e300]),
    array("i"),
]
TYPES = {"i": "int", "h": "smallint", "f": "real", "d": "float8"}


@pytest.mark.parametrize("values", ARRAYS, ids=str)
def test_an_array_comes_back_as_it_was_sent(values: array[Any]) -> None:
    with columns.fetching_columns() as cursor:
        found = cursor.execute(
            f"SELECT %(values)b::{TYPES[values.typecode]}[]", {"values": columns.sent(values)}, binary=True
        ).fetchone()

    assert found == (values,)


def test_an_array_that_postgresql_made_is_fetched() -> None:
    with columns.fetching_columns() as cursor:
        found = cursor.execute(
            "SELECT array_agg(n::int) FROM generate_series(1, 3) n", binary=True
        ).fetchone()

    assert found == (array("i", [1, 2, 3]),)


def test_rows_are_packed_a_column_at_a_time() -> None:
    fields: list[columns.Field] = [
        [columns.column(array("i", [1, 2]))],
        columns.day(date(2026, 11, 22)),
        None,
        [columns.Column(b"abcd", 2), columns.Column(b"xy", 1)],
    ]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE kept (n int, day date, word text, bins bytea) ON COMMIT DROP")

    packed, size = columns.rows(2, fields)
    columns.copy("kept", [packed, columns.row([columns.INT4(3), columns.day(date(1999, 1, 1)), b"c", b""])])

    assert len(packed) == 2 * size
    with binding_cursor() as found:
        assert found.execute("SELECT * FROM kept ORDER BY n").fetchall() == [
            (1, date(2026, 11, 22), None, b"abx"),
            (2, date(2026, 11, 22), None, b"cdy"),
            (3, date(1999, 1, 1), "c", b""),
        ]
