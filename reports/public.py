"""What is shown without a login to whoever has a signed link: badges, and the feed of events.

A wrong link and a project that does not exist are answered alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from html import escape
from itertools import groupby

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from analysis import queries, shape, wishes
from analysis import window as windows
from analysis.shape import Shape
from analysis.window import Window
from projects import announcing
from projects.models import Event, Project, Test
from projects.vocabulary import FLAKY_NOW, EventKind
from reports import badges, messages, words
from reports.messages import Group, News

FRESH_SECONDS = 300  # a README may be opened a thousand times an hour
MOST_EVENTS = 500  # of which those of one look and kind are one entry
MOST_ENTRIES = 50
GOOD_RATE, FAIR_RATE = 0.98, 0.90

Told = tuple[str, str]  # the value and its colour


@require_safe
def badge(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Draw one number of a project."""
    project = announcing.project_of_link(slug, purpose="badge", key=request.GET.get("key", ""))
    draw = BADGES.get(name)
    if project is None or draw is None:
        raise Http404("No such badge.")
    label, value_of = draw
    window = windows.read({}, today=timezone.now().date(), default_branch=project.default_branch)
    value, colour = value_of(project, window)
    return _kept(request, badges.svg(label, value=value, colour=colour), kind="image/svg+xml; charset=utf-8")


def _flaky(project: Project, _window: Window) -> Told:
    if not project.n_runs:
        return "no runs", badges.NONE
    n = Test.objects.filter(project=project, flake_status__in=FLAKY_NOW).count()
    return words.number(n) if n else "none", badges.FAIR if n else badges.GOOD


def _shape(project: Project, window: Window) -> Told:
    amounts = queries.layer_amounts(project, window)
    suite = Shape({amount.layer: amount.n_tests for amount in amounts})
    if not suite.total:
        return "no runs", badges.NONE
    target = wishes.target(project.target_kind, project.target_bands)
    if target is None:
        return shape.name(suite), badges.NONE
    judged = shape.judge(suite, target)
    return judged.name, badges.GOOD if judged.is_inside else badges.FAIR


def _pass_rate(project: Project, window: Window) -> Told:
    rate = queries.totals(project, window).pass_rate
    if rate is None:
        return "no runs", badges.NONE
    colour = badges.GOOD if rate >= GOOD_RATE else badges.FAIR if rate >= FAIR_RATE else badges.BAD
    return words.percent(rate), colour


BADGES: dict[str, tuple[str, Callable[[Project, Window], Told]]] = {
    "flaky": ("flaky tests", _flaky),
    "shape": ("test suite", _shape),
    "pass-rate": ("tests passed", _pass_rate),
}


@require_safe
def feed(request: HttpRequest, slug: str) -> HttpResponse:
    """List the events of a project as Atom, those of one kind that were told together as one entry."""
    key = request.GET.get("key", "")
    project = announcing.project_of_link(slug, purpose="events", key=key)
    if project is None:
        raise Http404("No such feed.")
    home = settings.BASE_URL + reverse("overview", args=[project.slug])
    own = f"{settings.BASE_URL}{request.path}?key={key}"
    atom = Atom1Feed(
        title=f"{project.name}: test suite",
        link=home,
        description="",
        feed_url=own,
        feed_guid=f"{settings.BASE_URL}{request.path}",
    )
    rows = Event.objects.filter(project=project).order_by("-at", "kind", "is_good", "id")[:MOST_EVENTS]
    together = groupby(rows, key=lambda row: (row.at, row.kind, row.is_good))
    for _, (_, found) in zip(range(MOST_ENTRIES), together, strict=False):
        _add_entry(atom, project, list(found))
    return _kept(request, atom.writeString("utf-8"), kind="application/atom+xml; charset=utf-8")


def _add_entry(atom: Atom1Feed, project: Project, rows: list[Event]) -> None:
    news = [
        News(EventKind(row.kind), row.title, row.detail, settings.BASE_URL + row.path, row.is_good)
        for row in rows
    ]
    (group,) = messages.compose(project.name, news, url="", lists={}).groups
    atom.add_item(
        title=group.title,
        link=group.lines[0].url
        if len(rows) == 1
        else settings.BASE_URL + reverse("flaky", args=[project.slug]),
        description=_html(group),
        unique_id=f"urn:uuid:{rows[0].id}",
        updateddate=rows[0].at,
        author_name="Trophycase",
    )


def _html(group: Group) -> str:
    lines = [
        f'<li><a href="{escape(line.url)}">{escape(line.what)}</a> {escape(line.detail)}</li>'
        for line in group.lines
    ]
    more = f"<p>and {group.n_more} more</p>" if group.n_more else ""
    return f"<ul>{''.join(lines)}</ul>{more}"


def _kept(request: HttpRequest, body: str, *, kind: str) -> HttpResponse:
    """Return a body that whoever asks may keep for a while, and that is not sent again unchanged."""
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={FRESH_SECONDS}"}
    response = HttpResponse(body, content_type=kind, headers=headers)
    answer = get_conditional_response(request, etag=etag, response=response)
    assert answer is not None
    return answer
