"""The data under a picture: its rows in words for the page, and in plain numbers for a file.

Pure. Which table stands under which picture is the affair of those that draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """The data under a picture; `fields` name the columns of `records`, which are what a file holds."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fields: tuple[str, ...] = ()
    records: tuple[tuple[Any, ...], ...] = ()

    @property
    def lines(self) -> Iterator[Iterator[tuple[str, str]]]:
        """Return each row as pairs of a column's word and the cell: on a phone they stand side by side."""
        words = [f"{word[:1].lower()}{word[1:]}" for word in self.columns]
        return (zip(words, row, strict=True) for row in self.rows)
