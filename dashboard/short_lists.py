"""A page that is one short list: there as a whole, so searched, sorted, cut into pages and had as a file without the database.

What is listed, and what its page says of it, are the views' and the templates' affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.http import HttpResponseBase

from analysis.answers.rows import Page
from analysis.window import Window
from dashboard import export, filters, listing, page, verdicts
from dashboard.export import Column
from dashboard.listing import Order
from dashboard.page import ProjectRequest
from projects.models import Project

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ShortList(Generic[T]):
    """What sets one such page apart: its template, the place that the navigation marks, and what its rows are called."""

    template: str
    place: str
    nouns: str
    order: Order[T]
    hint: str


def show(
    request: ProjectRequest, found: Sequence[T], columns: Sequence[Column[T]], of: ShortList[T]
) -> HttpResponseBase:
    """Answer with the page of these rows that the URL asks for, or with all that it searches for as a file."""
    window = request.window = request.window.only_searched

    def ask(_project: Project, asked: Window) -> Page[T]:
        return listing.page_of(found, asked, of.order)

    if file := export.asked(request, of.nouns, columns, ask):
        return file
    rows = ask(request.project, window)
    context = {
        "rows": rows,
        "n_found": len(found),
        "empty": verdicts.past_the_end(rows, window) or verdicts.no_match(window, noun=of.nouns),
        "bar": filters.only(window, hint=of.hint) if found else None,
    }
    return page.render(request, of.template, context, place=of.place)
