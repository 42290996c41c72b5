"""What a layer may take in a run: when it will be too much, and the fewest tests that bring it back.

Pure. Which runs there were, and what their tests took, comes from analysis.queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from statistics import median

WARN_SHARE = 0.8
LEAST_WEEKS = 4  # three points make a line of anything
LONGEST_WEEKS = 52  # a year ahead is no forecast
Z = 1.645  # of the 90 % interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a budget is crossed at the present pace, with the 90 % interval; `latest_on` is None for "or never"."""

    slope_s: float  # a week
    crosses_on: date
    earliest_on: date
    latest_on: date | None


def weekly(spent: Sequence[tuple[date, float]], *, until: date) -> list[tuple[int, float]]:
    """Return the median of each week with runs, as (weeks before `until`, negative; seconds), oldest first."""
    weeks: dict[int, list[float]] = {}
    for day, seconds in spent:
        weeks.setdefault((until - day).days // 7, []).append(seconds)
    return [(-age, median(found)) for age, found in sorted(weeks.items(), reverse=True)]


def slopes(points: Sequence[tuple[int, float]]) -> list[float]:
    """Return the slopes between all pairs of points, in order."""
    pairs = ((one, other) for at, one in enumerate(points) for other in points[at + 1 :])
    return sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs)


def slope_interval(points: Sequence[tuple[int, float]]) -> tuple[float, float, float]:
    """Return the median slope (Theil-Sen) and its 90 % interval by the ranks of the slopes (Sen 1968)."""
    found, n = slopes(points), len(points)
    spread = Z * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, round((len(found) - spread) / 2) - 1)
    high = min(len(found) - 1, round((len(found) + spread) / 2))
    return median(found), found[low], found[high]


def forecast(
    spent: Sequence[tuple[date, float]], *, run_s: float, limit_s: float, until: date
) -> Forecast | None:
    """Extend the slope of the weeks to the limit; None when it is crossed, not rising, too far off or too young."""
    points = weekly(spent, until=until)
    if len(points) < LEAST_WEEKS or run_s >= limit_s:
        return None
    slope, low, high = slope_interval(points)
    if slope <= 0 or (limit_s - run_s) / slope > LONGEST_WEEKS:
        return None
    left = limit_s - run_s
    latest = left / low if low > 0 else None
    return Forecast(
        slope,
        until + timedelta(weeks=left / slope),
        until + timedelta(weeks=left / high),
        until + timedelta(weeks=latest) if latest is not None and latest <= 4 * LONGEST_WEEKS else None,
    )


def too_much(run_s: float, limit_s: float) -> float:
    """Return the seconds to win: down to the budget when it is over, down to the warning when it is near."""
    if run_s > limit_s:
        return run_s - limit_s
    return max(0.0, run_s - WARN_SHARE * limit_s)


def fewest(seconds: Sequence[float], wanted_s: float) -> int:
    """Count the fewest of these, dearest first, that together take `wanted_s`; all of them where that is not enough."""
    freed = 0.0
    for n, each in enumerate(seconds):
        if freed >= wanted_s:
            return n
        freed += each
    return len(seconds) if wanted_s > 0 else 0
