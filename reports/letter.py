"""Composes the weekly letter: what a week says, in which words, in which order.

Pure: plain values in, a frozen Letter out. Where the values come from is weekly.py's; how a Letter looks is
look.py's. Each section holds what costs most first, and ten lines at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from analysis.answers import BudgetAnswer, FlakeRow, LayerAmount, SlowRow, Totals
from analysis.shape import Judgement, Shape
from analysis.targets import CORE
from projects.vocabulary import Layer
from reports import words

MOST_LINES = 10  # a letter is read in twenty seconds; the page behind the link has the rest
STUBBORN_WEEKS = 3  # asked this often in vain, a test is no longer one of many
SOON = timedelta(weeks=4)  # a forecast further off than this changes before it comes true
BRACKETS = "In brackets: the week before."
WARN_SHARE = 0.8  # of a budget; from here on there is something to do before it is crossed


class Fate(Enum):
    """What became of a test that the letter before asked to fix."""

    FIXED = "fixed"
    QUIET = "no flake since"
    FLAKY = "still flaky"
    BROKEN = "always failing"
    UNSEEN = "did not run"


@dataclass(frozen=True, slots=True)
class Asked:
    """A test that a letter asks to fix, with what it cost and how many letters in a row have asked."""

    test_id: int
    title: str
    seconds_lost: float
    n_weeks: int = 1


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """A test of the letter before, and what became of it since."""

    asked: Asked
    fate: Fate
    n_runs_broken: int = 0
    seconds_lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Links:
    """Where the lines of a letter lead; absolute."""

    overview: str
    flaky: str
    slow: str
    shape: str
    settings: str
    test: str  # with {id} in it

    def of_test(self, test_id: int) -> str:
        """Return the address of one test's page."""
        return self.test.replace("{id}", str(test_id))


