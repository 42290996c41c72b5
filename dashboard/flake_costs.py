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
    if not (totals.n_runs_broken or totals.seconds_lost or (before and before.n_runs_broken)):
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
        Tile(
            "Machines' time lost",
            duration(totals.seconds_lost),
            plain.query(sort="-cost"),
            time_delta(totals.seconds_lost, before.seconds_lost if before else None),
            "time-lost",
        ),
        Tile(
            "People's time",
            duration(totals.developer_s),
            plain.query(sort="-people"),
            time_delta(totals.developer_s, before.developer_s if before else None),
            "developer-time",
        ),
        Tile(
            "Waited for green",
            duration(totals.waited_s),
            plain.query(sort="-runs"),
            time_delta(totals.waited_s, before.waited_s if before else None),
            "waiting",
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
