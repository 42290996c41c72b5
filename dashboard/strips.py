"""History strips: the last results of a Test as a row of small marks in one SVG.

Pure. Written in Python and not in a template because a page holds a thousand marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from analysis.answers.rows import StripCell
from dashboard.format import count
from projects.vocabulary import Outcome

STEP = 8  # a mark is 7 wide
HEIGHT = 16
FLAKY_MARK = 5  # outcomes have the marks 1 to 4, see components/marks.html


def strip(cells: Sequence[StripCell], *, n_places: int = 20) -> str:
    """Draw the cells, oldest first and flush right, so that the newest stand below each other in a list."""
    width = n_places * STEP - 1
    shown = cells[-n_places:]
    start = (n_places - len(shown)) * STEP
    marks = "".join(_mark(cell, x=start + place * STEP) for place, cell in enumerate(shown))
    return (
        f'<svg class="strip" width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'aria-label="{escape(sentence(shown))}">{marks}</svg>'
    )


def sentence(cells: Sequence[StripCell]) -> str:
    """Say what a strip shows: "17 of 20 passed, 2 failed, 1 flaky"."""
    if not cells:
        return "no results"
    counted = [
        ("failed", sum(cell.outcome is Outcome.FAILED and not cell.is_flaky for cell in cells)),
        ("errors", sum(cell.outcome is Outcome.ERROR and not cell.is_flaky for cell in cells)),
        ("flaky", sum(cell.is_flaky for cell in cells)),
        ("skipped", sum(cell.outcome is Outcome.SKIPPED for cell in cells)),
    ]
    n_passed = sum(cell.outcome is Outcome.PASSED and not cell.is_flaky for cell in cells)
    rest = "".join(f", {count(n)} {word}" for word, n in counted if n)
    return f"{n_passed} of {len(cells)} passed{rest}"


def _mark(cell: StripCell, *, x: int) -> str:
    mark = FLAKY_MARK if cell.is_flaky else int(cell.outcome)
    word = "flaky" if cell.is_flaky else cell.outcome.word
    place = f' x="{x}"' if x else ""
    return (
        f'<use href="#m{mark}"{place}><title>#{cell.run_number} {word}, {cell.at:%-d %b %H:%M}</title></use>'
    )
