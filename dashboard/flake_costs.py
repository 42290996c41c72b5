"""What flakes cost a window, as tiles beside the window before, and how many are new, fixed or back.

Pure: answers in, words out.
"""

from __future__ import annotations

from analysis.answers.of_flakes import FlakeRow, FlakeTotals
from analysis.window import Window
from dashboard.format import Tone, count, duration
from dashboard.verdicts import Tile, count_delta, time_delta
from projects.vocabulary import FlakeStatus


def tiles(totals: FlakeTotals, window: Window) -> list[Tile]:
    """Return what flakes cost, each number with its change; none where they cost nothing now or before."""
    before = totals.before
    if not (totals.n_runs_broken or totals.seconds_lost or (before.n_runs_broken if before else None)):
        return []
    plain = window.without_filters
    return [
        Tile(
            "Runs broken",
            count(totals.n_runs_broken),
            plain.query(sort="-runs"),
            count_delta(totals.n_runs_broken, before.n_runs_broken if before else None, more=Tone.WORSE),
            "runs-broken",
        ),
        _time(
            "Machines' time lost",
            totals.seconds_lost,
            before.seconds_lost if before else None,
            plain.query(sort="-cost"),
            "time-lost",
        ),
        _time(
            "People's time",
            totals.developer_s,
            before.developer_s if before else None,
            plain.query(sort="-people"),
            "developer-time",
        ),
        _time(
            "Waited for green",
            totals.waited_s,
            before.waited_s if before else None,
            plain.query(sort="-runs"),
            "waiting",
        ),
    ]


def _time(word: str, seconds: float, before_s: float | None, url: str, definition: str) -> Tile:
    return Tile(word, duration(seconds), url, time_delta(seconds, before_s), definition)


def turns(totals: FlakeTotals) -> str:
    """Say how many tests became flaky, were found fixed, and came back."""
    said = [
        f"{count(n)} {words}"
        for n, words in (
            (totals.n_new, "new"),
            (totals.n_relapsed, "back after a fix"),
            (totals.n_fixed, "fixed"),
        )
        if n
    ]
    return ", ".join(said)


def why(row: FlakeRow) -> str:
    """Say why the test has its status, and what sets its environment apart."""
    apart = row.only_here if row.status is FlakeStatus.ENVIRONMENT_SPECIFIC else ""
    return f"{apart[:1].upper()}{apart[1:]}. {row.sentence}" if apart else row.sentence
