"""Columns in PostgreSQL's binary form: arrays sent and fetched as they are, and rows for COPY that are packed a column at a time.

A value takes a few nanoseconds this way, and a hundred where each is a Python call of its own. Knows the format alone, no table.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple

import psycopg
from django.db import connection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

from projects.cursors import PackedArray, binding_cursor

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no header extension
TRAILER = b"\xff\xff"
EPOCH = date(2000, 1, 1)  # PostgreSQL's
OIDS = {"h": 21, "i": 23, "f": 700, "d": 701}  # of the types, and of arrays of them
ARRAY_OIDS = 1005, 1007, 1021, 1022
TYPES = {oid: typecode for typecode, oid in OIDS.items()}
HEAD = struct.Struct(">iiiii")  # dimensions, whether there are nulls, type, length, first place
# Single values as fields, or what stands before them.
INT2, INT4, INT8, REAL, DOUBLE = (struct.Struct(form).pack for form in (">h", ">i", ">q", ">f", ">d"))


class Column(NamedTuple):
    """Values of `width` bytes each, one after the other, the higher bytes first."""

    data: bytes
    width: int


# What a row has at one place: the same in each row, None for a null, or what columns have for it side by side.
Field = bytes | None | Sequence[Column]


def column(values: array[Any]) -> Column:
    """Return the values as PostgreSQL reads them."""
    if sys.byteorder == "little":
        values = values[:]
        values.byteswap()
    return Column(values.tobytes(), values.itemsize)


def day(value: date) -> bytes:
    """Return a day as a field."""
    return INT4((value - EPOCH).days)


def rows(n: int, fields: Sequence[Field]) -> tuple[bytes, int]:
    """Pack n rows of these fields, and return how long each is."""
    row, places = bytearray(INT2(len(fields))), list[tuple[int, Column]]()
    for field in fields:
        if field is None or isinstance(field, bytes):
            row += packed(field)
            continue
        row += INT4(sum(part.width for part in field))
        for part in field:
            places.append((len(row), part))
            row += bytes(part.width)
    filled, size = row * n, len(row)
    for at, (data, width) in places:
        for byte in range(width):
            filled[at + byte :: size] = data[byte::width]
    return bytes(filled), size


def row(fields: Sequence[bytes | None]) -> bytes:
    """Pack one row."""
    return INT2(len(fields)) + b"".join(map(packed, fields))


def packed(field: bytes | None) -> bytes:
    """Return a field after its length."""
    return INT4(-1) if field is None else INT4(len(field)) + field


def copy(table: str, filled: Iterable[bytes]) -> None:
    """Send packed rows to a table."""
    statement = f"COPY {table} FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as target:
        target.write(b"".join((SIGNATURE, *filled, TRAILER)))


def sent(values: array[Any]) -> PackedArray:
    """Return an array as a parameter of a statement."""
    oid = OIDS[values.typecode]
    if not values:
        return PackedArray(struct.pack(">iii", 0, 0, oid))
    filled = bytearray(HEAD.pack(1, 0, oid, len(values), 1))
    start = len(filled)
    filled.extend(
        bytes(len(values) * (4 + values.itemsize))
    )  # in place: a column may be as long as an upload
    data, width = column(values)
    filled[start + 3 :: 4 + width] = bytes([width]) * len(values)
    for byte in range(width):
        filled[start + 4 + byte :: 4 + width] = data[byte::width]
    del data
    return PackedArray(filled)


@contextmanager
def fetching_columns() -> Iterator[psycopg.Cursor[Any]]:
    """Open a binding cursor that returns arrays of numbers as arrays; its statements are executed with `binary=True`."""
    with binding_cursor() as cursor:
        for oid in ARRAY_OIDS:
            cursor.adapters.register_loader(oid, _Fetched)
        yield cursor


class _Fetched(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> array[Any]:
        return fetched(bytes(data))


def fetched(data: bytes) -> array[Any]:
    """Return an array, without nulls, as PostgreSQL sent it."""
    n_dimensions, _, oid = struct.unpack_from(">iii", data)
    values = array(TYPES[oid])
    if n_dimensions:
        width = values.itemsize
        filled = bytearray(width * HEAD.unpack_from(data)[3])
        for byte in range(width):
            filled[byte::width] = data[HEAD.size + 4 + byte :: 4 + width]
        values.frombytes(filled)
        if sys.byteorder == "little":
            values.byteswap()
    return values
