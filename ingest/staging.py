"""Lay the results of one Upload into temporary tables: what was read, which tests are new, what went wrong.

Bounded in memory whatever the size of the file: cases go to PostgreSQL in chunks, and only the tests that are not known yet, or
that changed, carry their words along. Nothing here touches a row that others see; ingest.record does that.
"""

from __future__ import annotations

import struct
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import connection
from django.db.backends.utils import CursorWrapper

from analysis import trials
from analysis.rules import RuleSet
from analysis.seats import Report
from ingest import folding, packing, workers
from ingest.cases import Case, Refused
from ingest.junit import Reading
from ingest.newcomers import STAGED, FirstTests, Known, Packer
from ingest.plain import Plain
from ingest.recall import MOST_ENTRIES, Lesson, Lessons, Memory, Recalled
from ingest.remembered import Remembered
from projects import columns
from projects.cursors import binding_cursor, without_sorting
from projects.vocabulary import Layer, Outcome

CHUNK = 4_000  # cases held at once: some 4 MB, and enough that a round trip does not show
MOST_STAGED = 200_000  # numbers of tests kept to see whether one comes twice; beyond, PostgreSQL is asked
MOST_TROUBLED = (
    10_000  # failures of which it is told what ran before them; nobody reads those of an outage so closely
)
MOST_REMEMBERED = 150_000  # results of remembered tests held at once, twelve bytes each
MOST_AT_ONCE = 20_000  # of them sent in one statement, some fifty bytes each

TABLES = """
CREATE TEMP TABLE IF NOT EXISTS incoming (
    seq integer, fingerprint bytea, test_id integer, outcome smallint, seconds real, n_attempts smallint,
    is_flaky boolean, hint smallint, layer smallint, is_merge boolean DEFAULT false, n_before smallint DEFAULT 0,
    old_outcome smallint, old_seconds real
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS newcomer (
    seq integer, fingerprint bytea, test_id integer, base bytea, suite text, classname text, name text, file text,
    line integer, variant text, framework text, owner text, markers text[], properties jsonb, sent_layer smallint,
    layer smallint, confidence double precision, evidence jsonb, tags text[], traits bigint
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS trouble (
    seq integer, attempt smallint, is_final boolean, outcome smallint, seconds real, kind text, message text, words text,
    worker text
) ON COMMIT DELETE ROWS;
"""

INCOMING = "incoming (seq, fingerprint, test_id, outcome, seconds, n_attempts, is_flaky, hint, layer)"
# A row of nine fields, each after its length; a null is a length of -1. Four shapes: known or new, timed or not. A test
# that is known needs no fingerprint.
KNOWN_TIMED = struct.Struct(">h ii i ii ih if ih i? ih ih").pack
KNOWN_UNTIMED = struct.Struct(">h ii i ii ih i ih i? ih ih").pack
NEW_TIMED = struct.Struct(">h ii i16s i ih if ih i? ih i").pack
NEW_UNTIMED = struct.Struct(">h ii i16s i ih i ih i? ih i").pack

# What is known of a test comes along once, so that no later statement has to join the tests: on a table that has just
# grown, the planner would guess too few rows and loop over all of them for each. For the same reason it would read all tests of a
# young project; the order, which nobody needs, leaves it the index of fingerprints alone.
KNOWN = """
SELECT fingerprint, id, traits, layer
FROM projects_test WHERE project_id = %(project_id)s AND fingerprint = ANY(%(fingerprints)b::bytea[]) ORDER BY fingerprint
"""
REMEMBERED = """
INSERT INTO incoming (seq, test_id, outcome, seconds, n_attempts, is_flaky, hint, layer)
SELECT r.seq, t.id, CASE WHEN r.number > 0 THEN 1 ELSE 4 END, r.seconds, 1, false,
    CASE WHEN r.number > 0 THEN %(hint)s ELSE %(skipped_hint)s END, t.layer
FROM unnest(%(ats)b::int[], %(numbers)b::int[], %(seconds)b::real[]) AS r (seq, number, seconds)
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = abs(r.number)
"""

# New tests have a fingerprint and no number yet, the others a number and no fingerprint.
TWICE = "SELECT EXISTS (SELECT FROM incoming GROUP BY {names} HAVING count(*) > 1)"


