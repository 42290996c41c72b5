"""The failing groups of one test within the window of its rate: a column each, so that a state with many costs little more.

A test that is broken fails in each run, and every run reads its state, adds one failure and writes it again. Nothing of the
others is unpacked for that: what is asked of them all is answered by a search in bytes. The columns are written anew where they
change: a window long at most, they are copied in no time, and one failure, which most tests have, takes no room. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, compress
from typing import NamedTuple

from analysis.regimes import WINDOW, Ending

MOST_AGAIN = 255  # retries of a failure that are counted
SURE = 255  # P(flaky) is kept in so many steps
HEAD = struct.Struct("<HqB")
RUN = struct.Struct("<I")
FIRST_VERSION = struct.Struct("<IQBBB")  # how each failure stood in states of version 1
ENDINGS = tuple(Ending)
BYTES = [bytes([number]) for number in range(256)]


class Failed(NamedTuple):
    """One failing group of the default branch: its place in the order, its run, and how it ended."""

    order: int
    run: int
    ending: Ending
    n_again: int  # retries that failed
    p_flaky: float


class Own(NamedTuple):
    """The failing groups that are no part of a break of many tests, column by column."""

    orders: Sequence[int]
    endings: bytes
    agains: bytes


class FailedGroups:
    """Failing groups in their order; of places in it, gaps are kept, which the window bounds."""

    __slots__ = ("_agains", "_chances", "_endings", "_gaps", "_last", "_runs")

    def __init__(self, groups: Iterable[Failed] = ()) -> None:
        self._last = 0  # the place of the newest
        self._gaps = b""  # from the one before; that of the oldest says nothing
        self._endings = self._agains = self._chances = self._runs = b""
        for group in groups:
            self.add(group)

    def __len__(self) -> int:
        return len(self._gaps)

    def __iter__(self) -> Iterator[Failed]:
        columns = zip(self.orders(), self.runs(), self._endings, self._agains, self._chances, strict=True)
        for order, run, ending, again, chance in columns:
            yield Failed(order, run, ENDINGS[ending], again, chance / SURE)

    def add(self, group: Failed) -> None:
        """Append a group and forget those that left the window."""
        gap = group.order - self._last
        self._last = group.order
        if gap >= WINDOW:
            self._gaps = self._endings = self._agains = self._chances = self._runs = b""
            gap = 0
        self._gaps += BYTES[gap]
        self._endings += BYTES[group.ending]
        self._agains += BYTES[min(MOST_AGAIN, group.n_again)]
        self._chances += BYTES[round(group.p_flaky * SURE)]
        self._runs += RUN.pack(group.run)
        self._forget()

    def _forget(self) -> None:
        span = sum(self._gaps) - self._gaps[0]
        n = 0
        while span >= WINDOW:
            n += 1
            span -= self._gaps[n]
        if n:
            self._gaps, self._endings = self._gaps[n:], self._endings[n:]
            self._agains, self._chances = self._agains[n:], self._chances[n:]
            self._runs = self._runs[n * RUN.size :]

    def orders(self) -> list[int]:
        """Return the places in the order of groups, rising."""
        if not self._gaps:
            return []
        oldest = self._last - sum(self._gaps) + self._gaps[0]
        return list(accumulate(self._gaps[1:], initial=oldest))

    def own(self) -> Own:
        """Return those that are no part of a break of many tests."""
        orders, endings, agains = self.orders(), self._endings, self._agains
        if Ending.IN_A_BREAK not in endings:
            return Own(orders, endings, agains)
        is_own = [ending != Ending.IN_A_BREAK for ending in endings]
        return Own(
            list(compress(orders, is_own)), bytes(compress(endings, is_own)), bytes(compress(agains, is_own))
        )

    def runs(self, newest: int | None = None) -> tuple[int, ...]:
        """Return the runs of the groups, or of so many of the newest."""
        first = 0 if newest is None else max(0, len(self) - newest)
        return struct.unpack(f"<{len(self) - first}I", self._runs[first * RUN.size :])

    def run_before(self, newest: int) -> int:
        """Return the run of the first of so many of the newest."""
        return int(RUN.unpack_from(self._runs, RUN.size * max(0, len(self) - newest))[0])

    def n_own(self, newest: int | None = None) -> int:
        """Count those that are no part of a break of many tests, of all or of so many of the newest."""
        first = 0 if newest is None else max(0, len(self) - newest)
        return len(self) - first - self._endings.count(Ending.IN_A_BREAK, first)

    def n_unforgiven(self, newest: int) -> int:
        """Count the newest groups, of so many, that no retry forgave."""
        first = max(0, len(self) - newest)
        forgiven = self._endings.rfind(Ending.PASSED_ON_RETRY, first)
        return len(self) - max(first, forgiven + 1)

    def settle(self, newest: int, p_flaky: float, *, least_change: float) -> tuple[int, ...]:
        """Write a verdict on so many of the newest where it is another than before; return their runs."""
        first = max(0, len(self) - newest)
        old = self._chances[first:]
        if not old or max(abs(min(old) / SURE - p_flaky), abs(max(old) / SURE - p_flaky)) < least_change:
            return ()
        changed = [at for at, one in enumerate(old, first) if abs(one / SURE - p_flaky) >= least_change]
        chances, step = bytearray(self._chances), round(p_flaky * SURE)
        for at in changed:
            chances[at] = step
        self._chances = bytes(chances)
        return tuple(RUN.unpack_from(self._runs, RUN.size * at)[0] for at in changed)

    def pack(self) -> bytes:
        """Return the columns as bytes; one of equal values as a single one."""
        if not self._gaps:
            return HEAD.pack(0, self._last, 0)
        columns = [self._gaps[1:], self._endings, self._agains, self._chances]
        plain = 0
        for number, column in enumerate(columns):
            if len(column) > 1 and column.count(column[0]) == len(column):
                plain |= 1 << number
                columns[number] = column[:1]
        return b"".join((HEAD.pack(len(self._gaps), self._last, plain), *columns, self._runs))

    @classmethod
    def unpack(cls, data: bytes) -> FailedGroups:
        """Return what was packed."""
        groups = cls()
        n, groups._last, plain = HEAD.unpack_from(data)
        if not n:
            return groups
        at, columns = HEAD.size, []
        for number, length in enumerate((n - 1, n, n, n)):
            size = 1 if plain >> number & 1 else length
            column = data[at : at + size]
            columns.append(column * length if size < length else column)
            at += size
        gaps, groups._endings, groups._agains, groups._chances = columns
        groups._gaps, groups._runs = BYTES[0] + gaps, data[at:]
        return groups

    @classmethod
    def of_first_version(cls, packed: bytes) -> FailedGroups:
        """Return the groups of a state of version 1."""
        return cls(
            Failed(order, run, ENDINGS[ending], again, chance / SURE)
            for order, run, ending, again, chance in FIRST_VERSION.iter_unpack(packed)
        )
