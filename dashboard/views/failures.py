"""The failures across tests: at which boundary they break, which share a signature, and what is new."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries
from analysis.answers.of_failures import SignatureRow
from analysis.answers.rows import Page
from analysis.window import Window
from dashboard import beside, export, heat, page, stories, verdicts
from dashboard.export import Column
from dashboard.page import ProjectRequest, project_page
from projects.models import Project

OFFERS = ("q", "layer", "boundary")


@require_safe
@project_page()
def failures(request: ProjectRequest) -> HttpResponseBase:
    """Show the failures of the window by signature, those that broke most runs first."""
    project = request.project
    window = request.window = replace(
        request.window, outcomes=(), buckets=(), statuses=(), rule=None, owner=""
    )
    if file := export.asked(request, "failures", columns(project), _reasons):
        return file
    weeks = queries.boundary_weeks(project, window)
    if file := beside.asked(
        request, "boundaries by week", beside.WEEKS, beside.broke_at(weeks), part="weeks"
    ):
        return file
    answer = queries.failures(project, window)
    n_runs = 0
    if not answer.n_failures and not window.is_filtered:
        n_runs = queries.totals(project, window).n_runs
        if not n_runs:
            return page.render_nothing(request, "Failures", place="flaky", offers=OFFERS)
    n_before = queries.failures_before(project, window) if window.compare else None
    context = {
        "answer": answer,
        "rows": answer.rows,
        "sentence": stories.failures_sentence(answer, window=window, n_runs=n_runs, n_before=n_before),
        "note": stories.failures_note(answer),
        "heat": heat.draw(weeks, window),
        "empty": verdicts.past_the_end(answer.rows, window) or verdicts.no_match(window, noun="failures"),
    }
    return page.render(request, "failures.html", context, place="flaky", offers=OFFERS)


def _reasons(project: Project, window: Window) -> Page[SignatureRow]:
    return queries.failures(project, window).rows


def columns(project: Project) -> list[Column[SignatureRow]]:
    """Return the columns of a signature in a file, in the order of the page."""
    url = export.url_of_tests(project)
    return [
        Column("signature", lambda row: row.signature),
        Column("title", lambda row: row.title),
        Column("boundary", lambda row: row.boundary),
        Column("matched", lambda row: row.matched),
        Column("is_infrastructure", lambda row: row.is_infrastructure),
        Column("failures", lambda row: row.n_failures),
        Column("tests", lambda row: row.n_tests),
        Column("runs", lambda row: row.n_runs),
        Column("in_incidents", lambda row: row.n_in_incidents),
        Column("first_on", lambda row: row.first_on),
        Column("last_on", lambda row: row.last_on),
        Column("is_new", lambda row: row.is_new),
        Column("newest_runs", lambda row: " ".join(map(str, row.runs))),
        Column("test_urls", lambda row: " ".join(f"{url}{test.id}" for test in row.tests)),
    ]
