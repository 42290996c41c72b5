"""Keep what went wrong: each failed try with its Signature and Boundary, and a few samples of its words.

Reads the staged troubles in batches, so that an outage of a large suite does not fill the worker's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from analysis import failures
from analysis.rollups import Place
from projects.models import Failure, FailureSample, Signature
from projects.vocabulary import Outcome

BATCH = 500  # failures held at once, 16 KB of words each at most
SAMPLES = 3  # samples of one signature in one test: the first words rarely differ from the hundredth

# The tries of a test in a run are numbered on from those that are there.
TROUBLES = """
SELECT i.test_id, t.attempt + coalesce(greatest(i.n_before, b.last), 0), t.is_final, t.outcome, t.seconds, t.kind,
    t.message, t.words
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


def record(place: Place, *, kind: str, has_merges: bool) -> None:
    """Keep the staged troubles as failures of the run; `kind` says how they relate to earlier attempts in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM trouble)")
        has_troubles = cursor.fetchone()[0]
        if has_merges and kind == "later":
            cursor.execute(
                FORGIVE, {"project_id": place.project_id, "run_number": place.run_number, "day": place.day}
            )
    if has_troubles:
        for batch in _batches(place):
            _keep(place, batch, is_overruled=kind == "earlier")


def _batches(place: Place) -> Iterator[list[Trouble]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(TROUBLES, {"project_id": place.project_id, "run_number": place.run_number})
        while rows := cursor.fetchmany(BATCH):
            yield [Trouble(*row) for row in rows]


def _keep(place: Place, batch: list[Trouble], *, is_overruled: bool) -> None:
    signatures = [failures.signature(kind=t.kind, message=t.message, text=t.text) for t in batch]
    new = {s.digest: (s, t) for s, t in zip(signatures, batch, strict=True)}
    Signature.objects.bulk_create(
        [_signature(place, signature, trouble) for signature, trouble in new.values()], ignore_conflicts=True
    )
    Failure.objects.bulk_create(
        Failure(
            project_id=place.project_id,
            test_id=trouble.test_id,
            run_number=place.run_number,
            attempt=trouble.attempt,
            day=place.day,
            on_default=place.on_default,
            outcome=trouble.outcome,
            is_final=trouble.is_final and not is_overruled,
            seconds=trouble.seconds,
            signature=signature.digest,
        )
        for signature, trouble in zip(signatures, batch, strict=True)
    )
    samples = {(t.test_id, s.digest): _sample(place, s, t) for s, t in zip(signatures, batch, strict=True)}
    FailureSample.objects.bulk_create(
        samples.values(),
        update_conflicts=True,
        unique_fields=["project", "test_id", "signature", "slot"],
        update_fields=["run_number", "kind", "message", "text"],
    )


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


def _sample(place: Place, signature: failures.Signature, trouble: Trouble) -> FailureSample:
    return FailureSample(
        project_id=place.project_id,
        test_id=trouble.test_id,
        signature=signature.digest,
        slot=place.run_number % SAMPLES,
        run_number=place.run_number,
        kind=trouble.kind,
        message=trouble.message,
        text=trouble.text,
    )
