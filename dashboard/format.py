"""How numbers, times and names are written for a reader.

Pure. Missing values are written as an en dash, which is not zero. Groups of digits and units are joined with
narrow no-break spaces, so that a number never breaks over two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from projects.vocabulary import Boundary, Cause, FlakeStatus, Layer, Outcome

NONE = "–"
THIN = "\u202f"  # narrow no-break space
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400

GLYPHS = {Outcome.PASSED: "✓", Outcome.FAILED: "✕", Outcome.ERROR: "!", Outcome.SKIPPED: "–"}
FLAKY_GLYPH = "≈"
LAYER_WORDS = {
    Layer.UNKNOWN: "unknown",
    Layer.STATIC: "static",
    Layer.UNIT: "unit",
    Layer.INTEGRATION: "integration",
    Layer.E2E: "e2e",
    Layer.LOAD: "load",
}
STATUS_WORDS = {
    FlakeStatus.HEALTHY: "healthy",
    FlakeStatus.SUSPECTED: "suspected",
    FlakeStatus.FLAKY: "flaky",
    FlakeStatus.BROKEN: "broken",
    FlakeStatus.FIXED: "fixed",
    FlakeStatus.STALE: "not seen lately",
    FlakeStatus.ENVIRONMENT_SPECIFIC: "differs by environment",
}

CAUSE_WORDS = {
    Cause.NOT_ENOUGH_EVIDENCE: "not enough evidence",
    Cause.TIMING: "timing",
    Cause.SHARED_STATE: "shared state",
    Cause.TIME_AND_DATE: "time and date",
    Cause.RANDOMNESS: "randomness",
    Cause.EXTERNAL_SERVICE: "external service",
    Cause.ENVIRONMENT: "environment",
    Cause.RESOURCE: "a resource runs out",
}
BOUNDARY_WORDS = {boundary: boundary.word.replace("-", " ") for boundary in Boundary}


def count(number: float | None) -> str:
    """Write a whole number in groups of three: 1 602."""
    return NONE if number is None else f"{round(number):,}".replace(",", THIN).replace("-", "−")


def duration(seconds: float | None) -> str:
    """Write seconds in at most two units: 240 ms, 9.8 s, 6 m 12 s, 3 h 02 m, 2 d 04 h."""
    if seconds is None:
        return NONE
    if seconds < 0:
        return "−" + duration(-seconds)
    if seconds < 0.9995:
        return _milliseconds(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}{THIN}s"
    if seconds < 59.5:
        return f"{seconds:.0f}{THIN}s"
    whole = round(seconds)
    if whole < HOUR_S:
        return _two(whole // MINUTE_S, "m", whole % MINUTE_S, "s")
    if whole < DAY_S:
        minutes = round(seconds / MINUTE_S)
        return _two(minutes // 60, "h", minutes % 60, "m")
    hours = round(seconds / HOUR_S)
    return _two(hours // 24, "d", hours % 24, "h")


def _milliseconds(seconds: float) -> str:
    if seconds == 0:
        return f"0{THIN}s"
    thousandths = seconds * 1000
    if thousandths < 0.95:
        return f"<1{THIN}ms"
    return f"{thousandths:.1f}{THIN}ms" if thousandths < 9.95 else f"{thousandths:.0f}{THIN}ms"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    head = f"{large}{THIN}{large_unit}"
    return f"{head} {small:02d}{THIN}{small_unit}".replace(" ", "\u00a0") if small else head


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share as per cent; only all is 100 % and only none is 0 %."""
    if share is None:
        return NONE
    step = 10.0**-digits
    value = round(share * 100, digits)
    if share > 0 and value < step:
        return f"<{step:.{digits}f}{THIN}%"
    if share < 1 and value >= 100:
        return f"{100 - step:.{digits}f}{THIN}%"
    return f"{value:.{digits}f}{THIN}%"


def points(share: float) -> str:
    """Write the difference of two shares in percentage points: 2 pt, 0.4 pt."""
    value = abs(share) * 100
    return f"{value:.1f}{THIN}pt" if value < 0.95 else f"{value:.0f}{THIN}pt"


def size(n_bytes: int | None) -> str:
    """Write a number of bytes: 4 kB, 1.2 MB."""
    if n_bytes is None:
        return NONE
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            break
        value /= 1000
    digits = 1 if unit in ("MB", "GB") and value < 9.95 else 0
    return f"{value:.{digits}f}{THIN}{unit}"


def ago(at: datetime, now: datetime) -> str:
    """Write how long ago a moment was, in its largest unit; dates for what lies months back."""
    seconds = (now - at).total_seconds()
    if seconds < 45:
        return "just now" if seconds > -45 else f"{at:%-d %b %H:%M}"
    if seconds < 45 * MINUTE_S:
        return f"{max(1, round(seconds / MINUTE_S))}{THIN}min ago"
    if seconds < 22 * HOUR_S:
        return f"{max(1, round(seconds / HOUR_S))}{THIN}h ago"
    days = (now.date() - at.date()).days
    return day_ago(at.date(), now.date()) if days else f"{at:%H:%M}"


def day_ago(day: date, today: date) -> str:
    """Write a day as seen from today."""
    days = (today - day).days
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    return f"{days} days ago" if days <= 30 else day_words(day, today)


def day_words(day: date | None, today: date | None = None) -> str:
    """Write a day: 29 Oct, with the year where it is another than today's."""
    if day is None:
        return NONE
    return f"{day:%-d %b}" if today and day.year == today.year else f"{day:%-d %b %Y}"


LONGEST_NAME = 120  # two lines of a list, beyond which it is cut off; a page of fifty names stays light
TAIL = 45  # of them: parameters stand at the end


EXCERPT = 700  # characters of a failure in a list of fifty; its test's page has it in full, and traces end with what failed
MARGIN = 100  # so little more is shown rather than announced


def commit(digest: str) -> str:
    """Write the first seven characters of a commit."""
    return digest[:7] or NONE


def brief(words: str) -> str:
    """Write a name in a list: what begins it and what ends it, where it is too long to be read there."""
    if len(words) <= LONGEST_NAME:
        return words
    return f"{words[: LONGEST_NAME - TAIL - 1]}…{words[-TAIL:]}"


def excerpt(text: str) -> str:
    """Write what a failure said in a list: its beginning, its end, and how much stands between."""
    n_left_out = len(text) - EXCERPT
    if n_left_out <= MARGIN:
        return text
    head, tail = text[: EXCERPT // 3].rstrip(), text[-(EXCERPT - EXCERPT // 3) :].lstrip()
    return f"{head}\n… {count(n_left_out)} characters left out …\n{tail}"


def outcome_glyph(outcome: Outcome, *, is_flaky: bool = False) -> str:
    """Return the mark that stands beside an outcome's word."""
    return FLAKY_GLYPH if is_flaky else GLYPHS[outcome]


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: 1 test, 1 602 tests."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


class Tone(Enum):
    """How a change is meant: good news, bad news, or neither."""

    NEUTRAL = "neutral"
    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Delta:
    """A change against the earlier window, in words: `text`, which way it went, and what that means."""

    text: str
    arrow: str = ""
    tone: Tone = Tone.NEUTRAL
    title: str = ""

    @property
    def word(self) -> str:
        """Return "better" or "worse", so that the meaning does not hang on colour."""
        return "" if self.tone is Tone.NEUTRAL else self.tone.value


NO_EARLIER = Delta(NONE, title="no earlier window to compare with")


def delta_text(change: float, written: str) -> str:
    """Put the sign before a written amount."""
    return f"{'+' if change > 0 else '−'}{written}"
