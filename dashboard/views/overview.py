"""The overview: what shape the suite has, and whether it moves the right way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries, shape, wishes
from analysis.answers.rows import LayerAmount
from dashboard import beside, charts, page, silhouette, tiles, verdicts
from dashboard.page import ProjectRequest, project_page
from dashboard.silhouette import amounts_by_count, amounts_by_time
from projects.models import Project
from projects.vocabulary import TargetKind

LAYERS = ("layer",)


@require_safe
@project_page()
def overview(request: ProjectRequest) -> HttpResponseBase:
    """Show the verdict, the headline numbers, the shape, its trend and what changed."""
    project, window = request.project, replace(request.window, layers=())
    request.window = window
    told = queries.told(project, window, with_before=True)
    now, before, trend = queries.suites_and_trend(project, window, told=told)
    totals, amounts = now.totals, now.layers
    if not totals.n_runs:
        return page.render_nothing(request, "Overview", place="overview")
    earlier = before if window.compare and before.totals.n_runs else None
    urls, query = page.urls(project), page.kept(window)
    pictures = _shape(project, amounts) | {"trend": charts.trend(trend, by=window.by, url=urls["tests"])}
    if file := _file(request, pictures):
        return file
    context = {
        "totals": totals,
        "sentence": verdicts.overview_sentence(
            project.name, amounts, earlier.layers if earlier else None, n_days=window.n_days
        ),
        "time_sentence": verdicts.time_sentence(amounts),
        "tiles": tiles.overview_tiles(totals, earlier.totals if earlier else None, urls=urls, query=query),
        **pictures,
        "undecided": verdicts.undecided_sentence(amounts),
        "budgets": [verdicts.budget_line(one) for one in queries.budgets(project, window, told=told)],
        "stack": tuple(reversed(charts.STACK)),
        "changes": verdicts.change_lines(queries.changes(project, window, told=told), urls=urls, query=query),
        "settings_url": urls.get("settings-targets"),
        "rules_url": urls.get("settings-rules"),
    }
    return page.render(request, "overview.html", context, place="overview", offers=())


def _file(request: ProjectRequest, pictures: dict[str, Any]) -> HttpResponseBase | None:
    """Answer with the data under one of the pictures, where the URL asks for it."""
    known = {
        "shape-count": pictures["by_count_table"],
        "shape-time": pictures["by_time_table"],
        "trend": pictures["trend"].table,
    }
    return beside.tables(request, known)


def _shape(project: Project, amounts: tuple[LayerAmount, ...]) -> dict[str, Any]:
    """Return the shape by count and by time, against what the project wants."""
    target = wishes.target(project.target_kind, project.target_bands)
    return {
        "by_count": silhouette.draw(amounts_by_count(amounts), target, by="count"),
        "by_time": silhouette.draw(amounts_by_time(amounts), None, by="time"),
        "by_count_table": charts.shape_table(amounts, target, by="count"),
        "by_time_table": charts.shape_table(amounts, None, by="time"),
        "target": target,
        "target_word": TargetKind(project.target_kind).word if project.target_kind else "",
        "advice": _advice(amounts, target),
    }


def _advice(amounts: tuple[LayerAmount, ...], target: shape.Target | None) -> str:
    counts = {amount.layer: amount.n_tests for amount in amounts}
    return shape.advice_sentence(shape.advice(counts, target)) if target else ""
