"""Words the sections of a letter: what is asked, flaky, worse, fixed, muted, slower, over budget, out of balance.

Pure. Each section holds what costs most first, and ten lines at most. Which of them a letter has, and what stands
around them, is letter.py's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from analysis.answers.of_care import Muted
from analysis.answers.of_flakes import FlakeCost, FlakeRow
from analysis.answers.of_time import BudgetAnswer, ShiftRow
from analysis.answers.rows import LayerAmount
from analysis.budgets import WARN_SHARE
from analysis.shape import Shape
from analysis.targets import CORE
from projects.vocabulary import Layer
from reports import words
from reports.week import AskedBefore, Fate, Week

MOST_LINES = 10  # a letter is read in twenty seconds; the page behind the link has the rest
STUBBORN_WEEKS = 3  # asked this often in vain, a test is no longer one of many
SOON = timedelta(weeks=4)  # a forecast further off than this changes before it comes true
WORSE_RATIO = 1.5  # with the next two, the smallest growth of a cost worth a word
WORSE_RUNS = 2
WORSE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to know: what, and the number that makes it matter; `is_own` marks a reader's own among others."""

    what: str
    detail: str
    url: str = ""
    is_urgent: bool = False
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one kind, dearest first, with a way to those that found no room."""

    title: str
    lines: tuple[Line, ...]
    more: str = ""
    more_url: str = ""


@dataclass(frozen=True, slots=True)
class Unreliable:
    """The flaky tests that were not asked for before, by what changed about them."""

    new: tuple[FlakeRow, ...]
    relapsed: tuple[FlakeRow, ...]
    worse: tuple[FlakeRow, ...]
    still: tuple[FlakeRow, ...]


def sections(week: Week) -> tuple[Section, ...]:
    """Return the sections that have something to say, what to do first at the top."""
    known = {before.asked.test_id for before in week.asked}
    found = unreliable(week)
    every = (
        _asked(week),
        _flaky("New flaky tests", found.new, week=week),
        _flaky("Relapsed after a fix", found.relapsed, week=week),
        _flaky("Worse", found.worse, week=week),
        _flaky("Still flaky", found.still, week=week),
        _ending(week.ending, week=week),
        _fixed([row for row in week.fixed if row.test.id not in known], week=week),
        _slower(week.slower, week=week),
        budget_section(week),
        balance_section(week),
    )
    return tuple(section for section in every if section.lines)


def unreliable(week: Week) -> Unreliable:
    """Sort the flaky tests that were not asked for before into new, relapsed, worse and the rest."""
    known = {before.asked.test_id for before in week.asked}
    new, relapsed, worse, still = [], [], [], []
    for row in week.flaky:
        if row.test.id in known:
            continue
        if row.test.id in week.relapsed:
            relapsed.append(row)
        elif _is_new(row, week=week):
            new.append(row)
        elif _is_worse(row, week=week):
            worse.append(row)
        else:
            still.append(row)
    return Unreliable(tuple(new), tuple(relapsed), tuple(worse), tuple(still))


def _is_new(row: FlakeRow, *, week: Week) -> bool:
    return row.since_on is not None and row.since_on >= week.since


def _is_worse(row: FlakeRow, *, week: Week) -> bool:
    before = week.costs_before.get(row.test.id)
    return before is not None and _grew(
        before, n_runs_broken=row.n_runs_broken, seconds_lost=row.seconds_lost
    )


def _grew(before: FlakeCost, *, n_runs_broken: int, seconds_lost: float) -> bool:
    """True when a cost of the week before became clearly larger."""
    runs = _is_more(n_runs_broken, before.n_runs_broken, least=WORSE_RUNS)
    return runs or _is_more(seconds_lost, before.seconds_lost, least=WORSE_SECONDS)


def _is_more(now: float, before: float, *, least: float) -> bool:
    return now >= WORSE_RATIO * before and now - before >= least


def _section(title: str, lines: Sequence[Line], *, url: str) -> Section:
    n_left = len(lines) - MOST_LINES
    more = f"and {n_left} more" if n_left > 0 else ""
    counted = f"{title} ({len(lines)})" if lines else title
    return Section(title=counted, lines=tuple(lines[:MOST_LINES]), more=more, more_url=url if more else "")


def _line(test_id: int, what: str, detail: str, *, week: Week, is_urgent: bool = False) -> Line:
    """Return the line of a test, which leads to its page."""
    url = week.links.of_test(test_id)
    return Line(what, detail, url=url, is_urgent=is_urgent, is_own=week.is_own(test_id))


def _flaky(title: str, rows: Sequence[FlakeRow], *, week: Week) -> Section:
    lines = [_line(row.test.id, row.test.title, _cost(row, week=week), week=week) for row in rows]
    return _section(title, lines, url=week.links.flaky)


def _cost(row: FlakeRow, *, week: Week) -> str:
    """Say what a test cost, and what it did the week before where that was clearly less."""
    said = words.cost(row.n_runs_broken, row.seconds_lost)
    before = week.costs_before.get(row.test.id)
    if before is None or not _is_worse(row, week=week):
        return said
    return f"{said}; the week before {words.cost(before.n_runs_broken, before.seconds_lost)}"


# --- asked before


ORDER = (Fate.FLAKY, Fate.BROKEN, Fate.UNSEEN, Fate.QUIET, Fate.FIXED)


def _asked(week: Week) -> Section:
    """List what the letter before asked for: what is not done first, dearest first, then the thanks."""
    if not week.asked:
        return Section("", ())
    ranked = sorted(week.asked, key=lambda one: _rank(one, week=week))
    section = _section(
        "Asked last week", [_asked_line(one, week=week) for one in ranked], url=week.links.flaky
    )
    title = f"Asked last week: {n_done(week.asked)} of {len(week.asked)} done"
    return Section(title=title, lines=section.lines, more=section.more, more_url=section.more_url)


def _rank(one: AskedBefore, *, week: Week) -> tuple[bool, int, float, int]:
    test_id = one.asked.test_id
    is_others = week.own is not None and test_id not in week.own.test_ids
    return is_others, ORDER.index(one.fate), -one.seconds_lost, test_id


def n_done(asked: Sequence[AskedBefore]) -> int:
    """Count the tests that do not flake any more."""
    return sum(one.fate in (Fate.FIXED, Fate.QUIET) for one in asked)


def n_weeks_asked(one: AskedBefore) -> int:
    """Return how many letters in a row ask for a test, this one included; 0 where nothing is left to do."""
    return one.asked.n_weeks + 1 if one.fate is Fate.FLAKY else 0


SAID = {
    Fate.FIXED: "fixed. Thank you.",
    Fate.QUIET: "no flake since. Thank you, if that was you.",
    Fate.UNSEEN: "did not run this week",
    Fate.BROKEN: "no longer flaky: it fails always",
}


def _asked_line(one: AskedBefore, *, week: Week) -> Line:
    test_id, title = one.asked.test_id, one.asked.title
    if one.fate is not Fate.FLAKY:
        return _line(test_id, title, SAID[one.fate], week=week, is_urgent=one.fate is Fate.BROKEN)
    detail = f"still flaky, {words.cost(one.n_runs_broken, one.seconds_lost)}"
    before = week.costs_before.get(test_id)
    if before and _grew(before, n_runs_broken=one.n_runs_broken, seconds_lost=one.seconds_lost):
        detail += f"; the week before {words.cost(before.n_runs_broken, before.seconds_lost)}"
    n_weeks = n_weeks_asked(one)
    if n_weeks < STUBBORN_WEEKS:
        return _line(test_id, title, detail, week=week)
    detail += f"; asked {n_weeks} weeks in a row: mend it, mute it or delete it"
    return _line(test_id, title, detail, week=week, is_urgent=True)


# --- the others


def _ending(ending: Sequence[Muted], *, week: Week) -> Section:
    lines = [_line(one.test_id, one.title, _muted(one), week=week) for one in ending]
    return _section("Muting ends within a week", lines, url=week.links.muted)


def _muted(one: Muted) -> str:
    failed = (
        f"failed in {words.n(one.n_failed_since, 'run')} since" if one.n_failed_since else "no failure since"
    )
    return f"until {words.day(one.until_on)}, {failed}: {one.reason}"


def _fixed(rows: Sequence[FlakeRow], *, week: Week) -> Section:
    lines = [_line(row.test.id, row.test.title, "no longer flaky. Thank you.", week=week) for row in rows]
    return _section("Fixed", lines, url=week.links.flaky)


def _slower(shifts: Sequence[ShiftRow], *, week: Week) -> Section:
    lines = [_line(shift.test_id, shift.title, _growth(shift), week=week) for shift in shifts]
    return _section("Slower", lines, url=week.links.slow)


def _growth(shift: ShiftRow) -> str:
    change = f"{words.duration(shift.before_s)} → {words.duration(shift.since_s)}"
    commit = f", at {shift.commit[:7]}" if shift.commit else ""
    return f"{change} since run #{shift.run_number}{commit}"


# --- budget and balance


def budget_section(week: Week) -> Section:
    """List the budgets that are crossed, nearly spent, or crossed soon."""
    tight = [budget for budget in week.budgets if _is_tight(budget, today=week.until)]
    return Section("Budget", tuple(_budget_line(budget, url=week.links.slow) for budget in tight))


def _is_tight(budget: BudgetAnswer, *, today: date) -> bool:
    return _crosses_soon(budget, today=today) or (budget.share or 0) >= WARN_SHARE


def _crosses_soon(budget: BudgetAnswer, *, today: date) -> bool:
    return budget.crosses_on is not None and budget.crosses_on <= today + SOON


def _budget_line(budget: BudgetAnswer, *, url: str) -> Line:
    spent = f"{words.duration(budget.run_s)} of {words.duration(budget.limit_s)} a run"
    if is_over(budget):
        way_back = f"; moving {words.n(budget.n_to_move, 'test')} brings it back" if budget.n_to_move else ""
        return Line(budget.layer.word, f"{spent}, over budget{way_back}", url=url, is_urgent=True)
    ahead = f"; at this pace over it on {words.day(budget.crosses_on)}" if budget.crosses_on else ""
    return Line(budget.layer.word, f"{spent}{ahead}", url=url)


def is_over(budget: BudgetAnswer) -> bool:
    """True when a layer takes more than its budget."""
    return (budget.share or 0) > 1


def balance_section(week: Week) -> Section:
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
    now, before = shares(week.layers), shares(week.layers_before)
    is_known = any(before.values())
    return is_known and any(round(100 * now[layer]) != round(100 * before[layer]) for layer in CORE)


def shares(layers: Iterable[LayerAmount]) -> Mapping[Layer, float]:
    """Return the share of each layer in the shape."""
    return Shape({amount.layer: amount.n_tests for amount in layers}).shares
