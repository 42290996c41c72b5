"""Headline numbers, each with its change against before: what is more, what is worse, and what is but noise.

Pure: answers in, words out. Formatting is dashboard.format's, layout the templates'.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.answers.of_suite import Totals
from dashboard.format import NO_EARLIER, Delta, Tone, count, delta_text, duration, percent, points

NOISE_SHARE = 0.002  # a fifth of a point of pass rate comes and goes
NOISE_TIME = 0.05  # runners differ by this much from day to day


@dataclass(frozen=True, slots=True)
class Tile:
    """One headline number that leads to its rows."""

    label: str
    value: str
    url: str
    delta: Delta | None = None
    anchor: str = ""


def count_delta(now: int, before: int | None, *, more: Tone = Tone.NEUTRAL) -> Delta:
    """Compare two counts; `more` says what it means when there are more."""
    if before is None:
        return NO_EARLIER
    change = now - before
    if change == 0:
        return Delta("no change", title=f"{count(before)} before")
    return Delta(
        delta_text(change, count(abs(change))), _arrow(change), _tone(change, more), f"{count(before)} before"
    )


def share_delta(now: float | None, before: float | None, *, more: Tone, noise: float = NOISE_SHARE) -> Delta:
    """Compare two shares in points; what lies within the noise means nothing."""
    if now is None or before is None:
        return NO_EARLIER
    change = now - before
    title = f"{percent(before, 1)} before"
    if abs(change) < 0.0005:
        return Delta("no change", title=title)
    text = delta_text(change, points(change))
    if abs(change) <= noise:
        return Delta(f"{text} · within noise", title=title)
    return Delta(text, _arrow(change), _tone(change, more), title)


def time_delta(now: float | None, before: float | None, *, noise: float = NOISE_TIME) -> Delta:
    """Compare two durations; longer is worse, and a twentieth means nothing."""
    if now is None or before is None:
        return NO_EARLIER
    change = now - before
    title = f"{duration(before)} before"
    if duration(now) == duration(before):
        return Delta("no change", title=title)
    text = delta_text(change, duration(abs(change)))
    if abs(change) <= noise * before:
        return Delta(f"{text} · within noise", title=title)
    return Delta(text, _arrow(change), _tone(change, Tone.WORSE), title)


def notable(now: float | None, before: float | None, *, noise: float) -> Delta | None:
    """Compare two durations, in a list where only what matters is said."""
    delta = time_delta(now, before, noise=noise)
    return None if delta.tone is Tone.NEUTRAL else delta


def _arrow(change: float) -> str:
    return "▲" if change > 0 else "▼"


def _tone(change: float, more: Tone) -> Tone:
    if more is Tone.NEUTRAL:
        return more
    return more if change > 0 else (Tone.BETTER if more is Tone.WORSE else Tone.WORSE)


def overview_tiles(now: Totals, before: Totals | None, *, urls: dict[str, str], query: str) -> list[Tile]:
    """Return the five headline numbers, each with its change and its rows."""
    return [
        *_size_tiles(now, before, urls=urls, query=query),
        Tile(
            "Flaky",
            count(now.n_flaky),
            urls["flaky"] + query,
            count_delta(now.n_flaky, before.n_flaky if before else None, more=Tone.WORSE),
            "flake",
        ),
        Tile(
            "No layer",
            count(now.n_unknown),
            urls["tests"] + _joined(query, "layer=unknown"),
            count_delta(now.n_unknown, before.n_unknown if before else None, more=Tone.WORSE),
            "layer",
        ),
    ]


def _size_tiles(now: Totals, before: Totals | None, *, urls: dict[str, str], query: str) -> list[Tile]:
    return [
        Tile(
            "Tests",
            count(now.n_tests),
            urls["tests"] + query,
            count_delta(now.n_tests, before.n_tests if before else None),
            "test",
        ),
        Tile(
            "Pass rate",
            percent(now.pass_rate, 1),
            urls["failures"] + query,
            share_delta(now.pass_rate, before.pass_rate if before else None, more=Tone.BETTER),
            "pass-rate",
        ),
        Tile(
            "Run time, median",
            duration(now.run_seconds_p50),
            urls["slow"] + query,
            time_delta(now.run_seconds_p50, before.run_seconds_p50 if before else None),
            "run-time",
        ),
    ]


def _joined(query: str, more: str) -> str:
    return f"{query}&{more}" if query else f"?{more}"
