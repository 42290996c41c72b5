"""Lists that are packed by hand arrive in PostgreSQL as they are."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from projects.arrays import packed, packed_columns
from projects.cursors import binding_cursor

pytestmark = pytest.mark.django_db


def arrived(kind: str, values: list[Any]) -> Any:
    """Return what PostgreSQL makes of the values."""
    with binding_cursor() as cursor:
        return cursor.execute(f"SELECT %b::{kind}[]", [packed(kind, values)]).fetchall()[0][0]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("boolean", [True, False]),
        ("bytea", [b"", b"\x00\xff"]),
        ("smallint", [-1, 0, None, 32_767]),
        ("int", [-5, None, 2_000_000_000]),
        ("text", ["", "NULL", 'a "quoted", {braced} \\ ünicode\n']),
        ("float8", [0.1, None, -1e300, 5e-324]),
        ("date", [date(1970, 1, 1), None, date(2026, 11, 22)]),
    ],
)
def test_an_array_arrives_as_it_is(kind: str, values: list[Any]) -> None:
    assert arrived(kind, values) == values
    assert arrived(kind, []) == []


def test_rows_become_an_array_a_column() -> None:
    kinds = {"number": "int", "word": "text"}

    columns = packed_columns(kinds, [(1, "a"), (2, "b")])

    assert columns == {"number": packed("int", [1, 2]), "word": packed("text", ["a", "b"])}
    assert packed_columns(kinds, []) == {"number": packed("int", []), "word": packed("text", [])}
