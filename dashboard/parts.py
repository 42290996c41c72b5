"""Where the time goes, drawn on the server: one line a layer or bucket, cut into its parts.

Pure. Knows widths and the words beside them; the sums come from analysis.queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.answers.of_time import SlowTotals
from analysis.timing import Limits
from dashboard.format import count, duration, percent
from dashboard.tables import Table
from projects.vocabulary import Layer, TimingBucket

WIDTH = 1000  # units of the SVG; it is stretched to its box
LEAST = 4  # a part that exists is seen
BUCKETS = (TimingBucket.FAST, TimingBucket.ACCEPTABLE, TimingBucket.SLOW, TimingBucket.UNTIMED)
BUCKET_FIELDS = (
    "layer",
    *(f"{bucket.word}_{unit}" for bucket in BUCKETS for unit in ("tests", "seconds")),
    "fast_below_s",
    "slow_above_s",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a line: where it begins, how wide it is, and what it stands for."""

    layer: Layer
    bucket: TimingBucket
    x: float
    width: float
    words: str
    share: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture, named at its left; `by_time` is a second one below it."""

    layer: Layer
    parts: tuple[Part, ...]
    note: str
    words: str
    by_time: tuple[Part, ...] = ()
    time_words: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """A picture made of lines, the sentence that replaces it, and its table."""

    lines: tuple[Line, ...]
    sentence: str
    table: Table


def layer_times(totals: SlowTotals) -> Lines:
    """Cut the time of the window by layer, the longest first."""
    seconds = {
        layer: sum(spent for _, spent in buckets.values()) for layer, buckets in totals.buckets.items()
    }
    whole = sum(seconds.values())
    ordered = sorted((layer for layer in seconds if seconds[layer]), key=lambda layer: -seconds[layer])
    parts, x = [], 0.0
    for layer in ordered:
        share = seconds[layer] / whole
        parts.append(_part(layer, TimingBucket.UNTIMED, x, share, duration(seconds[layer])))
        x += share * WIDTH
    said = ", ".join(f"{part.layer.word} {part.share}" for part in parts)
    line = Line(Layer.UNKNOWN, tuple(parts), "", said)
    table = Table(
        "Time by layer",
        ("Layer", "Time", "Share"),
        tuple((part.layer.word, part.words, part.share) for part in parts),
        ("layer", "seconds", "share"),
        tuple((layer, seconds[layer], seconds[layer] / whole) for layer in ordered),
    )
    return Lines((line,), f"The time by layer: {said}.", table)


def layer_buckets(totals: SlowTotals, limits: Mapping[Layer, Limits]) -> Lines:
    """Cut the tests of each layer, and their time, into fast, acceptable, slow and untimed."""
    found = [
        _bucket_line(layer, totals.buckets[layer], limits)
        for layer in reversed(Layer)
        if totals.buckets.get(layer)
    ]
    lines = tuple(line for line in found if line.parts)
    rows = tuple(
        (
            line.layer.word,
            *(_cell(totals.buckets[line.layer].get(bucket)) for bucket in BUCKETS),
            line.note,
        )
        for line in lines
    )
    columns = ("Layer", *(bucket.word for bucket in BUCKETS), "Limits")
    records = tuple(
        (line.layer, *_amounts(totals.buckets[line.layer]), *_limits(limits.get(line.layer)))
        for line in lines
    )
    n_slow = sum(totals.buckets[line.layer].get(TimingBucket.SLOW, (0, 0.0))[0] for line in lines)
    return Lines(
        lines,
        f"{count(n_slow)} tests are slow for their layer.",
        Table("Tests and their time by timing", columns, rows, BUCKET_FIELDS, records),
    )


def _amounts(buckets: Mapping[TimingBucket, tuple[int, float]]) -> tuple[float, ...]:
    return tuple(amount for bucket in BUCKETS for amount in buckets.get(bucket, (0, 0.0)))


def _limits(limits: Limits | None) -> tuple[float | None, float | None]:
    return (limits.fast_s, limits.slow_s) if limits else (None, None)


def _cell(found: tuple[int, float] | None) -> str:
    """Write the tests of a bucket and what they took: "12 (3 m)"."""
    return f"{count(found[0])} ({duration(found[1])})" if found and found[0] else count(0)


def _bucket_line(
    layer: Layer, buckets: Mapping[TimingBucket, tuple[int, float]], limits: Mapping[Layer, Limits]
) -> Line:
    by_count = _cut(layer, {bucket: (n, count(n)) for bucket, (n, _) in buckets.items()})
    by_time = _cut(layer, {bucket: (seconds, duration(seconds)) for bucket, (_, seconds) in buckets.items()})
    said = ", ".join(f"{part.words} {part.bucket.word}" for part in by_count)
    time_said = ", ".join(f"{part.words} {part.bucket.word}" for part in by_time)
    return Line(layer, by_count, limit_words(limits.get(layer)), said, by_time, time_said)


def _cut(layer: Layer, amounts: Mapping[TimingBucket, tuple[float, str]]) -> tuple[Part, ...]:
    whole = sum(amount for amount, _ in amounts.values())
    parts, x = [], 0.0
    for bucket in BUCKETS:
        amount, words = amounts.get(bucket, (0.0, ""))
        if amount:
            parts.append(_part(layer, bucket, x, amount / whole, words))
            x += amount / whole * WIDTH
    return tuple(parts)


def _part(layer: Layer, bucket: TimingBucket, x: float, share: float, words: str) -> Part:
    return Part(layer, bucket, round(x, 1), round(max(LEAST, share * WIDTH), 1), words, percent(share))


def limit_words(limits: Limits | None) -> str:
    """Say the limits of a layer: "fast < 10 ms, slow ≥ 100 ms"."""
    if limits is None:
        return ""
    sign = "≥" if limits.limit_is_slow else ">"
    return f"fast < {duration(limits.fast_s)}, slow {sign} {duration(limits.slow_s)}"
