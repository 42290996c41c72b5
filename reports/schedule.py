"""When a letter is due, and which days it is about.

Pure: the clock comes in as `now`, the project's hour and time zone as values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

N_DAYS = 7
GRACE = timedelta(days=2)  # a server that was down over the hour still sends; later than this the news is old


@dataclass(frozen=True, slots=True)
class Days:
    """The full local days that a letter is about, both ends included."""

    since: date
    until: date


def due(now: datetime, *, weekday: int, hour: int, zone: str) -> Days | None:
    """Return the days of the letter whose hour has come and is not long past; None at any other time."""
    here = ZoneInfo(zone)
    today = now.astimezone(here).date()
    sending_day = today - timedelta(days=(today.weekday() - weekday) % N_DAYS)
    moment = datetime.combine(sending_day, time(hour), tzinfo=here)
    return days_before(sending_day) if moment <= now < moment + GRACE else None


def moment_of(days: Days, *, hour: int, zone: str) -> datetime:
    """Return when the letter about these days is due in a zone: its hour on the day after them."""
    return datetime.combine(days.until + timedelta(days=1), time(hour), tzinfo=ZoneInfo(zone))


def overlaps(days: Days, told_on: date | None) -> bool:
    """True when the last letter, about the week from `told_on`, told one of these days already."""
    return told_on is not None and told_on + timedelta(days=N_DAYS) > days.since


def days_before(day: date) -> Days:
    """Return the seven days that end the day before `day`."""
    return Days(since=day - timedelta(days=N_DAYS), until=day - timedelta(days=1))


def days_to(now: datetime, *, zone: str) -> Days:
    """Return the seven full local days before today, for a letter built out of turn."""
    return days_before(now.astimezone(ZoneInfo(zone)).date())


def pause(n_tries: int) -> timedelta:
    """Return how long to wait after so many tries: 5 minutes, doubling to four hours.

    Also how long a claim holds: a sending that takes 5 minutes has died with its worker.
    """
    doublings = min(max(0, n_tries - 1), 6)
    return min(timedelta(minutes=5 * (1 << doublings)), timedelta(hours=4))
