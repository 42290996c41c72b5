"""What pages say and decide from answers: verdict sentences, headline tiles, changes against the earlier window.

Pure: answers in, words out. Formatting is dashboard.format's, layout the templates'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from analysis import shape as shapes
from analysis.answers import (
    BudgetAnswer,
    Change,
    FlakeTotals,
    LayerAmount,
    Seen,
    SlowTotals,
    TestAnswer,
    TestRow,
    Totals,
)
from analysis.window import LONGEST_DAYS, PRESETS, Window
from dashboard.format import (
    NO_EARLIER,
    Delta,
    Tone,
    count,
    day_words,
    delta_text,
    duration,
    percent,
    plural,
    points,
)
from dashboard.silhouette import amounts_by_count, amounts_by_time
from projects.vocabulary import FlakeStatus, Layer

NOISE_SHARE = 0.002  # a fifth of a point of pass rate comes and goes
NOISE_TIME = 0.05  # runners differ by this much from day to day


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline number that leads to its rows."""

    label: str
    value: str
    url: str
    delta: Delta | None = None
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Empty:
    """Why a page has nothing to show, and the one thing to do about it."""

    sentence: str
    url: str = ""
    action: str = ""
    note: str = ""


# --- changes


def count_delta(now: int, before: int | None, *, more: Tone = Tone.NEUTRAL) -> Delta:
    """Compare two counts; `more` says what it means when there are more."""
    if before is None:
        return NO_EARLIER
    change = now - before
    if change == 0:
        return Delta("no change", title=f"{count(before)} before")
    return Delta(
        delta_text(change, count(abs(change))), _arrow(change), _tone(change, more), f"{count(before)} before"
    )


def share_delta(now: float | None, before: float | None, *, more: Tone, noise: float = NOISE_SHARE) -> Delta:
    """Compare two shares in points; what lies within the noise means nothing."""
    if now is None or before is None:
        return NO_EARLIER
    change = now - before
    title = f"{percent(before, 1)} before"
    if abs(change) < 0.0005:
        return Delta("no change", title=title)
    text = delta_text(change, points(change))
    if abs(change) <= noise:
        return Delta(f"{text} · within noise", title=title)
    return Delta(text, _arrow(change), _tone(change, more), title)


def time_delta(now: float | None, before: float | None, *, noise: float = NOISE_TIME) -> Delta:
    """Compare two durations; longer is worse, and a twentieth means nothing."""
    if now is None or before is None:
        return NO_EARLIER
    change = now - before
    title = f"{duration(before)} before"
    if duration(now) == duration(before):
        return Delta("no change", title=title)
    text = delta_text(change, duration(abs(change)))
    if abs(change) <= noise * before:
        return Delta(f"{text} · within noise", title=title)
    return Delta(text, _arrow(change), _tone(change, Tone.WORSE), title)


def _arrow(change: float) -> str:
    return "▲" if change > 0 else "▼"


def _tone(change: float, more: Tone) -> Tone:
    if more is Tone.NEUTRAL:
        return more
    return more if change > 0 else (Tone.BETTER if more is Tone.WORSE else Tone.WORSE)


# --- nothing to show


def nothing(seen: Seen, window: Window, *, uploads_url: str) -> Empty | None:
    """Say why a window has no runs; None when it has some."""
    if seen.n_runs:
        return None
    if not seen.n_uploads:
        return Empty(
            "No results yet. Send the first report from CI or from here.", uploads_url, "Send a report"
        )
    if seen.last_run_at is None and seen.n_refused:
        took = plural(seen.n_uploads, "upload arrived, it", "uploads arrived, none of them")
        ending = "could not be read" if seen.n_uploads == 1 else "could be read"
        return Empty(
            f"{took} {ending}: {seen.last_refusal or 'see the problems'}", uploads_url, "See the problems"
        )
    if seen.last_run_at is None:
        return Empty("The first upload has arrived and is being read.", "?", "Look again")
    return _nothing_here(seen, window)


def _nothing_here(seen: Seen, window: Window) -> Empty:
    where = "on any branch" if window.is_all_branches else f"on {window.branch}"
    when = (
        f"in {window.words}" if window.until == window.today and window.n_days > 1 else f"from {window.words}"
    )
    if window.words == "today":
        when = "today"
    head = f"No runs {where} {when}."
    if seen.last_run_on_branch_at is None:
        return Empty(
            f"{head} There are runs on other branches.", window.query(branch="*"), "Show all branches"
        )
    days = (window.today - seen.last_run_on_branch_at.date()).days + 1
    wider = next(
        (preset for preset in PRESETS if preset >= days and preset > window.n_days), min(days, LONGEST_DAYS)
    )
    sentence = f"{head} The latest was {_days_ago(days - 1)}."
    if days > LONGEST_DAYS or window.until != window.today:
        return Empty(
            sentence,
            window.without_filters.query(since=_since(window, wider), until=window.today) or "?",
            f"Show {wider} days",
        )
    return Empty(
        sentence, window.query(since=_since(window, wider), until=window.today) or "?", f"Show {wider} days"
    )


def _since(window: Window, days: int) -> date:
    return window.today - timedelta(days=days - 1)


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


# --- overview


