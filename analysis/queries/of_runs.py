"""Questions about runs: which there were, what happened in one, and what its failures most likely are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from analysis.answers.of_runs import RunAnswer, RunCounts, RunFailure, RunRow, known_lack
from analysis.answers.of_verdicts import FailureVerdict, RunVerdicts
from analysis.answers.rows import LayerAmount, Page, TestRow
from analysis.queries import of_uploads, rows
from analysis.window import Window
from projects.models import Project, Run, Upload, title_of
from projects.vocabulary import Boundary, FlakeStatus, Layer, Outcome, UploadState

FAILURES_SHOWN = 200  # a run with more has one cause, not two hundred
NEW_SHOWN = 50
USUAL_RUNS = 20
VERDICTS = 500  # more failures than that are no flakes
FAILING_DAYS = 120  # a test that has not passed for longer needs no date

RUN_COLUMNS = """u.number, u.key, u.started_at, u.branch, u.commit, u.pull_request, u.url, u.n_tests, u.n_passed, u.n_failed,
    u.n_error, u.n_skipped, u.n_flaky, u.n_new, u.seconds, u.n_uploads, u.n_shards, u.shard_total, u.is_truncated,
    u.is_incident, u.incident_sentence, u.incomplete_sentence"""

RUNS = """
SELECT {columns}, b.seconds, count(*) OVER () FROM projects_run u
LEFT JOIN LATERAL (
    SELECT b.seconds FROM projects_run b
    WHERE b.project_id = u.project_id AND b.branch = u.branch AND b.started_at < u.started_at
        AND NOT b.is_truncated AND NOT b.is_incomplete
    ORDER BY b.started_at DESC, b.number DESC LIMIT 1
) b ON true
WHERE {runs} AND (%(q)s = '' OR u.key ILIKE %(like)s OR u.commit ILIKE %(like)s OR u.branch ILIKE %(like)s)
    AND (NOT %(only_bad)s OR u.n_failed + u.n_error > 0) AND (NOT %(only_passed)s OR u.n_failed + u.n_error = 0)
ORDER BY {order}, u.number DESC LIMIT %(size)s OFFSET %(offset)s
"""
RUN_COUNTS = """
SELECT count(*), count(*) FILTER (WHERE u.n_failed + u.n_error > 0) FROM projects_run u WHERE {runs}
"""
# The run before it on the same branch, of which this run may miss tests, and its neighbours by number.
ONE_RUN = """
SELECT {columns}, b.seconds,
    (SELECT max(number) FROM projects_run WHERE project_id = u.project_id AND number < u.number),
    (SELECT min(number) FROM projects_run WHERE project_id = u.project_id AND number > u.number),
    p.number, (SELECT count(*) FROM projects_result r
        WHERE r.project_id = %(project_id)s AND r.run_number = p.number AND r.ran_on = p.day AND NOT EXISTS (
            SELECT FROM projects_result h WHERE h.project_id = %(project_id)s AND h.test_id = r.test_id
                AND h.run_number = %(number)s AND h.ran_on = u.day)),
    (SELECT count(DISTINCT f.test_id) FROM projects_failure f
        WHERE f.project_id = %(project_id)s AND f.run_number = %(number)s AND f.in_incident)
FROM projects_run u
LEFT JOIN LATERAL (
    SELECT seconds FROM projects_run b
    WHERE b.project_id = u.project_id AND b.branch = u.branch AND b.started_at < u.started_at
        AND NOT b.is_truncated AND NOT b.is_incomplete
    ORDER BY b.started_at DESC, b.number DESC LIMIT 1
) b ON true
LEFT JOIN LATERAL (
    SELECT p.number, p.day FROM projects_run p
    WHERE p.project_id = u.project_id AND p.branch = u.branch AND p.started_at < u.started_at
        AND NOT p.is_truncated AND NOT p.is_incomplete
    ORDER BY p.started_at DESC, p.number DESC LIMIT 1
) p ON true
WHERE u.project_id = %(project_id)s AND u.number = %(number)s
"""
SORTS = {
    "number": "u.number",
    "when": "u.started_at",
    "failed": "u.n_failed + u.n_error",
    "tests": "u.n_tests",
    "time": "u.seconds",
    "flaky": "u.n_flaky",
    "passed": "u.n_passed",
    "skipped": "u.n_skipped",
    "new": "u.n_new",
    "branch": "u.branch",
}

# The run before which a failing test last passed is looked for among the runs of the same branch.
FAILURES = """
SELECT t.id, t.suite, t.classname, t.name, t.file, t.layer, f.outcome, f.seconds, f.attempt, t.flake_status, f.is_final,
    g.boundary, g.matched, coalesce(p.kind, ''), coalesce(p.message, ''), coalesce(p.text, ''), f.in_incident,
    (SELECT min(e.run_number) FROM projects_failure e JOIN projects_run v ON v.project_id = e.project_id
            AND v.number = e.run_number
        WHERE e.project_id = f.project_id AND e.test_id = f.test_id AND e.is_final AND v.branch = %(branch)s
            AND e.run_number > coalesce((
                SELECT max(r.run_number) FROM projects_result r
                JOIN projects_run w ON w.project_id = r.project_id AND w.number = r.run_number
                WHERE r.project_id = f.project_id AND r.test_id = f.test_id AND r.outcome = 1 AND w.branch = %(branch)s
                    AND r.run_number < f.run_number), 0)
            AND e.run_number < f.run_number)
