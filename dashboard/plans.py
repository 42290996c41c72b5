"""A plan for the suite as a URL states it: tests that would sit in another layer, by name or by number, and tests to write.

Pure. What a plan leads to is analysis.shape's; this reads what is planned, keeps it possible, spells it as a query string
and says the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from analysis import shape as shapes
from analysis.answers.of_time import BudgetAnswer, MarkedTest
from analysis.answers.rows import LayerAmount
from analysis.shape import Move, Outlook
from dashboard.format import count, duration, plural
from projects.vocabulary import Layer

MOST = 1_000_000
MOST_MARKED = 200  # tests named in one plan: browsers and mail keep a URL of 2,000 letters whole
MOVES = (
    (Layer.E2E, Layer.INTEGRATION),
    (Layer.E2E, Layer.UNIT),
    (Layer.INTEGRATION, Layer.UNIT),
    (Layer.UNKNOWN, Layer.UNIT),
    (Layer.UNKNOWN, Layer.INTEGRATION),
    (Layer.UNKNOWN, Layer.E2E),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a URL asks for, before anybody knows whether those tests are there."""

    numbers: Mapping[str, int]
    marks: Mapping[int, Layer]
    n_left_out: int = 0


@dataclass(frozen=True, slots=True)
class Box:
    """One number of the form; `most` is how many tests there are to move."""

    name: str
    words: str
    value: int
    most: int


@dataclass(frozen=True, slots=True)
class Mark:
    """One named test, where it would sit, and the URL of the plan without it."""

    test: MarkedTest
    to: Layer
    without: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Tests to move, by number and by name, and tests to add."""

    moves: tuple[Box, ...]
    additions: tuple[Box, ...]
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True when nothing changes."""
        return not self.marks and not any(box.value for box in (*self.moves, *self.additions))


# --- the URL


def asked(params: Mapping[str, str], *, ticked: Sequence[str] = ()) -> Asked:
    """Read what is planned; `ticked` are tests that a form marks now, for the layer that `as` names."""
    marks: dict[int, Layer] = {}
    for layer in shapes.CORE:
        marks |= dict.fromkeys(map(_number, params.get(f"as-{layer.word}", "").split(".")), layer)
    to = next((layer for layer in shapes.CORE if layer.word == params.get("as")), Layer.UNIT)
    marks |= dict.fromkeys(map(_number, ticked), to)
    marks.pop(0, None)
    names = [*(f"{a.word}-to-{b.word}" for a, b in MOVES), *(f"add-{layer.word}" for layer in shapes.CORE)]
    return Asked(
        numbers={name: value for name in names if (value := min(_number(params.get(name, "")), MOST))},
        marks=dict(list(marks.items())[:MOST_MARKED]),
        n_left_out=max(0, len(marks) - MOST_MARKED) or _number(params.get("left-out", "")),
    )


def _number(text: str) -> int:
    return int(text[:9]) if text.isascii() and text.isdigit() else 0


def spelt(plan: Asked) -> dict[str, str]:
    """Return the parameters that state a plan, without those that say nothing."""
    found = {name: str(value) for name, value in plan.numbers.items()}
    for layer in shapes.CORE:
        ids = sorted(test_id for test_id, to in plan.marks.items() if to is layer)
        if ids:
            found[f"as-{layer.word}"] = ".".join(map(str, ids))
    if plan.n_left_out:
        found["left-out"] = str(plan.n_left_out)
    return found


def joined(*params: Mapping[str, str]) -> str:
    """Return one query string of several parts, "" where they are empty."""
    together = {name: value for part in params for name, value in part.items()}
    return f"?{urlencode(together, safe=',*:/')}" if together else ""


# --- what is possible


def read(
    wanted: Asked,
    amounts: Sequence[LayerAmount],
    tests: Sequence[MarkedTest],
    *,
    beside: Mapping[str, str] | None = None,
) -> Plan:
    """Make a plan of what is asked: a layer gives no more tests than it has, and only tests of the window are named."""
    left = {amount.layer: amount.n_tests for amount in amounts}
    marks = tuple(
        _mark(test, wanted, beside or {}) for test in tests if wanted.marks[test.test_id] is not test.layer
    )
    for mark in _one_each(marks):
        left[mark.test.layer] -= 1
    moves = []
    for source, to in MOVES:
        name = f"{source.word}-to-{to.word}"
        most = max(0, left.get(source, 0))
        value = min(wanted.numbers.get(name, 0), most)
        left[source] = most - value
        if most or value:
            moves.append(Box(name, f"{source.word} to {to.word}", value, most))
    additions = [
        Box(name, f"new {layer.word} tests", wanted.numbers.get(name, 0), MOST)
        for layer in shapes.CORE
        for name in [f"add-{layer.word}"]
    ]
    kept = replace(wanted, marks={mark.test.test_id: mark.to for mark in marks}, n_left_out=0)
    return Plan(tuple(moves), tuple(additions), marks, _notes(wanted, tests), spelt(kept))


def _mark(test: MarkedTest, wanted: Asked, beside: Mapping[str, str]) -> Mark:
    others = {test_id: to for test_id, to in wanted.marks.items() if test_id != test.test_id}
    return Mark(
        test, wanted.marks[test.test_id], joined(beside, spelt(replace(wanted, marks=others, n_left_out=0)))
    )


