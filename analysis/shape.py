"""The shape of a suite: the shares of its layers, the name they earn, how they move, what a plan does.

Knows names and sentences. Bands and distances are in `targets` and the arithmetic of change in `advice`, both
offered here too. Where counts and seconds come from, and how a shape is drawn, is left to others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.advice import Change, Step, advice, advice_sentence
from analysis.targets import BUILT_IN, CORE, DIAMOND, PYRAMID, TOLERANCE, TROPHY, Band, Target, distance
from projects.vocabulary import Layer

__all__ = [
    "BUILT_IN",
    "CORE",
    "DIAMOND",
    "PYRAMID",
    "TROPHY",
    "Band",
    "Change",
    "Judgement",
    "Move",
    "Outlook",
    "Shape",
    "Step",
    "Target",
    "advice",
    "advice_sentence",
    "distance",
    "drift",
    "judge",
    "name",
    "sentence",
    "what_if",
]

UNDECIDED_SHARE = 0.20  # with a fifth of the tests unknown, any name may be wrong
NEAR = 0.10  # a name is earned within ten points of its bands; no suite sits exactly inside
MAJORITY = 0.5
_BY_NAME = (
    PYRAMID,
    DIAMOND,
    TROPHY,
)  # of equals the first: a diamond says more than a trophy


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of each layer there is, in tests or in seconds."""

    amounts: Mapping[Layer, float]

    @property
    def total(self) -> float:
        """Return the amount in the three layers that make the shape."""
        return sum(self.amounts.get(layer, 0) for layer in CORE)

    @property
    def shares(self) -> dict[Layer, float]:
        """Return the shares of unit, integration and e2e; all zero when there is nothing."""
        total = self.total
        return {layer: self.amounts.get(layer, 0) / total if total else 0.0 for layer in CORE}

    @property
    def unknown_share(self) -> float:
        """Return which part of unit, integration, e2e and unknown together is unknown."""
        unknown = self.amounts.get(Layer.UNKNOWN, 0)
        return unknown / (unknown + self.total) if unknown else 0.0

    @property
    def n_static(self) -> float:
        """Return the amount of the static foundation underneath the shape."""
        return self.amounts.get(Layer.STATIC, 0)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a shape is called and how it compares with a target; `over` and `under` are points of 100."""

    name: str
    fit: float
    distance: float
    over: Mapping[Layer, float]
    under: Mapping[Layer, float]
    unmet: tuple[str, ...]
    is_inside: bool


def judge(shape: Shape, target: Target) -> Judgement:
    """Name a shape and measure it against a target; a shape of nothing fits nothing."""
    shares = shape.shares
    if not shape.total:
        return Judgement(name(shape), 0.0, 1.0, {}, {}, (), is_inside=False)
    away = distance(shares, target)
    points = {layer: 100 * (shares[layer] - target.bands[layer].high) for layer in CORE}
    lacks = {layer: 100 * (target.bands[layer].low - shares[layer]) for layer in CORE}
    return Judgement(
        name=name(shape),
        fit=100 * (1 - away),
        distance=away,
        over={layer: value for layer, value in points.items() if value > TOLERANCE},
        under={layer: value for layer, value in lacks.items() if value > TOLERANCE},
        unmet=_unmet(shares, target),
        is_inside=away <= TOLERANCE,
    )


def name(shape: Shape) -> str:
    """Return the name a shape earns, whatever the target.

    Undecided while over a fifth is unknown; inverted pyramid and hourglass by the order of the layers;
    pyramid, trophy or diamond by the nearest bands within ten points (the first of equals); else mostly one
    layer, or mixed.
    """
    if shape.unknown_share > UNDECIDED_SHARE:
        return "undecided"
    if not shape.total:
        return "empty"
    shares = shape.shares
    unit, integration, e2e = (shares[layer] for layer in CORE)
    if e2e >= integration >= unit:
        return "inverted pyramid"
    away, nearest = min(
        ((round(distance(shares, target), 9), target.kind) for target in _BY_NAME), key=lambda pair: pair[0]
    )
    if away <= TOLERANCE:
        return nearest.word
    if integration < min(unit, e2e):
        return "hourglass"
    if away <= NEAR + TOLERANCE:
        return nearest.word
    biggest = max(CORE, key=lambda layer: shares[layer])
    return f"mostly {biggest.word}" if shares[biggest] >= MAJORITY else "mixed"


def _unmet(shares: Mapping[Layer, float], target: Target) -> tuple[str, ...]:
    said = []
    if target.largest is not None and shares[target.largest] < max(shares.values()) - TOLERANCE:
        said.append(f"{target.largest.word} is not the largest layer")
    gap = abs(shares[Layer.UNIT] - shares[Layer.INTEGRATION])
    if target.max_gap is not None and gap > target.max_gap + TOLERANCE:
        said.append(f"unit and integration are {100 * gap:.0f} points apart, over {100 * target.max_gap:.0f}")
    return tuple(said)


# --- sentences

DRIFT_POINTS = 0.02  # two points in a window: less is the coming and going of a few tests
_SPOKEN = {Layer.UNIT: "unit tests", Layer.INTEGRATION: "integration tests", Layer.E2E: "end-to-end tests"}


def sentence(project: str, *, now: Shape, before: Shape | None = None, n_days: int = 30) -> str:
    """Return the verdict: "web is a pyramid, and drifting up: end-to-end tests grew from 4 % to 7 % …"."""
    called = name(now)
    if called == "empty":
        return f"{project} has no tests yet."
    if called == "undecided":
        return f"{project} is undecided: {_percent(now.unknown_share)} of its tests have no known layer."
    return f"{project} is {_article(called)}{drift(now=now, before=before, n_days=n_days)}."


def drift(*, now: Shape, before: Shape | None, n_days: int = 30) -> str:
    """Return how the shape moved, as the end of a sentence; empty where there is nothing to compare with."""
    if before is None or not before.total or not now.total:
        return ""
    was, shares = before.shares, now.shares
    change = {layer: shares[layer] - was[layer] for layer in CORE}
    moved = max(CORE, key=lambda layer: abs(change[layer]))
    if abs(change[moved]) < DRIFT_POINTS:
        return ", and holding its shape"
    rise = 2 * change[Layer.E2E] + change[Layer.INTEGRATION]
    way = "drifting up" if rise > TOLERANCE else "drifting down" if rise < -TOLERANCE else "changing"
    grew = max(CORE, key=lambda layer: change[layer]) if rise <= 0 else _riser(change)
    verb = "grew" if change[grew] > 0 else "shrank"
    change_words = f"{verb} from {_percent(was[grew])} to {_percent(shares[grew])} in {n_days} days"
    return f", and {way}: {_SPOKEN[grew]} {change_words}"


def _riser(change: Mapping[Layer, float]) -> Layer:
    """Return the upper layer that grew most: the one that pulls the shape up."""
    return max((Layer.E2E, Layer.INTEGRATION), key=lambda layer: change[layer])


def _article(called: str) -> str:
    if called == "mixed" or called.startswith("mostly"):
        return called
    return f"an {called}" if called[0] in "aeiou" or called == "hourglass" else f"a {called}"


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 1 or not percent else f"{percent:.1f} %"


# --- what if


@dataclass(frozen=True, slots=True)
class Move:
    """Tests that would sit in another layer; without `seconds_after` they take the average of that layer."""

    source: Layer
    to: Layer
    n: int
    seconds: float = 0.0
    seconds_after: float | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a plan would lead to."""

    by_count: Shape
    by_time: Shape
    over_budget_s: Mapping[Layer, float] = field(default_factory=dict)