FROM (
    SELECT DISTINCT ON (test_id) * FROM projects_failure
    WHERE project_id = %(project_id)s AND run_number = %(number)s ORDER BY test_id, attempt DESC
    LIMIT %(limit)s
) f
JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
JOIN projects_signature g ON g.project_id = f.project_id AND g.digest = f.signature
LEFT JOIN LATERAL (
    SELECT * FROM projects_failuresample s
    WHERE s.project_id = f.project_id AND s.test_id = f.test_id AND s.signature = f.signature
    ORDER BY s.run_number = f.run_number DESC, s.run_number DESC LIMIT 1
) p ON true
ORDER BY t.layer, t.id
"""

NEW_TESTS = """
SELECT {test}, 1, 0, 0, 0, 0 FROM projects_test t
WHERE t.project_id = %(project_id)s AND t.first_run = %(number)s ORDER BY t.id LIMIT %(limit)s
"""

# The layers of the run, and what they usually are on the default branch.
LAYERS = """
SELECT true, layer, n_tests, seconds FROM projects_runlayer WHERE project_id = %(project_id)s AND run_number = %(number)s
UNION ALL
SELECT false, layer, percentile_disc(0.5) WITHIN GROUP (ORDER BY n_tests),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
FROM projects_runlayer
WHERE project_id = %(project_id)s AND run_number IN (
    SELECT number FROM projects_run WHERE project_id = %(project_id)s AND is_default_branch AND NOT is_truncated
        AND NOT is_incomplete AND started_at < %(started_at)s ORDER BY started_at DESC LIMIT %(n_usual)s)
GROUP BY layer
"""

# Tests whose last word in the run was bad, with since when the default branch has failed in them without a pass between.
VERDICTS_OF_RUN = """
SELECT f.test_id, t.suite, t.classname, t.name, t.file, t.layer, r.outcome, f.p_flaky, t.flake_status, f.in_incident, s.since,
    q.reason, q.until_on, coalesce(k.only_here, '')
FROM (
    SELECT DISTINCT ON (test_id) test_id, p_flaky, in_incident FROM projects_failure
    WHERE project_id = %(project_id)s AND run_number = %(number)s ORDER BY test_id, attempt DESC
) f
JOIN projects_result r ON r.project_id = %(project_id)s AND r.test_id = f.test_id AND r.run_number = %(number)s
    AND r.ran_on = %(day)s AND r.outcome IN (2, 3)
JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = f.test_id
LEFT JOIN LATERAL (
    SELECT min(e.run_number) AS since FROM projects_failure e
    WHERE e.project_id = %(project_id)s AND e.test_id = f.test_id AND e.on_default AND e.is_final
        AND e.run_number < %(number)s AND e.day >= %(oldest)s
        AND e.run_number > coalesce((
            SELECT max(p.run_number) FROM projects_result p
            JOIN projects_run w ON w.project_id = p.project_id AND w.number = p.run_number
            WHERE p.project_id = %(project_id)s AND p.test_id = f.test_id AND p.outcome = 1 AND w.is_default_branch
                AND p.run_number < %(number)s AND p.ran_on >= %(oldest)s), 0)
) s ON true
LEFT JOIN projects_flake k ON k.project_id = %(project_id)s AND k.test_id = f.test_id
LEFT JOIN projects_quarantine q ON q.project_id = %(project_id)s AND q.test_id = f.test_id AND q.ended_at IS NULL
    AND q.until_on >= %(today)s
