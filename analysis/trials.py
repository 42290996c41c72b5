"""What an upload tried of the tests that failed, now or before: the rows that the flake engine is asked about.

Reads the staged results of the upload, and how its tests fared before; it writes nothing. What the attempts mean is
analysis.engine's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection

from analysis import mass_failures
from analysis.engine import Tried
from projects.models import Project, Run

RUNS_OF_A_COMMIT = 20  # compared with at most; a commit that ran more often has shown what it can
PASS_DAYS = 120  # days of passes counted for a test; the evidence halves every 45
# Tests that failed once, and whether an earlier failure waits for an explanation: a pass of them means something.
KNOWN = "SELECT test_id, awake_until >= %(at)s FROM projects_flake WHERE project_id = %(project_id)s LIMIT %(most)s"
MOST_KNOWN = 20_000  # such tests that an upload looks for; where more failed once, only those that are awake
AWAKE = "SELECT test_id FROM projects_flake WHERE project_id = %(project_id)s AND awake_until >= %(at)s"
# Every test of the upload that failed at first, and the passing ones that are awake; static checks are left out, since
# they read the same code the same way each time. Tests are looked up by key in
# lateral subqueries, since after the first upload of a project the planner knows nothing of its size.
TRIED = """
WITH bad AS (SELECT seq, count(*)::int AS n, bool_or(is_final) AS is_final FROM trouble GROUP BY seq)
SELECT i.test_id, coalesce(b.n, 0), coalesce(b.is_final, false), coalesce(t.suite, 0), i.seq
FROM incoming i LEFT JOIN bad b USING (seq)
LEFT JOIN LATERAL (
    SELECT hashtext(coalesce(nullif(file, ''), nullif(classname, ''), suite)) AS suite FROM projects_test t
    WHERE t.project_id = %(project_id)s AND t.id = i.test_id OFFSET 0
) t ON b.seq IS NOT NULL
WHERE i.layer <> 1 AND (b.seq IS NOT NULL OR (i.outcome = 1 AND i.test_id = ANY(%(awake)s)))
ORDER BY i.test_id
"""
# What the last failure of each test in the run said.
SAID = """
SELECT i.test_id, f.signature, f.is_infrastructure FROM unnest(%(failing)s::int[]) AS i (test_id) CROSS JOIN LATERAL (
    SELECT f.signature, g.is_infrastructure FROM projects_failure f
    JOIN projects_signature g ON g.project_id = f.project_id AND g.digest = f.signature
    WHERE f.project_id = %(project_id)s AND f.test_id = i.test_id AND f.run_number = %(run_number)s
    ORDER BY f.attempt DESC LIMIT 1
) f
"""
BEFORE = "SELECT seq + 1, test_id FROM incoming WHERE seq = ANY(%s) AND outcome <> 4"
# Passes of the days, and of the results that wait to be folded into them.
PASSES = """
SELECT test_id, sum(n)::int, coalesce(sum(n) FILTER (WHERE on_default), 0)::int
FROM (
    SELECT test_id, n_passed - n_flaky AS n, on_default FROM projects_testday
    WHERE project_id = %(project_id)s AND on_default IN (false, true) AND day BETWEEN %(since)s AND %(day)s
        AND test_id = ANY(%(ids)s)
    UNION ALL
    SELECT s.test_id, 1, b.on_default FROM projects_resultbatch b
    CROSS JOIN LATERAL unnest(b.test_ids, b.codes) AS s (test_id, code)
    WHERE b.project_id = %(project_id)s AND b.day BETWEEN %(since)s AND %(day)s AND s.test_id = ANY(%(ids)s)
        AND code & 15 = 1
) passes
GROUP BY test_id
"""
# The same of remembered results. Those of tests that failed before are staged, so it is asked for tests that failed just now: of
# a few each is looked for in the arrays of the batches, for many these are taken apart.
OF_WAITING = (
    "FROM projects_resultbatch WHERE project_id = %(project_id)s AND day BETWEEN %(since)s AND %(day)s"
)
PASSES_OF_FEW = f"""
SELECT number, count(*)::int, count(*) FILTER (WHERE on_default)::int
FROM unnest(%(new)s::int[]) AS n (number) JOIN (SELECT numbers, on_default {OF_WAITING}) b ON number = ANY(numbers)
GROUP BY number
"""  # noqa: S608 - words of our own
PASSES_OF_MANY = f"""
SELECT number, count(*)::int, count(*) FILTER (WHERE on_default)::int
FROM (SELECT unnest(numbers) AS number, on_default {OF_WAITING}) b WHERE number = ANY(%(new)s)
GROUP BY number
"""  # noqa: S608
FEW = 20  # a millisecond or two each where sixteen uploads of 100,000 results wait; sixty for however many
OTHER_RUNS = """
SELECT number, day FROM projects_run
WHERE project_id = %(project_id)s AND commit = %(commit)s AND number <> %(run_number)s
ORDER BY number DESC LIMIT %(limit)s
"""
PASSED_ON_COMMIT = """
SELECT test_id, max(run_number) FROM projects_result
WHERE project_id = %(project_id)s AND test_id = ANY(%(ids)s) AND run_number = ANY(%(others)s) AND ran_on = ANY(%(days)s)
    AND outcome = 1
