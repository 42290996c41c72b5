"""Advice that is arithmetic: the smallest change of a suite that meets its target.

Knows whole tests: "14 more unit tests, or move 6 e2e tests down to integration". What a target is, is left to
`targets`; which tests to move, to the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Literal

from analysis.targets import CORE, Target, nearest_point, nearest_points
from projects.vocabulary import Layer

_Whole = tuple[int, int, int]  # unit, integration, e2e

# The whole-number optimum lies this near the fractional one: the lines of a target have coefficients up to 2,
# so that its determinants stay under 5, and the distance under (number of variables) x (largest determinant).
_REACH = 16
_PATIENCE = 1_000  # totals tried above the fractional minimum: small suites with narrow bands need a few


@dataclass(frozen=True, slots=True)
class Change:
    """So many tests from one layer to another; from None, they are new."""

    source: Layer | None
    to: Layer
    n: int


@dataclass(frozen=True, slots=True)
class Step:
    """One way to meet the target, by moving tests or by adding some."""

    kind: Literal["move", "add"]
    changes: tuple[Change, ...]
    after: Mapping[Layer, int]

    @property
    def n_tests(self) -> int:
        """Return how many tests are moved or written."""
        return sum(change.n for change in self.changes)

    def words(self) -> str:
        """Say the step: "14 more unit tests", "move 6 e2e tests down to integration"."""
        said = [_words(change, is_first=place == 0) for place, change in enumerate(self.changes)]
        return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def advice(counts: Mapping[Layer, int], target: Target) -> list[Step]:
    """Return the ways to meet a target that touch the fewest tests, the smaller first; none where it is met.

    At most two: one that only adds, one that only moves. A way that does not exist (three tests cannot make a
    pyramid by moving) is left out.
    """
    now: _Whole = (counts.get(CORE[0], 0), counts.get(CORE[1], 0), counts.get(CORE[2], 0))
    total = sum(now)
    if not total or _meets(now, total, target):
        return []
    steps = []
    added = _fewest_added(now, target)
    if added is not None:
        steps.append(Step("add", _additions(now, added), _as_counts(added)))
    moved = _fewest_moved(now, total, target)
    if moved is not None:
        steps.append(Step("move", _moves(now, moved[1]), _as_counts(moved[1])))
    return sorted(steps, key=lambda step: step.n_tests)


def advice_sentence(steps: list[Step]) -> str:
    """Join steps as alternatives: "14 more unit tests, or move 6 e2e tests down to integration"."""
    said = ", or ".join(step.words() for step in steps)
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _fewest_moved(now: _Whole, total: int, target: Target) -> tuple[int, _Whole] | None:
    """Return the whole point at `total` that takes the fewest tests out of their layers, and how many."""
    best: tuple[int, int, int, _Whole] | None = None
    for point in _candidates(now, total, target):
        out = sum(max(0, have - want) for have, want in zip(now, point, strict=True))
        changed = sum(have != want for have, want in zip(now, point, strict=True))
        rank = (out, changed, _levels(now, point), point)
        if best is None or rank < best:
            best = rank
    return None if best is None else (best[0], best[3])


def _levels(now: _Whole, point: _Whole) -> int:
    """Count steps between neighbouring layers, and prefer down on a tie (a test further down is cheaper)."""
    up, higher = now[0] - point[0], point[2] - now[2]
    return 4 * (abs(up) + abs(higher)) + up + higher


def _candidates(now: _Whole, total: int, target: Target) -> Iterator[_Whole]:
    """Yield whole points that meet the target near the corners of the fractional optimum, where ties are decided."""
    low, high = _bounds(target, Layer.E2E, total)
    near: set[int] = set()
    for unit, integration in nearest_points(now, target, total)[1]:
        middle = round(total - unit - integration)
        near.update(range(max(low, middle - _REACH), min(high, middle + _REACH) + 1))
    for e2e in sorted(near):
        rest = total - e2e
        least, most = _unit_range(target, total, e2e)
        for wish in (now[0], rest - now[1]):
            point = (min(max(wish, least), most), 0, e2e)
            if least <= most:
                yield (point[0], rest - point[0], e2e)


def _unit_range(target: Target, total: int, e2e: int) -> tuple[int, int]:
    """Return the fewest and most unit tests that meet the target, given the total and its e2e tests."""
    rest = total - e2e
    unit, integration = _bounds(target, Layer.UNIT, total), _bounds(target, Layer.INTEGRATION, total)
    least, most = max(unit[0], rest - integration[1]), min(unit[1], rest - integration[0])
    if target.max_gap is not None:
        gap = floor(_exact(target.max_gap) * total)
        least, most = max(least, -((gap - rest) // 2)), min(most, (rest + gap) // 2)
    if target.largest is Layer.INTEGRATION:
        most = min(most, rest // 2, rest - e2e)
    elif target.largest is Layer.UNIT:
        least = max(least, -(-rest // 2), e2e)
    elif target.largest is Layer.E2E:
        least, most = max(least, rest - e2e), min(most, e2e)
    return least, most


def _bounds(target: Target, layer: Layer, total: int) -> tuple[int, int]:
    band = target.bands[layer]
    return ceil(_exact(band.low) * total), floor(_exact(band.high) * total)


def _exact(share: float) -> Fraction:
    """Return the share that was meant: 0.7 is seven tenths, not the binary number beside it."""
    return Fraction(share).limit_denominator(10_000)


def _meets(now: _Whole, total: int, target: Target) -> bool:
    low, high = _bounds(target, Layer.E2E, total)
    least, most = _unit_range(target, total, now[2])
    return low <= now[2] <= high and least <= now[0] <= most


def _fewest_added(now: _Whole, target: Target) -> _Whole | None:
    """Return the smallest suite that holds this one and meets the target."""
    start = _first_total(now, target)
    if start is None:
        return None
    for total in range(start, start + _PATIENCE):
        found = _fewest_moved(now, total, target)
        if found is not None and found[0] == 0:
            return found[1]
    return None


def _first_total(now: _Whole, target: Target) -> int | None:
    """Return the smallest total at which fractions of tests would do; larger totals do as well."""
    low = high = sum(now)
    while not _fits(now, high, target):
        low, high = high, 2 * high
        if high > 10_000 * sum(now):
            return None  # a band with no room for a layer that has tests: adding never helps
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _fits(now, middle, target) else (middle + 1, high)
    return low


def _fits(now: _Whole, total: int, target: Target) -> bool:
    return nearest_point(now, target, total)[0] <= 1e-6


def _additions(now: _Whole, after: _Whole) -> tuple[Change, ...]:
    grown = zip(CORE, now, after, strict=True)
    return tuple(Change(None, layer, want - have) for layer, have, want in grown if want > have)


def _moves(now: _Whole, after: _Whole) -> tuple[Change, ...]:
    """Pair layers that lose tests with layers that gain them, neighbours first."""
    spare = {layer: have - want for layer, have, want in zip(CORE, now, after, strict=True)}
    changes = []
    pairs = sorted(
        ((a, b) for a in CORE for b in CORE if a != b), key=lambda pair: (abs(pair[0] - pair[1]), -pair[0])
    )
    for source, to in pairs:
        n = min(spare[source], -spare[to])
        if n > 0:
            changes.append(Change(source, to, n))
            spare[source] -= n
            spare[to] += n
    return tuple(changes)


def _as_counts(point: _Whole) -> dict[Layer, int]:
    return dict(zip(CORE, point, strict=True))


GROUPED = "\u202f"  # a narrow no-break space between thousands, as on the pages


def _words(change: Change, *, is_first: bool) -> str:
    tests = "test" if change.n == 1 else "tests"
    n = f"{change.n:,}".replace(",", GROUPED)
    if change.source is None:
        return f"{n} more {change.to.word} {tests}" if is_first else f"{n} {change.to.word} {tests}"
    way = "down" if change.to < change.source else "up"
    verb = "move " if is_first else ""
    return f"{verb}{n} {change.source.word} {tests} {way} to {change.to.word}"
