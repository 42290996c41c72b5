"""Take the cases that a worker remembers straight from the bytes of a report, before any parser sees them. Pure.

Nineteen of twenty tags of a report are, but for the time, what they were in the last one. Such a tag is cut out by three
searches of bytes and looked up as it stands; the parser gets blanks of the same length in its place, so that it still says the
exact line and column where a file breaks. What is remembered was once read by the parser as one case and nothing else, so
leaving it out changes nothing that the parser would have to see.

A tag is only believed where an element may begin: inside of a suite, between two cases, and not in a comment, in CDATA or in a
tag that is not closed. The reader says when that is so. Where nothing is remembered of the project, all is parsed, and the
reader says where a case that it found begins.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from itertools import accumulate

from ingest import times
from ingest.recall import Memory, Recalled
from ingest.suites import Suite
from projects.vocabulary import Outcome

CASE, TIME = b"<testcase ", b' time="'
# The end of a case without children: further attributes, and what closes it.
ALONE = re.compile(rb"""((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*+\s*(?:/>|>\s*</testcase>))\s*""")
BLANK = bytes(code if code == ord("\n") else ord(" ") for code in range(256))
LONGEST_KEY = 2_000  # of a case with children: a reason to skip is a line
NOTHING: dict[int, int] = {}


class Skimmer:
    """The remembered cases of one report, and the hashes under which the others may be remembered."""

    def __init__(
        self, memory: Memory | None, *, parse: Callable[[bytes], None], is_between: Callable[[], bool]
    ) -> None:
        self.n_cases = 0  # of the document so far, remembered or not
        self.recalled: dict[str, Recalled] = {}
        self._memory = memory
        self._parse = parse
        self._is_between = is_between
        self._suite: Suite | None = None
        self._known = NOTHING
        self._found = Recalled()
        self._key = 0  # of the case being parsed; 0 where it is not to be remembered
        self._clock = b""
        self._is_cold = memory is None or not memory.n_entries
        self._tags: dict[int, bytes] = {}  # of the bytes being parsed where nothing is known, by their places
        self._n_before = 0  # bytes before these

    def enter(self, suite: Suite) -> None:
        """Say which suite the next cases stand in, or that something changed about it."""
        self._suite, self._known = suite, NOTHING

    def skim(self, data: bytes) -> None:
        """Take what is remembered from the next bytes of the document, and have the rest parsed."""
        if self._is_cold:
            self._parse_whole(data)
            return
        first, *tags = data.split(CASE)
        self._parse(first)
        begin = len(first)  # of what is known and not taken yet
        ids: list[int] = []
        clocks: list[bytes] = []
        known = self._known_here()
        for at, tag in enumerate(tags):
            # The next lines are all that most cases cost.
            head, _, rest = tag.partition(TIME)
            clock, _, tail = rest.partition(b'"')
            if (number := known.get(hash((head, tail)))) is not None:
                ids.append(number)
                clocks.append(clock)
                continue
            if ids:
                begin = self._take(data, begin, tags[at - len(ids) : at], ids, clocks)
                ids, clocks = [], []
            self._meet(tag, head, clock, tail, known)
            begin += len(CASE) + len(tag)
            known = self._known_here()
        if ids:
            self._take(data, begin, tags[-len(ids) :], ids, clocks)

    def _parse_whole(self, data: bytes) -> None:
        """Have bytes parsed of which nothing is known, their tags at hand."""
        first, *tags = data.split(CASE)
        ends = accumulate((len(CASE) + len(tag) for tag in tags), initial=len(first))
        self._tags = dict(zip(ends, tags, strict=False))
        self._parse(data)
        self._n_before += len(data)

    def memo(self, begin: int, clock: str, outcome: Outcome) -> tuple[dict[int, int], int, int] | None:
        """Return where the case just parsed may be remembered, under which hash, and the sign of its number.

        It began at this byte of the document and said this time; its attributes are steady.
        """
        if self._is_cold:
            self._note_tag(begin - self._n_before)
        key, self._key = self._key, 0
        if not key or not (outcome is Outcome.PASSED or outcome is Outcome.SKIPPED):
            return None
        if clock.encode() != self._clock:
            return None
        if self._known is NOTHING:
            self._look_up()
        return self._known, key, 1 if outcome is Outcome.PASSED else -1

    def _note_tag(self, place: int) -> None:
        tag = self._tags.get(place)
        if tag is None:
            self._key = 0
            return
        head, _, rest = tag.partition(TIME)
        self._clock, _, tail = rest.partition(b'"')
        end = _end(tail)
        self._key = 0 if end is None else hash((head, end))

    def _known_here(self) -> dict[int, int]:
        """Return the numbers of the remembered cases by hash; of none where no case may begin."""
        if not self._is_between():
            return NOTHING
        self._look_up()
        return self._known

    def _look_up(self) -> None:
        if self._known is NOTHING and self._suite is not None and self._memory is not None:
            self._known = self._memory.known(self._suite.place())
            self._found = self.recalled.setdefault(self._suite.framework, Recalled())

    def _take(self, data: bytes, begin: int, tags: list[bytes], ids: list[int], clocks: list[bytes]) -> int:
        """Take a row of remembered cases and return where it ends; have it parsed after all where a time is none."""
        end = begin + len(CASE) * len(tags) + sum(map(len, tags))
        row = data[begin:end]
        if (seconds := _seconds(clocks)) is None:
            self._parse(row)
            return end
        found = self._found
        found.ids.extend(ids)
        found.seconds.extend(seconds)
        found.at.extend(range(self.n_cases + 1, self.n_cases + len(ids) + 1))
        self.n_cases += len(ids)
        self._parse(row.translate(BLANK))
        return end

    def _meet(self, tag: bytes, head: bytes, clock: bytes, tail: bytes, known: dict[int, int]) -> None:
        """Have one tag parsed that is not known as it stands, unless it is known without what follows it."""
        if known is NOTHING:
            self._parse(CASE + tag)
            return
        end = _end(tail)
        if end is not None:
            self._key = hash((head, end))
            if len(end) < len(tail) and (number := known.get(self._key)) is not None:
                rest = tail[len(end) :]
                alike = tag[: len(tag) - len(rest)]
                self._key = 0
                self._take(CASE + alike, 0, [alike], [number], [clock])
                self._parse(rest)
                return
        self._clock = clock
        self._parse(CASE + tag)
        self._key = 0


def _end(tail: bytes) -> bytes | None:
    """Return what of the bytes behind the time belongs to the case, spaces behind it too where nothing follows; None for one
    that cannot be remembered.
    """
    if tail.rstrip() == b"/>":  # most of them
        return tail
    if alone := ALONE.match(tail):
        return tail if alone.end() == len(tail) else alone[1]
    return tail if _is_one_case(tail) else None


def _is_one_case(tail: bytes) -> bool:
    """True for the end of a case with children that nothing follows."""
    return (
        len(tail) < LONGEST_KEY
        and tail.rstrip().endswith(b"</testcase>")
        and tail.count(b"</testcase>") == 1
        and b"<!" not in tail
    )


def _seconds(clocks: list[bytes]) -> array[float] | None:
    """Return the times in seconds; None where one is no number, below zero or longer than a test can take."""
    try:
        seconds = array("f", map(float, clocks))
    except ValueError:
        return None
    return seconds if min(seconds) >= 0.0 and sum(seconds) < times.LONGEST_S else None  # false for NaN too
