"""What pages say of time: tests slower since a run, slow machines, budgets and what brought them there, buckets by week.

Pure: answers in, words and widths out. Headline numbers are dashboard.verdicts'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.answers.of_time import BucketCounts, BudgetStory, Growth, Misfit, ShiftRow, TimedTest
from analysis.budgets import WARN_SHARE, Forecast
from analysis.durations import is_slow_runner
from dashboard.format import count, day_words, duration, percent, plural
from dashboard.tables import Table
from projects.vocabulary import Layer, TimingBucket

TIMES_SHOWN = 10  # from which "12 times" says enough without a decimal


def times(ratio: float) -> str:
    """Say a ratio: "2.1 times", "34 times"."""
    return f"{ratio:.0f} times" if ratio >= TIMES_SHOWN else f"{ratio:.1f} times"


def shift_words(shift: ShiftRow) -> str:
    """Say how a test changed: "1 s → 2 s, 2.0 times as long"."""
    change = f"{duration(shift.before_s)} → {duration(shift.since_s)}"
    if shift.is_slower:
        return f"{change}, {times(shift.since_s / shift.before_s)} as long"
    return f"{change}, {times(shift.before_s / shift.since_s)} as fast"


def commits(shift: ShiftRow) -> str:
    """Return the range of commits in which the change lies: "9f3c1ab..0d4e77a"."""
    if not shift.commit:
        return ""
    return f"{shift.commit_before[:7]}..{shift.commit[:7]}" if shift.commit_before else shift.commit[:7]


def machine_sentence(factor: float | None) -> str:
    """Say that the machine was slow, where it was."""
    if factor is None or not is_slow_runner(factor):
        return ""
    return (
        f"This run's machine was slow: the usual tests took {times(factor)} as long as in the runs before. "
        "Their times here are no sign of slower tests."
    )


def misfit_words(misfit: Misfit) -> str:
    """Say both signals and what they point to: "Integration over 1 s, failures show a browser: e2e in disguise?"."""
    layer = misfit.test.layer.word.capitalize()
    return f"{layer} over {duration(misfit.limit_s)}, {misfit.other}: {misfit.looks_like.word} in disguise?"


# --- budgets


@dataclass(frozen=True, slots=True)
class Meter:
    """One way to measure a layer against its budget."""

    label: str
    words: str
    width: int
    look: str


@dataclass(frozen=True, slots=True)
class GrowthLine:
    """What a run brought, in words."""

    run_number: int
    more: str
    words: str
    tests: tuple[TimedTest, ...]
    n_more: int


@dataclass(frozen=True, slots=True)
class BudgetCard:
    """One budget in full, ready to print."""

    layer: Layer
    sentence: str
    is_over: bool
    meters: tuple[Meter, ...]
    forecast: str
    to_move_words: str
    to_move: tuple[TimedTest, ...]
    growth: tuple[GrowthLine, ...]
    weeks: Table


def budget_card(story: BudgetStory) -> BudgetCard:
    """Put a budget into words and meters."""
    shown = [("all its tests together", story.run_s)]
    if story.n_shards > 1:
        shown.append((f"the slowest of {story.n_shards} shards", story.shard_s))
    return BudgetCard(
        layer=story.layer,
        sentence=_sentence(story),
        is_over=(story.share or 0) > 1,
        meters=tuple(_meter(label, s, story.limit_s) for label, s in shown if s is not None),
        forecast=_forecast(story.forecast),
        to_move_words=_to_move(story),
        to_move=story.to_move,
        growth=tuple(_growth(growth) for growth in story.growth),
        weeks=Table(
            f"{story.layer.word} in a run, the median of each week",
            ("Week to", "A run"),
            tuple((day_words(day), duration(seconds)) for day, seconds in reversed(story.weeks)),
            ("week_to", "run_s"),
            tuple(reversed(story.weeks)),
        ),
    )


def _sentence(story: BudgetStory) -> str:
    limit = duration(story.limit_s)
    if story.run_s is None:
        return f"No {story.layer.word} tests ran, so the budget of {limit} is untouched."
    then = f" ({duration(story.run_s_before)} before)" if story.run_s_before is not None else ""
    head = f"{story.layer.word.capitalize()} tests take {duration(story.run_s)} a run{then}"
    if story.run_s <= story.limit_s:
        near = ", near its end" if story.run_s >= WARN_SHARE * story.limit_s else ""
        return f"{head}, {percent(story.run_s / story.limit_s)} of the budget of {limit}{near}."
    over = f"{head}, {duration(story.run_s - story.limit_s)} over the budget of {limit}"
    if story.shard_s is not None and story.n_shards > 1 and story.shard_s <= story.limit_s:
        return (
            f"{over}; the slowest of {story.n_shards} shards stays within it with {duration(story.shard_s)}."
        )
    return f"{over}."


def _meter(label: str, seconds: float, limit_s: float) -> Meter:
    share = seconds / limit_s
    look = "meter-over" if share > 1 else "meter-warn" if share >= WARN_SHARE else ""
    words = f"{duration(seconds)}, {percent(share)} of the budget"
    return Meter(label, words, min(100, round(100 * share)), look)


def _forecast(forecast: Forecast | None) -> str:
    if forecast is None:
        return ""
    early = day_words(forecast.earliest_on)
    late = f"and {day_words(forecast.latest_on)}" if forecast.latest_on else "and never"
    return (
        f"It grows by {duration(forecast.slope_s)} a week and crosses the budget in the week of "
        f"{day_words(forecast.crosses_on)}; 9 times in 10 between {early} {late}."
    )


def _to_move(story: BudgetStory) -> str:
    if not story.to_move:
        return ""
    freed = sum(test.seconds for test in story.to_move)
    goal = "back under the budget" if (story.share or 0) > 1 else f"under {percent(WARN_SHARE)} of it"
    return f"Moving or quickening {plural(len(story.to_move), 'test')} ({duration(freed)}) brings it {goal}."


def _growth(growth: Growth) -> GrowthLine:
    said = [
        plural(n, one, many)
        for n, one, many in (
            (growth.n_new, "new test", "new tests"),
            (growth.n_slower, "slower test", "slower tests"),
            (growth.n_faster, "faster test", "faster tests"),
        )
        if n
    ]
    n_all = growth.n_new + growth.n_slower + growth.n_faster
    sign = "+" if growth.seconds >= 0 else "−"
    more = f"{sign}{duration(abs(growth.seconds))}"
    return GrowthLine(growth.run_number, more, ", ".join(said), growth.tests, n_all - len(growth.tests))


# --- buckets by week

BUCKETS = (TimingBucket.SLOW, TimingBucket.ACCEPTABLE, TimingBucket.FAST)  # slow stands on the ground
LISTED = (*BUCKETS, TimingBucket.UNTIMED)
STEP, BAR, HEIGHT = 20, 16, 100


@dataclass(frozen=True, slots=True)
class Piece:
    """One bucket of one week in the picture."""

    bucket: TimingBucket
    x: int
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class BucketHistory:
    """The weeks of one layer as a picture, and what they say."""

    layer: Layer
    pieces: tuple[Piece, ...]
    width: int
    words: str


@dataclass(frozen=True, slots=True)
class BucketPast:
    """The weeks of every layer, with the table."""

    layers: tuple[BucketHistory, ...]
    table: Table


def bucket_past(weeks: Sequence[BucketCounts]) -> BucketPast:
    """Draw the shares of the timed tests by bucket, week by week; untimed tests are in the table alone."""
    mondays = sorted({week.monday for week in weeks})
    layers = sorted({week.layer for week in weeks if week.n_timed}, reverse=True)
    drawn = []
    for layer in layers:
        mine = [week for week in weeks if week.layer is layer and week.n_timed]
        pieces = tuple(piece for week in mine for piece in _pieces(week, mondays.index(week.monday)))
        drawn.append(BucketHistory(layer, pieces, STEP * len(mondays), _past_words(mine)))
    listed = sorted(weeks, key=lambda week: (week.monday, week.layer), reverse=True)
    table = Table(
        "Tests and their time by timing, week by week",
        ("Week from", "Layer", "Slow", "Acceptable", "Fast", "Untimed"),
        tuple(map(_past_row, listed)),
        (
            "week_from",
            "layer",
            *(f"{bucket.word}_{unit}" for bucket in LISTED for unit in ("tests", "seconds")),
        ),
        tuple(map(_past_record, listed)),
    )
    return BucketPast(tuple(drawn), table)


def _pieces(week: BucketCounts, place: int) -> list[Piece]:
    pieces, top = [], float(HEIGHT)
    for bucket in BUCKETS:
        n = week.tests.get(bucket, 0)
        if not n:
            continue
        height = HEIGHT * n / week.n_timed
        top -= height
        title = f"{day_words(week.monday)}: {count(n)} {bucket.word}"
        pieces.append(Piece(bucket, STEP * place, round(top, 1), round(height, 1), title))
    return pieces


def _past_words(weeks: Sequence[BucketCounts]) -> str:
    now = _slow_share(weeks[-1])
    if len(weeks) == 1:
        return f"{percent(now)} slow"
    return f"{percent(_slow_share(weeks[0]))} → {percent(now)} slow"


def _slow_share(week: BucketCounts) -> float:
    return week.tests.get(TimingBucket.SLOW, 0) / week.n_timed


def _past_row(week: BucketCounts) -> tuple[str, ...]:
    cells = (
        f"{count(week.tests.get(bucket, 0))} ({duration(week.seconds.get(bucket, 0.0))})" for bucket in LISTED
    )
    return (day_words(week.monday), week.layer.word, *cells)


def _past_record(week: BucketCounts) -> tuple[Any, ...]:
    amounts = ((week.tests.get(bucket, 0), week.seconds.get(bucket, 0.0)) for bucket in LISTED)
    return (week.monday, week.layer, *(amount for pair in amounts for amount in pair))
