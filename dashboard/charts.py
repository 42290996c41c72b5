"""Answers as plotly figures, each with the sentence and the table that say the same.

Knows which marks stand for what. Colours are names of CSS tokens in `meta.color`, resolved in the browser, so
that light and dark have one source. Links are `customdata`. Which answers there are is the views' affair.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from analysis.answers.of_flakes import FlakeWeek
from analysis.answers.of_suite import TrendWeek
from analysis.answers.rows import LayerAmount
from analysis.shape import Shape, Target
from dashboard.format import count, day_words, duration, percent
from dashboard.tables import Table
from projects.vocabulary import Layer

Figure = dict[str, Any]

STACK = (Layer.UNIT, Layer.INTEGRATION, Layer.E2E)  # from the ground up
TWO_WEEKS_MS = 14 * 24 * 3600 * 1000
JSON_ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with a name for anchors, a sentence in place of the picture, and its table."""

    name: str
    sentence: str
    figure: Figure
    table: Table

    @property
    def json(self) -> SafeString:
        """Return the figure for a script element that holds data."""
        text = json.dumps(self.figure, separators=(",", ":"))
        return mark_safe(text.translate(JSON_ESCAPES))  # noqa: S308  nothing can close the element


def layout(**more: Any) -> Figure:
    """Return what the figures have in common."""
    return {
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": False,
        "hovermode": "x unified",
        "dragmode": False,
        "xaxis": {"showgrid": False, "fixedrange": True},
        "yaxis": {"fixedrange": True, "rangemode": "tozero", "nticks": 5},
    } | more


def _week_axis(weeks: Sequence[TrendWeek] | Sequence[FlakeWeek]) -> Figure:
    """Tick every second Monday: plotly would tick Sundays."""
    axis: Figure = {"showgrid": False, "type": "date", "tickformat": "%-d %b", "dtick": TWO_WEEKS_MS}
    return axis | ({"tick0": weeks[-1].monday.isoformat()} if weeks else {})


def trend(weeks: Sequence[TrendWeek], *, by: str, url: str) -> Chart:
    """Stack the shares of the layers over weeks; a week without runs is a gap."""
    shares = [_shares(week, by=by) for week in weeks]
    figure = {
        "data": [_trend_trace(weeks, shares, layer, by=by, url=url) for layer in STACK],
        "layout": layout(
            barmode="stack",
            bargap=0.12,
            yaxis={"fixedrange": True, "range": [0, 1], "tickformat": ".0%", "nticks": 5},
            xaxis=_week_axis(weeks),
            dragmode="zoom",
        ),
    }
    return Chart(
        "trend", _trend_sentence(weeks, shares, by=by), figure, _trend_table(weeks, shares, by=by, url=url)
    )


def _shares(week: TrendWeek, *, by: str) -> dict[Layer, float] | None:
    amounts: Mapping[Layer, float] = week.n_tests if by == "count" else week.seconds
    total = sum(amounts.get(layer, 0) for layer in STACK)
    return {layer: amounts.get(layer, 0) / total for layer in STACK} if total else None


def _trend_trace(
    weeks: Sequence[TrendWeek],
    shares: Sequence[Mapping[Layer, float] | None],
    layer: Layer,
    *,
    by: str,
    url: str,
) -> Figure:
    amounts = [_written(week, layer, by=by) for week in weeks]
    return {
        "type": "bar",
        "name": layer.word,
        "x": [week.monday.isoformat() for week in weeks],
        "y": [share[layer] if share else None for share in shares],
        "customdata": [
            [_layer_url(url, week.monday, layer), amount] for week, amount in zip(weeks, amounts, strict=True)
        ],
        "hovertemplate": "%{y:.0%} · %{customdata[1]}",
        "meta": {"color": f"layer-{layer.word}"},
    }


def _written(week: TrendWeek, layer: Layer, *, by: str) -> str:
    return count(week.n_tests.get(layer, 0)) if by == "count" else duration(week.seconds.get(layer, 0.0))


def _week_url(url: str, monday: date) -> str:
    return f"{url}?since={monday}&until={monday + timedelta(days=6)}"


def _layer_url(url: str, monday: date, layer: Layer) -> str:
    return f"{_week_url(url, monday)}&layer={layer.word}"


def _trend_sentence(
    weeks: Sequence[TrendWeek], shares: Sequence[Mapping[Layer, float] | None], *, by: str
) -> str:
    known = [share for share in shares if share]
    if not known:
        return "No runs in these weeks."
    moved = ", ".join(
        f"{layer.word} {percent(known[0][layer])} to {percent(known[-1][layer])}" for layer in reversed(STACK)
    )
    return f"Shares of the layers by {by} over {len(weeks)} weeks: {moved}."


