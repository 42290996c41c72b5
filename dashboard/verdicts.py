"""What pages say and decide from answers: verdict sentences, what changed, and why there is nothing to show.

Pure: answers in, words out. Formatting is dashboard.format's, layout the templates'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from analysis import shape as shapes
from analysis.answers.of_suite import Change, Seen
from analysis.answers.of_time import BudgetAnswer
from analysis.answers.rows import LayerAmount, Page, TestRow
from analysis.budgets import WARN_SHARE
from analysis.shape import Target
from analysis.window import ALL_BRANCHES, LONGEST_DAYS, PRESETS, Window
from dashboard.format import (
    THIN,
    count,
    day_words,
    duration,
    percent,
    plural,
)
from dashboard.silhouette import amounts_by_count, amounts_by_time
from projects.vocabulary import Layer


@dataclass(frozen=True, slots=True)
class Empty:
    """Why a page has nothing to show, and the one thing to do about it."""

    sentence: str
    url: str = ""
    action: str = ""
    note: str = ""


# --- nothing to show


def nothing(seen: Seen, window: Window, *, uploads_url: str) -> Empty:
    """Say why a window has no runs, by what there is elsewhere."""
    if not seen.n_uploads:
        return Empty(
            "No results yet. Send the first report, from CI or by hand.", uploads_url, "Send a report"
        )
    if seen.last_run_at is None and seen.n_refused:
        arrived = (
            "1 upload arrived and" if seen.n_uploads == 1 else f"{count(seen.n_uploads)} uploads arrived,"
        )
        read = "could not be read" if seen.n_uploads == 1 else "none could be read"
        return Empty(
            f"{arrived} {read}: {seen.last_refusal or 'the reasons are with the uploads.'}",
            uploads_url,
            "See the problems",
        )
    if seen.last_run_at is None:
        return Empty("An upload has arrived and is being read.", uploads_url, "See the uploads")
    return _nothing_here(seen, window)


def _nothing_here(seen: Seen, window: Window) -> Empty:
    where = "on any branch" if window.is_all_branches else f"on {window.branch}"
    head = f"No runs {where} {during(window)}."
    if seen.last_run_on_branch_at is None:
        elsewhere = window.without_filters.query(branch=ALL_BRANCHES)
        return Empty(f"{head} There are runs on other branches.", elsewhere, "Show all branches")
    days = (window.today - seen.last_run_on_branch_at.date()).days + 1
    sentence = f"{head} The latest was {_days_ago(days - 1)}."
    if days > LONGEST_DAYS:
        return Empty(sentence)
    wider = next((preset for preset in PRESETS if preset >= days), days)
    link = window.query(since=window.today - timedelta(days=wider - 1), until=window.today) or "?"
    return Empty(sentence, link, "Show today" if wider == 1 else f"Show {wider} days")


def during(window: Window) -> str:
    """Say the dates with their preposition: "in the last 30 days", "today", "from 1 Nov to 7 Nov"."""
    if window.words == "today":
        return "today"
    return f"in {window.words}" if window.until == window.today else f"from {window.words}"


def before(window: Window) -> str:
    """Say which window this one is compared with: "in the 30 days before", "on the day before"."""
    return "on the day before" if window.n_days == 1 else f"in the {count(window.n_days)} days before"


def _days_ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def no_match(window: Window, *, noun: str = "tests") -> Empty:
    """Say which filters match nothing."""
    said = []
    for name, words in (
        ("layer", window.layers),
        ("outcome", window.outcomes),
        ("time", window.buckets),
        ("status", window.statuses),
        ("boundary", window.boundaries),
    ):
        if words:
            said.append(f"{name}={','.join(word.word for word in words)}")
    if window.rule is not None:
        said.append(f"rule={window.rule}")
    if window.owner:
        said.append(f"owner={window.owner}")
    if window.q:
        said.append(f"q={window.q}")
    what = f" match {', '.join(said)}" if said else " here"
    return Empty(f"No {noun}{what}.", window.without_filters.query() or "?", "Clear filters")


def past_the_end(rows: Page[Any], window: Window) -> Empty | None:
    """Say that a list has no such page; None on a page that could exist."""
    if rows.rows or window.page == 1:
        return None
    return Empty(f"The list has no page {window.page}.", window.query(page=1) or "?", "First page")


# --- overview


def overview_sentence(
    name: str, now: Sequence[LayerAmount], before: Sequence[LayerAmount] | None, *, n_days: int
) -> str:
    """Return the verdict on the suite's shape, and how it moved."""
    earlier = amounts_by_count(before) if before is not None else None
    return shapes.sentence(name, now=amounts_by_count(now), before=earlier, n_days=n_days)


def time_sentence(now: Sequence[LayerAmount]) -> str:
    """Say what the shape by time adds: "End-to-end tests are 7 % of the tests and 58 % of the time."."""
    tests, seconds = amounts_by_count(now), amounts_by_time(now)
    if not seconds.total or not tests.total or shapes.name(tests) == "undecided":
        return ""
    layer = max(shapes.CORE, key=lambda known: seconds.shares[known] - tests.shares[known])
    by_count, by_time = tests.shares[layer], seconds.shares[layer]
    if by_time - by_count < 0.10:  # ten points: less is not worth the sentence
        return "By time it looks much the same."
    return f"{_spoken(layer)} are {percent(by_count)} of the tests and {percent(by_time)} of the time."


