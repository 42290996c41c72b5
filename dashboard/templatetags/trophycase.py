"""What templates print with: filters over dashboard.format, and links over a Window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import template
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from analysis.answers.of_flakes import FlakeRow
from analysis.answers.of_time import SlowRow
from analysis.answers.rows import Page, StripCell
from analysis.window import SORT_BESIDE, Window
from dashboard import flake_costs, strips, tiles, time_words
from dashboard import format as formats
from projects.vocabulary import Boundary, Cause, FlakeStatus, Layer, Outcome

register = template.Library()

SEPARATORS = re.compile(r"[_/.\-:\]]+(?=\w)(?!(?<=\.)\w{1,4}$)")  # a file keeps its suffix
# Columns of words begin at A.
WORDS = [
    "name",
    "layer",
    "branch",
    "shape",
    "boundary",
    "file",
    "channel",
    "email",
    "is",
    "by",
    "reason",
    "state",
    "job",
]
NOISE_OF_ONE = 0.15  # one test's p95 moves more than a whole run's time

register.filter("count", formats.count)
register.filter("duration", formats.duration)
register.filter("percent", formats.percent)
register.filter("bytes", formats.size)
register.filter("commit", formats.commit)
register.filter("brief", formats.brief)
register.filter("excerpt", formats.excerpt)
register.filter("plural", formats.plural)
register.filter("shift_words", time_words.shift_words)
register.filter("commits", time_words.commits)
register.filter("misfit_words", time_words.misfit_words)


@register.filter
def day(value: date | None) -> str:
    """Write a day, with its year where that is not this one."""
    return formats.day_words(value, timezone.now().date())


@register.filter
def day_ago(value: date | None) -> str:
    """Write a day as seen from today."""
    return formats.NONE if value is None else formats.day_ago(value, timezone.now().date())


@register.filter
def flake_why(row: FlakeRow) -> str:
    """Say why a test has its status."""
    return flake_costs.why(row)


@register.filter
def ago(at: datetime | None) -> str:
    """Write how long ago a moment was."""
    return formats.NONE if at is None else formats.ago(at, timezone.now())


@register.filter
def iso(at: datetime) -> str:
    """Write a moment for machines."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


@register.filter
def exact(at: datetime) -> str:
    """Write the exact moment for people without JavaScript."""
    return f"{at.astimezone(UTC):%a %-d %b %Y, %H:%M:%S} UTC"


@register.filter
def glyph(outcome: Outcome, is_flaky: object = False) -> str:
    """Return the mark of an outcome."""
    return formats.outcome_glyph(outcome, is_flaky=bool(is_flaky))


@register.filter
def status_word(status: FlakeStatus) -> str:
    """Return a flake status as pages spell it."""
    return formats.STATUS_WORDS[status]


@register.filter
def boundary_word(boundary: Boundary) -> str:
    """Return a boundary as pages spell it."""
    return formats.BOUNDARY_WORDS[boundary]


@register.filter
def cause_word(cause: Cause) -> str:
    """Return a cause as pages spell it."""
    return formats.CAUSE_WORDS[cause]


@register.filter
def same(value: object, other: object) -> str:
    """Write "true" or "false", as ARIA spells them."""
    return "true" if value == other else "false"


@register.filter
def strip(cells: Sequence[StripCell]) -> SafeString:
    """Draw a history strip."""
    return mark_safe(strips.strip(cells))  # noqa: S308  strips escapes the one text in it


@register.filter
def entry(mapping: Mapping[Any, Any], key: Any) -> Any:
    """Return the value of a key that is itself a variable."""
    return mapping.get(key)


@register.filter
def page_numbers(rows: Page[Any]) -> list[int | None]:
    """Return the pages to link to: first, last and those around this one, None for a gap."""
    near = {1, rows.n_pages, *range(rows.number - 1, rows.number + 2)}
    shown = sorted(number for number in near if 1 <= number <= rows.n_pages)
    numbers: list[int | None] = []
    for number in shown:
        last = numbers[-1] if numbers else 0
        if last is not None and number - last == 2:
            numbers.append(number - 1)
        elif last is not None and number - last > 2:
            numbers.append(None)
        numbers.append(number)
    return numbers


@register.simple_tag
def link(window: Window, **changes: object) -> str:
    """Return the query string of the window with changes; "?" where all is default."""
    return window.query(**changes) or "?"


@register.simple_tag
def export_link(window: Window, form: str, part: str = "", base: str = "") -> str:
    """Return the query string that answers with the whole list as a file; `part` names one beside the page's own.

    `base` is the query string of a page that asks for more than a window.
    """
    query = base or window.query(page=1)
    asked = f"list={part}&format={form}" if part else f"format={form}"
    return f"{query}&{asked}" if query else f"?{asked}"


@register.simple_tag
def kept(window: Window) -> str:
    """Return branch and dates as a query string, for links to other pages."""
    return window.without_filters.query(by="count")


@register.simple_tag
def kept_with(window: Window, **changes: object) -> str:
    """Return branch and dates with filters, for links to other pages."""
    return window.without_filters.query(by="count", **changes)


@register.simple_tag
def plan_with(window: Window, test_id: int, layer: Layer) -> str:
    """Return the query string of a plan in which one test sits in that layer, for links to the shape page."""
    query = kept(window)
    return f"{query}{'&' if query else '?'}as-{layer.word}={test_id}#plan"


@dataclass(frozen=True, slots=True)
class Sorting:
    """How a column's header looks and where it leads."""

    url: str
    arrow: str
    aria: str


@register.simple_tag
def sorting(window: Window, key: str, default: str = "", part: str = "", base: str = "") -> Sorting:
    """Return the header of a column: a second click turns the order around, words begin ascending.

    `part` names a list beside the page's own; `base` is the query string of a page that asks for more than a window.
    """
    current = window.sort_of(part) or default
    is_down = current.startswith("-")
    if current.lstrip("-") == key:
        first, aria = key if is_down else f"-{key}", "descending" if is_down else "ascending"
    else:
        first, aria = key if key in WORDS else f"-{key}", ""
        is_down = first[0] == "-"
    word = "" if first == default else first
    url = _sorted_base(base, word, part) if base else window.sorted_by(word, part)
    return Sorting(url or "?", "↓" if is_down else "↑", aria)


def _sorted_base(base: str, sort: str, part: str) -> str:
    name = f"{SORT_BESIDE}{part}" if part else "sort"
    asked = {key: value for key, value in parse_qsl(base.removeprefix("?")) if key != name}
    return "?" + urlencode(asked | ({name: sort} if sort else {}), safe=",*:/")


@register.filter
def soft(text: str) -> SafeString:
    """Escape a name and let it break after its separators."""
    return mark_safe(SEPARATORS.sub(r"\g<0><wbr>", escape(text)))  # noqa: S308  escaped here


@register.filter
def as_tuple(value: Any) -> tuple[Any, ...]:
    """Return a tuple of one value, as filters of a Window are."""
    return (value,)


@register.filter
def p95_delta(row: SlowRow) -> formats.Delta | None:
    """Compare the p95 of a row with that of the earlier window; None where it is about the same."""
    return tiles.notable(row.test.p95_s, row.p95_before_s, noise=NOISE_OF_ONE)
