"""The front page: a person's projects, the one that needs them first; and a new project."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from analysis import queries
from analysis import window as windows
from analysis.answers.of_suite import ProjectRow
from analysis.answers.rows import LayerAmount
from analysis.shape import Shape, name
from dashboard import export, filters, listing, page, stories, tiles, verdicts
from dashboard.export import Column
from dashboard.format import NONE, Delta, Tone
from dashboard.forms import ProjectForm
from dashboard.listing import Order
from dashboard.page import MemberRequest
from projects import access, changes


@dataclass(frozen=True, slots=True)
class Row:
    """One project with its shape in a word, and how it was in the window before."""

    project: ProjectRow
    shape: str
    tests_delta: Delta | None = None
    flaky_delta: Delta | None = None
    bad_runs_delta: Delta | None = None

    @property
    def need(self) -> tuple[bool, int, int, str]:
        """Return what orders the list: failing first, then flaky, then by name."""
        return (
            not self.project.last_n_bad,
            -(self.project.last_n_bad or 0),
            -self.project.now.n_flaky,
            self.project.name,
        )

    @property
    def bad_share(self) -> float | None:
        """Return the share of the runs that had failures; None where nothing ran."""
        now = self.project.now
        return now.n_bad_runs / now.n_runs if now.n_runs else None


SEARCHED = 10  # projects; fewer are found by looking
ORDER: Order[Row] = Order(
    {
        "name": lambda row: row.project.name.lower(),
        "need": lambda row: row.need,
        "shape": lambda row: row.shape,
        "tests": lambda row: row.project.now.n_tests,
        "flaky": lambda row: row.project.now.n_flaky,
        "runs": lambda row: row.project.now.n_runs,
        "bad": lambda row: row.bad_share,
        "failed": lambda row: row.project.last_n_bad,
        "last": lambda row: row.project.last_run_at,
    },
    default="need",
    text=lambda row: f"{row.project.name} {row.shape}",
)
COLUMNS: list[Column[Row]] = [
    Column("project", lambda row: row.project.slug),
    Column("name", lambda row: row.project.name),
    Column("last_run_failed", lambda row: row.project.last_n_bad),
    Column("shape", lambda row: row.shape),
    Column("tests", lambda row: row.project.now.n_tests),
    Column("flaky", lambda row: row.project.now.n_flaky),
    Column("runs", lambda row: row.project.now.n_runs),
    Column("runs_with_failures", lambda row: row.project.now.n_bad_runs),
    Column("last_run_at", lambda row: row.project.last_run_at),
    Column("tests_before", lambda row: row.project.before and row.project.before.n_tests),
    Column("flaky_before", lambda row: row.project.before and row.project.before.n_flaky),
    Column("runs_before", lambda row: row.project.before and row.project.before.n_runs),
    Column("runs_with_failures_before", lambda row: row.project.before and row.project.before.n_bad_runs),
]


@require_safe
@page.member_page
def projects(request: MemberRequest) -> HttpResponseBase:
    """List the projects of the reader; with only one there is nothing to choose."""
    mine = tuple(access.projects_for(request.user))
    if len(mine) == 1 and not request.GET:
        return redirect("overview", mine[0].slug)
    today = timezone.now().date()
    window = windows.read(request.GET.dict(), today=today, default_branch="").only_searched
    over = replace(windows.read({}, today=today, default_branch=""), compare=window.compare)
    found = [_row(row, compare=over.compare) for row in queries.projects(mine, over)]
    if export.wanted(request):
        return export.answer(
            request, "projects", COLUMNS, lambda asked: listing.page_of(found, asked, ORDER), window
        )
    rows = listing.page_of(found, window, ORDER)
    context = {
        "rows": rows,
        "window": window,
        "n_projects": len(found),
        "sentence": stories.projects_sentence([row.project for row in found], over),
        "empty": verdicts.past_the_end(rows, window) or verdicts.no_match(window, noun="projects"),
        "bar": filters.only(window, hint="Search projects") if len(found) > SEARCHED else None,
    }
    return page.render(request, "projects.html", context)


def _row(project: ProjectRow, *, compare: bool) -> Row:
    """Put the shape into a word, and what changed into deltas; none where nothing ran before or did."""
    now, before = project.now, project.before
    if not compare or before is None or not now.n_runs:
        return Row(project, _shape(project.layers))
    return Row(
        project,
        _shape(project.layers),
        tiles.count_delta(now.n_tests, before.n_tests),
        tiles.count_delta(now.n_flaky, before.n_flaky, more=Tone.WORSE),
        tiles.share_delta(now.n_bad_runs / now.n_runs, before.n_bad_runs / before.n_runs, more=Tone.WORSE),
    )


def _shape(layers: tuple[LayerAmount, ...]) -> str:
    shape = Shape({amount.layer: amount.n_tests for amount in layers})
    return name(shape) if shape.total else NONE


@require_http_methods(["GET", "HEAD", "POST"])
@page.member_page
def new(request: MemberRequest) -> HttpResponseBase:
    """Make a project and go on to its first upload."""
    form = ProjectForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return page.render(request, "new_project.html", {"form": form}, status=422 if form.errors else 200)
    owner = User.objects.get(
        pk=request.user.pk
    )  # the request holds it wrapped, which a foreign key does not take
    project = access.create_project(name=form.cleaned_data["name"], owner=owner)
    changes.set_fields(project, default_branch=form.cleaned_data["default_branch"])
    return redirect("uploads", project.slug)