class Outdated(Exception):
    """What this worker remembered of the project no longer holds: the upload is to be read once more."""


class Stage:
    """The temporary tables of one Upload, filled chunk by chunk inside the caller's transaction."""

    def __init__(
        self,
        project_id: int,
        *,
        rules: RuleSet | None,
        sent: Layer | None,
        memory: Memory,
        first_tests: FirstTests | None = None,
    ) -> None:
        self.project_id = project_id
        self.memory = memory
        self.first_tests = first_tests
        self._packer = Packer(rules=rules, sent=sent)
        self.remembered = Remembered(memory)  # what is not staged
        self.n_cases = 0
        self.n_new = 0  # cases of tests that were not known when they were staged
        self.n_changed = 0  # cases of tests whose words changed
        self.reports: list[Report] = []
        self.workers: dict[int, str] = {}  # of cases whose own properties name one
        self._staged = array("i")  # the known tests of the upload, as long as they are few
        self._n_known = 0  # of these and of the remembered ones, how many there were
        self._troubled = array("i")  # places of cases that went wrong, as long as they are few
        self._learned = Lessons()
        self._unnamed: dict[int, tuple[dict[int, int], int, int]] = {}
        self._frameworks: dict[str, int] = {}
        with connection.cursor() as cursor:
            cursor.execute(TABLES)
            # Empty already after a commit; not after an earlier upload in the same transaction.
            cursor.execute("DELETE FROM incoming; DELETE FROM newcomer; DELETE FROM trouble")
            cursor.execute(
                "SET LOCAL work_mem = '64MB'"
            )  # what is sorted and hashed is as large as the upload

    def add(self, reading: Reading) -> None:
        """Take the cases of one report, in the order of the document; those before a refusal are kept."""
        start, waiting = self.n_cases, list[Case]()
        try:
            for part in reading.parts():
                waiting += part
                if len(waiting) + len(reading.plain) >= CHUNK:
                    self._add_part(start, waiting, reading.plain.taken())
                    waiting = []
                self._add_recalled(start, reading.recalled)
        except Refused:
            self._add_last(start, waiting, reading)
            raise
        self._add_last(start, waiting, reading)

    def _add_last(self, start: int, waiting: Sequence[Case], reading: Reading) -> None:
        self._add_part(start, waiting, reading.plain.taken())
        self._add_recalled(start, reading.recalled)
        self.n_cases = start + reading.n_cases
        self.reports.append(Report(start, reading.n_cases, reading.worker))

    def _add_part(self, start: int, cases: Sequence[Case], plain: Plain) -> None:
        """Take cases and plain cases: at once where all are the first of the project's tests, else one like the other."""
        first = self.first_tests
        if first is None or not len(plain) or not self._are_all_new(first, cases, plain):
            self._add_chunk(start, plain.among(cases))
        else:
            with connection.cursor() as cursor:
                made = first.make(cursor, cases, self._packer, plain=plain)
            self._add_plain(start, plain, made.ids, made.layers)
            self._note_layers(made.known)
            self._add_chunk(start, cases, known=made.known)

    def _add_plain(self, start: int, plain: Plain, ids: array[int], layers: Sequence[int]) -> None:
        """Note the results of tests that were just made."""
        self.memory.note_layers(ids, layers)
        self._note_known(ids, n=len(ids))
        numbers, done = plain.signed(ids), 0
        for known, framework, n in plain.places():
            part = slice(done, done + n)
            self._learned.add(known, plain.keys[part], numbers[part])
            found = Recalled.of(numbers[part], plain.seconds[part], plain.at[part])
            self._remember({framework: found}, start=start)
            done += n
        self._forget_many(start + plain.at[-1])

    def _are_all_new(self, first_tests: FirstTests, cases: Iterable[Case], plain: Plain) -> bool:
        """True where none of the project's tests made so far is among these, nor one of them twice."""
        fingerprints = [*plain.fingerprints, *(case.fingerprint for case in cases)]
        if len(set(fingerprints)) < len(fingerprints):
            return False
        doubtful = first_tests.doubtful(fingerprints)
        return not (doubtful and self._looked_up(doubtful))

    def _add_chunk(
        self, start: int, chunk: Sequence[Case], *, known: Mapping[bytes, Known] | None = None
    ) -> None:
        if not chunk:
            return
        known = self._known(chunk) if known is None else known
        incoming: list[bytes] = []
        newcomers: list[tuple[int, Case, int | None]] = []
        lessons: list[Lesson] = []
        recalled: defaultdict[str, list[tuple[int, float, int]]] = defaultdict(list)
        for case in chunk:
            seq, found = start + case.at, known.get(case.fingerprint)
            if found is None:
                newcomers.append((seq, case, None))
                self.n_new += 1
                if case.memo is not None:
                    self._unnamed[seq] = case.memo
            elif found[1] is not None and found[1] != self._packer.traits(case):
                newcomers.append((seq, case, found[0]))
                self.n_changed += 1
            elif case.memo is not None:
                place, key, sign = case.memo
                lessons.append((place, key, sign * found[0]))
                if case.seconds is not None:  # what is remembered of it from now on is all that it says
                    recalled[case.framework].append((sign * found[0], case.seconds, seq))
                    continue
            incoming.append(self._incoming(seq, case, found))
        self._learned.extend(lessons)
        self._forget_many(start + chunk[-1].at)
        known_ids = [found[0] for case in chunk if (found := known.get(case.fingerprint))]
        self._note_known(known_ids, n=len(known_ids))
        for framework, results in recalled.items():
            more = Recalled()
            more.extend(results)
            self._remember({framework: more}, start=0)
        with connection.cursor() as cursor:
            packing.copy(cursor, INCOMING, incoming)
            packing.copy(cursor, STAGED, self._packer.staged(newcomers))
            packing.copy(cursor, "trouble", self._troubles(start, chunk))

    def _troubles(self, start: int, chunk: Sequence[Case]) -> list[bytes]:
        """Pack what went wrong in the chunk, and note where, and on which worker its cases ran."""
        packed: list[bytes] = []
        for case in chunk:
            if case.attempts or case.failure is not None or case.outcome.is_bad:
                packed.extend(folding.troubles(start + case.at, case))
                if len(self._troubled) < MOST_TROUBLED:
                    self._troubled.append(start + case.at)
            if case.properties and (worker := workers.of_properties(case.properties)):
                self.workers[start + case.at] = worker
        return packed

    def _forget_many(self, n_cases: int) -> None:
        """Learn nothing from an upload that is too large to be remembered; a part is not worth the room."""
        if n_cases > MOST_ENTRIES:
            self._unnamed.clear()
            self._learned.clear()

    def _add_recalled(self, start: int, recalled: Mapping[str, Recalled]) -> None:
        for found in recalled.values():
            self._note_known(map(abs, found.ids), n=len(found.ids))
        self._remember(recalled, start=start)

    def _remember(self, recalled: Mapping[str, Recalled], *, start: int) -> None:
        self.remembered.add(recalled, start=start)
        if len(self.remembered) > MOST_REMEMBERED:
            self.stage_remembered()

    def _note_known(self, test_ids: Iterable[int], *, n: int) -> None:
        self._n_known += n
        if len(self._staged) < MOST_STAGED:
            self._staged.extend(test_ids)

    def stage_remembered(self) -> None:
        """Lay the results of remembered tests with the others; raise Outdated where a test is gone."""
        self._stage(self.remembered.take())

    def stage_tried(self, tried: trials.Known) -> None:
        """Lay the results of tests that failed once with the others, and what ran right before a failure or an awaited pass."""
        troubled = {seq - 1 for seq in self._troubled}
        self._stage(self.remembered.take_some(tried.test_ids, after=tried.awake, places=troubled))

    def _stage(self, taken: Iterable[tuple[str, Recalled]]) -> None:
        for framework, found in taken:
            hints = {
                "hint": self._hint(framework, retry=0, may_be_rerun=framework == "pytest"),
                "skipped_hint": self._hint(framework, retry=0, may_be_rerun=False),
            }
            for part in found.slices(MOST_AT_ONCE):
                self._stage_part(part, hints)

    def _stage_part(self, part: Recalled, hints: Mapping[str, int]) -> None:
        values = {
            **hints,
            "ats": columns.sent(part.at),
            "numbers": columns.sent(part.ids),
            "seconds": columns.sent(part.seconds),
            "project_id": self.project_id,
        }
        with binding_cursor() as cursor:
            if cursor.execute(REMEMBERED, values).rowcount != len(part.ids):
                self.memory.forget()
                raise Outdated

    def name_new(self, cursor: CursorWrapper) -> None:
        """Learn the numbers that the new tests got."""
        if self._unnamed:
            cursor.execute("SELECT seq, test_id, layer FROM incoming WHERE fingerprint IS NOT NULL")
            made = cursor.fetchall()
            self.memory.note_layers([test_id for _, test_id, _ in made], [layer for _, _, layer in made])
            memos = ((self._unnamed.get(seq), test_id) for seq, test_id, _ in made)
            self._learned.extend(
                (memo[0], memo[1], memo[2] * test_id) for memo, test_id in memos if memo is not None
            )
            self._unnamed.clear()

    def remember(self) -> None:
        """Have the memory keep what this upload taught, once that is committed."""
        self.memory.learn(self._learned)

    def _known(self, chunk: Sequence[Case]) -> dict[bytes, Known]:
        """Return (id, traits, layer) of the tests of the chunk that the project knows, or of all where these are its first."""
        fingerprints = {case.fingerprint for case in chunk}
        first = self.first_tests
        known = self._made(first, chunk, fingerprints) if first else self._looked_up(fingerprints)
        self._note_layers(known)
        return known

    def _note_layers(self, known: Mapping[bytes, Known]) -> None:
        self.memory.note_layers([one[0] for one in known.values()], [one[2] for one in known.values()])

    def _looked_up(self, fingerprints: Collection[bytes]) -> dict[bytes, Known]:
        values = {"project_id": self.project_id, "fingerprints": packing.byteas(fingerprints)}
        with binding_cursor() as cursor, without_sorting(cursor):
            found = cursor.execute(KNOWN, values, binary=True).fetchall()
        return {row[0]: (row[1], row[2], row[3]) for row in found}

    def _made(
        self, first_tests: FirstTests, chunk: Sequence[Case], fingerprints: Collection[bytes]
    ) -> dict[bytes, Known]:
        """Make those that are not there yet."""
        doubtful = first_tests.doubtful(fingerprints)
        known = self._looked_up(doubtful) if doubtful else {}
        new: dict[bytes, Case] = {}
        for case in chunk:
            if case.fingerprint not in known:
                new.setdefault(case.fingerprint, case)
        with connection.cursor() as cursor:
            return known | first_tests.make(cursor, list(new.values()), self._packer).known

    def _incoming(self, seq: int, case: Case, known: Known | None) -> bytes:
        """Pack the row of a case; the four shapes cost a call each, and this runs a million times a file."""
        outcome, seconds = case.outcome, case.seconds
        n_attempts = 1 + len(case.attempts)
        is_flaky = n_attempts > 1 and outcome == Outcome.PASSED
        hint = self._hint(case.framework, retry=case.retry, may_be_rerun=case.may_be_rerun)
        end = (2, n_attempts, 1, is_flaky, 2, hint)
        if known is None:
            new = (9, 4, seq, 16, case.fingerprint, -1, 2, outcome)
            if seconds is None:
                return NEW_UNTIMED(*new, -1, *end, -1)
            return NEW_TIMED(*new, 4, seconds, *end, -1)
        test_id, _, layer = known
        start = (9, 4, seq, -1, 4, test_id, 2, outcome)
        if seconds is None:
            return KNOWN_UNTIMED(*start, -1, *end, 2, layer)
        return KNOWN_TIMED(*start, 4, seconds, *end, 2, layer)

    def _hint(self, framework: str, *, retry: int, may_be_rerun: bool) -> int:
        number = self._frameworks.get(framework)
        if number is None:
            number = self._frameworks.setdefault(framework, len(self._frameworks))
        return folding.hint(number, retry=retry, may_be_rerun=may_be_rerun)

    def fold_duplicates(self) -> None:
        """Make one result of each identity that the upload shows more than once."""
        is_known_twice = self._n_known > len(self._staged) or len(set(self._staged)) < self._n_known
        with connection.cursor() as cursor:
            if is_known_twice:
                self.stage_remembered()
            if is_known_twice or self.n_new:
                cursor.execute(TWICE.format(names="test_id, fingerprint" if self.n_new else "test_id"))
                if cursor.fetchone()[0]:
                    folding.fold_staged(cursor, list(self._frameworks))
        self._packer.forget()
