"""Values of documents that other tools wrote: taken where they have the right kind, else left out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def text(value: object) -> str:
    """Return a text without halves of characters, which JSON can spell; a number as its digits, anything else as nothing."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def entry(value: object, name: str) -> Any:
    """Return what a mapping has under a name; None for what is no mapping."""
    return value.get(name) if isinstance(value, Mapping) else None


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings of a list; nothing for what is no list."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, Mapping))


def texts(value: object) -> list[str]:
    """Return the texts of a list; nothing for what is no list."""
    return [text(one) for one in value if isinstance(one, str)] if isinstance(value, list) else []


def words(value: object) -> dict[str, str]:
    """Return the texts of a mapping by their names; nothing for what is none."""
    return {text(name): text(one) for name, one in value.items()} if isinstance(value, Mapping) else {}


def seconds(value: object, *, per_second: float = 1.0) -> float | None:
    """Return a duration in seconds; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = value / per_second
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def number(value: object) -> int | None:
    """Return a whole number, also one that is written as text; None for what is none."""
    digits = text(value)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
