"""Quantiles of many values from the few around them, so that values which come later can still be counted in.

Pure. Of `n` values in order those within REACH ranks of a quantile are kept. With more values beside them the quantile is exact
as long as it lies among those that are kept; where it does not, the answer is None and all values must be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct

from analysis.timing import rank

REACH = 12  # some forty later values move the 95th percentile of a steady test by two ranks, the median by twenty at worst


def around(ordered: Sequence[int], q: float) -> Sequence[int]:
    """Return those of the values, which are in order, that lie around the quantile."""
    if not ordered:
        return ordered
    first, last = _reach(len(ordered), q)
    return ordered[first - 1 : last]


def quantile(n: int, kept: Sequence[int], more: Sequence[int], q: float) -> int | None:
    """Return the quantile of n values, of which `kept` lie around theirs, and `more`; None where they cannot tell.

    There must be a value at all: n or more.
    """
    place, has_below, has_above = _place(n, len(more), q)
    merged = sorted((*kept, *more))
    if not 0 <= place < len(merged):
        return None
    found = merged[place]
    is_told = not ((has_below and found < kept[0]) or (has_above and found > kept[-1]))
    return found if is_told else None


def quantile_of_packed(n: int, kept: bytes, more: bytes, q: float) -> int | None:
    """Return the quantile of n bins and more, as they are stored; a page asks this of every test."""
    return quantile(n, _unpack(len(kept))(kept), _unpack(len(more))(more), q)


@lru_cache(maxsize=4096)
def _unpack(n_bytes: int) -> Callable[[bytes], tuple[int, ...]]:
    """Return what reads so many bytes as bins of two, as PostgreSQL sends integers; in a third of the time of an array."""
    return Struct(f">{n_bytes // 2}H").unpack


@lru_cache(maxsize=4096)
def _place(n: int, n_more: int, q: float) -> tuple[int, bool, bool]:
    """Return where the quantile lies in what is kept and what came, and whether values below and above are not kept."""
    first, last = _reach(n, q) if n else (1, 0)
    return rank(n + n_more, q) - first, first > 1, last < n


def _reach(n: int, q: float) -> tuple[int, int]:
    """Return the first and the last rank that are kept."""
    middle = rank(n, q)
    return max(1, middle - REACH), min(n, middle + REACH)
