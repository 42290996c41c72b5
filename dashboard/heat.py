"""Boundary by week as a table whose cells are shaded: where failures break, and when that changed.

Pure. The number stands in each cell; the shade repeats it. A week without runs has no number, which is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from analysis.answers.of_failures import BoundaryWeek
from analysis.window import Window
from dashboard.format import BOUNDARY_WORDS, NONE, count, day_words, plural
from projects.vocabulary import Boundary

STEPS = 5  # shades that an eye tells apart


@dataclass(frozen=True, slots=True)
class Cell:
    """One boundary in one week: how many failures, how dark, and where they are listed."""

    words: str
    step: int
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """One boundary over the weeks."""

    words: str
    url: str
    cells: tuple[Cell, ...]
    total: str


@dataclass(frozen=True, slots=True)
class Heat:
    """The whole picture, which is its own table."""

    weeks: tuple[str, ...]
    lines: tuple[Line, ...]
    sentence: str


def draw(weeks: Sequence[BoundaryWeek], window: Window) -> Heat | None:
    """Draw the weeks, the boundary with most failures first; None where nothing failed in any of them."""
    totals = {boundary: sum(week.n_failures.get(boundary, 0) for week in weeks) for boundary in Boundary}
    seen = sorted(
        (boundary for boundary in totals if totals[boundary]), key=lambda found: _place(found, totals)
    )
    if not seen:
        return None
    most = max(week.n_failures.get(boundary, 0) for week in weeks for boundary in seen)
    lines = tuple(
        Line(
            BOUNDARY_WORDS[boundary],
            window.query(boundaries=(boundary,)) or "?",
            tuple(_cell(week, boundary, most, window) for week in weeks),
            count(totals[boundary]),
        )
        for boundary in seen
    )
    return Heat(
        tuple(day_words(week.monday, window.today) for week in weeks),
        lines,
        _sentence(seen, totals, len(weeks)),
    )


def _place(boundary: Boundary, totals: dict[Boundary, int]) -> tuple[bool, int, int]:
    return boundary is Boundary.NONE_FOUND, -totals[boundary], int(boundary)


def _cell(week: BoundaryWeek, boundary: Boundary, most: int, window: Window) -> Cell:
    n = week.n_failures.get(boundary, 0)
    when = f"week of {day_words(week.monday, window.today)}"
    if not n:
        words = "0" if week.n_runs else NONE
        return Cell(words, 0, "", f"{when}: {'none' if week.n_runs else 'no runs'}")
    # The root keeps a week of three failures visible beside an outage's thousand.
    step = max(1, math.ceil(STEPS * math.sqrt(n / most)))
    narrow = replace(window, boundaries=(boundary,), since=week.monday, page=1)
    until = min(week.monday + timedelta(days=6), window.today)
    return Cell(
        count(n),
        step,
        replace(narrow, until=until).query() or "?",
        f"{plural(n, 'failure')} at {BOUNDARY_WORDS[boundary]}, {when}",
    )


def _sentence(seen: Sequence[Boundary], totals: dict[Boundary, int], n_weeks: int) -> str:
    known = [boundary for boundary in seen if boundary is not Boundary.NONE_FOUND]
    whole = sum(totals.values())
    if not known:
        return f"None of {plural(whole, 'failure')} in {n_weeks} weeks names a boundary."
    first = known[0]
    return (
        f"Of {plural(whole, 'failure')} in {n_weeks} weeks, {count(totals[first])} broke at "
        f"{BOUNDARY_WORDS[first]}, more than at any other boundary."
    )
