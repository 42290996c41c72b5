"""Keep what went wrong: each failed try with its Signature and Boundary, and a few samples of its words.

Reads the staged troubles in batches, so that an outage of a large suite does not fill the worker's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from analysis import failures
from analysis.flaking import NOTHING_TOLD, Told
from analysis.rollups import Place
from analysis.seats import Report, seat
from analysis.trials import Said, tests_before
from projects.arrays import packed_columns
from projects.cursors import binding_cursor
from projects.models import Signature
from projects.vocabulary import Outcome

BATCH = 500  # failures held at once, 16 KB of words each at most
MOST_HELD = 5_000  # failures, some 300 bytes each, that wait until it is known how likely each is a flake's
SAMPLES = 3  # samples of one signature in one test: the first words rarely differ from the hundredth

# The tries of a test in a run are numbered on from those that are there.
TROUBLES = """
SELECT i.test_id, t.attempt + coalesce(greatest(i.n_before, b.last), 0), t.is_final, t.outcome, t.seconds, t.kind,
    t.message, t.words, t.worker, t.seq
FROM trouble t JOIN incoming i USING (seq)
LEFT JOIN (
    SELECT test_id, max(attempt) AS last FROM projects_failure
    WHERE project_id = %(project_id)s AND run_number = %(run_number)s GROUP BY test_id
) b ON b.test_id = i.test_id
ORDER BY i.test_id, t.attempt
"""

# A later attempt has the last word: what failed before it was not the end.
FORGIVE = """
UPDATE projects_failure f SET is_final = false FROM incoming i
WHERE i.is_merge AND f.project_id = %(project_id)s AND f.run_number = %(run_number)s AND f.test_id = i.test_id AND f.is_final
    AND NOT EXISTS (SELECT FROM projects_result r WHERE r.project_id = f.project_id AND r.run_number = f.run_number
        AND r.ran_on = %(day)s AND r.test_id = f.test_id AND r.outcome IN (2, 3)
        AND NOT EXISTS (SELECT FROM trouble t WHERE t.seq = i.seq AND t.is_final))
"""

FAILURE_COLUMNS = {
    "test_id": "int",
    "attempt": "smallint",
    "outcome": "smallint",
    "is_final": "boolean",
    "seconds": "float8",
    "signature": "bytea",
    "after_test": "int",
    "place": "int",
    "n_cases": "int",
    "worker": "text",
    "p_flaky": "float8",
    "in_incident": "boolean",
}
KEEP_FAILURES = f"""
INSERT INTO projects_failure (project_id, run_number, day, on_default, {", ".join(FAILURE_COLUMNS)})
SELECT %(project_id)s, %(run_number)s, %(day)s, %(on_default)s, {", ".join(FAILURE_COLUMNS)}
FROM unnest({", ".join(f"%({name})b::{kind}[]" for name, kind in FAILURE_COLUMNS.items())})
    AS f ({", ".join(FAILURE_COLUMNS)})
"""  # noqa: S608 - names of our own
SAMPLE_COLUMNS = {"test_id": "int", "signature": "bytea", "kind": "text", "message": "text", "words": "text"}
KEEP_SAMPLES = f"""
INSERT INTO projects_failuresample (project_id, slot, run_number, test_id, signature, kind, message, text)
SELECT %(project_id)s, %(slot)s, %(run_number)s, {", ".join(SAMPLE_COLUMNS)}
FROM unnest({", ".join(f"%({name})b::{kind}[]" for name, kind in SAMPLE_COLUMNS.items())})
    AS s ({", ".join(SAMPLE_COLUMNS)})
ON CONFLICT (project_id, test_id, signature, slot) DO UPDATE SET run_number = excluded.run_number, kind = excluded.kind,
    message = excluded.message, text = excluded.text
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Trouble:
    """One failed try as it was staged."""

    test_id: int
    attempt: int
    is_final: bool
    outcome: Outcome
    seconds: float | None
    kind: str
    message: str
    text: str
    worker: str
    seq: int


