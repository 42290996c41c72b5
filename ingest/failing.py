"""Keep what went wrong: each failed try with its Signature and Boundary, and a few samples of its words.

Reads the staged troubles in batches, so that an outage of a large suite does not fill the worker's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from analysis import failures
from analysis.rollups import Place
from analysis.seats import Report, seat
from analysis.trials import tests_before
from projects.arrays import packed_columns
from projects.cursors import binding_cursor
from projects.models import Signature
from projects.vocabulary import Outcome

BATCH = 500  # failures held at once, 16 KB of words each at most
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
}
KEEP_FAILURES = f"""
INSERT INTO projects_failure (project_id, run_number, day, on_default, in_incident, {", ".join(FAILURE_COLUMNS)})
SELECT %(project_id)s, %(run_number)s, %(day)s, %(on_default)s, false, {", ".join(FAILURE_COLUMNS)}
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


def record(place: Place, *, kind: str, has_merges: bool, reports: Sequence[Report]) -> None:
    """Keep the staged troubles as failures of the run; `kind` says how they relate to earlier attempts in it.

    `reports` are those of the upload, in their order.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM trouble)")
        has_troubles = cursor.fetchone()[0]
        if has_merges and kind == "later":
            cursor.execute(
                FORGIVE, {"project_id": place.project_id, "run_number": place.run_number, "day": place.day}
            )
    if has_troubles:
        for batch in _batches(place):
            _keep(place, batch, is_overruled=kind == "earlier", reports=reports)


def _batches(place: Place) -> Iterator[list[Trouble]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(TROUBLES, {"project_id": place.project_id, "run_number": place.run_number})
        while rows := cursor.fetchmany(BATCH):
            yield [Trouble(*row) for row in rows]


def _keep(place: Place, batch: list[Trouble], *, is_overruled: bool, reports: Sequence[Report]) -> None:
    signatures = [failures.signature(kind=t.kind, message=t.message, text=t.text) for t in batch]
    named = list(zip(signatures, batch, strict=True))
    _keep_signatures(place, {s.digest: (s, t) for s, t in named})
    before = tests_before([t.seq for t in batch])
    failed = [
        (
            *(t.test_id, t.attempt, t.outcome, t.is_final and not is_overruled, t.seconds, s.digest),
            *seat(t.seq, before=before.get(t.seq), reports=reports, worker=t.worker),
        )
        for s, t in named
    ]
    samples = {(t.test_id, s.digest): (t.test_id, s.digest, t.kind, t.message, t.text) for s, t in named}
    _write(KEEP_FAILURES, place, FAILURE_COLUMNS, failed)
    _write(KEEP_SAMPLES, place, SAMPLE_COLUMNS, list(samples.values()))


def _keep_signatures(place: Place, seen: dict[bytes, tuple[failures.Signature, Trouble]]) -> None:
    """Keep the signatures that are new; what failed yesterday mostly fails today, and its boundary is known."""
    known = Signature.objects.filter(project_id=place.project_id, digest__in=list(seen))
    old = {bytes(digest) for digest in known.values_list("digest", flat=True)}
    Signature.objects.bulk_create(
        [
            _signature(place, signature, trouble)
            for digest, (signature, trouble) in seen.items()
            if digest not in old
        ],
        ignore_conflicts=True,
    )


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
