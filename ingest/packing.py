"""Rows as PostgreSQL's binary COPY takes them, packed by hand: a struct a row is a third of the price of a typed writer.

Knows the format alone. What the columns are is ingest.staging's to say.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import lru_cache

from django.db import connection
from django.db.backends.utils import CursorWrapper

from projects.columns import EPOCH, SIGNATURE, TRAILER
from projects.cursors import PackedArray

NULL = b"\xff\xff\xff\xff"
BYTEA_OID, TEXT_OID = 17, 25
NO_TEXTS = struct.pack(">iiii", 12, 0, 0, TEXT_OID)  # an empty text[]
NO_PAIRS = struct.pack(">i", 3) + b"\x01[]"  # an empty list as jsonb

length = struct.Struct(">i").pack
_int2 = struct.Struct(">ih").pack
_int4 = struct.Struct(">ii").pack
_int8 = struct.Struct(">iq").pack
_float4 = struct.Struct(">if").pack
_float8 = struct.Struct(">id").pack


def copy(cursor: CursorWrapper, table: str, rows: Sequence[bytes]) -> None:
    """Send the packed rows to a table."""
    if rows:
        statement = f"COPY {table} FROM STDIN (FORMAT BINARY)"
        with connection.wrap_database_errors, cursor.copy(statement) as sent:
            sent.write(b"".join((SIGNATURE, *rows, TRAILER)))


def byteas(values: Collection[bytes]) -> PackedArray:
    """Pack a bytea[] of some values."""
    head = struct.pack(">iiiii", 1, 0, BYTEA_OID, len(values), 1)
    return PackedArray(head + b"".join(map(raw, values)))


def text(value: str) -> bytes:
    """Pack a text."""
    data = value.encode()
    return length(len(data)) + data


@lru_cache(maxsize=5_000)
def shared_text(value: str) -> bytes:
    """Pack a text that many rows share: a class, a file, a framework."""
    return text(value)


def raw(value: bytes) -> bytes:
    """Pack a bytea."""
    return length(len(value)) + value


def int2(value: int | None) -> bytes:
    """Pack a smallint or a null."""
    return NULL if value is None else _int2(2, value)


def int4(value: int | None) -> bytes:
    """Pack an integer or a null."""
    return NULL if value is None else _int4(4, value)


def int8(value: int) -> bytes:
    """Pack a bigint."""
    return _int8(8, value)


def day(value: date) -> bytes:
    """Pack a date."""
    return _int4(4, (value - EPOCH).days)


def float4(value: float | None) -> bytes:
    """Pack a real or a null."""
    return NULL if value is None else _float4(4, value)


def float8(value: float) -> bytes:
    """Pack a double."""
    return _float8(8, value)


def flag(value: bool) -> bytes:
    """Pack a boolean."""
    return b"\x00\x00\x00\x01\x01" if value else b"\x00\x00\x00\x01\x00"


def texts(values: Sequence[str]) -> bytes:
    """Pack a text[]."""
    if not values:
        return NO_TEXTS
    body = struct.pack(">iiiii", 1, 0, TEXT_OID, len(values), 1) + b"".join(map(text, values))
    return length(len(body)) + body


def pairs(values: Sequence[tuple[str, str]]) -> bytes:
    """Pack a list of pairs as jsonb."""
    return as_jsonb(json.dumps(values)) if values else NO_PAIRS


def as_jsonb(words: str) -> bytes:
    """Pack JSON as jsonb, whose first byte is its version."""
    data = words.encode()
    return length(1 + len(data)) + b"\x01" + data


def row(fields: Iterable[bytes], *, n: int) -> bytes:
    """Join packed fields to a row."""
    return struct.pack(">h", n) + b"".join(fields)