def overview_tiles(now: Totals, before: Totals | None, *, urls: dict[str, str], query: str) -> list[Tile]:
    """Return the five headline numbers, each with its change and its rows."""
    return [
        Tile(
            "Tests",
            count(now.n_tests),
            urls["tests"] + query,
            count_delta(now.n_tests, before and before.n_tests),
            "test",
        ),
        Tile(
            "Pass rate",
            percent(now.pass_rate, 1),
            urls["failures"] + query,
            share_delta(now.pass_rate, before and before.pass_rate, more=Tone.BETTER),
            "pass-rate",
        ),
        Tile(
            "Run time, median",
            duration(now.run_seconds_p50),
            urls["slow"] + query,
            time_delta(now.run_seconds_p50, before and before.run_seconds_p50),
            "run-time",
        ),
        Tile(
            "Flaky",
            count(now.n_flaky),
            urls["flaky"] + query,
            count_delta(now.n_flaky, before and before.n_flaky, more=Tone.WORSE),
            "flake",
        ),
        Tile(
            "No layer",
            count(now.n_unknown),
            urls["tests"] + _joined(query, "layer=unknown"),
            count_delta(now.n_unknown, before and before.n_unknown, more=Tone.WORSE),
            "layer",
        ),
    ]


def _joined(query: str, more: str) -> str:
    return f"{query}&{more}" if query else f"?{more}"


def overview_sentence(
    name: str, now: Sequence[LayerAmount], before: Sequence[LayerAmount] | None, *, n_days: int
) -> str:
    """Return the verdict on the suite's shape, and how it moved."""
    earlier = amounts_by_count(before) if before is not None else None
    return shapes.sentence(name, now=amounts_by_count(now), before=earlier, n_days=n_days)


def time_sentence(now: Sequence[LayerAmount]) -> str:
    """Say what the shape by time adds: "By time it is an inverted pyramid: e2e is 7 % of the tests and 58 % …"."""
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
        return f"{_layer_tests(budget.layer)} take {duration(budget.run_s)} a run, {over} over the budget of {limit}.{help_words}"
    text = f"{_layer_tests(budget.layer)} take {duration(budget.run_s)} a run of {limit} allowed"
    crosses = (
        f"; at this pace they cross it in the week of {day_words(budget.crosses_on)}"
        if budget.crosses_on
        else ""
    )
    return f"{text}{crosses}."


def _layer_tests(layer: Layer) -> str:
    return f"{_spoken(layer)}" if layer in shapes.CORE else f"{layer.word.capitalize()} tests"


# --- tests, test


def tests_sentence(n_total: int, window: Window) -> str:
    """Say how many tests the list holds."""
    where = "on any branch" if window.is_all_branches else f"on {window.branch}"
    verb = "match" if window.is_filtered else "ran"
    if window.is_filtered:
        return f"{plural(n_total, 'test')} {'matches' if n_total == 1 else verb} {where}, {window.words}."
    when = "today" if window.words == "today" else f"in {window.words}"
    return f"{plural(n_total, 'test')} {verb} {where} {when}."


def test_sentence(answer: TestAnswer) -> str:
    """Tell the story of a Test in one or two sentences."""
    row = answer.row
    if not row.n_results:
        return f"It did not run in this window; it was last seen on {day_words(row.last_seen_on)}."
    ended = row.n_results - row.n_skipped
    if not ended:
        return f"It was skipped in all of {plural(row.n_results, 'result')}."
    if not row.n_bad:
        kept = f"It passed in all of {plural(ended, 'run')}."
        retried = (
            f" {plural(row.n_flaky, 'of them needed', 'of them needed')} a retry." if row.n_flaky else ""
        )
        return kept + retried
    text = f"It failed in {count(row.n_bad)} of {plural(ended, 'run')}"
    retried = f"; in {count(row.n_flaky)} a retry on the same commit passed" if row.n_flaky else ""
    return f"{text}{retried}."


def since_words(answer: TestAnswer) -> str:
    """Return the status with its date: "flaky since 29 Oct"."""
    flake = answer.flake
    if flake is None or flake.status is FlakeStatus.HEALTHY:
        return ""
    return f"since {day_words(flake.since_on)}" if flake.since_on else ""


def passes_needed(rate: float | None) -> int | None:
    """Return how many passes in a row would show, at 95 %, that a test of this failure rate is fixed."""
    if rate is None or not 0 < rate < 1:
        return None
    return math.ceil(math.log(0.05) / math.log(1 - rate))


# --- flaky, slow


def flaky_sentence(totals: FlakeTotals, *, window: Window, n_runs: int | None = None) -> str:
    """Say how many tests are unreliable and what they cost."""
    if not totals.n_tests:
        over = f", over {plural(n_runs, 'run')}" if n_runs else ""
        when = "today" if window.words == "today" else f"in {window.words}"
        return f"No test both passed and failed on the same commit {when}{over}."
    head = f"{plural(totals.n_tests, 'test is', 'tests are')} flaky"
    if not totals.n_runs_broken:
        return f"{head}; none of them broke a run."
    cost = f" and cost about {duration(totals.seconds_lost)} of re-running" if totals.seconds_lost else ""
    together = "together they" if totals.n_tests > 1 else "it"
    return f"{head}; {together} broke {plural(totals.n_runs_broken, 'run')}{cost}."


def slow_sentence(totals: SlowTotals) -> str:
    """Say how much of the time the slowest tests take."""
    if not totals.n_tests or not totals.seconds:
        return "No timed tests in this window."
    if totals.n_tests < 20:  # five per cent of fewer is less than one test
        return f"{plural(totals.n_tests, 'test')} took {duration(totals.seconds)} in all."
    return (
        f"The slowest {percent(totals.n_slowest / totals.n_tests)} ({plural(totals.n_slowest, 'test')}) "
        f"take {percent(totals.share_of_slowest)} of the time."
    )
