"""Keep what the flake engine said of tests: packed states with their verdicts, chances of failures, proofs and events.

Rows in and out; whoever calls has judged already.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any

from django.db import connection

from analysis import mass_failures
from analysis.flakes import Event, State, Update
from analysis.states import Proof
from analysis.verdicts import FlakeVerdict, verdict
from projects.cursors import binding_cursor
from projects.models import Flake, FlakeEvent, FlakeProof, Project, Run
from projects.vocabulary import FlakeRule

MOST_KEPT = 1_000  # states, with verdicts and rows, held ready to be written
EPOCH = date(1970, 1, 1)
# The tests and runs are named twice: from some thirty pairs on the planner would rather read all failures of the project.
KEEP_PROBABILITIES = """
UPDATE projects_failure f SET p_flaky = p.p_flaky
FROM unnest(%(ids)s::int[], %(runs)s::int[], %(ps)s::float8[]) AS p (test_id, run_number, p_flaky)
WHERE f.project_id = %(project_id)s AND f.test_id = p.test_id AND f.run_number = p.run_number
    AND f.test_id = ANY(%(ids)s) AND f.run_number = ANY(%(runs)s)
"""
KEEP_STATUSES = """
UPDATE projects_test t SET flake_status = f.status FROM projects_flake f
WHERE f.project_id = %(project_id)s AND f.test_id = ANY(%(ids)s)
    AND t.project_id = f.project_id AND t.id = f.test_id AND t.flake_status <> f.status
"""
FLAKE_FIELDS = {
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
# Passes of a flake that stand beside its failures: the newest of them, and of each quiet spell the first.
PASSES_KEPT = 60
# The columns in the order of _fields. An array a column: a placeholder a value takes longer to write out than to keep. The runs
# of a proof come as text, since unnest would flatten arrays of arrays.
KEEP_FLAKES = f"""
INSERT INTO projects_flake AS k (project_id, test_id, note, fixed_commit, passes_seen, {", ".join(FLAKE_FIELDS)})
SELECT %(project_id)s, test_id, '', '', array_remove(ARRAY[pass_seen], ''),
    {", ".join(FLAKE_FIELDS).replace("proof_runs", "proof_runs::int[]")}
FROM unnest(%(test_ids)s::int[], %(passes_seen)s::text[],
    {", ".join(f"%({name})s::{kind}[]" for name, kind in FLAKE_FIELDS.items())})
    AS f (test_id, pass_seen, {", ".join(FLAKE_FIELDS)})
ON CONFLICT (project_id, test_id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in FLAKE_FIELDS if name != "status")},
    status = CASE WHEN excluded.status = 2 AND k.only_here <> '' THEN 6 ELSE excluded.status END,
    passes_seen = (k.passes_seen || excluded.passes_seen)[
        greatest(1, cardinality(k.passes_seen) + cardinality(excluded.passes_seen) - {PASSES_KEPT - 1}):]
"""  # noqa: S608 - names of our own


def day_of(at: float) -> date | None:
    """Return the date of the engine's time; None for one that was never set."""
    return EPOCH + timedelta(days=int(at)) if at else None


def states_of(project_id: int, test_ids: Iterable[int]) -> dict[int, State]:
    kept = Flake.objects.filter(project_id=project_id, test_id__in=list(test_ids)).exclude(state=b"")
    return {test_id: State.unpack(state) for test_id, state in kept.values_list("test_id", "state")}


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
    for ids in _slices(states):
        FlakeProof.objects.bulk_create(
            [
                proof
                for test_id in ids
                for proof in _proofs(
                    project, run, test_id, states[test_id], passed_in=passed.get(test_id, run.number)
                )
            ],
            ignore_conflicts=True,
        )


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
        rows = {one: _fields(states[one], judged[one]) for one in ids}
        _keep_flakes(project_id, rows, beside or {})
        events = {test_id: told[test_id].event for test_id in ids if test_id in told}
        FlakeEvent.objects.bulk_create(
            _event(project_id, test_id, event, judged[test_id])
            for test_id, event in events.items()
            if event is not None
        )
        show_statuses(project_id, ids)


def show_statuses(project_id: int, test_ids: Sequence[int]) -> None:
    """Write the statuses of these tests' verdicts to the tests, where they are others."""
    with connection.cursor() as cursor:
        cursor.execute(KEEP_STATUSES, {"project_id": project_id, "ids": list(test_ids)})


def _slices(test_ids: Iterable[int]) -> Iterator[list[int]]:
    """Yield the tests so many at a time that an outage of a large suite does not fill the worker's memory."""
    rest = iter(test_ids)
    while ids := list(islice(rest, MOST_KEPT)):
        yield ids


def _keep_flakes(project_id: int, rows: Mapping[int, Sequence[Any]], beside: Mapping[int, str]) -> None:
    """Store the fields of tests, in the order of FLAKE_FIELDS."""
    columns = [list(column) for column in zip(*rows.values(), strict=True)]
    values: dict[str, Any] = dict(zip(FLAKE_FIELDS, columns, strict=True))
    values |= {"project_id": project_id, "test_ids": list(rows)}
    values["passes_seen"] = [beside.get(test_id, "") for test_id in rows]
    with binding_cursor() as cursor:
        cursor.execute(KEEP_FLAKES, values)


def keep_numbers(project_id: int, run_number: int, told: Mapping[int, Update]) -> None:
    probabilities = [
        (test_id, run_number, update.p_flaky)
        for test_id, update in told.items()
        if update.p_flaky is not None
    ]
    probabilities += [
        (test_id, settled.run, settled.p_flaky)
        for test_id, update in told.items()
        for settled in update.settled
    ]
    if not probabilities:
        return
    ids, runs, ps = (list(column) for column in zip(*probabilities, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(KEEP_PROBABILITIES, {"project_id": project_id, "ids": ids, "runs": runs, "ps": ps})


def _fields(state: State, judged: FlakeVerdict) -> Sequence[Any]:
    """Return what is kept of a verdict, in the order of FLAKE_FIELDS."""
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


def _proofs(project: Project, run: Run, test_id: int, state: State, *, passed_in: int) -> list[FlakeProof]:
    """Return the proofs that this run completes; `passed_in` is the run of the same commit where the test passed."""
    return [
        FlakeProof(
            project_id=project.pk,
            test_id=test_id,
            run_number=run.number,
            rule=proof.rule,
            other_run=_other_run(run, proof, passed_in=passed_in),
            commit=run.commit,
            day=run.day,
            on_default=run.is_default_branch,
        )
        for proof in state.proofs
        if run.number in (proof.failed_run, proof.passed_run)
    ]


def _other_run(run: Run, proof: Proof, *, passed_in: int) -> int:
    if proof.failed_run != proof.passed_run:
        return proof.failed_run if proof.passed_run == run.number else proof.passed_run
    return run.number if proof.rule is FlakeRule.RETRY else passed_in


def _event(project_id: int, test_id: int, event: Event, judged: FlakeVerdict) -> FlakeEvent:
    return FlakeEvent(
        project_id=project_id,
        id=uuid.uuid4(),
        test_id=test_id,
        at=mass_failures.moment(event.at),
        run_number=event.run,
        before=event.before,
        after=event.after,
        sentence=judged.rule[:500],
    )