class Held:
    """The failures of a run's first upload, written once it is known what they are: writing a row twice takes twice as long.

    More than MOST_HELD are written at once, and so are those that join others of their run.
    """

    def __init__(self, place: Place, *, may_wait: bool) -> None:
        self._place = place
        self._rows: list[tuple[Any, ...]] = []
        self.said: dict[int, Said] | None = {} if may_wait else None  # by the tests' last failures

    def add(self, rows: Sequence[tuple[Any, ...]], said: Mapping[int, Said]) -> None:
        """Take failures, in the order of FAILURE_COLUMNS but for the last two."""
        self._rows += rows
        if self.said is not None:
            self.said.update(said)
        if self.said is None or len(self._rows) > MOST_HELD:
            self.said = None
            self.write(NOTHING_TOLD)

    def write(self, told: Told) -> None:
        """Write what waits."""
        p_flaky, withheld = told.p_flaky.get, told.withheld
        rows = [(*row, p_flaky(row[0]), row[0] in withheld) for row in self._rows]
        self._rows = []
        if rows:
            _write(KEEP_FAILURES, self._place, FAILURE_COLUMNS, rows)


def record(place: Place, *, kind: str, has_merges: bool, is_first: bool, reports: Sequence[Report]) -> Held:
    """Keep the staged troubles as failures of the run; `kind` says how they relate to earlier attempts in it.

    `reports` are those of the upload, in their order. What is returned is to be written when it is known what they are.
    """
    held = Held(place, may_wait=is_first and not has_merges)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM trouble)")
        has_troubles = cursor.fetchone()[0]
        if has_merges and kind == "later":
            cursor.execute(
                FORGIVE, {"project_id": place.project_id, "run_number": place.run_number, "day": place.day}
            )
    if has_troubles:
        for batch in _batches(place):
            _keep(place, batch, held, is_overruled=kind == "earlier", reports=reports)
    return held


def _batches(place: Place) -> Iterator[list[Trouble]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(TROUBLES, {"project_id": place.project_id, "run_number": place.run_number})
        while rows := cursor.fetchmany(BATCH):
            yield [Trouble(*row) for row in rows]


def _keep(
    place: Place, batch: list[Trouble], held: Held, *, is_overruled: bool, reports: Sequence[Report]
) -> None:
    signatures = [failures.signature(kind=t.kind, message=t.message, text=t.text) for t in batch]
    named = list(zip(signatures, batch, strict=True))
    is_infrastructure = _keep_signatures(place, {s.digest: (s, t) for s, t in named})
    before = tests_before([t.seq for t in batch])
    failed = [
        (
            *(t.test_id, t.attempt, t.outcome, t.is_final and not is_overruled, t.seconds, s.digest),
            *seat(t.seq, before=before.get(t.seq), reports=reports, worker=t.worker),
        )
        for s, t in named
    ]
    samples = {(t.test_id, s.digest): (t.test_id, s.digest, t.kind, t.message, t.text) for s, t in named}
    held.add(failed, {t.test_id: Said(s.digest, is_infrastructure[s.digest]) for s, t in named})
    _write(KEEP_SAMPLES, place, SAMPLE_COLUMNS, list(samples.values()))


def _keep_signatures(
    place: Place, seen: dict[bytes, tuple[failures.Signature, Trouble]]
) -> dict[bytes, bool]:
    """Keep the signatures that are new; what failed yesterday mostly fails today, and its boundary is known.

    Returns which of them speak of the machine.
    """
    known = Signature.objects.filter(project_id=place.project_id, digest__in=list(seen))
    old = {bytes(digest): is_infra for digest, is_infra in known.values_list("digest", "is_infrastructure")}
    new = {digest: _signature(place, *said) for digest, said in seen.items() if digest not in old}
    Signature.objects.bulk_create(new.values(), ignore_conflicts=True)
    return old | {digest: one.is_infrastructure for digest, one in new.items()}


def _write(statement: str, place: Place, columns: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows by one statement over an array a column; a placeholder a value takes longer to write out than to keep."""
    values = packed_columns(columns, rows)
    values |= {
        "project_id": place.project_id,
        "run_number": place.run_number,
        "day": place.day,
        "on_default": place.on_default,
        "slot": place.run_number % SAMPLES,
    }
    with binding_cursor() as cursor:
        cursor.execute(statement, values)


def _signature(place: Place, signature: failures.Signature, trouble: Trouble) -> Signature:
    words = {"kind": trouble.kind, "message": trouble.message, "text": trouble.text}
    match = failures.boundary(**words)
    return Signature(
        project_id=place.project_id,
        digest=signature.digest,
        version=signature.version,
        title=signature.title,
        boundary=match.boundary,
        matched=match.matched,
        is_infrastructure=failures.is_infrastructure(**words) is not None,
        first_on=place.day,
    )
