"""The shapes a team may want: a band per layer, and how far a suite is from them.

Knows bands, conditions between layers and the distance to both. What a shape is called is left to `shape`,
what to do about it to `advice`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from projects.vocabulary import Layer, TargetKind

CORE = (
    Layer.UNIT,
    Layer.INTEGRATION,
    Layer.E2E,
)  # the layers of the shape; static lies under it, load beside it

TOLERANCE = 1e-9  # what floating point may add to a share


@dataclass(frozen=True, slots=True)
class Band:
    """The shares (0..1) that a target allows a layer, ends included."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"a band needs 0 ≤ low ≤ high ≤ 1, not {self.low} and {self.high}")


@dataclass(frozen=True, slots=True)
class Target:
    """The shape a team wants: a band per layer, and what must hold between layers."""

    kind: TargetKind
    bands: Mapping[Layer, Band]
    largest: Layer | None = None  # no other layer may be larger than this one
    max_gap: float | None = None  # unit and integration differ by at most this share

    def __post_init__(self) -> None:
        if set(self.bands) != set(CORE):
            raise ValueError("a target has a band for unit, integration and e2e")
        if not sum(band.low for band in self.bands.values()) <= 1.0 + TOLERANCE:
            raise ValueError("the low ends of the bands add up to more than everything")
        if not sum(band.high for band in self.bands.values()) >= 1.0 - TOLERANCE:
            raise ValueError("the high ends of the bands add up to less than everything")
        if not _corners(self):
            raise ValueError("no shape meets these bands and conditions together")


# Lines in the plane of (unit, integration), e2e being the rest: a·unit + b·integration ≤ c.
_Line = tuple[float, float, float]
_Point = tuple[float, float]


def distance(shares: Mapping[Layer, float], target: Target) -> float:
    """Return the smallest share of tests that would have to change layer to meet the target."""
    return nearest_point((shares[Layer.UNIT], shares[Layer.INTEGRATION], shares[Layer.E2E]), target)[0]


# --- A small linear programme. Its optimum lies on a crossing of two lines, and there are few: try all.


def _limits(target: Target, scale: float = 1.0) -> list[_Line]:
    """Return the half-planes that bound a target, for shares (scale 1) or for a number of tests."""
    unit, integration, e2e = (target.bands[layer] for layer in CORE)
    lines: list[_Line] = [
        (-1, 0, -unit.low),
        (1, 0, unit.high),
        (0, -1, -integration.low),
        (0, 1, integration.high),
        (1, 1, 1 - e2e.low),
        (-1, -1, e2e.high - 1),
    ]
    lines += {
        None: [],
        Layer.UNIT: [(-1, 1, 0), (-2, -1, -1)],
        Layer.INTEGRATION: [(1, -1, 0), (-1, -2, -1)],
        Layer.E2E: [(2, 1, 1), (1, 2, 1)],
    }[target.largest]
    if target.max_gap is not None:
        lines += [(1, -1, target.max_gap), (-1, 1, target.max_gap)]
    return [(a, b, c * scale) for a, b, c in lines]


def _crossings(lines: Sequence[_Line]) -> list[_Point]:
    points = []
    for (a, b, c), (p, q, r) in combinations(lines, 2):
        turn = a * q - b * p
        if turn:
            points.append(((c * q - b * r) / turn, (a * r - c * p) / turn))
    return points


def _inside(point: _Point, lines: Sequence[_Line], slack: float) -> bool:
    return all(a * point[0] + b * point[1] <= c + slack for a, b, c in lines)


def _corners(target: Target) -> list[_Point]:
    lines = _limits(target)
    return [point for point in _crossings(lines) if _inside(point, lines, TOLERANCE)]


def nearest_point(
    amounts: tuple[float, float, float], target: Target, total: float = 1.0
) -> tuple[float, _Point]:
    """Return how much of `amounts` must leave its layer to meet the target at `total`, and the point met."""
    cost, points = nearest_points(amounts, target, total)
    return cost, points[0]


def nearest_points(
    amounts: tuple[float, float, float], target: Target, total: float = 1.0
) -> tuple[float, list[_Point]]:
    """Return how much must leave its layer, and the corners of all that is met at that cost."""
    unit, integration, e2e = amounts
    limits = _limits(target, total)
    # The cost bends where a layer has exactly what it has now.
    bends: list[_Line] = [(1, 0, unit), (0, 1, integration), (1, 1, total - e2e)]
    slack = TOLERANCE * max(1.0, total)
    points = sorted(point for point in _crossings(limits + bends) if _inside(point, limits, slack))
    costs = [
        max(0.0, unit - x) + max(0.0, integration - y) + max(0.0, e2e - (total - x - y)) for x, y in points
    ]
    best = min(costs)
    return best, [point for point, cost in zip(points, costs, strict=True) if cost <= best + slack]


PYRAMID = Target(
    kind=TargetKind.PYRAMID,
    bands={Layer.UNIT: Band(0.70, 0.80), Layer.INTEGRATION: Band(0.10, 0.20), Layer.E2E: Band(0.05, 0.10)},
)
TROPHY = Target(
    kind=TargetKind.TROPHY,
    bands={Layer.UNIT: Band(0.25, 0.45), Layer.INTEGRATION: Band(0.40, 0.60), Layer.E2E: Band(0.05, 0.20)},
    largest=Layer.INTEGRATION,
)
DIAMOND = Target(
    kind=TargetKind.DIAMOND,
    bands={Layer.UNIT: Band(0.40, 0.50), Layer.INTEGRATION: Band(0.40, 0.50), Layer.E2E: Band(0.02, 0.10)},
    max_gap=0.10,
)
BUILT_IN = (PYRAMID, TROPHY, DIAMOND)