def _spoken(layer: Layer) -> str:
    return {Layer.UNIT: "Unit tests", Layer.INTEGRATION: "Integration tests"}.get(layer, "End-to-end tests")


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One line of "What changed"."""

    glyph: str
    look: str
    words: str
    tests: tuple[TestRow, ...]
    n_more: int
    url: str
    link: str


CHANGE_WORDS = {
    "new-flakes": ("≈", "flaky", "new flake", "new flakes", "flaky"),
    "slower": ("▲", "worse", "slower test", "slower tests", "slow"),
    "new-tests": ("+", "", "new test", "new tests", "tests"),
    "vanished": ("–", "muted", "test vanished", "tests vanished", "tests"),
}
TESTS_NAMED = 2  # a line stays a line


def change_lines(changes: Sequence[Change], *, urls: dict[str, str], query: str) -> list[ChangeLine]:
    """Return what changed in the order in which it matters; kinds without any are left out."""
    lines = []
    for change in changes:
        if not change.n or change.kind not in CHANGE_WORDS:
            continue
        glyph, look, one, many, place = CHANGE_WORDS[change.kind]
        shown = change.tests[:TESTS_NAMED]
        lines.append(
            ChangeLine(
                glyph,
                look,
                plural(change.n, one, many),
                shown,
                change.n - len(shown),
                urls[place] + query,
                place.capitalize(),
            )
        )
    return lines


def budget_sentence(budget: BudgetAnswer) -> str:
    """Say where a layer's time stands against what it may take."""
    limit = duration(budget.limit_s)
    if budget.run_s is None:
        return f"No {budget.layer.word} tests ran, so the budget of {limit} is untouched."
    if budget.run_s > budget.limit_s:
        over = duration(budget.run_s - budget.limit_s)
        help_words = (
            f" Moving {plural(budget.n_to_move, 'test')} would bring it back." if budget.n_to_move else ""
        )
        taken = f"{_layer_tests(budget.layer)} take {duration(budget.run_s)} a run"
        return f"{taken}, {over} over the budget of {limit}.{help_words}"
    text = f"{_layer_tests(budget.layer)} take {duration(budget.run_s)} a run of {limit} allowed"
    crosses = (
        f"; at this pace they cross it in the week of {day_words(budget.crosses_on)}"
        if budget.crosses_on
        else ""
    )
    return f"{text}{crosses}."


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A budget as a sentence and a meter from 0 to 100."""

    sentence: str
    label: str
    width: int
    look: str
    is_over: bool


def budget_line(budget: BudgetAnswer) -> BudgetLine:
    """Put a budget into words and a meter; it warns from four fifths on."""
    share = budget.share or 0.0
    look = "meter-over" if share > 1 else "meter-warn" if share >= WARN_SHARE else ""
    label = f"{percent(share)} of the {budget.layer.word} budget"
    return BudgetLine(budget_sentence(budget), label, min(100, round(100 * share)), look, share > 1)


def undecided_sentence(amounts: Sequence[LayerAmount]) -> str:
    """Say how many tests lack a layer where that is too many to judge; else nothing."""
    shape = amounts_by_count(amounts)
    if shapes.name(shape) != "undecided":
        return ""
    n_unknown = shape.amounts.get(Layer.UNKNOWN, 0)
    return f"Shape: undecided. {count(n_unknown)} of {count(n_unknown + shape.total)} tests have no layer."


FEW = 20  # tests: each is five points of the shape or more, which is as wide as a band of a target


def few_sentence(amounts: Sequence[LayerAmount]) -> str:
    """Say what one test is of a shape made of few; else nothing."""
    n = int(amounts_by_count(amounts).total)
    if not 0 < n < FEW:
        return ""
    if n == 1:
        return "One test is not a shape yet."
    return f"With {n} tests, each is {percent(1 / n)} of the shape: a few more may give it another name."


def _layer_tests(layer: Layer) -> str:
    return f"{_spoken(layer)}" if layer in shapes.CORE else f"{layer.word.capitalize()} tests"


@dataclass(frozen=True, slots=True)
class TargetFit:
    """How a suite stands to one target, and the least that would meet it."""

    name: str
    fit: float
    bands: str
    advice: str
    unmet: tuple[str, ...]
    is_chosen: bool


def target_fits(amounts: Sequence[LayerAmount], chosen: Target | None) -> list[TargetFit]:
    """Compare a suite with each built-in target, and with the project's own."""
    known = [*shapes.BUILT_IN, *([chosen] if chosen and chosen not in shapes.BUILT_IN else [])]
    return [_target_fit(amounts, target, is_chosen=target == chosen) for target in known]


def _target_fit(amounts: Sequence[LayerAmount], target: Target, *, is_chosen: bool) -> TargetFit:
    shape = amounts_by_count(amounts)
    judged = shapes.judge(shape, target)
    steps = shapes.advice({amount.layer: amount.n_tests for amount in amounts}, target)
    bands = ", ".join(
        f"{layer.word} {100 * band.low:.0f}–{100 * band.high:.0f}{THIN}%"
        for layer, band in ((layer, target.bands[layer]) for layer in shapes.CORE)
    )
    advice = shapes.advice_sentence(steps) if steps else ("Met." if shape.total else "")
    return TargetFit(target.kind.word, judged.fit, bands, advice, judged.unmet, is_chosen)