@dataclass(frozen=True, slots=True)
class Week:
    """Everything that a letter is composed of."""

    project: str
    branch: str
    since: date
    until: date
    totals: Totals
    before: Totals
    layers: tuple[LayerAmount, ...]
    layers_before: tuple[LayerAmount, ...]
    verdict: str
    judgement: Judgement | None
    target: str
    flaky: tuple[FlakeRow, ...]
    fixed: tuple[FlakeRow, ...]
    slower: tuple[SlowRow, ...]
    budgets: tuple[BudgetAnswer, ...]
    asked: tuple[AskedBefore, ...]
    links: Links


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the week beside the one of the week before."""

    label: str
    value: str
    before: str


@dataclass(frozen=True, slots=True)
class Bar:
    """The share of one layer, in whole points of a hundred, and what it was a week before."""

    layer: str
    points: int
    before: str


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to know: what, and the number that makes it matter."""

    what: str
    detail: str
    url: str = ""
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one kind, dearest first, with a way to those that found no room."""

    title: str
    lines: tuple[Line, ...]
    more: str = ""
    more_url: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """One week of one project, in words."""

    subject: str
    preheader: str
    project: str
    dates: str
    scope: str
    verdict: str
    figures: tuple[Figure, ...]
    bars: tuple[Bar, ...]
    sections: tuple[Section, ...]
    note: str
    closing: str
    asked: tuple[Asked, ...]
    is_calm: bool
    links: Links


def compose(week: Week) -> Letter:
    """Return the letter that a week earns: its news, or one calm line."""
    if not week.totals.n_runs:
        return _silence(week)
    sections = tuple(section for section in _sections(week) if section.lines)
    news = _news(week)
    is_calm = not sections
    return Letter(
        subject=f"{week.project}: {', '.join(news) or 'a calm week'} (week {week.until.isocalendar().week})",
        preheader=_calm_line(week) if is_calm else _preheader(week),
        project=week.project,
        dates=words.dates(week.since, week.until),
        scope=f"{week.branch} · {words.n(week.totals.n_runs, 'run')}, {words.n(week.totals.n_tests, 'test')}",
        verdict=_calm_line(week) if is_calm else week.verdict,
        figures=() if is_calm else _figures(week),
        bars=() if is_calm else _bars(week.layers, before=week.layers_before),
        sections=sections,
        note="" if is_calm else BRACKETS,
        closing="" if is_calm else _closing(week),
        asked=_to_ask(week),
        is_calm=is_calm,
        links=week.links,
    )


def _silence(week: Week) -> Letter:
    """Return what a preview shows for a week without runs, which sends nothing."""
    line = f"No runs on {week.branch} in these days, so no letter goes out."
    return Letter(
        subject=f"{week.project}: no runs (week {week.until.isocalendar().week})",
        preheader=line,
        project=week.project,
        dates=words.dates(week.since, week.until),
        scope=week.branch,
        verdict=line,
        figures=(),
        bars=(),
        sections=(),
        note="",
        closing="",
        asked=(),
        is_calm=True,
        links=week.links,
    )


def _sections(week: Week) -> Iterable[Section]:
    known = {before.asked.test_id for before in week.asked}
    rest = [row for row in week.flaky if row.test.id not in known]
    new = [row for row in rest if _is_new(row, week=week)]
    yield _asked_section(week.asked, links=week.links)
    yield _flaky_section("New flaky tests", new, links=week.links)
    yield _flaky_section(
        "Still flaky", [row for row in rest if not _is_new(row, week=week)], links=week.links
    )
    yield _fixed_section([row for row in week.fixed if row.test.id not in known], links=week.links)
    yield _slower_section(week.slower, links=week.links)
    yield _budget_section(week)
    yield _balance_section(week)


def _is_new(row: FlakeRow, *, week: Week) -> bool:
    return row.since_on is not None and row.since_on >= week.since


def _section(title: str, lines: Sequence[Line], *, url: str) -> Section:
    n_left = len(lines) - MOST_LINES
    more = f"and {n_left} more" if n_left > 0 else ""
    counted = f"{title} ({len(lines)})" if lines else title
    return Section(title=counted, lines=tuple(lines[:MOST_LINES]), more=more, more_url=url if more else "")


def _flaky_section(title: str, rows: Sequence[FlakeRow], *, links: Links) -> Section:
    lines = [
        Line(row.test.title, words.cost(row.n_runs_broken, row.seconds_lost), url=links.of_test(row.test.id))
        for row in rows
    ]
    return _section(title, lines, url=links.flaky)


def _asked_section(asked: Sequence[AskedBefore], *, links: Links) -> Section:
    """List what the letter before asked for: what is not done first, dearest first, then the thanks."""
    if not asked:
        return Section("", ())
    order = [Fate.FLAKY, Fate.BROKEN, Fate.UNSEEN, Fate.QUIET, Fate.FIXED]
    ranked = sorted(asked, key=lambda one: (order.index(one.fate), -one.seconds_lost, one.asked.test_id))
    lines = [_asked_line(one, links=links) for one in ranked]
    section = _section("Asked last week", lines, url=links.flaky)
    title = f"Asked last week: {_n_done(asked)} of {len(asked)} done"
    return Section(title=title, lines=section.lines, more=section.more, more_url=section.more_url)


def _n_done(asked: Sequence[AskedBefore]) -> int:
    return sum(one.fate in (Fate.FIXED, Fate.QUIET) for one in asked)


def _asked_line(one: AskedBefore, *, links: Links) -> Line:
    url = links.of_test(one.asked.test_id)
    if one.fate is Fate.FIXED:
        return Line(one.asked.title, "fixed. Thank you.", url=url)
    if one.fate is Fate.QUIET:
        return Line(one.asked.title, "no flake since. Thank you, if that was you.", url=url)
    if one.fate is Fate.UNSEEN:
        return Line(one.asked.title, "did not run this week", url=url)
    if one.fate is Fate.BROKEN:
        return Line(one.asked.title, "no longer flaky: it fails always", url=url, is_urgent=True)
    detail = f"still flaky, {words.cost(one.n_runs_broken, one.seconds_lost)}"
    n_weeks = one.asked.n_weeks + 1
    if n_weeks < STUBBORN_WEEKS:
        return Line(one.asked.title, detail, url=url)
    return Line(one.asked.title, f"{detail}; asked {n_weeks} weeks in a row", url=url, is_urgent=True)


def _fixed_section(rows: Sequence[FlakeRow], *, links: Links) -> Section:
    lines = [
        Line(row.test.title, "no longer flaky. Thank you.", url=links.of_test(row.test.id)) for row in rows
    ]
    return _section("Fixed", lines, url=links.flaky)


def _slower_section(rows: Sequence[SlowRow], *, links: Links) -> Section:
    lines = [
        Line(
            row.test.title,
            f"p95 {words.duration(row.p95_before_s)} → {words.duration(row.test.p95_s)}",
            url=links.of_test(row.test.id),
        )
        for row in rows
    ]
    return _section("Slower", lines, url=links.slow)


def _budget_section(week: Week) -> Section:
    tight = [budget for budget in week.budgets if _is_tight(budget, today=week.until)]
    lines = tuple(_budget_line(budget, links=week.links) for budget in tight)
    return Section("Budget", lines)


def _is_tight(budget: BudgetAnswer, *, today: date) -> bool:
    return _crosses_soon(budget, today=today) or (budget.share or 0) >= WARN_SHARE


def _crosses_soon(budget: BudgetAnswer, *, today: date) -> bool:
    return budget.crosses_on is not None and budget.crosses_on <= today + SOON


def _budget_line(budget: BudgetAnswer, *, links: Links) -> Line:
    spent = f"{words.duration(budget.run_s)} of {words.duration(budget.limit_s)} a run"
    if _is_over(budget):
        way_back = f"; moving {words.n(budget.n_to_move, 'test')} brings it back" if budget.n_to_move else ""
        return Line(budget.layer.word, f"{spent}, over budget{way_back}", url=links.slow, is_urgent=True)
    ahead = f"; at this pace over it on {words.day(budget.crosses_on)}" if budget.crosses_on else ""
    return Line(budget.layer.word, f"{spent}{ahead}", url=links.slow)


def _is_over(budget: BudgetAnswer) -> bool:
    return (budget.share or 0) > 1


def _balance_section(week: Week) -> Section:
    """Say how the shape misses its target, when it moved to do so; a standing distance is in the bars."""
    if week.judgement is None or week.judgement.is_inside or not _moved(week):
        return Section("", ())
    points = [f"{layer.word} {_points(value)} over" for layer, value in week.judgement.over.items()]
    points += [f"{layer.word} {_points(value)} under" for layer, value in week.judgement.under.items()]
    detail = ", ".join([*points, *week.judgement.unmet])
    return Section("Balance", (Line(f"target {week.target}", detail, url=week.links.shape),))


def _points(value: float) -> str:
    rounded = max(1, round(value))
    return f"{rounded} point" if rounded == 1 else f"{rounded} points"


def _moved(week: Week) -> bool:
    now, before = _shares(week.layers), _shares(week.layers_before)
    is_known = any(before.values())
    return is_known and any(round(100 * now[layer]) != round(100 * before[layer]) for layer in CORE)


def _shares(layers: Iterable[LayerAmount]) -> Mapping[Layer, float]:
    return Shape({amount.layer: amount.n_tests for amount in layers}).shares


def _bars(layers: Sequence[LayerAmount], *, before: Sequence[LayerAmount]) -> tuple[Bar, ...]:
    """Return a bar for each layer of the shape, the top of the pyramid first."""
    now, then = _shares(layers), _shares(before)
    if not any(now.values()):
        return ()
    had_any = any(then.values())
    return tuple(
        Bar(layer.word, round(100 * now[layer]), f"{round(100 * then[layer])} %" if had_any else "–")
        for layer in reversed(CORE)
    )


def _figures(week: Week) -> tuple[Figure, ...]:
    now, then = week.totals, week.before
    return (
        Figure("Pass rate", words.percent(now.pass_rate), words.percent(then.pass_rate)),
        Figure("Run time", words.duration(now.run_seconds_p50), words.duration(then.run_seconds_p50)),
        Figure("Flaky tests", str(now.n_flaky), str(then.n_flaky) if then.n_runs else "–"),
    )


def _news(week: Week) -> list[str]:
    """Return at most two pieces of news, the heaviest first: a subject line has room for no more."""
    n_new = sum(_is_new(row, week=week) for row in week.flaky)
    n_done = _n_done(week.asked)
    over = [f"{budget.layer.word} over budget" for budget in week.budgets if _is_over(budget)]
    news = [words.n(n_new, "new flaky test")] if n_new else []
    news += over[:1]
    if len(week.flaky) > n_new and not n_new:
        news.append(f"{words.n(len(week.flaky), 'flaky test')} to fix")
    if week.asked and n_done:
        news.append(f"{n_done} of {len(week.asked)} done")
    if week.slower:
        news.append(words.n(len(week.slower), "slower test"))
    if week.fixed:
        news.append(f"{words.n(len(week.fixed), 'test')} fixed")
    if not news and _budget_section(week).lines:
        news.append("a budget nearly spent")
    return news[:2] or (["the balance moved"] if _balance_section(week).lines else [])


def _preheader(week: Week) -> str:
    """Return what a mail program shows beside the subject: the dearest thing to do."""
    if week.flaky:
        worst = week.flaky[0]
        return f"Dearest: {worst.test.title}, {words.cost(worst.n_runs_broken, worst.seconds_lost)}."
    return week.verdict


def _calm_line(week: Week) -> str:
    return (
        f"A calm week: {words.n(week.totals.n_runs, 'run')} of {words.n(week.totals.n_tests, 'test')}, "
        f"{words.percent(week.totals.pass_rate)} passed, nothing new to fix."
    )


def _closing(week: Week) -> str:
    lost = sum(row.seconds_lost for row in week.flaky)
    if not lost:
        return ""
    return f"Flaky tests cost about {words.duration(lost)} of re-running this week."


def _to_ask(week: Week) -> tuple[Asked, ...]:
    """Return the tests to ask for: the dearest flaky, then those asked before and unseen."""
    before = {one.asked.test_id: one.asked for one in week.asked}
    asked = [
        Asked(
            test_id=row.test.id,
            title=row.test.title,
            seconds_lost=row.seconds_lost,
            n_weeks=before[row.test.id].n_weeks + 1 if row.test.id in before else 1,
        )
        for row in week.flaky
    ]
    unseen = [one.asked for one in week.asked if one.fate is Fate.UNSEEN]
    return tuple((asked + unseen)[:MOST_LINES])
