"""Fold the staged cases of one identity into one result, in the temporary tables of ingest.staging.

What several cases of a test mean is ingest.attempts' to say; here they are found, read back and written. Bounded in memory
however often a report uses one name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper

from ingest import packing
from ingest.attempts import Folded, fold
from ingest.cases import Attempt, Case, Failure
from projects.vocabulary import Outcome

# A pile of results under one name (a load test, a loop) is only counted; folding each would hold them all in memory.
LARGEST_FOLD = 1_000
MOST_ATTEMPTS = 32_000  # a smallint holds no more

DUPLICATES = """
WITH twice AS MATERIALIZED (SELECT test_id, fingerprint FROM incoming GROUP BY 1, 2 HAVING count(*) > 1)
SELECT array_agg(i.seq ORDER BY i.seq) FROM incoming i JOIN twice t
ON i.test_id IS NOT DISTINCT FROM t.test_id AND i.fingerprint IS NOT DISTINCT FROM t.fingerprint
GROUP BY i.test_id, i.fingerprint ORDER BY min(i.seq)
"""


def fold_staged(cursor: CursorWrapper, frameworks: list[str]) -> None:
    """Make one result of each identity that was staged more than once; `frameworks` are those that hints number."""
    cursor.execute(DUPLICATES)
    groups = []
    for (seqs,) in cursor.fetchall():
        if len(seqs) > LARGEST_FOLD:
            _pile(cursor, seqs)
        else:
            groups.append(seqs)
    if not groups:
        return
    cursor.execute(NAMES_REPEAT, {"pytest": frameworks.index("pytest") if "pytest" in frameworks else -1})
    names_repeat = cursor.fetchone()[0]
    for start in range(0, len(groups), LARGEST_FOLD):
        _fold(cursor, groups[start : start + LARGEST_FOLD], frameworks, names_repeat=names_repeat)


def hint(framework: int, *, retry: int, may_be_rerun: bool) -> int:
    """Pack what folding wants to know of a case into a smallint."""
    return min(framework, 500) * 64 + min(retry, 31) * 2 + may_be_rerun


def _hint_words(hint: int) -> tuple[int, int, bool]:
    """Return the number of the framework, the retry and whether the case may be a rerun."""
    return hint // 64, hint % 64 // 2, bool(hint % 2)


def troubles(seq: int, case: Case) -> Iterator[bytes]:
    """Pack a row for each attempt of a case that went wrong."""
    for number, attempt in enumerate(case.attempts, 1):
        if attempt.outcome.is_bad:
            yield _trouble(seq, number, attempt, is_final=False)
    if case.outcome.is_bad:
        last = Attempt(case.outcome, case.seconds, case.failure)
        yield _trouble(seq, len(case.attempts) + 1, last, is_final=True)


def _trouble(seq: int, number: int, attempt: Attempt, *, is_final: bool) -> bytes:
    failure = attempt.failure or Failure("", "", "")
    fields = (
        *(packing.int4(seq), packing.int2(number), packing.flag(is_final)),
        *(packing.int2(attempt.outcome), packing.float4(attempt.seconds)),
        *(packing.text(_storable(words)) for words in failure),
    )
    return packing.row(fields, n=9)


def _storable(words: str) -> str:
    return words.replace("\x00", "")


# A Case with what folding looks at; its words stay with the tests.
WORDLESS = Case(
    fingerprint=b"",
    base=b"",
    suite="",
    classname="",
    name="",
    file="",
    line=None,
    variant="",
    outcome=Outcome.PASSED,
    seconds=None,
    attempts=(),
    failure=None,
    framework="",
    markers=(),
    properties=(),
    owner="",
    may_be_rerun=False,
)

# A second pass in a row says that the report uses one name for several things; pytest reruns read like that too.
NAMES_REPEAT = """
SELECT EXISTS (
    SELECT FROM (
        SELECT outcome, hint / 64 AS framework, lag(outcome) OVER (PARTITION BY test_id, fingerprint ORDER BY seq) AS before
        FROM incoming
    ) i WHERE outcome = 1 AND before = 1 AND framework <> %(pytest)s)
"""
CASES_OF = "SELECT seq, outcome, seconds, hint FROM incoming WHERE seq = ANY(%s)"
TROUBLES_OF = """
SELECT seq, is_final, outcome, seconds, kind, message, words, worker FROM trouble WHERE seq = ANY(%s) ORDER BY seq, attempt
"""
KEEP_FOLDED = """
UPDATE incoming i SET outcome = f.outcome, seconds = f.seconds, n_attempts = f.n_attempts, is_flaky = f.is_flaky
FROM unnest(%s::int[], %s::smallint[], %s::real[], %s::smallint[], %s::boolean[])
    AS f (seq, outcome, seconds, n_attempts, is_flaky)
