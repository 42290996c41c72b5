"""Keep what the flake engine said of tests: packed states with their verdicts, chances of failures, proofs and events.

Rows in and out; whoever calls has judged already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import connection

from analysis import mass_failures
from analysis.flakes import Event, State, Update
from analysis.states import Proof
from analysis.verdicts import FlakeVerdict, verdict
from projects.arrays import packed, packed_columns
from projects.cursors import binding_cursor
from projects.models import Project, Run
from projects.vocabulary import FlakeRule

MOST_KEPT = 1_000  # states, with verdicts and rows, held ready to be written
EPOCH = date(1970, 1, 1)
# The tests and runs are named twice: from some thirty pairs on the planner would rather read all failures of the project.
KEEP_PROBABILITIES = """
UPDATE projects_failure f SET p_flaky = p.p_flaky
FROM unnest(%(test_ids)b::int[], %(runs)b::int[], %(ps)b::float8[]) AS p (test_id, run_number, p_flaky)
WHERE f.project_id = %(project_id)s AND f.test_id = p.test_id AND f.run_number = p.run_number
    AND f.test_id = ANY(%(test_ids)b::int[]) AND f.run_number = ANY(%(runs)b::int[])
"""
PROBABILITIES = {"test_ids": "int", "runs": "int", "ps": "float8"}
KEEP_STATUSES = """
UPDATE projects_test t SET flake_status = f.status FROM projects_flake f
WHERE f.project_id = %(project_id)s AND f.test_id = ANY(%(ids)s)
    AND t.project_id = f.project_id AND t.id = f.test_id AND t.flake_status <> f.status
"""
FLAKE_FIELDS = {
    "test_id": "int",
    "pass_seen": "text",
    "status": "smallint",
    "sentence": "text",
    "since_on": "date",
    "last_on": "date",
    "n_flakes": "int",
    "rate": "float8",
    "rate_low": "float8",
    "rate_high": "float8",
    "few_runs": "boolean",
    "n_passes_needed": "int",
    "n_quiet": "int",
    "p_unfixed": "float8",
    "proof_runs": "text",
    "state": "bytea",
    "awake_until": "float8",
}
OF_STATE = list(FLAKE_FIELDS)[2:]
# Passes of a flake that stand beside its failures: the newest of them, and of each quiet spell the first.
PASSES_KEPT = 60
# The columns in the order of _fields. An array a column: a placeholder a value takes longer to write out than to keep. The runs
# of a proof come as text, since unnest would flatten arrays of arrays. Returns the tests that are called otherwise from now on.
KEEP_FLAKES = f"""
WITH before AS MATERIALIZED (
    SELECT test_id, status FROM projects_flake
    WHERE project_id = %(project_id)s AND test_id = ANY(%(test_id)b::int[])
), kept AS (
    INSERT INTO projects_flake AS k (project_id, test_id, note, fixed_commit, passes_seen, {", ".join(OF_STATE)})
    SELECT %(project_id)s, test_id, '', '', array_remove(ARRAY[pass_seen], ''),
        {", ".join(OF_STATE).replace("proof_runs", "proof_runs::int[]")}
    FROM unnest({", ".join(f"%({name})b::{kind}[]" for name, kind in FLAKE_FIELDS.items())})
        AS f ({", ".join(FLAKE_FIELDS)})
    ON CONFLICT (project_id, test_id) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in OF_STATE if name != "status")},
        status = CASE WHEN excluded.status = 2 AND k.only_here <> '' THEN 6 ELSE excluded.status END,
        passes_seen = CASE WHEN excluded.passes_seen = '{{}}' THEN k.passes_seen ELSE
            (k.passes_seen || excluded.passes_seen)[
                greatest(1, cardinality(k.passes_seen) + cardinality(excluded.passes_seen) - {PASSES_KEPT - 1}):] END
    RETURNING test_id, status
)
SELECT test_id FROM kept LEFT JOIN before USING (test_id) WHERE before.status IS DISTINCT FROM kept.status
"""  # noqa: S608 - names of our own
PROOFS = {"test_id": "int", "rule": "smallint", "other_run": "int"}
KEEP_PROOFS = """
INSERT INTO projects_flakeproof (project_id, run_number, commit, day, on_default, in_incident, test_id, rule, other_run)
SELECT %(project_id)s, %(run_number)s, %(commit)s, %(day)s, %(on_default)s, false, test_id, rule, other_run
FROM unnest(%(test_id)b::int[], %(rule)b::smallint[], %(other_run)b::int[]) AS p (test_id, rule, other_run)
ON CONFLICT DO NOTHING
"""
EVENTS = {
    "test_id": "int",
    "at_s": "float8",
    "run_number": "int",
    "before": "smallint",
    "after": "smallint",
    "sentence": "text",
}
KEEP_EVENTS = f"""
INSERT INTO projects_flakeevent (project_id, id, at, is_told, test_id, run_number, before, after, sentence)
SELECT %(project_id)s, gen_random_uuid(), to_timestamp(at_s), false, test_id, run_number, before, after, sentence
FROM unnest({", ".join(f"%({name})b::{kind}[]" for name, kind in EVENTS.items())}) AS e ({", ".join(EVENTS)})
"""  # noqa: S608
STATES = """
SELECT test_id, state FROM projects_flake
WHERE project_id = %(project_id)s AND test_id = ANY(%(test_ids)b::int[]) AND state <> ''
"""


def day_of(at: float) -> date | None:
    """Return the date of the engine's time; None for one that was never set."""
    return _day(int(at)) if at else None


@lru_cache(maxsize=1_000)
def _day(number: int) -> date:
    return EPOCH + timedelta(days=number)


