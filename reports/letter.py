"""Composes the weekly letter: what stands around its sections, in which words, and what its subject says.

Pure: a Week in, a frozen Letter out. Where the values come from is weekly.py's, what each section says sections.py's;
how a Letter looks is look.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.answers.rows import LayerAmount
from analysis.targets import CORE
from reports import sections as parts
from reports import words
from reports.sections import Section
from reports.week import Asked, Fate, Links, Own, Week, seen_by

BRACKETS = "In brackets: the week before."
OWNERS_NAMED = 3  # a reader knows which names are theirs


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
class Letter:
    """One week of one project, in words; `whose` tells a reader which tests are theirs."""

    subject: str
    preheader: str
    project: str
    dates: str
    scope: str
    verdict: str
    whose: str
    figures: tuple[Figure, ...]
    bars: tuple[Bar, ...]
    sections: tuple[Section, ...]
    note: str
    closing: str
    why: str
    asked: tuple[Asked, ...]
    is_calm: bool
    links: Links


def compose(week: Week, *, own: Own | None = None) -> Letter:
    """Return the letter that a week earns: its news, or one calm line. `own` tells which tests are the reader's."""
    week = seen_by(week, own) if own else week
    if not week.totals.n_runs:
        return _silence(week)
    sections = parts.sections(week)
    is_calm = not sections
    has_frame = not is_calm and not _is_only(week)
    return Letter(
        subject=_subject(week, ", ".join(_news(week)) or "a calm week"),
        preheader=_calm_line(week) if is_calm else _preheader(week),
        project=week.project,
        dates=words.dates(week.since, week.until),
        scope=f"{week.branch} · {words.n(week.totals.n_runs, 'run')}, {words.n(week.totals.n_tests, 'test')}",
        verdict=_calm_line(week) if is_calm else week.verdict,
        whose=_whose(week, sections),
        figures=_figures(week) if has_frame else (),
        bars=_bars(week.layers, before=week.layers_before) if has_frame else (),
        sections=sections,
        note=BRACKETS if has_frame else "",
        closing="" if is_calm else _closing(week),
        why=_why(week),
        asked=_to_ask(week),
        is_calm=is_calm,
        links=week.links,
    )


def _silence(week: Week) -> Letter:
    """Return what a preview shows for a week without runs, which sends nothing."""
    line = f"No runs on {week.branch} in these days, so no letter goes out."
    return Letter(
        subject=_subject(week, "no runs"),
        preheader=line,
        project=week.project,
        dates=words.dates(week.since, week.until),
        scope=week.branch,
        verdict=line,
        whose="",
        figures=(),
        bars=(),
        sections=(),
        note="",
        closing="",
        why=_why(week),
        asked=(),
        is_calm=True,
        links=week.links,
    )


def _subject(week: Week, news: str) -> str:
    whose = ", your tests" if _is_only(week) else ""
    return f"{week.project}{whose}: {news} (week {week.until.isocalendar().week})"


# --- the reader's own


def _is_only(week: Week) -> bool:
    return week.own is not None and week.own.is_only


def _whose(week: Week, sections: Sequence[Section]) -> str:
    """Tell a reader with tests of their own how many of those below are these."""
    if week.own is None:
        return ""
    owners = _owners(week.own.owners)
    if week.own.is_only:
        return f"Only tests of {owners}."
    n_own = sum(line.is_own for section in sections for line in section.lines)
    if not n_own:
        return f"None of the tests of {owners} is among these." if sections else ""
    return f"{words.number(n_own)} of these {'is' if n_own == 1 else 'are'} yours: {owners}."


def _owners(owners: Sequence[str]) -> str:
    named = ", ".join(owners[:OWNERS_NAMED])
    n_more = len(owners) - OWNERS_NAMED
    return f"{named} and {n_more} more" if n_more > 0 else named


def _why(week: Week) -> str:
    """Say why the reader gets the letter."""
    if week.own is None:
        return f"You get this because you are a member of {week.project}."
    return f"You get this because tests of {_owners(week.own.owners)} in {week.project} are yours."


# --- numbers


def _bars(layers: Sequence[LayerAmount], *, before: Sequence[LayerAmount]) -> tuple[Bar, ...]:
    """Return a bar for each layer of the shape, the top of the pyramid first."""
    now, then = parts.shares(layers), parts.shares(before)
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


# --- lines


def _news(week: Week) -> list[str]:
    """Return at most two pieces of news, the heaviest first: a subject line has room for no more."""
    found = parts.unreliable(week)
    n_own = sum(week.is_own(row.test.id) for row in week.flaky)
    n_weeks = [n for n in map(parts.n_weeks_asked, week.asked) if n >= parts.STUBBORN_WEEKS]
    news = [f"{n_own} of yours to fix"] if n_own else []
    if n_weeks:  # a test that nobody mends in weeks is what the letter is for
        news.append(f"{words.n(len(n_weeks), 'test')} unfixed for {max(n_weeks)} weeks")
    if found.new:
        news.append(words.n(len(found.new), "new flaky test"))
    news += [f"{budget.layer.word} over budget" for budget in week.budgets if parts.is_over(budget)][:1]
    if found.relapsed:
        news.append(f"{words.n(len(found.relapsed), 'test')} relapsed")
    if week.flaky and not (found.new or n_own or n_weeks):
        news.append(f"{words.n(len(week.flaky), 'flaky test')} to fix")
    return (news + _lesser_news(week))[:2]


def _lesser_news(week: Week) -> list[str]:
    n_done = parts.n_done(week.asked)
    news = [f"{n_done} of {len(week.asked)} done"] if n_done else []
    if week.slower:
        news.append(words.n(len(week.slower), "slower test"))
    if week.fixed:
        news.append(f"{words.n(len(week.fixed), 'test')} fixed")
    if week.ending:
        news.append(f"muting of {words.n(len(week.ending), 'test')} ends")
    if not news and parts.budget_section(week).lines:
        news.append("a budget nearly spent")
    return news or (["the balance moved"] if parts.balance_section(week).lines else [])


def _preheader(week: Week) -> str:
    """Return what a mail program shows beside the subject: the dearest thing to do."""
    if week.flaky:
        worst = week.flaky[0]
        return f"Dearest: {worst.test.title}, {words.cost(worst.n_runs_broken, worst.seconds_lost)}."
    return week.verdict


def _calm_line(week: Week) -> str:
    if _is_only(week):
        return f"A calm week for your tests: {words.n(week.totals.n_runs, 'run')}, nothing of yours to fix."
    return (
        f"A calm week: {words.n(week.totals.n_runs, 'run')} of {words.n(week.totals.n_tests, 'test')}, "
        f"{words.percent(week.totals.pass_rate)} passed, nothing new to fix."
    )


def _closing(week: Week) -> str:
    lost = sum(row.seconds_lost for row in week.flaky)
    if not lost:
        return ""
    whose = "Your flaky tests" if _is_only(week) else "Flaky tests"
    return f"{whose} cost about {words.duration(lost)} of re-running this week."


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
    return tuple((asked + unseen)[: parts.MOST_LINES])
