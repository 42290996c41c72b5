"""A plan for the suite as a form states it: tests moved between layers and tests added, read from a URL.

Pure. What a plan leads to is analysis.shape's; this reads its numbers, keeps them possible and says the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis import shape as shapes
from analysis.answers import LayerAmount
from analysis.shape import Move, Outlook
from dashboard.format import count, duration
from projects.vocabulary import Layer

MOST = 1_000_000
MOVES = (
    (Layer.E2E, Layer.INTEGRATION),
    (Layer.E2E, Layer.UNIT),
    (Layer.INTEGRATION, Layer.UNIT),
    (Layer.UNKNOWN, Layer.UNIT),
    (Layer.UNKNOWN, Layer.INTEGRATION),
    (Layer.UNKNOWN, Layer.E2E),
)


@dataclass(frozen=True, slots=True)
class Box:
    """One number of the form; `most` is how many tests there are to move."""

    name: str
    words: str
    value: int
    most: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Tests to move and tests to add."""

    moves: tuple[Box, ...]
    additions: tuple[Box, ...]

    @property
    def is_empty(self) -> bool:
        """True when nothing changes."""
        return not any(box.value for box in (*self.moves, *self.additions))


def read(params: Mapping[str, str], amounts: Sequence[LayerAmount]) -> Plan:
    """Read a plan; a layer gives no more tests than it has, and what is no number is nothing."""
    left = {amount.layer: amount.n_tests for amount in amounts}
    moves = []
    for source, to in MOVES:
        name = f"{source.word}-to-{to.word}"
        most = left.get(source, 0)
        value = min(_number(params.get(name, "")), most)
        left[source] = most - value
        if most or value:
            moves.append(Box(name, f"{source.word} to {to.word}", value, most))
    additions = [
        Box(
            f"add-{layer.word}", f"new {layer.word} tests", _number(params.get(f"add-{layer.word}", "")), MOST
        )
        for layer in shapes.CORE
    ]
    return Plan(tuple(moves), tuple(additions))


def _number(text: str) -> int:
    return min(int(text[:8]), MOST) if text.isascii() and text.isdigit() else 0


def outlook(plan: Plan, amounts: Sequence[LayerAmount]) -> Outlook:
    """Return what the plan leads to; a moved test takes the average of its old layer along."""
    counts = {amount.layer: amount.n_tests for amount in amounts}
    seconds = {amount.layer: amount.seconds for amount in amounts}
    moves = [
        Move(source, to, box.value, seconds=box.value * seconds.get(source, 0.0) / counts[source])
        for box in plan.moves
        for source, to in MOVES
        if box.value and box.name == f"{source.word}-to-{to.word}"
    ]
    additions = {layer: box.value for layer, box in zip(shapes.CORE, plan.additions, strict=True)}
    return shapes.what_if(counts, seconds, moves=moves, additions=additions)


def sentence(result: Outlook, amounts: Sequence[LayerAmount], target: shapes.Target | None) -> str:
    """Say what the plan leads to: its name, its fit and the time it gives back."""
    before = sum(amount.seconds for amount in amounts if amount.layer is not Layer.LOAD)
    after = sum(spent for layer, spent in result.by_time.amounts.items() if layer is not Layer.LOAD)
    text = f"This plan makes {_named(shapes.name(result.by_count))} of {count(result.by_count.total)} tests"
    if target:
        fit = shapes.judge(result.by_count, target).fit
        text += f" that fits the {target.kind.word} target by {fit:.0f} of 100"
    change = after - before
    if abs(change) >= 0.01 * max(before, 1.0):
        verb, more = ("takes", "more ") if change > 0 else ("saves", "")
        text += f", and {verb} {duration(abs(change))} {more}over this window"
    return f"{text}."


def _named(called: str) -> str:
    if called in ("mixed", "undecided", "empty") or called.startswith("mostly"):
        return f"a {called} suite" if called[0] not in "aeiou" else f"an {called} suite"
    return f"an {called}" if called[0] in "aeiou" else f"a {called}"