def _trend_table(
    weeks: Sequence[TrendWeek], shares: Sequence[Mapping[Layer, float] | None], *, by: str, url: str
) -> Table:
    rows = []
    for week, share in zip(reversed(weeks), reversed(shares), strict=True):
        cells = [
            f"{_written(week, layer, by=by)} ({percent(share[layer])})" if share else "–"
            for layer in reversed(STACK)
        ]
        rows.append((day_words(week.monday), *cells, count(week.n_runs)))
    words = [layer.word for layer in reversed(STACK)]
    unit = "tests" if by == "count" else "seconds"
    records = tuple(
        (
            week.monday,
            *((week.n_tests if by == "count" else week.seconds).get(layer, 0) for layer in reversed(STACK)),
            *(share[layer] if share else None for layer in reversed(STACK)),
            week.n_runs,
        )
        for week, share in zip(reversed(weeks), reversed(shares), strict=True)
    )
    return Table(
        f"Layers by {by}, week by week",
        ("Week from", *words, "Runs"),
        tuple(rows),
        ("week_from", *(f"{word}_{unit}" for word in words), *(f"{word}_share" for word in words), "runs"),
        records,
        tuple(
            (
                _week_url(url, week.monday),
                *(_layer_url(url, week.monday, layer) for layer in reversed(STACK)),
                "",
            )
            if week.n_runs
            else ("",) * (len(STACK) + 2)
            for week in reversed(weeks)
        ),
    )


def flake_weeks(weeks: Sequence[FlakeWeek], *, url: str) -> Chart:
    """Stack new over still flaky tests, with the fixed ones below the line."""
    kinds = (
        ("still flaky", "flaky", [week.n_still for week in weeks]),
        ("new", "failed", [week.n_new for week in weeks]),
        ("fixed", "passed", [-week.n_fixed for week in weeks]),
    )
    figure = {
        "data": [
            {
                "type": "bar",
                "name": name,
                "x": [week.monday.isoformat() for week in weeks],
                "y": values,
                "customdata": [
                    [_week_url(url, week.monday), abs(n)] for week, n in zip(weeks, values, strict=True)
                ],
                "hovertemplate": "%{customdata[1]}",
                "meta": {"color": token},
            }
            for name, token, values in kinds
        ],
        "layout": layout(
            barmode="relative",
            bargap=0.3,
            xaxis=_week_axis(weeks),
            yaxis={"fixedrange": True, "nticks": 5, "zeroline": True, "tickformat": "d"},
            dragmode="zoom",
        ),
    }
    return Chart("flakes", _flake_sentence(weeks), figure, _flake_table(weeks, url=url))


def _flake_table(weeks: Sequence[FlakeWeek], *, url: str) -> Table:
    return Table(
        "Flaky tests, week by week",
        ("Week from", "New", "Still flaky", "Fixed"),
        tuple(
            (day_words(week.monday), count(week.n_new), count(week.n_still), count(week.n_fixed))
            for week in reversed(weeks)
        ),
        ("week_from", "new", "still_flaky", "fixed"),
        tuple((week.monday, week.n_new, week.n_still, week.n_fixed) for week in reversed(weeks)),
        tuple((_week_url(url, week.monday), "", "", "") for week in reversed(weeks)),
    )


def _flake_sentence(weeks: Sequence[FlakeWeek]) -> str:
    n_new, n_fixed = sum(week.n_new for week in weeks), sum(week.n_fixed for week in weeks)
    n_still = weeks[-1].n_still + weeks[-1].n_new if weeks else 0
    return (
        f"In {len(weeks)} weeks {count(n_new)} tests became flaky and {count(n_fixed)} were fixed; "
        f"{count(n_still)} are flaky in the last."
    )


def shape_table(amounts: Sequence[LayerAmount], target: Target | None, *, by: str) -> Table:
    """Return the numbers behind a silhouette."""
    shape = Shape({known.layer: known.n_tests if by == "count" else known.seconds for known in amounts})
    rows, records = [], []
    for layer in reversed(Layer):
        amount = shape.amounts.get(layer, 0)
        if not amount and layer not in STACK:
            continue
        written = count(amount) if by == "count" else duration(amount)
        share = percent(shape.shares[layer], 1) if layer in STACK else "–"
        band = target.bands[layer] if target and layer in STACK else None
        rows.append(
            (layer.word, written, share, f"{percent(band.low)}–{percent(band.high)}" if band else "–")
        )
        limits = (band.low, band.high) if band else (None, None)
        records.append((layer, amount, shape.shares[layer] if layer in STACK else None, *limits))
    columns = ("Layer", "Tests" if by == "count" else "Time", "Share", "Target")
    fields = ("layer", "tests" if by == "count" else "seconds", "share", "target_low", "target_high")
    return Table(f"The shape by {by}", columns, tuple(rows), fields, tuple(records))
