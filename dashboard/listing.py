"""Short lists that are there as a whole: searched, sorted and cut into pages as the long ones are by the database.

Pure. A list names what its words are searched in and what it can be sorted by; the names are those of its headers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from analysis.answers.rows import Page
from analysis.window import Window

T = TypeVar("T")
Key = Callable[[T], Any]


def _no_text(_row: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Order(Generic[T]):
    """What a list can be sorted by, which of it is the list's own order ("" for that in which rows come), and what is searched."""

    keys: Mapping[str, Key[T]]
    default: str = ""
    text: Key[T] = _no_text


def page_of(rows: Sequence[T], window: Window, order: Order[T]) -> Page[T]:
    """Return the page of the rows that the window asks for, in its order and under its search."""
    words = window.q.lower().split()
    found = [row for row in rows if all(word in order.text(row).lower() for word in words)]
    return cut(ordered(found, window.sort, order), window)


def cut(rows: Sequence[T], window: Window) -> Page[T]:
    """Return the page of the rows that the window asks for, in the order in which they came."""
    start = (window.page - 1) * window.size
    return Page(tuple(rows[start : start + window.size]), len(rows), window.page, window.size)


def ordered(rows: Sequence[T], sort: str, order: Order[T]) -> Sequence[T]:
    """Sort by a word, "-" in front for descending; what has no value comes last, and ties stay as they came."""
    word = sort if sort.removeprefix("-") in order.keys else order.default
    if not word:
        return rows
    key = order.keys[word.removeprefix("-")]
    told = [row for row in rows if key(row) is not None]
    untold = [row for row in rows if key(row) is None]
    return [*sorted(told, key=key, reverse=word.startswith("-")), *untold]
