"""History strips: the last results of a Test as a row of small marks, told apart by form before colour.

Pure. Written in Python and not in a template because a page holds a thousand marks; their forms are in the styles. Marks are plain
elements: drawings used by reference weigh half as much again, and make a page of them late.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from analysis.answers.rows import StripCell
from dashboard.format import count
from projects.vocabulary import Outcome

PLACES = 20  # the strip is as wide as so many


def strip(cells: Sequence[StripCell]) -> str:
    """Draw the cells, oldest first and flush right, so that the newest stand below each other in a list."""
    shown = cells[-PLACES:]
    marks = "".join(map(_mark, shown))
    return f'<span class="strip" role="img" aria-label="{escape(sentence(shown))}">{marks}</span>'


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


def _mark(cell: StripCell) -> str:
    word = "flaky" if cell.is_flaky else cell.outcome.word
    look = "" if word == Outcome.PASSED.word else f" class={word}"
    return f'<i{look} title="#{cell.run_number} {word}, {cell.at:%-d %b %H:%M}"></i>'
