"""Drive the flake engine from the rows: load what an upload touched, let it judge, store what it said.

Runs inside the transaction that records an upload, after its results and failures are in. What a flake is, and when a mass of
failures is an incident, is analysis.engine's to say; rows in, rows out here.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection

from analysis import incidents, mass_failures
from analysis.engine import Judged, RunSeen, Tried, forgive_all, judge, replay
from analysis.flakes import Event, Group, State, Update
from analysis.incidents import Incident, Kind
from analysis.seats import Report, packed, seat
from analysis.states import Proof, mark
from analysis.verdicts import FlakeVerdict, shown, verdict
from projects.cursors import binding_cursor
from projects.models import Flake, FlakeEvent, FlakeProof, Project, Run
from projects.vocabulary import FlakeRule

RUNS_OF_A_COMMIT = 20  # compared with at most; a commit that ran more often has shown what it can
MOST_KEPT = 1_000  # states, with verdicts and rows, held ready to be written
PASS_DAYS = 120  # days of passes counted for a test; the evidence halves every 45
EPOCH = date(1970, 1, 1)

# Tests that failed once, and whether an earlier failure waits for an explanation: a pass of them means something.
KNOWN = "SELECT test_id, awake_until >= %(at)s FROM projects_flake WHERE project_id = %(project_id)s LIMIT %(most)s"
MOST_KNOWN = 20_000  # such tests that an upload looks for; where more failed once, only those that are awake
AWAKE = "SELECT test_id FROM projects_flake WHERE project_id = %(project_id)s AND awake_until >= %(at)s"

# Every test of the upload that failed at first, and the passing ones that are awake; static checks are left out, since
# they read the same code the same way each time. Tests are looked up by key in
# lateral subqueries, since after the first upload of a project the planner knows nothing of its size.
TRIED = """
WITH bad AS (SELECT seq, count(*)::int AS n, bool_or(is_final) AS is_final FROM trouble GROUP BY seq)
SELECT i.test_id, coalesce(b.n, 0), coalesce(b.is_final, false), t.suite, f.signature, coalesce(f.is_infrastructure, false),
    i.seq
FROM incoming i LEFT JOIN bad b USING (seq)
CROSS JOIN LATERAL (
    SELECT hashtext(coalesce(nullif(file, ''), nullif(classname, ''), suite)) AS suite FROM projects_test t
    WHERE t.project_id = %(project_id)s AND t.id = i.test_id OFFSET 0
) t
LEFT JOIN LATERAL (
    SELECT f.signature, g.is_infrastructure FROM projects_failure f
    JOIN projects_signature g ON g.project_id = f.project_id AND g.digest = f.signature
    WHERE f.project_id = %(project_id)s AND f.test_id = i.test_id AND f.run_number = %(run_number)s
    ORDER BY f.attempt DESC LIMIT 1
) f ON b.seq IS NOT NULL
WHERE i.layer <> 1 AND (b.seq IS NOT NULL OR (i.outcome = 1 AND i.test_id = ANY(%(awake)s)))
ORDER BY i.test_id
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
# The same of remembered results. Those of tests that failed before are staged, so it is asked for tests that failed just now.
REMEMBERED_PASSES = """
SELECT number, count(*)::int, count(*) FILTER (WHERE b.on_default)::int
FROM projects_resultbatch b CROSS JOIN LATERAL unnest(b.numbers) AS n (number)
WHERE b.project_id = %(project_id)s AND b.day BETWEEN %(since)s AND %(day)s AND number = ANY(%(new)s)
GROUP BY number
"""

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
MARK_FAILURES = """
UPDATE projects_failure SET in_incident = %(in_incident)s
WHERE project_id = %(project_id)s AND run_number = %(run_number)s AND test_id = ANY(%(ids)s)
"""
FAILURES_OF_A_RUN = """
SELECT test_id, count(*)::int, bool_or(is_final) FROM projects_failure
WHERE project_id = %(project_id)s AND run_number = %(run_number)s AND in_incident GROUP BY test_id
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
PASSES_A_SPELL = 5

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


@dataclass(frozen=True, slots=True)
class Part:
    """One upload's part in a run: which environment it speaks for, and which attempt of the job it is."""

    environment: str
    attempt: int
    n_tests: int
    reports: Sequence[Report] = ()
    workers: Mapping[int, str] = field(default_factory=dict)  # of cases that name one of their own


