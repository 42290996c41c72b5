"""The door of every page: who looks, at which project, through which window; and the frame around the answer.

`project_page` makes a view of a project: login, membership, window. `member_page` makes one that needs only
a login. `render` prints a template inside the frame. What a page asks and says is its view's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render as render_template
from django.urls import reverse
from django.utils import timezone

from analysis import queries
from analysis import window as windows
from analysis.answers.rows import Page
from analysis.window import Window
from dashboard import filters, verdicts
from projects import access
from projects.access import Access, Forbidden
from projects.models import Project
from projects.vocabulary import Role

P = ParamSpec("P")

THEMES = ("system", "light", "dark")
THEME_COOKIE = "theme"

# URL name, word, and the key that follows `g`.
NAVIGATION = (
    ("overview", "Overview", "o"),
    ("tests", "Tests", "t"),
    ("flaky", "Flaky", "f"),
    ("slow", "Slow", "s"),
    ("runs", "Runs", "r"),
    ("uploads", "Uploads", "u"),
    ("settings-rules", "Settings", ","),
)

NAMES = (*(name for name, _, _ in NAVIGATION), "shape", "failures", "settings-targets")


# Pages whose filters can be saved under a name: those that need nothing but a project and a window.
WITH_VIEWS = (
    *("overview", "shape", "tests", "flaky", "failures", "slow", "runs"),
    *("budgets", "uploads", "quarantine", "renames"),
)


class MemberRequest(HttpRequest):
    """A request of somebody who is logged in."""

    user: User


class ProjectRequest(MemberRequest):
    """A request of a member about one project, through one window."""

    access: Access
    project: Project
    window: Window


ProjectView = Callable[Concatenate[ProjectRequest, ...], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Place:
    """One link of the navigation."""

    name: str
    words: str
    url: str
    key: str
    is_here: bool
    n: int = 0


def member_page(
    view: Callable[Concatenate[MemberRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let only people who are logged in through to the view."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(_wanted(request))
        return view(cast(MemberRequest, request), *args, **kwargs)

    return guarded


def project_page(
    needs: Role = Role.VIEWER,
) -> Callable[[ProjectView], Callable[..., HttpResponseBase]]:
    """Let members with this role or a higher one through, with project and window on the request."""

    def decorate(view: ProjectView) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, **captured: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(_wanted(request))
            visit = cast(ProjectRequest, request)
            try:
                visit.access = access.access_for(request.user, slug, needs=needs)
            except Forbidden as refusal:
                return render(visit, "refused.html", {"sentence": str(refusal)}, status=403)
            visit.project = visit.access.project
            visit.window = windows.read(
                request.GET.dict(),
                today=timezone.now().date(),
                default_branch=visit.project.default_branch,
            )
            return view(visit, **captured)

        return guarded

    return decorate


def _wanted(request: HttpRequest) -> str:
    """Return where to go after the login: a form that was sent too late is looked at again, since nobody can go to its address."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    came_from = urlsplit(request.headers.get("Referer", ""))
    is_here = came_from.netloc == request.get_host()
    return f"{came_from.path}?{came_from.query}".removesuffix("?") if is_here else reverse("projects")


def render(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    place: str = "",
    offers: Sequence[str] | None = None,
    hint: str = "",
    status: int = 200,
) -> HttpResponse:
    """Print a template inside the frame.

    `place` is the URL name that the navigation marks. `offers` names the filters of the bar beyond branch,
    dates and comparison; without it the page has no bar. `hint` says what its search looks at.
    """
    frame: dict[str, Any] = {"themes": THEMES}
    if hasattr(request, "access"):
        frame["my_projects"] = cast(ProjectRequest, request).access.mine
    elif request.user.is_authenticated:
        frame["my_projects"] = tuple(access.projects_for(request.user))
    if hasattr(request, "project"):
        visit = cast(ProjectRequest, request)
        frame |= _project_frame(visit, place=place, offers=offers, hint=hint)
    return render_template(request, template, frame | dict(context or {}), status=status)


def _project_frame(
    request: ProjectRequest, *, place: str, offers: Sequence[str] | None, hint: str
) -> dict[str, Any]:
    name = request.resolver_match.url_name or "" if request.resolver_match else ""
    known = queries.frame(request.project, user_id=request.user.pk, page=name)
    frame: dict[str, Any] = {
        "project": request.project,
        "access": request.access,
        "window": request.window,
        "places": places(request.project, request.window, here=place, n_flaky=known.n_flaky),
        "views": known.views,
        "view_page": name if name in WITH_VIEWS else "",
    }
    if offers is not None:
        bar = filters.bar(request.window, branches=known.branches, offers=offers)
        frame["bar"] = replace(bar, hint=hint or bar.hint)
    return frame


def is_bare(rows: Page[Any], window: Window) -> bool:
    """True where a list is empty and no filter of the reader's made it so."""
    return not rows.n_total and not window.is_filtered and window.page == 1


def render_nothing(
    request: ProjectRequest, title: str, *, place: str, offers: Sequence[str] = ()
) -> HttpResponse:
    """Print a page of a window without runs: why there are none, and what to do."""
    seen = queries.seen(request.project, request.window)
    uploads_url = urls(request.project).get("uploads", "")
    empty = verdicts.nothing(seen, request.window, uploads_url=uploads_url)
    # Filters over nothing would only ask what is wrong with them.
    offered = offers if seen.last_run_at else None
    return render(request, "nothing.html", {"title": title, "empty": empty}, place=place, offers=offered)


def urls(project: Project) -> dict[str, str]:
    """Return the paths of the project's pages by name."""
    return {name: reverse(name, args=[project.slug]) for name in NAMES}


def kept(window: Window) -> str:
    """Return branch and dates as a query string: what goes along to another page."""
    return window.without_filters.query(by="count")


def places(project: Project, window: Window, *, here: str, n_flaky: int = 0) -> tuple[Place, ...]:
    """Return the navigation; branch and dates go with the reader, other filters stay behind."""
    query, paths = kept(window), urls(project)
    return tuple(
        Place(name, words, f"{paths[name]}{query}", key, name == here, n=n_flaky if name == "flaky" else 0)
        for name, words, key in NAVIGATION
    )


def theme_everywhere(request: HttpRequest) -> dict[str, str]:
    """Give every template that is printed for a request the reader's theme, whosever page it is."""
    return {"theme": theme(request)}


def theme(request: HttpRequest) -> str:
    """Return the theme that the reader chose; "system" follows the machine."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else THEMES[0]
