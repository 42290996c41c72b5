"""Small bar pictures drawn on the server: one column a day or an hour, stacked by how things ended.

Pure. Knows geometry and the classes that colour it; the words beside a picture are its table's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analysis.answers.of_uploads import UploadSpan
from dashboard.format import count, day_words, plural
from dashboard.tables import Table

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
    """A picture of days or hours, with the table that says the same."""

    width: int
    height: int
    rects: tuple[Rect, ...]
    sentence: str
    table: Table
    first: str
    last: str
    ends: tuple[datetime, datetime] | None = None  # the moments of both, where columns are no whole days


def upload_days(days: Sequence[UploadSpan]) -> Columns:
    """Draw a column for each day: done at the bottom, then waiting, refused and failed."""
    return _columns(days, one="day", words=lambda span: day_words(span.at.date()))


def upload_hours(hours: Sequence[UploadSpan]) -> Columns:
    """Draw a column for each hour, the same way: hours of UTC, as they say; on hover the ends say the reader's own."""
    drawn = _columns(hours, one="hour", words=lambda span: f"{span.at:%-d %b, %H:%M} UTC")
    return replace(drawn, ends=(hours[0].at, hours[-1].at)) if hours else drawn


def _columns(spans: Sequence[UploadSpan], *, one: str, words: Callable[[UploadSpan], str]) -> Columns:
    most = max((_total(span) for span in spans), default=0)
    rects = [rect for place, span in enumerate(spans) for rect in _column(place, span, most=most)]
    return Columns(
        width=max(1, len(spans)) * (COLUMN + GAP) - GAP,
        height=HEIGHT,
        rects=tuple(rects),
        sentence=f"Uploads and refused requests by {one}, over {plural(len(spans), one)}: {count(most)} at most.",
        table=_table(spans, one=one, words=words),
        first=words(spans[0]) if spans else "",
        last=words(spans[-1]) if spans else "",
    )


def _table(spans: Sequence[UploadSpan], *, one: str, words: Callable[[UploadSpan], str]) -> Table:
    columns = (one.title(), "Done", "Waiting", "Refused", "of these at the door", "Failed")
    shown = [span for span in reversed(spans) if _total(span)]
    numbers = [(span.n_done, span.n_waiting, span.n_refused, span.n_at_door, span.n_failed) for span in shown]
    return Table(
        f"Uploads by {one}",
        columns,
        tuple((words(span), *map(count, row)) for span, row in zip(shown, numbers, strict=True)),
        (one, "done", "waiting", "refused", "of_these_at_the_door", "failed"),
        tuple((span.at, *row) for span, row in zip(shown, numbers, strict=True)),
    )


def _total(span: UploadSpan) -> int:
    return span.n_uploads + span.n_at_door


def _column(place: int, span: UploadSpan, *, most: int) -> list[Rect]:
    rects, top = [], HEIGHT
    parts = (
        ("done", span.n_done),
        ("waiting", span.n_waiting),
        ("rejected", span.n_refused),
        ("failed", span.n_failed),
    )
    for kind, n in parts:
        height = max(LEAST, round(n * (HEIGHT - 3 * LEAST) / most)) if n else 0
        top -= height
        if height:
            rects.append(Rect(place * (COLUMN + GAP), top, height, kind))
    return rects
