"""Spells numbers, durations and dates as the letter does. Pure."""

from __future__ import annotations

from datetime import date

NO_DATA = "–"  # no data is not zero


def n(count: int, thing: str) -> str:
    """Return a count with its thing: "1 run", "1 602 tests"."""
    return f"{number(count)} {thing}" if count == 1 else f"{number(count)} {thing}s"


def number(count: int) -> str:
    """Group the digits of a number by threes."""
    return f"{count:,}".replace(",", "\u202f")


def percent(share: float | None) -> str:
    """Return a share as a percentage with one digit, never rounded up to a hundred."""
    if share is None:
        return NO_DATA
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    return f"{min(99.9, max(0.1, 100 * share)):.1f} %"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units: "840 ms", "9.8 s", "6 m 12 s", "1 h 10 m"."""
    if seconds is None:
        return NO_DATA
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{number(hours)} h {minutes:02} m"


def cost(n_runs_broken: int, seconds_lost: float) -> str:
    """Say what a flaky test cost: "broke 6 runs, 1 h 10 m lost", "40 s of retries"."""
    lost = duration(seconds_lost) if seconds_lost >= 1 else ""
    if n_runs_broken:
        return f"broke {n(n_runs_broken, 'run')}" + (f", {lost} lost" if lost else "")
    return f"{lost} of retries" if lost else "saved by a retry"


def day(moment: date | None) -> str:
    """Return a day as "16 Nov"."""
    return f"{moment:%-d %b}" if moment else NO_DATA


def dates(since: date, until: date) -> str:
    """Return a week as "16–22 Nov 2026", naming what differs on both sides."""
    if (since.year, since.month) == (until.year, until.month):
        return f"{since.day}–{until:%-d %b %Y}"
    if since.year == until.year:
        return f"{since:%-d %b} – {until:%-d %b %Y}"
    return f"{since:%-d %b %Y} – {until:%-d %b %Y}"
