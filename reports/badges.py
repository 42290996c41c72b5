"""Draws a badge: two words side by side as a small SVG. Pure; which words is public.py's.

The widths are those of the letters of Verdana at eleven pixels, near enough: a badge tells a renderer how wide
its text is, so a font that differs is stretched rather than cut off.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

NARROW, WIDE = frozenset("fijlrtI.,:;|!'() "), frozenset("mwMW%@")
PADDING = 6
GOOD, FAIR, BAD, NONE = (
    "#2b7a3d",
    "#8a5a00",
    "#b3261e",
    "#5b6470",
)  # white reads on each with a contrast over 4.5


def svg(label: str, *, value: str, colour: str) -> str:
    """Return the badge as one SVG document, with its words for those who cannot see it."""
    left, right = _width(label) + 2 * PADDING, _width(value) + 2 * PADDING
    words = quoteattr(f"{label}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label={words}>'
        f"<title>{escape(label)}: {escape(value)}</title>"
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3c434d"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        f"{_text(label, at=PADDING)}{_text(value, at=left + PADDING)}</g></svg>\n"
    )


def _text(words: str, *, at: int) -> str:
    return f'<text x="{at}" y="14" textLength="{_width(words)}">{escape(words)}</text>'


def _width(words: str) -> int:
    return round(sum(4.0 if letter in NARROW else 10.2 if letter in WIDE else 6.9 for letter in words))