ORDER BY f.p_flaky NULLS FIRST, f.test_id LIMIT %(limit)s
"""


def runs(project: Project, window: Window) -> Page[RunRow]:
    """Which runs were there in the window, newest first?"""
    statement = RUNS.format(
        columns=RUN_COLUMNS,
        runs=rows.RUNS[rows.kind_of(window)],
        order=rows.order(window.sort, SORTS, default="-when"),
    )
    bad = {Outcome.FAILED, Outcome.ERROR}
    values = rows.values_of(
        project,
        window,
        q=window.q,
        like=f"%{window.q}%",
        only_bad=bool(bad & set(window.outcomes)),
        only_passed=window.outcomes == (Outcome.PASSED,),
        size=window.size,
        offset=(window.page - 1) * window.size,
    )
    found = rows.fetch(statement, values)
    return Page(tuple(map(run_row, found)), found[0][-1] if found else 0, window.page, window.size)


def run_counts(project: Project, window: Window) -> RunCounts:
    """How many runs were there in the window, whatever the filter, and how many had failures?"""
    statement = RUN_COUNTS.format(runs=rows.RUNS[rows.kind_of(window)])
    (found,) = rows.fetch(statement, rows.values_of(project, window))
    return RunCounts(*found)


def run_row(row: Sequence[Any]) -> RunRow:
    """Make a RunRow of RUN_COLUMNS and the seconds of the run before, which stand in the middle of it."""
    fields: list[Any] = [*row[:15], row[22], *row[15:22]]
    return RunRow(*fields)


def run(project: Project, number: int) -> RunAnswer | None:
    """What happened in this run? None where the project has no such run."""
    values: dict[str, Any] = {"project_id": project.pk, "number": number}
    found = rows.fetch(ONE_RUN.format(columns=RUN_COLUMNS), values)
    if not found:
        return None
    row = run_row(found[0])
    before, after, same_branch, n_missing, n_incident = found[0][23:28]
    values |= {"branch": row.branch, "started_at": row.started_at, "n_usual": USUAL_RUNS}
    layers = rows.fetch(LAYERS, values)
    failures = _failures(values)
    standing = [failure for failure, is_flaky, in_incident in failures if not is_flaky and not in_incident]
    incident = [failure for failure, _, in_incident in failures if in_incident]
    return RunAnswer(
        run=row,
        failed_new=tuple(f for f in standing if f.failing_since is None),
        failed_before=tuple(f for f in standing if f.failing_since is not None),
        flaky=tuple(one for one, is_flaky, in_incident in failures if is_flaky and not in_incident),
        incident=tuple(incident),
        n_incident=n_incident,
        new_tests=_new_tests(values),
        n_missing=n_missing,
        layers=_layers(layers, is_here=True),
        usual=_layers(layers, is_here=False),
        uploads=of_uploads.uploads_of_run(project, number),
        number_before=before,
        number_after=after,
        number_before_on_branch=same_branch,
    )


def _failures(values: dict[str, Any]) -> list[tuple[RunFailure, bool, bool]]:
    """Return the failures of the run, each with whether a retry forgave it and whether an incident explains it."""
    found = []
    for row in rows.fetch(FAILURES, {**values, "limit": FAILURES_SHOWN}):
        test_id, suite, classname, name, file, layer, outcome, seconds, attempt, status, is_final = row[:11]
        boundary, matched, kind, message, text, in_incident, since = row[11:]
        failure = RunFailure(
            test_id=test_id,
            title=title_of(suite=suite, classname=classname, name=name, file=file),
            home=file or classname or suite,
            layer=Layer(layer),
            outcome=Outcome(outcome),
            seconds=seconds,
            n_attempts=attempt,
            status=FlakeStatus(status),
            failing_since=since,
            boundary=Boundary(boundary),
            matched=matched,
            kind=kind,
            message=message,
            text=text,
        )
        found.append((failure, not is_final, in_incident))
    return found


def _new_tests(values: dict[str, Any]) -> tuple[TestRow, ...]:
    statement = NEW_TESTS.format(test=rows.TEST_COLUMNS)
    return tuple(rows.test_row(row) for row in rows.fetch(statement, {**values, "limit": NEW_SHOWN}))


def _layers(found: Sequence[Sequence[Any]], *, is_here: bool) -> tuple[LayerAmount, ...]:
    amounts = {layer: (n, seconds) for here, layer, n, seconds in found if here == is_here}
    return tuple(LayerAmount(layer, *amounts.get(layer, (0, 0.0))) for layer in Layer)


def verdicts(project: Project, run_key: str, *, today: date) -> RunVerdicts | None:
    """What is each failure of this run most likely, the least excusable first? None where no run has the key."""
    run = Run.objects.filter(project=project, key=run_key).first()
    if run is None:
        return None
    values = {
        "project_id": project.pk,
        "number": run.number,
        "day": run.day,
        "oldest": run.day - timedelta(days=FAILING_DAYS),
        "limit": VERDICTS,
        "today": today,
    }
    waiting = Upload.objects.filter(
        project=project, run_key=run_key, state__in=[UploadState.RECEIVED, UploadState.PROCESSING]
    )
    return RunVerdicts(
        number=run.number,
        key=run.key,
        n_failures=run.n_failed + run.n_error,
        n_waiting=waiting.count(),
        is_truncated=run.is_truncated,
        why_incomplete=known_lack(run.n_shards, run.shard_total, is_truncated=run.is_truncated)
        or run.incomplete_sentence,
        failures=tuple(_verdict(row) for row in rows.fetch(VERDICTS_OF_RUN, values)),
    )


def _verdict(row: Sequence[Any]) -> FailureVerdict:
    test_id, suite, classname, name, file, layer, outcome, p_flaky, status, in_incident, since = row[:11]
    reason, until_on, only_here = row[11:]
    return FailureVerdict(
        test_id=test_id,
        title=title_of(suite=suite, classname=classname, name=name, file=file),
        suite=suite,
        classname=classname,
        name=name,
        file=file,
        layer=Layer(layer),
        outcome=Outcome(outcome),
        p_flaky=p_flaky,
        status=FlakeStatus(status),
        failing_since=since,
        in_incident=in_incident,
        muted_because=reason or "",
        muted_until=until_on,
        only_here=only_here,
    )
