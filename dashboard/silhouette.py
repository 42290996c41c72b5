"""The Shape as a picture: where the centred bars of a silhouette begin and end, and where a target wants that.

Pure. Knows geometry and words for a template; what a shape is called and wants is analysis.shape's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis import shape as shapes
from analysis.answers.rows import LayerAmount
from analysis.shape import Shape, Target
from dashboard.format import THIN, count, duration, percent
from projects.vocabulary import Layer, TargetKind

WIDTH = 1000  # units of the SVG; it is stretched to its box
LEAST_BAR = 6  # a layer that exists is seen, however small
HEADROOM = 1.04  # the widest bar or outline keeps this far from the edge
TOP_DOWN = (Layer.E2E, Layer.INTEGRATION, Layer.UNIT)


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle in a row: its left end and its width."""

    x: float
    width: float

    @property
    def end(self) -> float:
        """Return the right end."""
        return round(self.x + self.width, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One layer of the silhouette; `bands` are the two places where the bar's ends should fall."""

    layer: Layer
    bar: Piece
    bands: tuple[Piece, ...]
    value: str
    share: str
    fit: str
    is_off: bool
    is_base: bool


@dataclass(frozen=True, slots=True)
class Silhouette:
    """A Shape ready to draw: by count or by time, its rows from the top, and a sentence in its place."""

    by: str
    name: str
    fit: float | None
    rows: tuple[Row, ...]
    sentence: str
    note: str
    total: str

    @property
    def is_empty(self) -> bool:
        """True where there is nothing to draw: no test of the layers, or none with a time."""
        return not any(row.bar.width for row in self.rows)

    @property
    def nothing(self) -> str:
        """Say so, in place of the picture."""
        return (
            "No report said how long its tests took."
            if self.by == "time"
            else "No test is in a layer of the shape."
        )


def amounts_by_count(amounts: Sequence[LayerAmount]) -> Shape:
    """Return the Shape of how many tests there are."""
    return Shape({amount.layer: amount.n_tests for amount in amounts})


def amounts_by_time(amounts: Sequence[LayerAmount]) -> Shape:
    """Return the Shape of how long they run."""
    return Shape({amount.layer: amount.seconds for amount in amounts})


def draw(shape: Shape, target: Target | None, *, by: str) -> Silhouette:
    """Lay out a silhouette: e2e on top, unit below, then the static foundation and what is unknown."""
    shares = shape.shares
    scale = WIDTH / (HEADROOM * _widest(shape, target))
    judgement = shapes.judge(shape, target) if target else None
    core = [
        _core_row(layer, shape, shares[layer], target, judgement, by=by, scale=scale) for layer in TOP_DOWN
    ]
    base = [
        _base_row(layer, shape, by=by, scale=scale)
        for layer in (Layer.STATIC, Layer.UNKNOWN)
        if shape.amounts.get(layer)
    ]
    return Silhouette(
        by=by,
        name=shapes.name(shape),
        fit=judgement.fit if judgement and shape.total else None,
        rows=(*core, *base),
        sentence=_sentence(shares, by=by),
        note=_load_note(shape, by=by),
        total=_amount(shape.total, by=by),
    )


def _widest(shape: Shape, target: Target | None) -> float:
    beside = (
        [shape.amounts.get(layer, 0) / shape.total for layer in (Layer.STATIC, Layer.UNKNOWN)]
        if shape.total
        else []
    )
    highs = [band.high for band in target.bands.values()] if target else []
    return min(1.0, max([0.5, *shape.shares.values(), *beside, *highs]))


def _core_row(
    layer: Layer,
    shape: Shape,
    share: float,
    target: Target | None,
    judgement: shapes.Judgement | None,
    *,
    by: str,
    scale: float,
) -> Row:
    amount = shape.amounts.get(layer, 0)
    bands: tuple[Piece, ...] = ()
    if target:
        band = target.bands[layer]
        bands = _bands(band.low * scale, band.high * scale)
    fit, is_off = _fit(layer, target, judgement)
    return Row(
        layer=layer,
        bar=_centred(share * scale, exists=amount > 0),
        bands=bands,
        value=_amount(amount, by=by),
        share=percent(share) if shape.total else "–",
        fit=fit,
        is_off=is_off,
        is_base=False,
    )


def _base_row(layer: Layer, shape: Shape, *, by: str, scale: float) -> Row:
    amount = shape.amounts.get(layer, 0)
    share = amount / shape.total if shape.total else 0.5
    return Row(
        layer=layer,
        bar=_centred(min(WIDTH, share * scale), exists=amount > 0),
        bands=(),
        value=_amount(amount, by=by),
        share=percent(shape.unknown_share) if layer is Layer.UNKNOWN else "",
        fit="",
        is_off=False,
        is_base=True,
    )


def _centred(width: float, *, exists: bool) -> Piece:
    width = max(width, LEAST_BAR) if exists else 0.0
    return Piece(round((WIDTH - width) / 2, 1), round(width, 1))


def _bands(low: float, high: float) -> tuple[Piece, ...]:
    """Return the left and the right place where an end of the bar is inside the band."""
    reach = round((high - low) / 2, 1)
    left = round((WIDTH - high) / 2, 1)
    return Piece(left, reach), Piece(round(WIDTH - left - reach, 1), reach)


def _fit(layer: Layer, target: Target | None, judgement: shapes.Judgement | None) -> tuple[str, bool]:
    if target is None or judgement is None or judgement.name == "empty":
        return "", False
    band = target.bands[layer]
    wanted = f"{100 * band.low:.0f}–{100 * band.high:.0f}{THIN}%"
    if layer in judgement.over:
        return f"{_points(judgement.over[layer])} over {wanted}", True
    if layer in judgement.under:
        return f"{_points(judgement.under[layer])} under {wanted}", True
    return f"inside {wanted}", False


def _points(points: float) -> str:
    return f"{points:.0f} pt" if points >= 1 else "<1 pt"


def _amount(amount: float, *, by: str) -> str:
    return count(amount) if by == "count" else duration(amount)


def _sentence(shares: Mapping[Layer, float], *, by: str) -> str:
    said = ", ".join(f"{layer.word} {percent(shares[layer])}" for layer in TOP_DOWN)
    return f"The shape by {by}: {said}."


def foundation(shape: Shape, target: Target | None) -> str:
    """Say how broad the static foundation is; a trophy without one is told so, other shapes need none."""
    n = shape.n_static
    if n:
        checks = f"{count(n)} static check{'' if n == 1 else 's'} lie{'s' if n == 1 else ''} underneath"
        beside = f", {count(100 * n / shape.total)} for every 100 tests" if shape.total else ""
        return f"{checks}{beside}."
    if target is not None and target.kind is TargetKind.TROPHY:
        return "No static checks lie underneath: send what linters and type checkers find, too."
    return ""


def _load_note(shape: Shape, *, by: str) -> str:
    load = shape.amounts.get(Layer.LOAD, 0)
    if not load:
        return ""
    amount = f"{count(load)} load tests stand" if by == "count" else f"{duration(load)} of load tests stand"
    return f"{amount} outside the shape."
