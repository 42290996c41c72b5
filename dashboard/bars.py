"""Small bar pictures drawn on the server: one column a day, stacked by how things ended.

Pure. Knows geometry and the classes that colour it; the words beside a picture are its table's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.answers import UploadDay
from dashboard.charts import Table
from dashboard.format import count, day_words

HEIGHT = 64
COLUMN, GAP = 14, 3
LEAST = 2  # one refused upload among a thousand is still seen


@dataclass(frozen=True, slots=True)
class Rect:
    """One part of a column."""

    x: int
    y: int
    height: int
    kind: str


@dataclass(frozen=True, slots=True)
class Columns:
    """A picture of days, with the table that says the same."""

    width: int
    height: int
    rects: tuple[Rect, ...]
    sentence: str
    table: Table
    first: str
    last: str


def upload_days(days: Sequence[UploadDay]) -> Columns:
    """Draw a column for each day: done at the bottom, then waiting, refused and failed."""
    most = max((_total(day) for day in days), default=0)
    rects = [rect for place, day in enumerate(days) for rect in _column(place, day, most=most)]
    rows = tuple(
        (day_words(day.day), *map(count, (day.n_done, day.n_rejected, day.n_failed, day.n_waiting)))
        for day in reversed(days)
        if _total(day)
    )
    return Columns(
        width=max(1, len(days)) * (COLUMN + GAP) - GAP,
        height=HEIGHT,
        rects=tuple(rects),
        sentence=f"Uploads a day over {len(days)} days, {count(most)} at most.",
        table=Table("Uploads by day", ("Day", "Done", "Refused", "Failed", "Waiting"), rows),
        first=day_words(days[0].day) if days else "",
        last=day_words(days[-1].day) if days else "",
    )


def _total(day: UploadDay) -> int:
    return day.n_done + day.n_waiting + day.n_rejected + day.n_failed


def _column(place: int, day: UploadDay, *, most: int) -> list[Rect]:
    rects, top = [], HEIGHT
    parts = (
        ("done", day.n_done),
        ("waiting", day.n_waiting),
        ("rejected", day.n_rejected),
        ("failed", day.n_failed),
    )
    for kind, n in parts:
        height = max(LEAST, round(n * (HEIGHT - 3 * LEAST) / most)) if n else 0
        top -= height
        if height:
            rects.append(Rect(place * (COLUMN + GAP), top, height, kind))
    return rects