def day_of(at: float) -> date | None:
    """Return the date of the engine's time; None for one that was never set."""
    return EPOCH + timedelta(days=int(at)) if at else None


@dataclass(frozen=True, slots=True)
class Known:
    """Tests of a project that failed before this run, whose results its uploads stage; all of them, unless they are very many."""

    test_ids: Collection[int]
    awake: Collection[int]
    are_all: bool


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


def after_upload(project: Project, run: Run, part: Part, *, known: Known) -> None:
    """Judge the staged results, and keep verdicts, proofs, events and incidents; those of tests `known` are staged."""
    tried, passed, seqs = _tried(project, run, known)
    seen = _run_seen(run, part, tried)
    still_open = mass_failures.open_incidents(project.pk, seen)
    if not tried and not still_open:  # nothing failed, and nothing waits for a pass: nearly every upload
        mass_failures.keep_run(project.pk, run, seen)
        return
    failing = [test_id for test_id, one in tried.items() if one.first_failed]
    states = _states(project.pk, tried)
    around = mass_failures.surroundings(project.pk, seen, wanted=bool(failing))
    elsewhere = mass_failures.passed_elsewhere(project.pk, seen, still_open, failing=failing)
    judged = judge(seen, states=states, around=around, open_incidents=still_open, passed_elsewhere=elsewhere)
    told = dict(judged.updates)
    changed = [*judged.changed, *_confirmed_by_retry(still_open, seen, part, failing)]
    for past in changed:
        again = _follow(project, past, states)
        _keep_numbers(project.pk, past.seen.run, again)
        told = {**again, **told}  # what this run says of a test is the newer word
    _keep_numbers(project.pk, run.number, judged.updates)
    if states:
        beside = _passes_beside(run, part, states, seqs)
        _keep(project, run, states, told, passed, at=seen.at, beside=beside)
    _keep_incident(project, run, seen, judged, failing)
    for past in changed:
        mass_failures.keep(project.pk, past)
        _show_incident(project.pk, past)


