"""Durations and instants as reports write them.

Knows the spellings of producers; what a missing duration means is for analysis.timing.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

GROUPED = re.compile(r"[+-]?\d{1,3}(?:[,' \u00a0\u202f]\d{3})+(?:\.\d+)?", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
UNIT = re.compile(r"(.*?)\s*(ms|msecs?|s|secs?|seconds?)", re.IGNORECASE)
LONGEST_S = 1e9  # 31 years: anything longer is an epoch in the wrong attribute
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # 0001-01-01 is how several producers write "unknown"
EPOCH_MS = 1e11  # as seconds this is the year 5138, so such a number counts milliseconds


def seconds(text: str | None) -> float | None:
    """Return a duration in seconds, or None for an absent, unreadable, negative or endless one.

    `1,234.56` and `1,234` group thousands; `0,288` and `12,5` have a decimal comma: no group starts with 0.
    """
    if text is None:
        return None
    text = text.strip()
    scale = 1.0
    if text[-1:] in "sScS" and (unit := UNIT.fullmatch(text)):
        text, scale = unit[1], 0.001 if unit[2].lower().startswith("m") else 1.0
    number = _number(text)
    if number is None or not math.isfinite(number) or not 0 <= number * scale < LONGEST_S:
        return None
    return number * scale


def _number(text: str) -> float | None:
    if PLAIN.fullmatch(text):
        return float(text)
    if GROUPED.fullmatch(text) and not text.lstrip("+-").startswith("0"):
        return float(re.sub(r"[,' \u00a0\u202f]", "", text))
    if DECIMAL_COMMA.fullmatch(text):
        return float(text.replace(",", "."))
    return None


def instant(text: str | None) -> datetime | None:
    """Return the UTC instant that an ISO 8601, RFC 1123 or epoch timestamp names; None for any other text.

    A timestamp without a zone is taken as UTC: a report does not say where it was written.
    """
    text = (text or "").strip()
    if not text:
        return None
    found = _epoch(text) if PLAIN.fullmatch(text) else _iso(text) or _rfc1123(text)
    return found if found is not None and found >= EARLIEST else None


def _epoch(text: str) -> datetime | None:
    number = float(text)
    try:
        return datetime.fromtimestamp(number / 1000 if number > EPOCH_MS else number, tz=UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _rfc1123(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
