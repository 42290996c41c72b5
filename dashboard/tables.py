"""The data under a picture: its rows in words for the page, and in plain numbers for a file.

Pure. Which table stands under which picture is the affair of those that draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """The data under a picture; `fields` name the columns of `records`, which are what a file holds.

    `urls` lead from the cells to what they count, as the picture does where it is clicked: "" for a cell that leads nowhere.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    fields: tuple[str, ...] = ()
    records: tuple[tuple[Any, ...], ...] = ()
    urls: tuple[tuple[str, ...], ...] = ()

    @property
    def lines(self) -> Iterator[Iterator[tuple[str, str, str]]]:
        """Return each row as cells with their columns' words, which stand beside them on a phone, and where they lead."""
        words = [f"{word[:1].lower()}{word[1:]}" for word in self.columns]
        led = zip_longest(self.rows, self.urls, fillvalue=("",) * len(self.columns))
        return (zip(words, row, urls, strict=True) for row, urls in led)