def _tried(
    project: Project, run: Run, known: Known
) -> tuple[dict[int, Tried], dict[int, int], dict[int, int]]:
    """Return the tests whose attempts mean something, the run of the same commit that failing ones passed in, and the numbers
    of the cases of those that passed.
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
        values["ids"] = [row[0] for row in rows if row[1]]
        passes: dict[int, tuple[int, int]] = {}
        if values["ids"]:
            passes = _passes(cursor, values, known)
        passed = _passed_on_commit(cursor, values) if run.commit and values["ids"] else {}
    tried = {row[0]: _one(row, passes, passed) for row in rows}
    return tried, passed, {row[0]: row[6] for row in rows if not row[1]}


def _passes(cursor: Any, values: dict[str, Any], known: Known) -> dict[int, tuple[int, int]]:
    """Return how often each test passed in these days, on any branch and on the default one."""
    cursor.execute(PASSES, values)
    passes = {test_id: (n, n_main) for test_id, n, n_main in cursor.fetchall()}
    new = values["ids"] if not known.are_all else sorted(set(values["ids"]).difference(known.test_ids))
    if new:
        cursor.execute(REMEMBERED_PASSES, {**values, "new": new})
        for test_id, n, n_main in cursor.fetchall():
            before, before_main = passes.get(test_id, (0, 0))
            passes[test_id] = before + n, before_main + n_main
    return passes


def _passes_beside(
    run: Run, part: Part, states: Mapping[int, State], seqs: Mapping[int, int]
) -> dict[int, str]:
    """Return the passes to be held against failures: of a flake, the first few after one, when all else was as it was then."""
    wanted = {
        test_id: seq
        for test_id, seq in seqs.items()
        if test_id in states and states[test_id].is_flagged and states[test_id].n_quiet <= PASSES_A_SPELL
    }
    before = tests_before(list(wanted.values())) if wanted else {}
    return {
        test_id: packed(
            run.number,
            seat(seq, before=before.get(seq), reports=part.reports, worker=part.workers.get(seq, "")),
        )
        for test_id, seq in wanted.items()
    }


def tests_before(seqs: Sequence[int]) -> dict[int, int]:
    """Return the test of the case before each of these staged ones, where there is one that ran."""
    with connection.cursor() as cursor:
        cursor.execute(BEFORE, [[seq - 1 for seq in seqs]])
        return dict(cursor.fetchall())


def _one(row: Sequence[Any], passes: Mapping[int, tuple[int, int]], passed: Mapping[int, int]) -> Tried:
    """Read one test's attempts, with the passes before them where it failed."""
    test_id, n_bad, is_final, suite, signature, is_infrastructure, _ = row
    n_pass, n_main = passes.get(test_id, (0, 0))
    retries = (True,) * (n_bad - 1) if is_final else (True,) * (n_bad - 1) + (False,)
    return Tried(
        first_failed=n_bad > 0,
        retries=retries if n_bad else (),
        n_pass=n_pass,
        n_main_pass=n_main,
        passed_on_commit=test_id in passed,
        suite=suite,
        signature=bytes(signature or b""),
        is_infrastructure=is_infrastructure,
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


def _run_seen(run: Run, part: Part, tried: Mapping[int, Tried]) -> RunSeen:
    neighbours = mass_failures.neighbours(run, part.environment) if tried else mass_failures.ALONE
    return RunSeen(
        run=run.number,
        environment=part.environment,
        branch=run.branch,
        is_default_branch=run.is_default_branch,
        commit=mark(run.commit),
        change=0 if run.is_default_branch else mark(run.pull_request or run.branch),
        at=mass_failures.days(run.started_at),
        n_tests=part.n_tests,
        tried=tried,
        is_late=run.is_default_branch and neighbours.has_newer,
        gap_days=neighbours.gap_days,
    )


def _states(project_id: int, test_ids: Iterable[int]) -> dict[int, State]:
    kept = Flake.objects.filter(project_id=project_id, test_id__in=list(test_ids)).exclude(state=b"")
    return {test_id: State.unpack(state) for test_id, state in kept.values_list("test_id", "state")}


def _confirmed_by_retry(
    still_open: Sequence[Incident], seen: RunSeen, part: Part, failing: Sequence[int]
) -> list[Incident]:
    """An outage that a later attempt of the same job does not show again is confirmed."""
    if part.attempt < 2:
        return []
    return [
        replace(
            past,
            kind=Kind.OUTAGE_CONFIRMED,
            why=f"{past.why}; attempt {part.attempt} of the run passed most of them",
            decided_by=seen.run,
        )
        for past in still_open
        if (past.seen.run, past.seen.environment) == (seen.run, seen.environment)
        and past.kind is Kind.OUTAGE_SUSPECTED
        and incidents.share(past.seen.failures.keys(), set(failing)) < incidents.COMMON
    ]


def _follow(project: Project, past: Incident, states: dict[int, State]) -> dict[int, Update]:
    """Draw the consequences of an incident that is now known better: forgive an outage, count a break."""
    missing = [test_id for test_id in past.seen.failures if test_id not in states]
    states |= _states(project.pk, missing)
    if past.kind is Kind.OUTAGE_CONFIRMED:
        forgive_all(past, states)
    if past.kind is not Kind.CODE_BREAK:
        return {}
    return replay(past, _withheld(project.pk, past), states=states)


def count_again(
    project: Project, run: Run, held: Sequence[Incident], *, why: str, at: float, only: int | None = None
) -> int:
    """Count what incidents of a run left out as failures of its commit, or `only` one test's; return how many tests that are."""
    known = [
        replace(past, kind=Kind.CODE_BREAK, why=f"{past.why}; {why}", decided_by=run.number) for past in held
    ]
    withheld = _withheld(project.pk, known[0])
    if only is not None:
        withheld = {test_id: group for test_id, group in withheld.items() if test_id == only}
    groups = _with_passes(project.pk, run, withheld, known[0].seen.environment)
    states = _states(project.pk, groups)
    told = replay(known[0], groups, states=states)
    keep_states(project.pk, states, told, at=at)
    _keep_numbers(project.pk, run.number, told)
    if only is not None:
        with connection.cursor() as cursor:
            values: dict[str, Any] = {"project_id": project.pk, "run_number": run.number, "ids": list(groups)}
            cursor.execute(MARK_FAILURES, {**values, "in_incident": False})
        return len(groups)
    for past in known:
        mass_failures.keep(project.pk, past)
        _show_incident(project.pk, past)
    return len(groups)


def _with_passes(
    project_id: int, run: Run, groups: Mapping[int, Group], environment: str
) -> dict[int, Group]:
    """Tell the groups of an older run what had passed before it, and whether it is the newest of its environment."""
    values: dict[str, Any] = {
        "project_id": project_id,
        "ids": list(groups),
        "since": run.day - timedelta(days=PASS_DAYS),
        "day": run.day,
    }
    with connection.cursor() as cursor:
        cursor.execute(PASSES, values)
        passes = {test_id: (n, n_main) for test_id, n, n_main in cursor.fetchall()}
    is_late = run.is_default_branch and mass_failures.neighbours(run, environment).has_newer
    return {
        test_id: group._replace(
            n_pass=passes.get(test_id, (0, 0))[0], n_main_pass=passes.get(test_id, (0, 0))[1], is_late=is_late
        )
        for test_id, group in groups.items()
    }


def _withheld(project_id: int, past: Incident) -> dict[int, Group]:
    """Return the failures that the incident left out, as groups of attempts."""
    with connection.cursor() as cursor:
        cursor.execute(FAILURES_OF_A_RUN, {"project_id": project_id, "run_number": past.seen.run})
        rows = cursor.fetchall()
    return {
        test_id: Group(
            run=past.seen.run,
            at=past.seen.at,
            first_failed=True,
            retries=(True,) * (n - 1) if is_final else (True,) * (n - 1) + (False,),
            commit=past.seen.commit,
            is_default_branch=past.seen.is_default_branch,
            change=0 if past.seen.is_default_branch else mark(past.seen.branch),
        )
        for test_id, n, is_final in rows
    }


def _keep(
    project: Project,
    run: Run,
    states: Mapping[int, State],
    told: Mapping[int, Update],
    passed: Mapping[int, int],
    *,
    at: float,
    beside: Mapping[int, str],
) -> None:
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
        with connection.cursor() as cursor:
            cursor.execute(KEEP_STATUSES, {"project_id": project_id, "ids": ids})


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


def _keep_numbers(project_id: int, run_number: int, told: Mapping[int, Update]) -> None:
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


def _keep_incident(project: Project, run: Run, seen: RunSeen, judged: Judged, failing: Sequence[int]) -> None:
    mass_failures.keep_run(project.pk, run, seen, judged)
    if judged.incident is not None and not judged.incident.weight:
        run.is_incident = True
        run.incident_sentence = judged.incident.why[:500]
        with connection.cursor() as cursor:
            cursor.execute(
                MARK_FAILURES,
                {
                    "project_id": project.pk,
                    "run_number": run.number,
                    "ids": list(failing),
                    "in_incident": True,
                },
            )


def _show_incident(project_id: int, past: Incident) -> None:
    """Say on the run what its incident turned out to be, and count its failures again if it was a break."""
    is_outage = past.kind is not Kind.CODE_BREAK
    Run.objects.filter(project_id=project_id, number=past.seen.run).update(
        is_incident=is_outage, incident_sentence=past.why[:500]
    )
    if not is_outage:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE projects_failure SET in_incident = false"
                " WHERE project_id = %s AND run_number = %s AND in_incident",
                [project_id, past.seen.run],
            )


def age(project_id: int, *, now: datetime) -> int:
    """Judge every kept state again as of now, since tests grow stale without a run; return how many changed."""
    changed: list[int] = []
    at = mass_failures.days(now)
    kept = Flake.objects.filter(project_id=project_id).exclude(state=b"").order_by("test_id")
    for flake in kept.iterator(chunk_size=1_000):
        state = State.unpack(flake.state)
        judged = verdict(state, now_day=at, last_seen_day=_last_seen(project_id, flake.test_id))
        status = shown(judged.status, only_here=flake.only_here)
        if status != flake.status:
            changed.append(flake.test_id)
        if status != flake.status or judged.rule[:500] != flake.sentence:
            Flake.objects.filter(pk=flake.pk).update(status=status, sentence=judged.rule[:500])
    with connection.cursor() as cursor:
        cursor.execute(KEEP_STATUSES, {"project_id": project_id, "ids": changed})
    return len(changed)


def _last_seen(project_id: int, test_id: int) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT last_seen_on FROM projects_test WHERE project_id = %s AND id = %s", [project_id, test_id]
        )
        found = cursor.fetchone()
    return float((found[0] - EPOCH).days) if found else 0.0