GROUP BY test_id
"""


@dataclass(frozen=True, slots=True)
class Known:
    """Tests of a project that failed before this run, whose results its uploads stage; all of them, unless they are very many."""

    test_ids: Collection[int]
    awake: Collection[int]
    are_all: bool


class Said(NamedTuple):
    """What a test's last failure in a run said, and whether that speaks of the machine."""

    signature: bytes
    is_infrastructure: bool


SAID_NOTHING = Said(b"", is_infrastructure=False)


def known(project_id: int, run: Run) -> Known:
    """Return the tests that failed once, and of which a pass in this run means something."""
    values = {"project_id": project_id, "at": mass_failures.days(run.started_at), "most": MOST_KNOWN}
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, values)
        rows = cursor.fetchall()
        if len(rows) < MOST_KNOWN:
            return Known([row[0] for row in rows], [row[0] for row in rows if row[1]], are_all=True)
        cursor.execute(AWAKE, values)
        awake = [test_id for (test_id,) in cursor.fetchall()]
        return Known(awake, awake, are_all=False)


def tried_by(
    project: Project, run: Run, known: Known, said: Mapping[int, Said] | None
) -> tuple[dict[int, Tried], dict[int, int], dict[int, int]]:
    """Return the tests whose attempts mean something, the run of the same commit that failing ones passed in, and the numbers
    of the cases of those that passed. Of the tests that are awake the state says how often they passed before. What failures
    `said` is looked up where the caller does not know.
    """
    values: dict[str, Any] = {
        "project_id": project.pk,
        "run_number": run.number,
        "awake": list(known.awake),
        "commit": run.commit,
        "day": run.day,
        "since": run.day - timedelta(days=PASS_DAYS),
        "limit": RUNS_OF_A_COMMIT,
    }
    with connection.cursor() as cursor:
        cursor.execute(TRIED, values)
        rows = cursor.fetchall()
        if not rows:
            return {}, {}, {}
        # The passes of states that are awake were counted one by one; those that slept slept until a failure.
        failing = [row[0] for row in rows if row[1]]
        awake = set(known.awake)
        values["ids"] = [test_id for test_id in failing if test_id not in awake]
        passes = _passes(cursor, values, known) if values["ids"] else {}
        values["ids"] = failing
        passed = _passed_on_commit(cursor, values) if run.commit and failing else {}
        if said is None:
            said = _said(cursor, values) if failing else {}
    tried = {row[0]: _one(row, passes, passed, said.get(row[0], SAID_NOTHING)) for row in rows}
    return tried, passed, {row[0]: row[4] for row in rows if not row[1]}


def _said(cursor: Any, values: dict[str, Any]) -> dict[int, Said]:
    cursor.execute(SAID, {**values, "failing": values["ids"]})
    return {test_id: Said(bytes(signature), is_infra) for test_id, signature, is_infra in cursor.fetchall()}


def _passes(cursor: Any, values: dict[str, Any], known: Known) -> dict[int, tuple[int, int]]:
    """Return how often each test passed in these days, on any branch and on the default one."""
    cursor.execute(PASSES, values)
    passes = {test_id: (n, n_main) for test_id, n, n_main in cursor.fetchall()}
    new = values["ids"] if not known.are_all else sorted(set(values["ids"]).difference(known.test_ids))
    if new:
        cursor.execute(PASSES_OF_FEW if len(new) <= FEW else PASSES_OF_MANY, {**values, "new": new})
        for test_id, n, n_main in cursor.fetchall():
            before, before_main = passes.get(test_id, (0, 0))
            passes[test_id] = before + n, before_main + n_main
    return passes


def tests_before(seqs: Sequence[int]) -> dict[int, int]:
    """Return the test of the case before each of these staged ones, where there is one that ran."""
    with connection.cursor() as cursor:
        cursor.execute(BEFORE, [[seq - 1 for seq in seqs]])
        return dict(cursor.fetchall())


def _one(
    row: Sequence[Any], passes: Mapping[int, tuple[int, int]], passed: Mapping[int, int], said: Said
) -> Tried:
    """Read one test's attempts, with the passes before them where it failed."""
    test_id, n_bad, is_final, suite, _ = row
    n_pass, n_main = passes.get(test_id, (0, 0))
    retries = (True,) * (n_bad - 1) if is_final else (True,) * (n_bad - 1) + (False,)
    return Tried(
        first_failed=n_bad > 0,
        retries=retries if n_bad else (),
        n_pass=n_pass,
        n_main_pass=n_main,
        passed_on_commit=test_id in passed,
        suite=suite,
        signature=said.signature,
        is_infrastructure=said.is_infrastructure,
    )


def _passed_on_commit(cursor: Any, values: dict[str, Any]) -> dict[int, int]:
    """Return the newest other run of the commit that each test passed in."""
    cursor.execute(OTHER_RUNS, values)
    others = cursor.fetchall()
    if not others:
        return {}
    cursor.execute(
        PASSED_ON_COMMIT,
        {**values, "others": [number for number, _ in others], "days": list({day for _, day in others})},
    )
    return dict(cursor.fetchall())
