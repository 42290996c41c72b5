"""Take the cases that a worker remembers straight from the bytes of a report, before any parser sees them. Pure.

Nineteen of twenty tags of a report are, but for the time, what they were in the last one. Such a tag is cut out by three
searches of bytes and looked up as it stands; the parser never gets it, and the reader counts its lines and columns, so that a
break is still told at its place. What is remembered was once read by the parser as one case and nothing else, so leaving it
out changes nothing that the parser would have to see.

A tag is only believed where an element may begin: inside of a suite, between two cases, and not in a comment, in CDATA or in a
tag that is not closed. The reader says when that is so. Where nothing is remembered of the project, rows of plain cases
(ingest.plain) are taken out in the same way, and the others are parsed one by one.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from itertools import groupby

from ingest import plain, times
from ingest.plain import CASE, TIME, Form, Home, Plain
from ingest.recall import Memory, Recalled
from ingest.suites import Suite
from projects.vocabulary import Outcome

# The end of a case without children: further attributes, and what closes it.
ALONE = re.compile(rb"""((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*+\s*(?:/>|>\s*</testcase>))\s*""")
LONGEST_KEY = 2_000  # of a case with children: a reason to skip is a line
KEPT_HOMES = 1_000  # of one suite; tests of a class mostly stand together
NOTHING: dict[int, int] = {}


class Skimmer:
    """The remembered cases of one report, the plain ones where nothing is remembered, and the hashes of the others."""

    def __init__(
        self,
        memory: Memory | None,
        *,
        parse: Callable[[bytes], None],
        skip: Callable[[bytes, int, int], None],
        is_between: Callable[[], bool],
        home: Callable[[str, str, dict[int, int]], Home],
        longest: int,
    ) -> None:
        self.n_cases = 0  # of the document so far, remembered or not
        self.recalled: dict[str, Recalled] = {}
        self.plain = Plain()
        self._memory = memory
        self._parse = parse
        self._skip = skip
        self._is_between = is_between
        self._home = home
        self._longest = longest  # characters of a name
        self._homes: dict[tuple[bytes, bytes], Home] = {}  # of the suite, by class and file
        self._form: Form | None = None
        self._suite: Suite | None = None
        self._is_simple = True  # where the suite has nothing that each of its cases inherits
        self._known = NOTHING
        self._found = Recalled()
        self._key = 0  # of the case being parsed; 0 where it is not to be remembered
        self._clock = b""
        self._is_cold = memory is None or not memory.n_entries

    def enter(self, suite: Suite) -> None:
        """Say which suite the next cases stand in, or that something changed about it."""
        self._suite, self._known = suite, NOTHING
        self._is_simple = not suite.inherited
        if self._homes:
            self._homes = {}

    def skim(self, data: bytes) -> None:
        """Take what is remembered from the next bytes of the document, and have the rest parsed."""
        if self._is_cold:
            self._skim_unknown(data)
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

    def _skim_unknown(self, data: bytes) -> None:
        """Take rows of plain cases from the next bytes, and have the rest parsed, cases one by one."""
        at = data.find(CASE)
        self._parse(data if at < 0 else data[:at])
        while 0 <= at < len(data):
            if (form := self._form) is not None and self._is_simple and self._is_between():
                row = form.row.match(data, at)
                at = self._take_row(form, data, at, row.end()) if row else at
            if at < len(data):
                end = data.find(CASE, at + 1)
                self._meet_unknown(data[at:] if end < 0 else data[at:end])
                at = end

    def _take_row(self, form: Form, data: bytes, at: int, end: int) -> int:
        """Take a row of cases that look plain, and have those parsed whose names are odd; return where it ends."""
        rows = form.case.findall(data, at, end)
        names, host = [row[form.name] for row in rows], self._suite.host if self._suite else ""
        n_done = 0
        for odd in plain.odd_places(names, host=host, longest=self._longest):
            begin = at + sum(_length(form, row) for row in rows[n_done:odd])
            self._take_plain(form, data, at, begin, rows[n_done:odd])
            at = begin + _length(form, rows[odd])
            self._meet_unknown(data[begin:at])
            n_done = odd + 1
        rest = rows[n_done:]
        # Spaces behind the last of them belong to what follows, unless that is a case too.
        if rest and not data.startswith(CASE, end):
            rest[-1] = (*rest[-1][: form.end], rest[-1][form.end].rstrip(), *rest[-1][form.end + 1 :])
        self._take_plain(form, data, at, end, rest)
        return end

    def _take_plain(
        self, form: Form, data: bytes, begin: int, end: int, rows: list[tuple[bytes, ...]]
    ) -> None:
        """Take rows of plain cases, which are these bytes; have them parsed after all where a time is none."""
        if not rows:
            return
        seconds = _seconds([row[form.time] for row in rows])
        if seconds is None:
            self._parse(data[begin:end])
            return
        names, keys = [row[form.name] for row in rows], [hash((row[0], row[form.end])) for row in rows]
        lines = None if form.line is None else [int(row[form.line]) for row in rows]
        is_skipped = bytes([b"<skipped" in row[form.end] for row in rows])
        homes = self._homes_of(form, rows)
        self.plain.add(homes, names, lines, is_skipped, seconds, keys, before=self.n_cases)
        self.n_cases += len(rows)
        self._skip(data, begin, end)

    def _homes_of(self, form: Form, rows: list[tuple[bytes, ...]]) -> list[Home]:
        """Return what each of the cases shares with others."""
        classes = [row[form.classname] for row in rows]
        files = [b""] * len(rows) if form.file is None else [row[form.file] for row in rows]
        found: list[Home] = []
        for key, same in groupby(zip(classes, files, strict=True)):
            home = self._homes.get(key) or self._new_home(*key)
            found += [home for _ in same]
        return found

    def _new_home(self, classname: bytes, file: bytes) -> Home:
        if len(self._homes) >= KEPT_HOMES:
            self._homes.clear()
        self._look_up()
        home = self._homes[classname, file] = self._home(classname.decode(), file.decode(), self._known)
        return home

    def _meet_unknown(self, tag: bytes) -> None:
        """Have one case parsed, or what is none, with the hash under which it is to be remembered."""
        if tag.startswith(CASE):
            head, _, rest = tag[len(CASE) :].partition(TIME)
            self._clock, _, tail = rest.partition(b'"')
            end = _end(tail)
            self._key = 0 if end is None else hash((head, end))
        self._parse(tag)
        self._key = 0

    def memo(self, form: Form | None, clock: str, outcome: Outcome) -> tuple[dict[int, int], int, int] | None:
        """Return where the case just parsed may be remembered, under which hash, and the sign of its number.

        Its tag has this form if plain ones look like it; its attributes are steady, and it said this time.
        """
        if self._is_cold:
            self._form = form
        key, self._key = self._key, 0
        if not key or not (outcome is Outcome.PASSED or outcome is Outcome.SKIPPED):
            return None
        if clock.encode() != self._clock:
            return None
        self._look_up()
        return None if self._known is NOTHING else (self._known, key, 1 if outcome is Outcome.PASSED else -1)

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
        if (seconds := _seconds(clocks)) is None:
            self._parse(data[begin:end])
            return end
        found = self._found
        found.ids.extend(ids)
        found.seconds.extend(seconds)
        found.at.extend(range(self.n_cases + 1, self.n_cases + len(ids) + 1))
        self.n_cases += len(ids)
        self._skip(data, begin, end)
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


def _length(form: Form, row: tuple[bytes, ...]) -> int:
    """Return the bytes of a case from what was matched of it."""
    return len(CASE) + len(row[0]) + len(TIME) + len(row[form.time]) + 1 + len(row[form.end])
