"""Tests that an upload makes or changes: their rows packed with their layers, and where a project has no test yet, made at once.

The first upload of a project brings nothing but new tests. Under a lock that no other upload of the project passes, its tests
get their numbers and go to their table while the report is read, and its results are then those of known tests. Later uploads
bring few; ingest.staging lays theirs aside until it is this upload's turn.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import repeat
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper

from analysis import layers, refresh
from analysis.rules import RuleSet
from ingest import packing
from ingest.cases import Case
from ingest.identity import relative
from ingest.plain import Home, Plain
from projects.vocabulary import Layer

# What a row says of a test, in an order that leaves together what tests of a class share.
WORDS = """suite, classname, file, variant, framework, owner, line, markers, properties, sent_layer, name, layer, confidence,
    evidence, tags, traits"""
STAGED = f"newcomer (seq, test_id, fingerprint, base, {WORDS})"
MADE = f"""projects_test (project_id, id, fingerprint, base, {WORDS}, bucket, first_seen_on, last_seen_on, first_main_on,
    last_main_on, first_run, flake_status, misfit_dismissed)"""
# The beginnings of the two rows, each field after its length; a null is a length of -1.
NEW = struct.Struct(">h ii i i16s i16s").pack
CHANGED = struct.Struct(">h ii ii i16s i16s").pack
FIRST = struct.Struct(">h iq ii i16s i16s").pack
N_STAGED, N_MADE = 20, 28

N_MARKS = 1 << 21  # bytes
MOST_KEPT = 4_000  # classes and verdicts whose packed words are kept


# Of a test that the project has: its id, the checksum of its words unless they cannot differ, its layer.
Known = tuple[int, int | None, int]


class Made(NamedTuple):
    """Tests just made: what is known of those of cases by their fingerprints; ids and layers of those of plain cases."""

    known: dict[bytes, Known]
    ids: array[int]
    layers: Sequence[int]


class Packer:
    """Packs the rows of tests that are new or have other words, each with its layer."""

    def __init__(self, *, rules: RuleSet | None, sent: Layer | None) -> None:
        self._rules = rules
        self._sent = sent
        self.forget()

    def forget(self) -> None:
        """Let go of what was read: an upload that is staged needs it no more, and its failures the room."""
        self._classifier = layers.Classifier(self._rules)
        self._homes: dict[tuple[str, ...], bytes] = {}
        self._traits: dict[tuple[str, ...], int] = {}
        self._told: dict[int, tuple[layers.Verdict, bytes]] = {}

    def weighed(self, cases: Sequence[Case]) -> tuple[list[Case], list[layers.Verdict]]:
        """Return the cases as they are kept, and what is said of their layers: of many at once."""
        placed = [
            _placed(case)
            if case.classname[:1] == "/" or case.file[:1] == "/" or case.suite[:1] == "/"
            else case
            for case in cases
        ]
        return placed, self._classifier.verdicts([identity_of(case, sent=self._sent) for case in placed])

    def weighed_plain(self, plain: Plain) -> list[layers.Verdict]:
        """Return what is said of the layers of plain cases."""
        shared: list[tuple[str, ...]] = []
        for home, n in plain.groups():
            words = (
                _inside(home.suite),
                _inside(home.classname),
                _inside(home.file),
                home.framework,
                home.variant,
            )
            shared += [words] * n
        suites, classnames, files, frameworks, variants = zip(*shared, strict=True)
        said = suites, classnames, plain.told(), files, frameworks, variants
        of_their_own = repeat(()), repeat(()), repeat(self._sent)  # no markers, no properties
        rows = zip(*said, *of_their_own, strict=False)
        return self._classifier.verdicts(list(map(tuple.__new__, repeat(layers.Identity), rows)))

    def plain_words(self, plain: Plain, verdicts: Sequence[layers.Verdict]) -> Iterator[tuple[bytes, ...]]:
        """Pack what rows say of plain cases, in parts to be joined."""
        told = {id(verdict): verdict for verdict in verdicts}
        packed = {key: self._verdict(verdict) for key, verdict in told.items()}
        said = list(map(packed.__getitem__, map(id, verdicts)))
        length, done = packing.length, 0
        for home, n in plain.groups():
            part = slice(done, done + n)
            before, behind, checksum = self._of_home(home)
            unplaced = before + packing.NULL + behind
            for name, line, verdict in zip(plain.names[part], plain.lines[part], said[part], strict=True):
                start = unplaced if line is None else before + packing.int4(line) + behind
                yield start, length(len(name)), name, verdict, checksum
            done += n

    def _of_home(self, home: Home) -> tuple[bytes, bytes, bytes]:
        """Pack what stands before and behind the lines of plain cases, and their checksum."""
        words = _inside(home.suite), _inside(home.classname), _inside(home.file), home.variant, home.framework
        before = b"".join(map(packing.shared_text, (*words, "")))  # and no owner
        behind = packing.NO_TEXTS + packing.NO_PAIRS + packing.int2(self._sent)
        return before, behind, packing.int8(self._traits_of(home.file, home.framework, ""))

    def staged(self, found: Sequence[tuple[int, Case, int | None]]) -> list[bytes]:
        """Pack (seq, case, id where the test is known) for the temporary table."""
        placed, verdicts = self.weighed([case for _, case, _ in found])
        return [
            self._start(seq, test_id, case) + self.words(case, verdict)
            for (seq, _, test_id), case, verdict in zip(found, placed, verdicts, strict=True)
        ]

    def _start(self, seq: int, test_id: int | None, case: Case) -> bytes:
        if test_id is None:
            return NEW(N_STAGED, 4, seq, -1, 16, case.fingerprint, 16, case.base)
        return CHANGED(N_STAGED, 4, seq, 4, test_id, 16, case.fingerprint, 16, case.base)

    def words(self, case: Case, verdict: layers.Verdict) -> bytes:
        """Pack what a row says of a test."""
        name, checksum = packing.text(case.name), packing.int8(self.traits(case))
        return b"".join((self._home(case), name, self._verdict(verdict), checksum))

    def traits(self, case: Case) -> int:
        """Return a checksum of what a verdict on the layer rests on, so that a change of it is seen."""
        if case.markers or case.properties:
            return traits(case, sent=self._sent)
        return self._traits_of(case.file, case.framework, case.owner)

    def _traits_of(self, *words: str) -> int:
        """Return the checksum of file, framework and owner of a case that says no more."""
        if (known := self._traits.get(words)) is None:
            if len(self._traits) > MOST_KEPT:
                self._traits.clear()
            known = self._traits[words] = _checksum(words, sent=self._sent, more=())
        return known

    def _home(self, case: Case) -> bytes:
        """Pack what stands before the name; tests of one class mostly share it."""
        if case.line is not None or case.markers or case.properties:
            return self._spelled(case)
        key = case.suite, case.classname, case.file, case.variant, case.framework, case.owner
        if (home := self._homes.get(key)) is None:
            if len(self._homes) > MOST_KEPT:
                self._homes.clear()
            home = self._homes[key] = self._spelled(case)
        return home

    def _spelled(self, case: Case) -> bytes:
        shared = packing.shared_text
        return b"".join((
            *(shared(case.suite), shared(case.classname), shared(case.file), shared(case.variant)),
            *(shared(case.framework), shared(case.owner), packing.int4(case.line)),
            *(packing.texts(case.markers), packing.pairs(case.properties), packing.int2(self._sent)),
        ))  # fmt: skip

    def _verdict(self, verdict: layers.Verdict) -> bytes:
        """Pack layer, confidence, evidence and tags; tests of one class mostly share one verdict."""
        known = self._told.get(id(verdict))
        if known is not None and known[0] is verdict:
            return known[1]
        if len(self._told) > MOST_KEPT:
            self._told.clear()
        packed = packing.int2(verdict.layer) + packing.float8(verdict.confidence)
        packed += packing.as_jsonb(refresh.evidence_json(verdict)) + packing.texts(verdict.tags)
        self._told[id(verdict)] = verdict, packed
        return packed


class FirstTests:
    """Makes the tests of a project that has none yet, while its first upload is read; they count from 1."""

    def __init__(self, project_id: int, *, run_number: int, day: date, on_default: bool) -> None:
        self.n_made = 0
        self._marks = bytearray(N_MARKS)
        self._project_id = project_id
        seen, none = packing.day(day), packing.int2(0)
        main = seen if on_default else packing.NULL
        self._end = b"".join((
            *(none, seen, seen, main, main),
            *(packing.int4(run_number), none, packing.text("")),
        ))  # fmt: skip

    def doubtful(self, fingerprints: Iterable[bytes]) -> list[bytes]:
        """Mark these, and return those of which a test may have been made already: few of those that are new.

        The place of a mark are the first bytes of a fingerprint, so that a million take two megabytes.
        """
        found, marks = [], self._marks
        for fingerprint in fingerprints:
            place = int.from_bytes(fingerprint[:3], "big")
            bit = 1 << (place & 7)
            if marks[place >> 3] & bit:
                found.append(fingerprint)
            else:
                marks[place >> 3] |= bit
        return found

    def make(
        self, cursor: CursorWrapper, cases: Sequence[Case], packer: Packer, *, plain: Plain | None = None
    ) -> Made:
        """Keep a row for each of the cases, none of which has one; they are numbered in their order in the document."""
        plain = plain or Plain()
        ids, case_ids = _numbers(self.n_made + 1, plain.at, [case.at for case in cases])
        placed, verdicts = packer.weighed(cases)
        rows = [
            self._row(test_id, case.fingerprint, case.base) + packer.words(case, verdict) + self._end
            for test_id, case, verdict in zip(case_ids, placed, verdicts, strict=True)
        ]
        layers_of_plain: Sequence[int] = ()
        if len(plain):
            told = packer.weighed_plain(plain)
            layers_of_plain = [verdict.layer for verdict in told]
            rows += self._plain_rows(ids, plain, packer.plain_words(plain, told))
        packing.copy(cursor, MADE, rows)
        self.n_made += len(rows)
        known: dict[bytes, Known] = {
            case.fingerprint: (test_id, None, verdict.layer)
            for test_id, case, verdict in zip(case_ids, cases, verdicts, strict=True)
        }
        return Made(known, ids, layers_of_plain)

    def _row(self, test_id: int, fingerprint: bytes, base: bytes) -> bytes:
        return FIRST(N_MADE, 8, self._project_id, 4, test_id, 16, fingerprint, 16, base)

    def _plain_rows(
        self, ids: Iterable[int], plain: Plain, words: Iterable[tuple[bytes, ...]]
    ) -> Iterator[bytes]:
        row, end = self._row, self._end
        for test_id, fingerprint, base, said in zip(ids, plain.fingerprints, plain.bases, words, strict=True):
            yield b"".join((row(test_id, fingerprint, base), *said, end))


def _numbers(first: int, at: array[int], others: Sequence[int]) -> tuple[array[int], list[int]]:
    """Return the numbers of plain cases at some places of a document and those of others between them, from `first` on."""
    ids, ids_of_others, done = array("i"), list[int](), 0
    for n, place in enumerate(others, first):
        end = bisect_left(at, place, lo=done)
        ids.extend(range(n + done, n + end))
        ids_of_others.append(n + end)
        done = end
    n = first + len(others)
    ids.extend(range(n + done, n + len(at)))
    return ids, ids_of_others


def _placed(case: Case) -> Case:
    """Return the case with its file inside the project, where a linter names suite and class by absolute paths."""
    return case._replace(
        suite=_inside(case.suite), classname=_inside(case.classname), file=_inside(case.file)
    )


def _inside(path: str) -> str:
    return relative(path) if path.startswith("/") else path


def traits(case: Case, *, sent: Layer | None) -> int:
    """Return a checksum of the words that a verdict on the layer of this case rests on.

    Values of properties that hold digits are left out: they are times, ports and numbers that change with each run.
    """
    steady = [(key, value if not any(map(str.isdigit, value)) else "") for key, value in case.properties]
    return _checksum((case.file, case.framework, case.owner), sent=sent, more=case.markers, properties=steady)


def _checksum(
    words: tuple[str, ...],
    *,
    sent: Layer | None,
    more: Iterable[str],
    properties: Sequence[tuple[str, str]] = (),
) -> int:
    file, *others = words
    told = [_inside(file), *others, str(sent), *more, repr(list(properties))]
    return zlib.crc32("\x1f".join(told).encode("utf-8", "replace"))


def identity_of(case: Case, *, sent: Layer | None) -> layers.Identity:
    """Return what the evidence engine looks at."""
    # tuple.__new__ is a third of the price of the class's own call, and this runs for each new test.
    return tuple.__new__(layers.Identity, (
        case.suite, case.classname, case.name, case.file, case.framework, case.variant, case.markers, case.properties, sent,
    ))  # fmt: skip
