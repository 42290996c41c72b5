"""The results of one test over time as a plotly figure: what took how long, its layer's limits, and where it shifted.

Frame, colours and links are as in dashboard.charts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.answers.of_tests import ResultRow
from analysis.answers.of_time import ShiftRow
from dashboard.charts import Chart, Figure, layout
from dashboard.format import count, duration
from dashboard.tables import Table
from projects.vocabulary import Outcome

NO_NAME = "<extra></extra>"  # plotly would repeat the name of the trace
APART = 0.1  # of the longest duration: nearer than that, the words of two lines are one upon the other

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
MINUTE_MS, DAY_MS = 60_000, 86_400_000
DAYS_AXIS = {
    "showgrid": False,
    "type": "date",
    "nticks": 8,
    # Within a few days the times tell the ticks apart; the day stands below the first of its times.
    "tickformatstops": [
        {"dtickrange": [None, MINUTE_MS - 1], "value": "%H:%M:%S\n%-d %b"},
        {"dtickrange": [MINUTE_MS, DAY_MS - 1], "value": "%H:%M\n%-d %b"},
        {"dtickrange": [DAY_MS, None], "value": "%-d %b"},
    ],
}


def durations(
    results: Sequence[ResultRow],
    *,
    fast_s: float | None,
    slow_s: float | None,
    run_url: str,
    shifts: Sequence[ShiftRow] = (),
) -> Chart | None:
    """Scatter the results of one Test over time, with the limits of its layer and its shifts as lines.

    None where no result has a time. `run_url` is what the address of a run begins with. Moments are UTC; the page draws them in
    the reader's zone.
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
        "layout": layout(
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
    return Chart("durations", _duration_sentence(timed), figure, _duration_table(results, run_url=run_url))


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
                f"{run_url}{result.run_number}",
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


def _duration_table(results: Sequence[ResultRow], *, run_url: str) -> Table:
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
        tuple((f"{run_url}{result.run_number}", "", "", "") for result in newest),
    )
