"""Two runs side by side: what broke, what was mended, what got slower, and what is not there any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import Http404, HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries
from analysis.answers.rows import Page
from analysis.compared import ComparedTest, Comparison, Difference, LayerChange
from analysis.window import Window
from dashboard import beside, export, listing, orders, page
from dashboard.export import Column
from dashboard.format import Delta, Tone, count, delta_text, duration, plural
from dashboard.page import ProjectRequest
from projects.vocabulary import Layer

WORDS = {
    Difference.NEWLY_FAILING: "Newly failing",
    Difference.STILL_FAILING: "Still failing",
    Difference.FIXED: "Fixed",
    Difference.SLOWER: "Slower",
    Difference.FASTER: "Faster",
    Difference.ADDED: "Added",
    Difference.MISSING: "Missing",
    Difference.NEWLY_SKIPPED: "Newly skipped",
}
OPEN = (Difference.NEWLY_FAILING, Difference.FIXED, Difference.STILL_FAILING)  # the rest unfolds


@dataclass(frozen=True, slots=True)
class Line:
    """One test of the comparison, with its change in time."""

    test: ComparedTest
    delta: Delta | None


@dataclass(frozen=True, slots=True)
class Differing:
    """One test of a file, with how it differs."""

    kind: Difference
    test: ComparedTest


@dataclass(frozen=True, slots=True)
class Section:
    """The tests that differ in one way."""

    key: str
    words: str
    n: int
    lines: tuple[Line, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class LayerLine:
    """One layer in both runs, in words."""

    layer: Layer
    cells: tuple[str, str, str, str, str, str]


COLUMNS: list[Column[Differing]] = [
    Column("difference", lambda row: row.kind.value),
    Column("id", lambda row: row.test.id),
    Column("test", lambda row: row.test.title),
    Column("home", lambda row: row.test.home),
    Column("layer", lambda row: row.test.layer),
    Column("earlier", lambda row: row.test.earlier),
    Column("later", lambda row: row.test.later),
    Column("earlier_s", lambda row: row.test.earlier_s),
    Column("later_s", lambda row: row.test.later_s),
]
LAYER_COLUMNS: list[Column[LayerChange]] = [
    Column("layer", lambda row: row.later.layer),
    Column("earlier_tests", lambda row: row.earlier.n_tests),
    Column("later_tests", lambda row: row.later.n_tests),
    Column("earlier_s", lambda row: row.earlier.seconds),
    Column("later_s", lambda row: row.later.seconds),
]


@require_safe
@page.project_page()
def compare(request: ProjectRequest) -> HttpResponseBase:
    """Compare run `a` with run `b`; without them the newest run with the one before it."""
    numbers = _numbers(request)
    if numbers is None:
        return page.render(request, "compare.html", {"comparison": None}, place="runs")
    window = request.window
    is_whole = bool(export.wanted(request) or window.sorts)
    comparison = queries.comparison(request.project, *numbers, is_whole=is_whole)
    if comparison is None:
        raise Http404(f"The project has no run #{numbers[0]}, or no run #{numbers[1]}.")
    name = f"runs {numbers[0]} and {numbers[1]}"
    if file := export.asked(request, name, COLUMNS, lambda _, asked: _differing(comparison, asked)):
        return file
    if file := beside.asked(
        request, f"layers of {name}", LAYER_COLUMNS, comparison.layers[::-1], part="layers"
    ):
        return file
    context = {
        "comparison": comparison,
        "sentence": sentence(comparison),
        "sections": [
            _section(comparison, kind, window) for kind in Difference if comparison.differences[kind].n
        ],
        "base": _base(numbers, window),
        "earlier_words": f"#{numbers[0]}",
        "later_words": f"#{numbers[1]}",
        "layers": [_layer_line(change) for change in reversed(comparison.layers)],
    }
    return page.render(request, "compare.html", context, place="runs")


def _base(numbers: tuple[int, int], window: Window) -> str:
    """Return the query string that states both runs, and what the window adds to it."""
    query = window.query(page=1).removeprefix("?")
    return f"?a={numbers[0]}&b={numbers[1]}{'&' if query else ''}{query}"


def _sorted(comparison: Comparison, kind: Difference, window: Window) -> Sequence[ComparedTest]:
    """Return the tests that differ in one way, in the order that the URL asks for."""
    return listing.ordered(comparison.differences[kind].tests, window.sort_of(kind.value), orders.COMPARED)


def _differing(comparison: Comparison, window: Window) -> Page[Differing]:
    """Return a page of every test that differs, in the order of the sections."""
    found = [Differing(kind, test) for kind in Difference for test in _sorted(comparison, kind, window)]
    start = (window.page - 1) * window.size
    return Page(tuple(found[start : start + window.size]), len(found), window.page, window.size)


def _numbers(request: ProjectRequest) -> tuple[int, int] | None:
    """Read the two runs from the address; what is missing is taken from the run before on the branch."""
    earlier, later = (_number(request.GET.get(name, "")) for name in ("a", "b"))
    if earlier is not None and later is not None:
        return earlier, later
    usual = queries.usual_pair(request.project, later=later)
    return (earlier or usual[0], usual[1]) if usual else None


def _number(text: str) -> int | None:
    text = text.removeprefix("#")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def sentence(comparison: Comparison) -> str:
    """Say in words what the later run brought."""
    told = (
        (Difference.NEWLY_FAILING, "newly failing"),
        (Difference.FIXED, "fixed"),
        (Difference.STILL_FAILING, "still failing"),
        (Difference.SLOWER, "slower"),
        (Difference.FASTER, "faster"),
        (Difference.ADDED, "added"),
        (Difference.MISSING, "missing"),
    )
    parts = [f"{count(comparison.differences[kind].n)} {words}" for kind, words in told]
    counted = [part for part, (kind, _) in zip(parts, told, strict=True) if comparison.differences[kind].n]
    if not counted:
        return f"Nothing differs in {plural(comparison.n_common, 'test')}."
    return f"{', '.join(counted)}; {plural(comparison.n_common, 'test')} ran in both."


def _section(comparison: Comparison, kind: Difference, window: Window) -> Section:
    shown = _sorted(comparison, kind, window)[: queries.SHOWN_DIFFERING]
    is_timed = kind in (Difference.SLOWER, Difference.FASTER)
    lines = tuple(
        Line(test, time_delta(test.earlier_s, test.later_s) if is_timed else None) for test in shown
    )
    is_open = kind in OPEN or bool(window.sort_of(kind.value))
    return Section(kind.value, WORDS[kind], comparison.differences[kind].n, lines, is_open)


def time_delta(earlier_s: float | None, later_s: float | None) -> Delta | None:
    """Return the change in time; None where one of the two is not known, or nothing changed."""
    if earlier_s is None or later_s is None or earlier_s == later_s:
        return None
    change = later_s - earlier_s
    tone = Tone.WORSE if change > 0 else Tone.BETTER
    return Delta(delta_text(change, duration(abs(change))), arrow="▲" if change > 0 else "▼", tone=tone)


def _layer_line(change: LayerChange) -> LayerLine:
    earlier, later = change.earlier, change.later
    n, seconds = later.n_tests - earlier.n_tests, later.seconds - earlier.seconds
    return LayerLine(
        later.layer,
        (
            count(earlier.n_tests),
            count(later.n_tests),
            delta_text(n, count(abs(n))) if n else "±0",
            duration(earlier.seconds),
            duration(later.seconds),
            delta_text(seconds, duration(abs(seconds))) if seconds else "±0",
        ),
    )
