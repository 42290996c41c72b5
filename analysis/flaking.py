"""Drive the flake engine from the rows: ask what an upload tried (analysis.trials), let it be judged, keep what was said
(analysis.flake_rows), and follow incidents that are known better by now.

Runs inside the transaction that records an upload, after its results and failures are in. What a flake is, and when a mass of
failures is an incident, is analysis.engine's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from analysis import incidents, mass_failures
from analysis.engine import Judged, RunSeen, Tried, forgive_all, judge, replay, unexpected
from analysis.flake_rows import EPOCH, keep, keep_numbers, keep_states, show_statuses, states_of
from analysis.flakes import Group, State, Update
from analysis.incidents import NOTHING_AROUND, Incident, Kind
from analysis.seats import Report, packed, seat
from analysis.states import mark
from analysis.trials import PASS_DAYS, PASSES, Known, Said, tests_before, tried_by
from analysis.verdicts import shown, verdict
from projects.models import Flake, Project, Run

MARK_FAILURES = """
UPDATE projects_failure SET in_incident = %(in_incident)s
WHERE project_id = %(project_id)s AND run_number = %(run_number)s AND test_id = ANY(%(ids)s)
"""
FAILURES_OF_A_RUN = """
SELECT test_id, count(*)::int, bool_or(is_final) FROM projects_failure
WHERE project_id = %(project_id)s AND run_number = %(run_number)s AND in_incident GROUP BY test_id
"""

PASSES_A_SPELL = 5  # passes after a failure of a flake that are kept to be held against it


@dataclass(frozen=True, slots=True)
class Part:
    """One upload's part in a run: which environment it speaks for, and which attempt of the job it is."""

    environment: str
    attempt: int
    n_tests: int
    reports: Sequence[Report] = ()
    workers: Mapping[int, str] = field(default_factory=dict)  # of cases that name one of their own


@dataclass(frozen=True, slots=True)
class Told:
    """What is to be written with the failures of an upload: P(flaky) by test, and the tests whose failures an incident explains."""

    p_flaky: Mapping[int, float | None] = field(default_factory=dict)
    withheld: Collection[int] = ()


NOTHING_TOLD = Told()


def after_upload(
    project: Project, run: Run, part: Part, *, known: Known, said: Mapping[int, Said] | None
) -> Told:
    """Judge the staged results, and keep verdicts, proofs, events and incidents; those of tests `known` are staged.

    Where the caller knows what the failures `said`, they are not written yet, and what is told of them is returned.
    """
    tried, passed, seqs = tried_by(project, run, known, said)
    states = states_of(project.pk, tried) if tried else {}
    tried |= _counted(tried, states, awake=known.awake)
    seen = _run_seen(run, part, tried)
    still_open = mass_failures.open_incidents(project.pk, seen)
    if not tried and not still_open:  # nothing failed, and nothing waits for a pass: nearly every upload
        mass_failures.keep_run(project.pk, run, seen)
        return NOTHING_TOLD
    failing = [test_id for test_id, one in tried.items() if one.first_failed]
    words = {one.signature for one in tried.values() if one.first_failed}
    around = (
        mass_failures.surroundings(project.pk, unexpected(seen, states), words) if failing else NOTHING_AROUND
    )
    elsewhere = mass_failures.passed_elsewhere(project.pk, seen, still_open, failing=failing)
    judged = judge(seen, states=states, around=around, open_incidents=still_open, passed_elsewhere=elsewhere)
    told = dict(judged.updates)
    changed = [*judged.changed, *_confirmed_by_retry(still_open, seen, part, failing)]
    for past in changed:
        again = _follow(project, past, states)
        keep_numbers(project.pk, past.seen.run, again)
        told = {**again, **told}  # what this run says of a test is the newer word
    keep_numbers(project.pk, run.number, judged.updates, of_run=said is None)
    if states:
        beside = _passes_beside(run, part, states, seqs)
        keep(project, run, states, told, passed, at=seen.at, beside=beside)
    withheld = failing if _keep_incident(project, run, seen, judged) else []
    if said is None:
        _mark_failures(project.pk, run.number, withheld, in_incident=True)
    for past in changed:
        mass_failures.keep(project.pk, past)
        _show_incident(project.pk, past)
    p_flaky = {test_id: update.p_flaky for test_id, update in judged.updates.items()}
    return Told(p_flaky, frozenset(withheld))


def _counted(
    tried: Mapping[int, Tried], states: Mapping[int, State], *, awake: Iterable[int]
) -> dict[int, Tried]:
    """Tell the failing tests that are awake how often they passed: that was counted pass by pass."""
    return {
        test_id: tried[test_id]._replace(n_pass=state.n_pass, n_main_pass=state.n_main_pass)
        for test_id in awake
        if test_id in tried and tried[test_id].first_failed and (state := states.get(test_id)) is not None
    }


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
    states |= states_of(project.pk, missing)
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
    states = states_of(project.pk, groups)
    told = replay(known[0], groups, states=states)
    keep_states(project.pk, states, told, at=at)
    keep_numbers(project.pk, run.number, told)
    if only is not None:
        _mark_failures(project.pk, run.number, list(groups), in_incident=False)
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


def _keep_incident(project: Project, run: Run, seen: RunSeen, judged: Judged) -> bool:
    """Remember the run, and say on it which incident it is; return whether that explains its failures."""
    mass_failures.keep_run(project.pk, run, seen, judged)
    if judged.incident is None or judged.incident.weight:
        return False
    run.is_incident = True
    run.incident_sentence = judged.incident.why[:500]
    return True


def _mark_failures(project_id: int, run_number: int, ids: Sequence[int], *, in_incident: bool) -> None:
    values: dict[str, Any] = {"project_id": project_id, "run_number": run_number, "ids": list(ids)}
    values["in_incident"] = in_incident
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(MARK_FAILURES, values)


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
    show_statuses(project_id, changed)
    return len(changed)


def _last_seen(project_id: int, test_id: int) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT last_seen_on FROM projects_test WHERE project_id = %s AND id = %s", [project_id, test_id]
        )
        found = cursor.fetchone()
    return float((found[0] - EPOCH).days) if found else 0.0
