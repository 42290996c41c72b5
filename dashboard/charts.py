"""Answers as plotly figures, each with the sentence and the table that say the same.

Knows which marks stand for what. Colours are names of CSS tokens in `meta.color`, resolved in the browser, so
that light and dark have one source. Links are `customdata`. Which answers there are is the views' affair.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from analysis.answers.of_flakes import FlakeWeek
from analysis.answers.of_suite import TrendWeek
from analysis.answers.of_tests import ResultRow
from analysis.answers.of_time import ShiftRow
from analysis.answers.rows import LayerAmount
from analysis.shape import Shape, Target
from dashboard.format import count, day_words, duration, percent
from dashboard.tables import Table
from projects.vocabulary import Layer, Outcome

Figure = dict[str, Any]

STACK = (Layer.UNIT, Layer.INTEGRATION, Layer.E2E)  # from the ground up
NO_NAME = "<extra></extra>"  # plotly would repeat the name of the trace
APART = 0.1  # of the longest duration: nearer than that, the words of two lines are one upon the other
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


def _layout(**more: Any) -> Figure:
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
        "layout": _layout(
            barmode="stack",
            bargap=0.12,
            yaxis={"fixedrange": True, "range": [0, 1], "tickformat": ".0%", "nticks": 5},
            xaxis=_week_axis(weeks),
            dragmode="zoom",
        ),
    }
    return Chart("trend", _trend_sentence(weeks, shares, by=by), figure, _trend_table(weeks, shares, by=by))


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
            [_week_url(url, week.monday), amount] for week, amount in zip(weeks, amounts, strict=True)
        ],
        "hovertemplate": "%{y:.0%} · %{customdata[1]}",
        "meta": {"color": f"layer-{layer.word}"},
    }


def _written(week: TrendWeek, layer: Layer, *, by: str) -> str:
    return count(week.n_tests.get(layer, 0)) if by == "count" else duration(week.seconds.get(layer, 0.0))


def _week_url(url: str, monday: date) -> str:
    return f"{url}?since={monday}&until={monday + timedelta(days=6)}"


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
    weeks: Sequence[TrendWeek], shares: Sequence[Mapping[Layer, float] | None], *, by: str
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
        "layout": _layout(
            barmode="relative",
            bargap=0.3,
            xaxis=_week_axis(weeks),
            yaxis={"fixedrange": True, "nticks": 5, "zeroline": True, "tickformat": "d"},
            dragmode="zoom",
        ),
    }
    return Chart("flakes", _flake_sentence(weeks), figure, _flake_table(weeks))


def _flake_table(weeks: Sequence[FlakeWeek]) -> Table:
    return Table(
        "Flaky tests, week by week",
        ("Week from", "New", "Still flaky", "Fixed"),
        tuple(
            (day_words(week.monday), count(week.n_new), count(week.n_still), count(week.n_fixed))
            for week in reversed(weeks)
        ),
        ("week_from", "new", "still_flaky", "fixed"),
        tuple((week.monday, week.n_new, week.n_still, week.n_fixed) for week in reversed(weeks)),
    )


def _flake_sentence(weeks: Sequence[FlakeWeek]) -> str:
    n_new, n_fixed = sum(week.n_new for week in weeks), sum(week.n_fixed for week in weeks)
    n_still = weeks[-1].n_still + weeks[-1].n_new if weeks else 0
    return (
        f"In {len(weeks)} weeks {count(n_new)} tests became flaky and {count(n_fixed)} were fixed; "
        f"{count(n_still)} are flaky in the last."
    )


OUTCOME_MARKS = (
    ("passed", "passed", "circle", 6),
    ("failed", "failed", "x", 8),
    ("error", "error", "triangle-up", 9),
    ("flaky", "flaky", "diamond", 9),
)


LEGEND_ABOVE = {
    "orientation": "h",
    "x": 0,
    "y": 1.12,
    "entrywidth": 56,
    "itemclick": False,
    "itemdoubleclick": False,
}
DAYS_AXIS = {"showgrid": False, "type": "date", "tickformat": "%-d %b", "nticks": 8}


def durations(
    results: Sequence[ResultRow],
    *,
    fast_s: float | None,
    slow_s: float | None,
    run_url: str,
    shifts: Sequence[ShiftRow] = (),
) -> Chart | None:
    """Scatter the results of one Test over time, with the limits of its layer and its shifts as lines.

    None where no result has a time. Moments are UTC; the page draws them in the reader's zone.
    """
    timed = [result for result in results if result.seconds and result.outcome is not Outcome.SKIPPED]
    if not timed:
        return None
    figure = {
        "data": [
            _duration_trace(timed, kind, token, symbol, mark_size, run_url=run_url)
            for kind, token, symbol, mark_size in OUTCOME_MARKS
            if any(_kind(result) == kind for result in timed)
        ],
        "layout": _layout(
            hovermode="closest",
            showlegend=True,
            legend=LEGEND_ABOVE,
            margin={"l": 8, "r": 8, "t": 28, "b": 8},
            xaxis=DAYS_AXIS,
            dragmode="zoom",
            yaxis=_seconds_axis(timed),
            **_lines(timed, fast_s=fast_s, slow_s=slow_s, shifts=shifts),
        ),
    }
    return Chart("durations", _duration_sentence(timed), figure, _duration_table(results))


def _kind(result: ResultRow) -> str:
    return "flaky" if result.is_flaky else result.outcome.word


def _duration_trace(
    results: Sequence[ResultRow], kind: str, token: str, symbol: str, mark_size: int, *, run_url: str
) -> Figure:
    shown = [result for result in results if _kind(result) == kind]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": kind,
        "x": [result.at.isoformat(timespec="seconds") for result in shown],
        "y": [result.seconds for result in shown],
        "customdata": [
            [
                run_url.replace("/0", f"/{result.run_number}"),
                duration(result.seconds),
                f"#{result.run_number}",
            ]
            for result in shown
        ],
        "hovertemplate": f"%{{customdata[2]}} {kind}, %{{customdata[1]}}<br>%{{x|%-d %b %H:%M}}" + NO_NAME,
        "marker": {"symbol": symbol, "size": mark_size, "opacity": 0.55 if kind == "passed" else 1},
        "meta": {"color": token},
    }


def _seconds_axis(results: Sequence[ResultRow]) -> Figure:
    """Return a zero-based axis, or a logarithmic one where a straight one would hide the small values."""
    values = sorted(result.seconds for result in results if result.seconds)
    axis: Figure = {"fixedrange": True, "nticks": 5, "ticksuffix": " s"}
    if values and values[-1] > 50 * values[len(values) // 2]:
        return axis | {"type": "log", "dtick": 1}
    return axis | {"rangemode": "tozero"}


def _lines(
    results: Sequence[ResultRow],
    *,
    fast_s: float | None,
    slow_s: float | None,
    shifts: Sequence[ShiftRow],
) -> Figure:
    limits = _limit_lines(results, fast_s=fast_s, slow_s=slow_s)
    marks = _shift_lines(results, shifts)
    return {name: [*limits[name], *marks[name]] for name in limits}


def _shift_lines(results: Sequence[ResultRow], shifts: Sequence[ShiftRow]) -> Figure:
    """Draw a line where the test began to take longer, or less."""
    began = {result.run_number: result.at for result in results}
    shown = [(began[shift.run_number], shift) for shift in shifts if shift.run_number in began]
    lines = [
        {"type": "line", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "name": "ink-3"}
        for x in (at.isoformat(timespec="seconds") for at, _ in shown)
    ]
    notes = [
        {
            "text": f"{'slower' if shift.is_slower else 'faster'} since #{shift.run_number}",
            "x": at.isoformat(timespec="seconds"),
            "xanchor": "left" if at < results[len(results) // 2].at else "right",
            "yref": "paper",
            "y": 1,
            "yanchor": "top",
            "showarrow": False,
            "name": "ink-2",
        }
        for at, shift in shown
    ]
    return {"shapes": lines, "annotations": notes}


def _limit_lines(results: Sequence[ResultRow], *, fast_s: float | None, slow_s: float | None) -> Figure:
    longest = max((result.seconds or 0 for result in results), default=0)
    is_log = _seconds_axis(results).get("type") == "log"
    lines, notes = [], []
    for words, limit in _limits_shown(longest, fast_s=fast_s, slow_s=slow_s, is_log=is_log):
        lines.append(
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": limit, "y1": limit, "name": "ink-3"}
        )
        notes.append(
            {
                "text": f"{words} {duration(limit)}",
                "xref": "paper",
                "x": 1,
                "xanchor": "right",
                "y": math.log10(limit) if is_log else limit,
                "yanchor": "bottom",
                "showarrow": False,
                "name": "ink-2",
            }
        )
    return {"shapes": lines, "annotations": notes}


def _limits_shown(
    longest: float, *, fast_s: float | None, slow_s: float | None, is_log: bool
) -> list[tuple[str, float]]:
    """Return the limits that the results come near; one far above would flatten them, two at one height hide each other."""
    known = (("slow above", slow_s), ("fast below", fast_s))
    shown = [(words, limit) for words, limit in known if limit is not None and limit <= 3 * longest]
    is_tight = len(shown) == 2 and not is_log and shown[0][1] - shown[1][1] < APART * longest
    return shown[:1] if is_tight else shown


def _duration_sentence(results: Sequence[ResultRow]) -> str:
    values = sorted(result.seconds for result in results if result.seconds)
    if not values:
        return "No timed results."
    return (
        f"{count(len(values))} timed results from {duration(values[0])} to {duration(values[-1])}, "
        f"half of them below {duration(values[len(values) // 2])}."
    )


def _duration_table(results: Sequence[ResultRow]) -> Table:
    newest = sorted(results, key=lambda result: result.at, reverse=True)[:100]
    return Table(
        "Durations of the newest 100 results",
        ("Run", "When (UTC)", "Outcome", "Duration"),
        tuple(
            (f"#{result.run_number}", f"{result.at:%-d %b %H:%M}", _kind(result), duration(result.seconds))
            for result in newest
        ),
        ("run", "at", "outcome", "seconds"),
        tuple((result.run_number, result.at, _kind(result), result.seconds) for result in newest),
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