WHERE i.seq = f.seq
"""


def _fold(
    cursor: CursorWrapper, groups: Sequence[list[int]], frameworks: list[str], *, names_repeat: bool
) -> None:
    """Fold the cases of each group, one identity a group, into the first of them."""
    cases = _cases_of(cursor, [seq for group in groups for seq in group], frameworks)
    kept = [(group[0], fold([cases[seq] for seq in group], names_repeat=names_repeat)) for group in groups]
    cursor.execute("DELETE FROM trouble WHERE seq = ANY(%s)", [list(cases)])
    cursor.execute(
        "DELETE FROM incoming WHERE seq = ANY(%s)", [[seq for group in groups for seq in group[1:]]]
    )
    rows = [_folded_row(seq, folded) for seq, folded in kept]
    cursor.execute(KEEP_FOLDED, [list(column) for column in zip(*rows, strict=True)])
    packing.copy(cursor, "trouble", [row for seq, folded in kept for row in _folded_troubles(seq, folded)])


def _folded_row(seq: int, folded: Folded) -> tuple[Any, ...]:
    is_flaky = folded.is_retry and folded.n_failed_attempts > 0 and folded.outcome == Outcome.PASSED
    n_attempts = min(folded.n_attempts, MOST_ATTEMPTS)
    return seq, int(folded.outcome), folded.seconds, n_attempts, is_flaky


def _folded_troubles(seq: int, folded: Folded) -> Iterator[bytes]:
    if not folded.is_retry:
        if folded.outcome.is_bad:
            yield _trouble(seq, 1, Attempt(folded.outcome, folded.seconds, folded.failure), is_final=True)
        return
    for number, attempt in enumerate(folded.attempts, 1):
        if attempt.outcome.is_bad:
            yield _trouble(
                seq, number, attempt, is_final=folded.outcome.is_bad and number == len(folded.attempts)
            )


def _cases_of(cursor: CursorWrapper, seqs: list[int], frameworks: list[str]) -> dict[int, Case]:
    cursor.execute(TROUBLES_OF, [seqs])
    attempts: dict[int, list[Attempt]] = {}
    failures: dict[int, Failure] = {}
    for seq, is_final, outcome, seconds, *words in cursor.fetchall():
        failure = Failure(*words)
        if is_final:
            failures[seq] = failure
        else:
            attempts.setdefault(seq, []).append(Attempt(Outcome(outcome), seconds, failure))
    cursor.execute(CASES_OF, [seqs])
    cases = {}
    for seq, outcome, seconds, hint in cursor.fetchall():
        framework, retry, may_be_rerun = _hint_words(hint)
        cases[seq] = WORDLESS._replace(
            outcome=Outcome(outcome),
            seconds=seconds,
            attempts=tuple(attempts.get(seq, ())),
            failure=failures.get(seq),
            framework=frameworks[framework] if framework < len(frameworks) else "",
            may_be_rerun=may_be_rerun,
            retry=retry,
        )
    return cases


def _pile(cursor: CursorWrapper, seqs: list[int]) -> None:
    """Count a pile of results under one name: the worst outcome, the summed time, no claim about retries."""
    cursor.execute(
        "SELECT outcome, sum(seconds) OVER () FROM incoming WHERE seq = ANY(%s)"
        " ORDER BY array_position(ARRAY[2, 3, 1, 4]::smallint[], outcome) LIMIT 1",
        [seqs],
    )
    outcome, seconds = cursor.fetchone()
    cursor.execute("SELECT min(seq) FROM trouble WHERE is_final AND seq = ANY(%s)", [seqs])
    worst = cursor.fetchone()[0]
    cursor.execute("DELETE FROM trouble WHERE seq = ANY(%s) AND seq IS DISTINCT FROM %s", [seqs, worst])
    cursor.execute("UPDATE trouble SET seq = %s, attempt = 1 WHERE seq = %s", [seqs[0], worst])
    cursor.execute("DELETE FROM incoming WHERE seq = ANY(%s)", [seqs[1:]])
    cursor.execute(
        "UPDATE incoming SET outcome = %s, seconds = %s, n_attempts = %s, is_flaky = false WHERE seq = %s",
        [outcome, seconds, min(len(seqs), MOST_ATTEMPTS), seqs[0]],
    )
