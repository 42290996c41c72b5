"""The list of tests, and the story of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from analysis import queries, wishes
from analysis.answers.of_tests import ResultRow, TestAnswer
from analysis.answers.rows import TestRow
from dashboard import beside, care, duration_chart, export, listing, orders, page, parts, stories, verdicts
from dashboard.export import Column
from dashboard.forms import CareForm, FixedForm, MuteForm
from dashboard.page import ProjectRequest, project_page
from projects.models import Project

RESULT_COLUMNS: list[Column[ResultRow]] = [
    Column("run", lambda row: row.run_number),
    Column("at", lambda row: row.at),
    Column("branch", lambda row: row.branch),
    Column("commit", lambda row: row.commit),
    Column("outcome", lambda row: row.outcome),
    Column("is_flaky", lambda row: row.is_flaky),
    Column("seconds", lambda row: row.seconds),
    Column("attempts", lambda row: row.n_attempts),
]
OFFERS = ("q", "layer", "outcome", "bucket", "status")


@require_safe
@project_page()
def tests(request: ProjectRequest) -> HttpResponseBase:
    """Show the tests that ran in the window."""
    project, window = request.project, request.window
    if file := export.asked(request, "tests", columns(project), queries.tests):
        return file
    rows = queries.tests(project, window)
    if page.is_bare(rows, window):
        return page.render_nothing(request, "Tests", place="tests", offers=OFFERS)
    counts = None if window.is_filtered else queries.test_counts(project, window, n_listed=rows.n_total)
    context = {
        "rows": rows,
        "n_tests": counts.n_tests if counts else rows.n_total,
        "sentence": stories.tests_sentence(rows.n_total, counts, window),
        "note": stories.tests_note(rows.n_total, counts),
        "empty": verdicts.past_the_end(rows, window) or verdicts.no_match(window),
    }
    return page.render(request, "tests.html", context, place="tests", offers=OFFERS)


def columns(project: Project) -> list[Column[TestRow]]:
    """Return the columns of a test in a file, in the order of the page."""
    url = export.url_of_tests(project)
    return [
        *export.named(lambda row: row),
        Column("owner", lambda row: row.owner),
        Column("layer", lambda row: row.layer),
        Column("layer_confidence", lambda row: row.confidence),
        Column("bucket", lambda row: row.bucket),
        Column("status", lambda row: row.status),
        Column("results", lambda row: row.n_results),
        Column("failed", lambda row: row.n_bad),
        Column("skipped", lambda row: row.n_skipped),
        Column("flaked", lambda row: row.n_flaky),
        Column("pass_rate", lambda row: row.pass_rate),
        Column("median_s", lambda row: row.median_s),
        Column("p95_s", lambda row: row.p95_s),
        Column("total_s", lambda row: row.seconds),
        Column("last_seen_on", lambda row: row.last_seen_on),
        Column("url", lambda row: f"{url}{row.id}"),
    ]


@require_safe
@project_page()
def test(request: ProjectRequest, test_id: int) -> HttpResponseBase:
    """Show the story of one test."""
    project = request.project
    window = request.window = replace(request.window, q="", layers=(), buckets=(), statuses=())
    answer = queries.test(project, window, test_id)
    if answer is None:
        raise Http404("No such test.")
    if answer.goes_on_as is not None:
        return redirect("test", project.slug, answer.goes_on_as)
    if file := export.asked(
        request,
        f"results of test {test_id}",
        RESULT_COLUMNS,
        lambda of, asked: queries.results_of_test(of, asked, test_id),
    ):
        return file
    story = _story(request, answer)
    name = f"failures of test {test_id}"
    if file := beside.asked(request, name, beside.REASONS, story["reasons"], part="reasons"):
        return file
    chart = story["chart"]
    if file := beside.tables(request, {"durations": chart.table if chart else None}):
        return file
    return page.render(request, "test.html", story, place="tests", offers=("outcome",))


def _story(request: ProjectRequest, answer: TestAnswer) -> dict[str, Any]:
    project, window, test_id = request.project, request.window, answer.row.id
    cared = queries.care(project, test_id, today=window.today)
    cause, causes = queries.causes_of_test(project, test_id, until=window.until)
    reasons = [replace(reason, cause=causes.get(reason.signature)) for reason in answer.reasons]
    limits = wishes.limits(project.timing_limits).get(answer.row.layer)
    return {
        "answer": answer,
        "test": answer.row,
        "sentence": stories.test_sentence(answer, window),
        "since": stories.since_words(answer),
        "facts": stories.test_facts(answer),
        "votes": stories.votes(answer),
        "care": cared,
        "fix": care.fix_sentence(cared),
        "care_form": CareForm(initial={"note": cared.note, "owner": cared.owner}, prefix=None),
        "mute_form": MuteForm(),
        "fixed_form": FixedForm(initial={"commit": cared.fixed_commit}),
        "cause": cause,
        "reasons": listing.ordered(reasons, window.sort_of("reasons"), orders.REASONS),
        "limits": parts.limit_words(limits),
        "chart": duration_chart.durations(
            answer.history,
            fast_s=limits.fast_s if limits else None,
            slow_s=limits.slow_s if limits else None,
            run_url=reverse("run", args=[project.slug, 0]).removesuffix("0"),
            shifts=answer.shifts,
        ),
        "renames": answer.renames,
        "shifts": answer.shifts,
        "results": answer.results,
        "rules_url": page.urls(project)["settings-rules"],
    }