def _one_each(marks: Sequence[Mark]) -> list[Mark]:
    """Return one mark of each test: rows of several environments are one test."""
    return list({mark.test.base: mark for mark in marks}.values())


def _notes(wanted: Asked, tests: Sequence[MarkedTest]) -> tuple[str, ...]:
    """Say what of a plan could not be kept."""
    notes = []
    if wanted.n_left_out:
        notes.append(
            f"A plan names at most {MOST_MARKED} tests, so {plural(wanted.n_left_out, 'test')} of it "
            f"{'was' if wanted.n_left_out == 1 else 'were'} left out. Move the rest by number."
        )
    n_gone = len(wanted.marks) - len(tests)
    if n_gone:
        notes.append(
            f"{plural(n_gone, 'marked test')} did not run in this window and {'is' if n_gone == 1 else 'are'} not counted."
        )
    n_there = sum(wanted.marks[test.test_id] is test.layer for test in tests)
    if n_there:
        notes.append(f"{plural(n_there, 'marked test')} {'sits' if n_there == 1 else 'sit'} there already.")
    return tuple(notes)


# --- what it leads to


def outlook(plan: Plan, amounts: Sequence[LayerAmount]) -> Outlook:
    """Return what the plan leads to; a moved test is taken to run as long as the average of its new layer."""
    counts = {amount.layer: amount.n_tests for amount in amounts}
    seconds = {amount.layer: amount.seconds for amount in amounts}
    return shapes.what_if(counts, seconds, moves=_moves(plan, counts, seconds), additions=_additions(plan))


def _moves(plan: Plan, counts: Mapping[Layer, int], seconds: Mapping[Layer, float]) -> list[Move]:
    moves = [
        Move(source, to, box.value, seconds=box.value * seconds.get(source, 0.0) / counts[source])
        for box in plan.moves
        for source, to in MOVES
        if box.value and box.name == f"{source.word}-to-{to.word}"
    ]
    spent: dict[str, float] = {}
    for mark in plan.marks:
        spent[mark.test.base] = spent.get(mark.test.base, 0.0) + mark.test.seconds
    return moves + [
        Move(mark.test.layer, mark.to, 1, seconds=spent[mark.test.base]) for mark in _one_each(plan.marks)
    ]


def _additions(plan: Plan) -> dict[Layer, int]:
    return {layer: box.value for layer, box in zip(shapes.CORE, plan.additions, strict=True)}


def sentence(result: Outlook, amounts: Sequence[LayerAmount], target: shapes.Target | None) -> str:
    """Say what the plan leads to: its name, its fit and the time it gives back."""
    before = sum(amount.seconds for amount in amounts if amount.layer is not Layer.LOAD)
    after = sum(spent for layer, spent in result.by_time.amounts.items() if layer is not Layer.LOAD)
    text = f"This plan makes {_named(shapes.name(result.by_count))} of {count(result.by_count.total)} tests"
    if target:
        fit = shapes.judge(result.by_count, target).fit
        text += f" that fits the {target.kind.word} target by {fit:.0f} of 100"
        was = shapes.judge(shapes.Shape({one.layer: one.n_tests for one in amounts}), target).fit
        text += f" ({was:.0f} now)" if round(was) != round(fit) else ", as now"
    change = after - before
    if abs(change) >= 0.01 * max(before, 1.0):
        verb, more = ("takes", "more ") if change > 0 else ("saves", "")
        text += f", and {verb} {duration(abs(change))} {more}over this window"
    return f"{text}."


def _named(called: str) -> str:
    if called in ("mixed", "undecided", "empty") or called.startswith("mostly"):
        return f"a {called} suite" if called[0] not in "aeiou" else f"an {called} suite"
    return f"an {called}" if called[0] in "aeiou" else f"a {called}"


# --- budgets


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """What a layer with a budget would take in a run."""

    layer: Layer
    limit_s: float
    now_s: float
    after_s: float

    @property
    def words(self) -> str:
        """Say the change and where it ends: "back within", "still over"."""
        was, is_ = self.now_s > self.limit_s, self.after_s > self.limit_s
        ends = {(True, True): "still over", (True, False): "back within", (False, True): "now over"}
        return ends.get((was, is_), "within")


def budget_changes(
    plan: Plan, budgets: Sequence[BudgetAnswer], amounts: Sequence[LayerAmount]
) -> tuple[BudgetChange, ...]:
    """Return what each budgeted layer would take in a run: named tests as they run, all others as its average."""
    counts = {amount.layer: amount.n_tests for amount in amounts}
    return tuple(
        BudgetChange(one.layer, one.limit_s, one.run_s, _after(plan, one.layer, one.run_s, counts))
        for one in budgets
        if one.run_s is not None
    )


def _after(plan: Plan, layer: Layer, run_s: float, counts: Mapping[Layer, int]) -> float:
    mean = run_s / counts[layer] if counts.get(layer) else 0.0
    n = _additions(plan).get(layer, 0)
    for box in plan.moves:
        source, _, to = box.name.partition("-to-")
        n += box.value * ((to == layer.word) - (source == layer.word))
    n += sum(mark.to is layer for mark in _one_each(plan.marks))
    freed = sum(mark.test.per_run_s for mark in plan.marks if mark.test.layer is layer)
    return max(0.0, run_s + n * mean - freed)
