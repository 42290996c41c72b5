"""The shape in full: against every target, with advice, and what a plan would change."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from analysis import queries, shape, wishes
from dashboard import charts, page, plans, silhouette, verdicts
from dashboard.page import ProjectRequest, project_page
from dashboard.silhouette import amounts_by_count, amounts_by_time


@require_safe
@project_page()
def suite_shape(request: ProjectRequest) -> HttpResponse:
    """Show the shape by count and by time, its targets, advice and a plan."""
    project = request.project
    window = request.window = replace(request.window, layers=(), outcomes=(), buckets=(), statuses=(), q="")
    amounts = queries.layer_amounts(project, window)
    if not any(amount.n_tests for amount in amounts):
        return page.render_nothing(request, "Shape", place="overview")
    target = wishes.target(project.target_kind, project.target_bands)
    plan = plans.read(request.GET.dict(), amounts)
    outlook = None if plan.is_empty else plans.outlook(plan, amounts)
    now = amounts_by_count(amounts)
    context = {
        "sentence": shape.sentence(project.name, now=now, before=None),
        "time_sentence": verdicts.time_sentence(amounts),
        "by_count": silhouette.draw(now, target, by="count"),
        "by_time": silhouette.draw(amounts_by_time(amounts), None, by="time"),
        "by_count_table": charts.shape_table(amounts, target, by="count"),
        "by_time_table": charts.shape_table(amounts, None, by="time"),
        "target": target,
        "fits": verdicts.target_fits(amounts, target),
        "undecided": verdicts.undecided_sentence(amounts),
        "plan": plan,
        "planned": silhouette.draw(outlook.by_count, target, by="count") if outlook else None,
        "planned_time": silhouette.draw(outlook.by_time, None, by="time") if outlook else None,
        "plan_sentence": plans.sentence(outlook, amounts, target) if outlook else "",
        "settings_url": page.urls(project)["settings-targets"],
    }
    return page.render(request, "shape.html", context, place="overview", offers=())
