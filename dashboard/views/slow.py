"""The slow tests: where the time goes, and what would bring it back."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries, wishes
from analysis.answers.of_earlier import RunTimes
from analysis.answers.of_time import SlowRow
from analysis.window import Window
from dashboard import beside, export, listing, orders, page, parts, stories, time_words, verdicts
from dashboard.export import Column
from dashboard.page import ProjectRequest, project_page
from projects.models import Project

OFFERS = ("q", "layer", "bucket")
SHOWN = 20  # of a list above that of all tests; a file has more
MOST_SLOWER = 500  # marked in the list of all tests, and in a file
MOST_MISFITS = 1_000  # in a file


@require_safe
@project_page()
def slow(request: ProjectRequest) -> HttpResponseBase:
    """Show the tests by the time they take."""
    project, window = request.project, request.window
    if file := export.asked(request, "slow tests", columns(project), queries.slow):
        return file
    if file := _beside(request):
        return file
    told = queries.told(project, window)
    rows, totals = queries.slow_and_totals(project, window, told=told)
    if page.is_bare(rows, window):
        return page.render_nothing(request, "Slow tests", place="slow", offers=OFFERS)
    slower = queries.slower(project, window, limit=MOST_SLOWER)
    since = {shift.test_id: shift for shift in slower}
    times = parts.layer_times(totals)
    buckets = parts.layer_buckets(totals, wishes.limits(project.timing_limits))
    past = time_words.bucket_past(queries.bucket_weeks(project, window))
    known = {"times": times.table, "buckets": buckets.table, "past": past.table}
    if file := beside.tables(request, known):
        return file
    misfits = queries.misfits(project, window, limit=MOST_MISFITS, told=told)
    found = tuple(listing.ordered(misfits.found, window.sort_of("misfits"), orders.MISFITS))
    context = {
        "rows": rows,
        "lines": [(row, since.get(row.test.id)) for row in rows.rows],
        "totals": totals,
        "sentence": stories.slow_sentence(totals, _times(project, window), window),
        "times": times,
        "buckets": buckets,
        "misfits": replace(misfits, found=found[:SHOWN]),
        "slower": listing.ordered(slower, window.sort_of("slower"), orders.SLOWER)[:SHOWN],
        "n_slower": len(slower),
        "past": past,
        "budgets": [
            verdicts.budget_line(budget) for budget in queries.budgets(project, window, wants_moves=False)
        ],
        "empty": verdicts.past_the_end(rows, window) or verdicts.no_match(window),
    }
    return page.render(request, "slow.html", context, place="slow", offers=OFFERS)


def _beside(request: ProjectRequest) -> HttpResponseBase | None:
    """Answer with one of the lists above the page's own, where the URL asks for it."""
    project, window = request.project, request.window
    if export.wanted(request, "slower"):
        found = queries.slower(project, window, limit=MOST_SLOWER)
        ordered = listing.ordered(found, window.sort_of("slower"), orders.SLOWER)
        return beside.asked(request, "slower tests", beside.slower(project), ordered, part="slower")
    if export.wanted(request, "misfits"):
        misfits = queries.misfits(project, window, limit=MOST_MISFITS)
        shown = listing.ordered(misfits.found, window.sort_of("misfits"), orders.MISFITS)
        every = (*shown, *misfits.dismissed)
        return beside.asked(request, "misfits", beside.misfits(project), every, part="misfits")
    return None


def _times(project: Project, window: Window) -> RunTimes | None:
    """Return how long runs are; of a part of their tests they say nothing."""
    return None if window.is_filtered else queries.run_times(project, window)


def columns(project: Project) -> list[Column[SlowRow]]:
    """Return the columns of a slow test in a file, in the order of the page."""
    url = export.url_of_tests(project)
    return [
        *export.named(lambda row: row.test),
        Column("layer", lambda row: row.test.layer),
        Column("bucket", lambda row: row.test.bucket),
        Column("median_s", lambda row: row.test.median_s),
        Column("p95_s", lambda row: row.test.p95_s),
        Column("p95_before_s", lambda row: row.p95_before_s),
        Column("per_run_s", lambda row: row.seconds_per_run),
        Column("total_s", lambda row: row.test.seconds),
        Column("share", lambda row: row.share),
        Column("note", lambda row: row.note),
        Column("url", lambda row: f"{url}{row.test.id}"),
    ]
