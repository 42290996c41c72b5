"""The budgets in full: where each layer stands, when it will be too much, what brought it there, what takes it back."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries
from analysis.answers.of_time import BudgetStory
from analysis.window import Window
from dashboard import beside, listing, orders, page, time_words
from dashboard.page import ProjectRequest, project_page


@require_safe
@project_page()
def budgets(request: ProjectRequest) -> HttpResponseBase:
    """Show what each layer with a budget takes in a run."""
    project = request.project
    window = request.window = replace(request.window, layers=(), outcomes=(), buckets=(), statuses=(), q="")
    stories = [_sorted(story, window) for story in queries.budget_stories(project, window)]
    grown, moved = beside.grown(stories), beside.to_move(stories)
    if file := beside.asked(request, "what changed budgets", beside.GROWTH, grown, part="growth"):
        return file
    if file := beside.asked(request, "tests to move", beside.moves(project), moved, part="moves"):
        return file
    cards = [time_words.budget_card(story) for story in stories]
    if file := beside.tables(request, {card.layer.word: card.weeks for card in cards}):
        return file
    is_idle = bool(stories) and all(story.run_s is None for story in stories)
    if is_idle and not queries.run_counts(project, window).n_runs:
        return page.render_nothing(request, "Budgets", place="slow")
    return page.render(request, "budgets.html", {"cards": cards}, place="slow", offers=())


def _sorted(story: BudgetStory, window: Window) -> BudgetStory:
    """Put what brought a layer there, and what takes it back, into the order that the URL asks for."""
    return replace(
        story,
        growth=tuple(listing.ordered(story.growth, window.sort_of("growth"), orders.GROWTH)),
        to_move=tuple(listing.ordered(story.to_move, window.sort_of("moves"), orders.MOVES)),
    )
