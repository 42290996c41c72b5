"""Decides what of a project is worth telling: plain values in, things to tell and what is known now out.

Pure. Where the values come from is watch.py's, how a message looks at its place messages.py's. A state (over
budget, off target, silent, refused) is told when it begins and when it ends, and once only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analysis.answers.of_time import BudgetAnswer
from analysis.shape import Judgement
from projects.vocabulary import EventKind, FlakeStatus, Layer
from reports import words

QUIET = timedelta(minutes=2)  # a run's shards and jobs follow one another; one message for all of them
LONGEST_HOLD = timedelta(minutes=10)  # where uploads never pause, news waits no longer than this
SAME_AGAIN = timedelta(hours=24)  # a test that goes back and forth is told once a day
SAME_OUTAGE = timedelta(hours=6)  # runs that fail for one cause are one outage
BACK_IN_BUDGET = 0.95  # of the limit; a layer that hovers at it would be told at every look
LEAST_SILENCE = timedelta(hours=24)
SILENCE_RATIO = 2.0  # times the longest pause between runs; a weekend is in it
ENOUGH_RUNS = 5  # fewer say nothing about how often runs come
REFUSALS = 3  # in a row; one bad report is its sender's affair
REFUSED_FOR = timedelta(hours=1)
NOTHING_SHIFTS = 1.0  # points of a hundred; nearer to the target than this is no departure


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A test's change of status; oldest first where a test has several."""

    test_id: int
    title: str
    before: FlakeStatus
    after: FlakeStatus
    run_number: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Outage:
    """A run in which many tests failed at once."""

    number: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How uploads came lately: the last one, the longest pause between runs before it, and the refusals at its end."""

    last_at: datetime | None = None
    longest_pause: timedelta = timedelta(0)
    n_runs: int = 0
    n_refused: int = 0
    refused_since: datetime | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look at a project found. `told_at` says when a key was told last."""

    now: datetime
    changes: tuple[StatusChange, ...] = ()
    outages: tuple[Outage, ...] = ()
    budgets: tuple[BudgetAnswer, ...] = ()
    judgement: Judgement | None = None
    target: str = ""
    arrivals: Arrivals = Arrivals()
    told_at: Mapping[str, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What was known after the look before; `is_off_target` is None where no look had a shape."""

    over_budget: frozenset[Layer] = frozenset()
    is_off_target: bool | None = None
    is_silent: bool = False
    is_refused: bool = False
    outages: tuple[int, ...] = ()
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One thing to tell: a key that is not told twice in a while, its words, and the page behind it."""

    kind: EventKind
    key: str
    title: str
    detail: str
    page: str
    page_id: int | None = None
    is_good: bool = False


def is_settled(now: datetime, *, first_at: datetime, last_at: datetime) -> bool:
    """True when uploads that came since the last look have paused, or were waited for long enough."""
    return now - last_at >= QUIET or now - first_at >= LONGEST_HOLD


def decide(facts: Facts, known: Known) -> tuple[tuple[Told, ...], Known]:
    """Return what to tell now, and what is known from now on; a first look learns how things stand."""
    budgets, over = _budgets(facts.budgets, known)
    shape, is_off = _shape(facts, known)
    arrivals, is_silent, is_refused = _arrivals(facts, known)
    outages = _outages(facts.outages, known)
    explained = {outage.number for outage in facts.outages}
    found = [*outages, *_tests(facts.changes, explained), *budgets, *shape, *arrivals]
    learned = replace(
        known,
        over_budget=over,
        is_off_target=is_off,
        is_silent=is_silent,
        is_refused=is_refused,
        outages=tuple(sorted(explained)),
        is_first=False,
    )
    return tuple(one for one in found if not _was_told(one, facts)), learned


def _was_told(told: Told, facts: Facts) -> bool:
    """True for what was told a short while ago; ends of a state always follow their beginnings."""
    last = (facts.told_at or {}).get(told.key)
    pause = SAME_OUTAGE if told.kind is EventKind.OUTAGE else SAME_AGAIN
    return last is not None and facts.now - last < pause and told.kind in ONE_A_WHILE


ONE_A_WHILE = frozenset({EventKind.FLAKY, EventKind.BROKEN, EventKind.FIXED, EventKind.OUTAGE})


def _outages(outages: Sequence[Outage], known: Known) -> list[Told]:
    """Tell the newest run of an outage that was not known; the others have the same cause."""
    new = [outage for outage in outages if outage.number not in known.outages]
    if not new or known.is_first:
        return []
    last = max(new, key=lambda outage: outage.number)
    title = f"Many tests failed at once in run #{last.number}"
    return [Told(EventKind.OUTAGE, "outage", title, last.sentence, "run", last.number)]


def _tests(changes: Iterable[StatusChange], explained: set[int]) -> Iterable[Told]:
    """Tell where each test ended, but for those that an outage explains and those that came back to where they were."""
    ends: dict[int, tuple[FlakeStatus, StatusChange]] = {}
    for change in changes:
        if change.run_number in explained:
            continue
        began, _ = ends.get(change.test_id, (change.before, change))
        ends[change.test_id] = (began, change)
    for began, last in ends.values():
        kind = _kind(began, last.after)
        if kind is not None:
            yield Told(
                kind,
                f"{kind.word}:{last.test_id}",
                last.title,
                last.sentence,
                "test",
                last.test_id,
                is_good=kind is EventKind.FIXED,
            )


UNWELL = frozenset({FlakeStatus.FLAKY, FlakeStatus.BROKEN})
WELL = frozenset({FlakeStatus.HEALTHY, FlakeStatus.FIXED})


def _kind(before: FlakeStatus, after: FlakeStatus) -> EventKind | None:
    if before == after:
        return None
    if after is FlakeStatus.FLAKY:
        return EventKind.FLAKY
    if after is FlakeStatus.BROKEN:
        return EventKind.BROKEN
    return EventKind.FIXED if before in UNWELL and after in WELL else None


def _budgets(budgets: Iterable[BudgetAnswer], known: Known) -> tuple[list[Told], frozenset[Layer]]:
    told: list[Told] = []
    over: set[Layer] = set()
    for budget in budgets:
        was_over, share = budget.layer in known.over_budget, budget.share
        is_over = was_over if share is None else share > (BACK_IN_BUDGET if was_over else 1)
        if is_over:
            over.add(budget.layer)
        if is_over != was_over and not known.is_first:
            told.append(_budget(budget, is_over=is_over))
    return told, frozenset(over)


def _budget(budget: BudgetAnswer, *, is_over: bool) -> Told:
    spent = f"{words.duration(budget.run_s)} of {words.duration(budget.limit_s)} a run"
    way_back = (
        f"; moving {words.n(budget.n_to_move, 'test')} brings it back" if is_over and budget.n_to_move else ""
    )
    title = (
        f"{budget.layer.word} is over budget" if is_over else f"{budget.layer.word} is within budget again"
    )
    return Told(
        EventKind.BUDGET, f"budget:{budget.layer.word}", title, spent + way_back, "slow", is_good=not is_over
    )


def _shape(facts: Facts, known: Known) -> tuple[list[Told], bool | None]:
    judged = facts.judgement
    if judged is None or judged.name == "undecided":
        return [], known.is_off_target
    was_off = known.is_off_target
    is_off = not judged.is_inside and (was_off is True or 100 * judged.distance > NOTHING_SHIFTS)
    if was_off is None or is_off == was_off:
        return [], is_off
    if not is_off:
        title, detail = f"The suite is a {facts.target} again", f"fit {judged.fit:.0f}"
    else:
        title, detail = f"The suite left its target, {facts.target}", _misses(judged)
    return [Told(EventKind.SHAPE, "shape", title, detail, "shape", is_good=not is_off)], is_off


def _misses(judged: Judgement) -> str:
    points = [f"{layer.word} {value:.0f} points over" for layer, value in judged.over.items()]
    points += [f"{layer.word} {value:.0f} points under" for layer, value in judged.under.items()]
    return ", ".join([*points, *judged.unmet])


def _arrivals(facts: Facts, known: Known) -> tuple[list[Told], bool, bool]:
    is_silent = _is_silent(facts.arrivals, now=facts.now)
    is_refused = _is_refused(facts.arrivals, now=facts.now)
    told = []
    if is_silent != known.is_silent and not known.is_first:
        told.append(_silence(facts.arrivals, is_silent=is_silent))
    if is_refused != known.is_refused and not known.is_first:
        told.append(_refusal(facts.arrivals, is_refused=is_refused))
    return told, is_silent, is_refused


def _is_silent(arrivals: Arrivals, *, now: datetime) -> bool:
    if arrivals.last_at is None or arrivals.n_runs < ENOUGH_RUNS:
        return False
    return now - arrivals.last_at > max(LEAST_SILENCE, SILENCE_RATIO * arrivals.longest_pause)


def _silence(arrivals: Arrivals, *, is_silent: bool) -> Told:
    last = f"the last came on {arrivals.last_at:%-d %b at %H:%M} UTC" if arrivals.last_at else ""
    title = "Uploads stopped arriving" if is_silent else "Uploads arrive again"
    detail = last if is_silent else ""
    return Told(EventKind.UPLOADS_STOPPED, "silence", title, detail, "uploads", is_good=not is_silent)


def _is_refused(arrivals: Arrivals, *, now: datetime) -> bool:
    if arrivals.refused_since is None:
        return False
    return arrivals.n_refused >= REFUSALS or now - arrivals.refused_since >= REFUSED_FOR


def _refusal(arrivals: Arrivals, *, is_refused: bool) -> Told:
    count = f"The last {arrivals.n_refused} uploads were refused"
    title = (count if arrivals.n_refused > 1 else "The last upload was refused") if is_refused else ""
    return Told(
        EventKind.UPLOADS_REFUSED,
        "refusal",
        title or "Uploads are taken again",
        arrivals.sentence if is_refused else "",
        "uploads",
        is_good=not is_refused,
    )
