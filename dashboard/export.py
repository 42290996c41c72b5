"""Any list as a file: CSV for spreadsheets, JSON for programs, streamed, so that its length costs nothing.

A list names its columns once; they serve both forms. Which rows there are is the caller's question. A page's own list needs
no name in the URL; another list of the same page is asked for by its own, `&list=slower`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, Generic, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.text import slugify

from analysis.answers.rows import Page, TestRow
from analysis.window import Window
from dashboard.page import ProjectRequest
from projects.models import Project
from projects.vocabulary import Word

T = TypeVar("T")

CHUNK = 1000  # rows asked for at once
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a cell


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column of a file: its name, and its value in a row."""

    name: str
    value: Callable[[T], Any]


def named(test_of: Callable[[T], TestRow]) -> list[Column[T]]:
    """Return the columns by which a list names the test of a row."""
    return [
        Column("id", lambda row: test_of(row).id),
        Column("test", lambda row: test_of(row).title),
        Column("home", lambda row: test_of(row).home),
        Column("variant", lambda row: test_of(row).variant),
    ]


def url_of_tests(project: Project) -> str:
    """Return what the path of every test's page begins with: a resolver asked for each row would take a file's time."""
    return reverse("test", args=[project.slug, 0]).removesuffix("0")


def wanted(request: HttpRequest, part: str = "") -> str:
    """Return "csv" or "json" where the URL asks for a list of the page as a file, else ""."""
    form = request.GET.get("format", "")
    return form if form in ("csv", "json") and request.GET.get("list", "") == part else ""


def asked(
    request: ProjectRequest,
    name: str,
    columns: Sequence[Column[T]],
    ask: Callable[[Project, Window], Page[T]],
    *,
    part: str = "",
) -> HttpResponseBase | None:
    """Answer with every row of a list, or the first `limit`, where the URL asks for a file; None where it does not."""
    if not wanted(request, part):
        return None
    return answer(
        request, f"{request.project.slug} {name}", columns, partial(ask, request.project), request.window
    )


def answer(
    request: HttpRequest,
    name: str,
    columns: Sequence[Column[T]],
    ask: Callable[[Window], Page[T]],
    window: Window,
) -> HttpResponseBase:
    """Answer with every row of a list as the file that the URL asks for."""
    limit = _limit(request)
    if request.GET["format"] == "json":
        pages = ask(replace(window, page=1, size=limit)) if limit else None
        rows = pages.rows if pages else _rows(ask, window)
        return StreamingHttpResponse(_json(columns, rows), content_type="application/json")
    file = StreamingHttpResponse(_csv(columns, _rows(ask, window)), content_type="text/csv; charset=utf-8")
    file["Content-Disposition"] = f'attachment; filename="{slugify(name)}-{window.until}.csv"'
    return file


def _limit(request: HttpRequest) -> int:
    text = request.GET.get("limit", "")
    return min(int(text[:6]), CHUNK) if text.isascii() and text.isdigit() else 0


def _rows(ask: Callable[[Window], Page[T]], window: Window) -> Iterator[T]:
    number = 1
    while True:
        page = ask(replace(window, page=number, size=CHUNK))
        yield from page.rows
        if number >= page.n_pages:
            return
        number += 1


def _csv(columns: Sequence[Column[T]], rows: Iterator[T]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_cell(column.value(row)) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _json(columns: Sequence[Column[T]], rows: Iterator[T] | Sequence[T]) -> Iterator[str]:
    yield '{"rows":['
    for number, row in enumerate(rows):
        record = {column.name: _plain(column.value(row)) for column in columns}
        yield ("," if number else "") + json.dumps(record, cls=DjangoJSONEncoder, ensure_ascii=False)
    yield "]}"


def _plain(value: Any) -> Any:
    if isinstance(value, Word):
        return value.word
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value