def what_if(
    counts: Mapping[Layer, int],
    seconds: Mapping[Layer, float],
    *,
    moves: Sequence[Move] = (),
    additions: Mapping[Layer, int] | None = None,
    budgets_s: Mapping[Layer, float] | None = None,
) -> Outlook:
    """Recompute shape, time and budgets as if tests had moved and new ones, of average length, were there."""
    n: dict[Layer, float] = {layer: counts.get(layer, 0) for layer in Layer}
    spent = {layer: seconds.get(layer, 0.0) for layer in Layer}
    mean = {layer: spent[layer] / n[layer] if n[layer] else 0.0 for layer in Layer}
    for move in moves:
        n[move.source] -= move.n
        n[move.to] += move.n
        spent[move.source] -= move.seconds
        spent[move.to] += move.n * mean[move.to] if move.seconds_after is None else move.seconds_after
    for layer, added in (additions or {}).items():
        n[layer] += added
        spent[layer] += added * mean[layer]
    over = {layer: spent[layer] - limit for layer, limit in (budgets_s or {}).items() if spent[layer] > limit}
    if min(n.values()) < 0:
        raise ValueError("a plan cannot move more tests than a layer has")
    return Outlook(Shape(n), Shape({layer: max(0.0, value) for layer, value in spent.items()}), over)