def states_of(project_id: int, test_ids: Iterable[int]) -> dict[int, State]:
    """Return the states of those of the tests that failed once."""
    values = {"project_id": project_id, "test_ids": packed("int", list(test_ids))}
    with binding_cursor() as cursor:
        found = cursor.execute(STATES, values, binary=True).fetchall()
    return {test_id: State.unpack(state) for test_id, state in found}


def keep(
    project: Project,
    run: Run,
    states: Mapping[int, State],
    told: Mapping[int, Update],
    passed: Mapping[int, int],
    *,
    at: float,
    beside: Mapping[int, str],
) -> None:
    """Store the states, and the proofs that this run completes; `passed` are runs of the same commit that tests passed in."""
    keep_states(project.pk, states, told, at=at, beside=beside)
    proofs = [
        proof
        for test_id, state in states.items()
        for proof in _proofs(run, test_id, state, passed_in=passed.get(test_id, run.number))
    ]
    values: dict[str, Any] = {
        "project_id": project.pk,
        "run_number": run.number,
        "commit": run.commit,
        "day": run.day,
        "on_default": run.is_default_branch,
    }
    if proofs:
        with binding_cursor() as cursor:
            cursor.execute(KEEP_PROOFS, {**values, **packed_columns(PROOFS, proofs)})


def keep_states(
    project_id: int,
    states: Mapping[int, State],
    told: Mapping[int, Update],
    *,
    at: float,
    beside: Mapping[int, str] | None = None,
) -> None:
    """Store the states with the verdicts that they earn, and the changes of status as events; some at a time.

    `beside` are the passes of this run that stand beside failures.
    """
    for ids in _slices(states):
        judged = {test_id: verdict(states[test_id], now_day=max(at, states[test_id].at)) for test_id in ids}
        seen = beside or {}
        rows = [(one, seen.get(one, ""), *_fields(states[one], judged[one])) for one in ids]
        changed = _keep_flakes(project_id, rows)
        events = [
            _event(one, event, judged[one])
            for one in ids
            if one in told and (event := told[one].event) is not None
        ]
        _keep_events(project_id, events)
        if changed:
            show_statuses(project_id, changed)


def show_statuses(project_id: int, test_ids: Sequence[int]) -> None:
    """Write the statuses of these tests' verdicts to the tests, where they are others."""
    with connection.cursor() as cursor:
        cursor.execute(KEEP_STATUSES, {"project_id": project_id, "ids": list(test_ids)})


def _slices(test_ids: Iterable[int]) -> Iterator[list[int]]:
    """Yield the tests so many at a time that an outage of a large suite does not fill the worker's memory."""
    rest = iter(test_ids)
    while ids := list(islice(rest, MOST_KEPT)):
        yield ids


def _keep_flakes(project_id: int, rows: Sequence[Sequence[Any]]) -> list[int]:
    """Store the rows, in the order of FLAKE_FIELDS; return the tests that are called otherwise from now on."""
    values = {"project_id": project_id, **packed_columns(FLAKE_FIELDS, rows)}
    with binding_cursor() as cursor:
        return [test_id for (test_id,) in cursor.execute(KEEP_FLAKES, values).fetchall()]


def keep_numbers(
    project_id: int, run_number: int, told: Mapping[int, Update], *, of_run: bool = True
) -> None:
    """Write P(flaky) on the failures of the run, unless these are not written yet, and on older ones that are seen anew."""
    probabilities = [
        (test_id, run_number, update.p_flaky)
        for test_id, update in told.items()
        if of_run and update.p_flaky is not None
    ]
    probabilities += [
        (test_id, settled.run, settled.p_flaky)
        for test_id, update in told.items()
        for settled in update.settled
        if of_run or settled.run != run_number
    ]
    if not probabilities:
        return
    values = {"project_id": project_id, **packed_columns(PROBABILITIES, probabilities)}
    with binding_cursor() as cursor:
        cursor.execute(KEEP_PROBABILITIES, values)


def _fields(state: State, judged: FlakeVerdict) -> Sequence[Any]:
    """Return what is kept of a verdict, in the order of OF_STATE."""
    return (
        judged.status,
        judged.rule[:500],
        day_of(judged.since),
        day_of(state.last_failed_at),
        state.n_failed,
        judged.rate,
        judged.rate_low,
        judged.rate_high,
        judged.few_runs,
        min(judged.n_passes_needed, 2_000_000_000),
        judged.n_quiet,
        judged.p_unfixed_but_quiet,
        "{" + ",".join(map(str, judged.proof_runs)) + "}",
        state.pack(),
        state.awake_until,
    )


def _proofs(run: Run, test_id: int, state: State, *, passed_in: int) -> list[tuple[int, int, int]]:
    """Return the proofs that this run completes, in the order of PROOFS; in `passed_in` the test passed at the same commit."""
    return [
        (test_id, proof.rule, _other_run(run, proof, passed_in=passed_in))
        for proof in state.proofs
        if run.number in (proof.failed_run, proof.passed_run)
    ]


def _other_run(run: Run, proof: Proof, *, passed_in: int) -> int:
    if proof.failed_run != proof.passed_run:
        return proof.failed_run if proof.passed_run == run.number else proof.passed_run
    return run.number if proof.rule is FlakeRule.RETRY else passed_in


def _keep_events(project_id: int, events: Sequence[Sequence[Any]]) -> None:
    if events:
        with binding_cursor() as cursor:
            cursor.execute(KEEP_EVENTS, {"project_id": project_id, **packed_columns(EVENTS, events)})


def _event(test_id: int, event: Event, judged: FlakeVerdict) -> Sequence[Any]:
    """Return a change of status, in the order of EVENTS."""
    at_s = event.at * mass_failures.DAY_S
    return test_id, at_s, event.run, event.before, event.after, judged.rule[:500]
