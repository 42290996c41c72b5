"""What flakes cost a window, as tiles beside the window before, and how many are new, fixed or back.

Pure: answers in, words out.
"""

from __future__ import annotations

from analysis.answers.of_flakes import FlakeRow, FlakeTotals
from analysis.window import Window
from dashboard.format import Tone, count, duration
from dashboard.tiles import Tile, count_delta, time_delta
from projects.vocabulary import FlakeStatus


def tiles(totals: FlakeTotals, window: Window) -> list[Tile]:
    """Return what flakes cost, each number with its change; none where they cost nothing now or before."""
    before = totals.before
    if not (totals.n_runs_broken or totals.seconds_lost or (before.n_runs_broken if before else None)):
        return []
    plain = window.without_filters
    runs = Tile(
        "Runs broken",
        count(totals.n_runs_broken),
        plain.query(sort="-runs"),
        count_delta(totals.n_runs_broken, before.n_runs_broken if before else None, more=Tone.WORSE),
        "runs-broken",
    )
    lost, people, waited = (
        (before.seconds_lost, before.developer_s, before.waited_s) if before else (None, None, None)
    )
    times = (
        ("Machines' time lost", totals.seconds_lost, lost, "-cost", "time-lost"),
        ("People's time", totals.developer_s, people, "-people", "developer-time"),
        ("Waited for green", totals.waited_s, waited, "-runs", "waiting"),
    )
    return [
        runs,
        *(
            Tile(word, duration(seconds), plain.query(sort=sort), time_delta(seconds, then), anchor)
            for word, seconds, then, sort, anchor in times
        ),
    ]


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
