"""The shape in full: against every target, over time, with advice, and what a plan would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from analysis import queries, shape, wishes
from analysis.answers.of_suite import TrendWeek
from analysis.answers.rows import LayerAmount
from analysis.window import Window
from dashboard import beside, charts, export, listing, orders, page, plans, silhouette, verdicts
from dashboard.page import ProjectRequest, project_page
from dashboard.silhouette import amounts_by_count, amounts_by_time
from dashboard.views.slow import columns as slow_columns

MISFITS = 5  # named here; the page Slow has them all
CANDIDATES = 25  # tests offered for a plan at once; the search finds the others


@require_safe
@project_page()
def suite_shape(request: ProjectRequest) -> HttpResponseBase:
    """Show the shape by count and by time, its targets, its past, advice and a plan."""
    project, listed = request.project, replace(request.window, page=1, size=CANDIDATES)
    window = request.window = replace(
        request.window.without_filters, by=listed.by, sort=listed.sort, sorts=listed.sorts
    )
    wanted = plans.asked(request.GET.dict(), ticked=request.GET.getlist("mark"))
    kept = _pairs(replace(listed, size=window.size))
    if "mark" in request.GET:  # one spelling of a plan, short enough to share
        return redirect(f"{request.path}{plans.joined(kept, plans.spelt(wanted))}#plan")
    told = queries.told(project, window, with_before=True)
    suite, before, trend = queries.suites_and_trend(project, window, told=told)
    amounts = suite.layers
    if not any(amount.n_tests for amount in amounts):
        return page.render_nothing(request, "Shape", place="overview")
    target = wishes.target(project.target_kind, project.target_bands)
    marked = queries.marked(project, window, list(wanted.marks), told=told)
    plan = plans.read(wanted, amounts, marked, beside=kept)
    earlier = before.layers if window.compare and before.totals.n_runs else None
    context = {
        **_now(request, amounts, target, trend),
        "misfits": queries.misfits(project, window, limit=MISFITS, told=told),
        "sentence": verdicts.overview_sentence(project.name, amounts, earlier, n_days=window.n_days),
        **_plan(request, plan, amounts, target),
        "beside": kept,
        "base": plans.joined(kept, plan.query),
        "plan_url": request.build_absolute_uri(
            f"{request.path}{plans.joined(_pairs(window), plan.query)}#plan"
        ),
        "by_links": [
            (by, f"{plans.joined({**kept, 'by': by}, plan.query)}#trend") for by in ("count", "time")
        ],
        "listed": listed,
        "candidates": queries.slow(project, listed, told=told),
    }
    if file := _file(request, context):
        return file
    return page.render(request, "shape.html", context, place="overview", offers=())


def _file(request: ProjectRequest, context: dict[str, Any]) -> HttpResponseBase | None:
    """Answer with one of the page's lists, or with the data under one of its pictures, where the URL asks for it."""
    project, listed = request.project, context["listed"]
    if export.wanted(request, "candidates"):
        name, columns = f"{project.slug} tests to mark", slow_columns(project)
        return export.answer(request, name, columns, partial(queries.slow, project), listed)
    known = {
        "count": context["by_count_table"],
        "time": context["by_time_table"],
        "trend": context["trend"].table,
    }
    return (
        beside.asked(request, "targets", beside.FITS, context["fits"], part="targets")
        or beside.asked(request, "marked tests", beside.marks(project), context["plan"].marks, part="marks")
        or beside.tables(request, known)
    )


def _pairs(window: Window) -> dict[str, str]:
    """Return the parameters that state a window."""
    return dict(parse_qsl(window.query().removeprefix("?")))


def _now(
    request: ProjectRequest,
    amounts: Sequence[LayerAmount],
    target: shape.Target | None,
    trend: Sequence[TrendWeek],
) -> dict[str, Any]:
    """Return what the suite is like, against targets and over twelve weeks."""
    project, window = request.project, request.window
    now, urls = amounts_by_count(amounts), page.urls(project)
    told = verdicts.target_fits(amounts, target)
    fits = listing.ordered(told, window.sort_of("targets"), orders.FITS)
    return {
        "time_sentence": verdicts.time_sentence(amounts),
        "by_count": silhouette.draw(now, target, by="count"),
        "by_time": silhouette.draw(amounts_by_time(amounts), None, by="time"),
        "by_count_table": charts.shape_table(amounts, target, by="count"),
        "by_time_table": charts.shape_table(amounts, None, by="time"),
        "target": target,
        "fits": fits,
        "advice": next((_advice(fit) for fit in fits if fit.is_chosen), ""),
        "foundation": silhouette.foundation(now, target),
        "few": verdicts.few_sentence(amounts),
        "undecided": verdicts.undecided_sentence(amounts),
        "trend": charts.trend(trend, by=window.by, url=urls["tests"]),
        "stack": tuple(reversed(charts.STACK)),
        "settings_url": urls["settings-targets"],
    }


def _advice(fit: verdicts.TargetFit) -> str:
    """Say how the suite stands to its own target, and the least that meets it."""
    if fit.fit >= 100:
        return f"It meets the {fit.name} target."
    return f"It fits the {fit.name} target by {fit.fit:.0f} of 100. {fit.advice}".strip()


def _plan(
    request: ProjectRequest, plan: plans.Plan, amounts: Sequence[LayerAmount], target: shape.Target | None
) -> dict[str, Any]:
    """Return the plan, and what it leads to if it changes anything."""
    if plan.is_empty:
        return {"plan": plan, "planned": None}
    outlook = plans.outlook(plan, amounts)
    budgets = queries.budgets(request.project, request.window, wants_moves=False)
    return {
        "plan": plan,
        "planned": silhouette.draw(outlook.by_count, target, by="count"),
        "planned_time": silhouette.draw(outlook.by_time, None, by="time"),
        "plan_sentence": plans.sentence(outlook, amounts, target),
        "plan_budgets": plans.budget_changes(plan, budgets, amounts),
    }
