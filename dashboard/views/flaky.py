"""The flaky tests: which tests lie, and what they cost."""

from __future__ import annotations

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries
from analysis.answers.of_flakes import FlakeRow, FlakeWeek
from dashboard import beside, charts, export, flake_costs, page, stories, verdicts
from dashboard.export import Column
from dashboard.page import ProjectRequest, project_page
from projects.models import Project

OFFERS = ("q", "layer", "status")


@require_safe
@project_page()
def flaky(request: ProjectRequest) -> HttpResponseBase:
    """Show the unreliable tests, the dearest first."""
    project, window = request.project, request.window
    if file := export.asked(request, "flaky tests", columns(project), queries.flakes):
        return file
    spent = queries.costs(project, window, with_before=True)
    totals = queries.flake_totals(project, window, spent=spent)
    rows = queries.flakes(project, window, is_joined=True, spent=spent)
    n_runs = 0
    if page.is_bare(rows, window):
        n_runs = queries.totals(project, window).n_runs
        if not n_runs:
            return page.render_nothing(request, "Flaky tests", place="flaky", offers=OFFERS)
    weeks = queries.flake_weeks(project, window)
    chart = charts.flake_weeks(weeks, url=page.urls(project)["flaky"]) if _has_any(weeks) else None
    if file := beside.tables(request, {"flakes": chart.table if chart else None}):
        return file
    context = {
        "totals": totals,
        "rows": rows,
        "sentence": stories.flaky_sentence(totals, window=window, n_runs=n_runs),
        "others": stories.flake_others(totals, window),
        "tiles": flake_costs.tiles(totals, window),
        "turns": flake_costs.turns(totals),
        "chart": chart,
        "empty": verdicts.past_the_end(rows, window) or verdicts.no_match(window, noun="flaky tests"),
    }
    return page.render(request, "flaky.html", context, place="flaky", offers=OFFERS)


def _has_any(weeks: tuple[FlakeWeek, ...]) -> bool:
    return any(week.n_new or week.n_still or week.n_fixed for week in weeks)


def columns(project: Project) -> list[Column[FlakeRow]]:
    """Return the columns of a flaky test in a file, in the order of the page."""
    url = export.url_of_tests(project)
    return [
        *export.named(lambda row: row.test),
        Column("layer", lambda row: row.test.layer),
        Column("status", lambda row: row.status),
        Column("since_on", lambda row: row.since_on),
        Column("runs_broken", lambda row: row.n_runs_broken),
        Column("flakes", lambda row: row.n_flakes),
        Column("fail_rate", lambda row: row.rate),
        Column("fail_rate_low", lambda row: row.rate_low),
        Column("fail_rate_high", lambda row: row.rate_high),
        Column("few_runs", lambda row: row.few_runs),
        Column("only_here", lambda row: row.only_here),
        Column("lost_s", lambda row: row.seconds_lost),
        Column("waited_s", lambda row: row.waited_s),
        Column("developer_s", lambda row: row.developer_s),
        Column("boundary", lambda row: row.boundary),
        Column("reason", lambda row: row.reason),
        Column("cause", lambda row: row.cause.cause if row.cause else None),
        Column("cause_evidence", lambda row: row.cause.evidence if row.cause else ""),
        Column("owner", lambda row: row.owner),
        Column("muted_until", lambda row: row.muted_until),
        Column("flakes_with", lambda row: " ".join(str(test.id) for test in row.beside)),
        Column("proof_runs", lambda row: " ".join(map(str, row.proof_runs))),
        Column("url", lambda row: f"{url}{row.test.id}"),
    ]
