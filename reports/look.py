"""Shows a Letter as HTML for mail programs and as text: the same lines in the same order.

Mail programs know tables and inline styles, so the template's style sheet is inlined; only the dark colours
stay in a media query. What a Letter says is letter.py's; the reader's way out is put in when it is sent.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import css_inline
from django.template.loader import render_to_string

from reports.letter import Bar, Letter
from reports.sections import Line, Section

# What stands in a stored letter for the addresses of its reader's own.
WAY_OUT = "https://unsubscribe.invalid/"
CHANGE = "https://preferences.invalid/"
TEXT_WIDTH = 78  # what mail programs show without a second wrapping
BAR_CELLS = 24

_inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def html(letter: Letter) -> str:
    """Return the letter as one HTML document with its styles inlined."""
    context = {"letter": letter, "way_out": WAY_OUT, "change": CHANGE}
    return _inliner.inline(render_to_string("reports/letter.html", context))


def text(letter: Letter) -> str:
    """Return the letter as plain text."""
    said = filter(None, (letter.verdict, letter.whose))
    blocks = [_head(letter), *(textwrap.fill(line, TEXT_WIDTH) for line in said)]
    if letter.bars:
        blocks.append("\n".join(_bar(bar) for bar in letter.bars))
    if letter.figures:
        figures = [f"{one.label:<12} {one.value:<10} ({one.before})" for one in letter.figures]
        blocks.append("\n".join([*figures, letter.note]))
    blocks += [_section(section) for section in letter.sections]
    if letter.closing:
        blocks.append(textwrap.fill(letter.closing, TEXT_WIDTH))
    blocks.append(f"Open the overview: {letter.links.overview}")
    blocks.append(f"{letter.why}\nChange: {CHANGE}\nStop: {WAY_OUT}")
    return "\n\n".join(blocks) + "\n"


def addressed(body: str, *, way_out: str, change: str) -> str:
    """Put a reader's own ways to stop and to change the letter into a stored body."""
    return body.replace(WAY_OUT, way_out).replace(CHANGE, change)


def _head(letter: Letter) -> str:
    return f"{letter.project}, {letter.dates}\n{letter.scope}"


def _bar(bar: Bar) -> str:
    n_full = round(bar.points * BAR_CELLS / 100)
    return f"{bar.layer:<12} {'█' * n_full:<{BAR_CELLS}} {bar.points:>3} %  ({bar.before})"


def _section(section: Section) -> str:
    more = [f"  {section.more}: {section.more_url}"] if section.more else []
    return "\n".join([section.title, *_lines(section.lines), *more])


def _lines(lines: Iterable[Line]) -> Iterable[str]:
    for line in lines:
        mark = "!" if line.is_urgent else " "
        whose = "yours: " if line.is_own else ""
        yield f"{mark} {line.what}"
        yield f"    {whose}{line.detail}"
        if line.url:
            yield f"    {line.url}"
