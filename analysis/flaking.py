"""Drive the flake engine from the rows: proofs, incidents and verdicts of the tests that an upload touched.

Reads the staged results and the failures recorded just before, inside the same transaction. What a verdict is, and when a
mass of failures is an incident, is analysis.flakes' and analysis.incidents' to say.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection

from projects.models import FlakeEvent, Project, Run
from projects.vocabulary import FlakeStatus

RUNS_OF_A_COMMIT = 20  # compared with at most; a commit that ran more often has shown what it can
USUAL_RUNS = 50  # the runs whose failures say how many are usual
MASS = 10  # fewer failures are never a mass event
MASS_SHARE = 0.004  # of the tests in the run
MASS_FACTOR = 3  # times the usual number
MASS_HOMES = 5  # a mass event spans at least so many suites or files
PROOF_DAYS = 60  # a proof older than this speaks of another test suite
QUIET_DAYS = 14
ENOUGH_PROOFS = 2  # one flip may be a glitch of the machine

OTHER_RUNS = """
SELECT number, day FROM projects_run
WHERE project_id = %(project_id)s AND commit = %(commit)s AND number <> %(run_number)s
ORDER BY number DESC LIMIT %(limit)s
"""

# Failures that nobody expects: of tests that are not known to be flaky or broken.
UNEXPECTED = """
SELECT count(*), count(DISTINCT coalesce(nullif(t.file, ''), nullif(t.classname, ''), t.suite))
FROM projects_failure f JOIN projects_test t ON t.project_id = f.project_id AND t.id = f.test_id
WHERE f.project_id = %(project_id)s AND f.run_number = %(run_number)s AND f.attempt = (
    SELECT max(g.attempt) FROM projects_failure g
    WHERE g.project_id = f.project_id AND g.test_id = f.test_id AND g.run_number = f.run_number)
    AND t.flake_status NOT IN (2, 3)
"""

USUAL = """
SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY n_bad), 0) FROM (
    SELECT n_failed + n_error AS n_bad FROM projects_run
    WHERE project_id = %(project_id)s AND number <> %(run_number)s AND NOT is_incident AND started_at < %(started_at)s
    ORDER BY started_at DESC LIMIT %(limit)s
) usual
"""

RETRIES = """
INSERT INTO projects_flakeproof (project_id, test_id, run_number, rule, other_run, commit, day, on_default, in_incident)
SELECT %(project_id)s, test_id, %(run_number)s, 1, %(run_number)s, %(commit)s, %(day)s, %(on_default)s, false
FROM incoming WHERE is_flaky
ON CONFLICT DO NOTHING
"""

PASSED_HERE = """
INSERT INTO projects_flakeproof (project_id, test_id, run_number, rule, other_run, commit, day, on_default, in_incident)
SELECT DISTINCT %(project_id)s, i.test_id, %(run_number)s, 2, f.run_number, %(commit)s, %(day)s::date, %(on_default)s,
    f.in_incident
FROM incoming i JOIN projects_failure f ON f.project_id = %(project_id)s AND f.test_id = i.test_id
    AND f.run_number = ANY(%(others)s) AND f.is_final
WHERE i.outcome = 1
ON CONFLICT DO NOTHING
"""

FAILED_HERE = """
INSERT INTO projects_flakeproof (project_id, test_id, run_number, rule, other_run, commit, day, on_default, in_incident)
SELECT %(project_id)s, i.test_id, %(run_number)s, 2, r.run_number, %(commit)s, %(day)s::date, %(on_default)s, false
FROM incoming i JOIN projects_result r ON r.project_id = %(project_id)s AND r.test_id = i.test_id
    AND r.run_number = ANY(%(others)s) AND r.ran_on = ANY(%(days)s) AND r.outcome = 1
WHERE i.outcome IN (2, 3)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Mass:
    """How many tests failed unexpectedly in a run, over how many suites or files, and how many usually do."""

    n_failed: int
    n_homes: int
    n_tests: int
    usual: int

    @property
    def is_incident(self) -> bool:
        """True when the failures are too many and too scattered to be the tests' own."""
        least = max(MASS, MASS_SHARE * self.n_tests, MASS_FACTOR * self.usual)
        return self.n_failed >= least and self.n_homes >= MASS_HOMES


def after_upload(project: Project, run: Run, *, now: datetime) -> None:
    """Keep the proofs that the staged results give, see whether the run is an incident, and judge its tests."""
    values: dict[str, Any] = {
        "project_id": project.pk,
        "run_number": run.number,
        "commit": run.commit,
        "day": run.day,
        "on_default": run.is_default_branch,
        "started_at": run.started_at,
    }
    _judge_incident(run, values)
    touched = _prove(run, values)
    _judge(project, run, touched, now=now)


def _judge_incident(run: Run, values: dict[str, Any]) -> None:
    """Mark the run, its failures and the proofs that rest on them when too much failed at once."""
    with connection.cursor() as cursor:
        cursor.execute(UNEXPECTED, values)
        n_failed, n_homes = cursor.fetchone()
        if n_failed < MASS:
            return
        cursor.execute(USUAL, {**values, "limit": USUAL_RUNS})
        mass = Mass(n_failed, n_homes, run.n_tests, cursor.fetchone()[0])
        if not mass.is_incident:
            return
        run.is_incident = True
        run.incident_sentence = (
            f"{n_failed} tests failed together in {n_homes} suites; usually {mass.usual} do."
            " Their failures are left out of the verdicts on single tests."
        )
        for table, column in (("projects_failure", "run_number"), ("projects_flakeproof", "other_run")):
            cursor.execute(
                f"UPDATE {table} SET in_incident = true WHERE project_id = %(project_id)s AND {column} = %(run_number)s",
                values,
            )


def _prove(run: Run, values: dict[str, Any]) -> list[int]:
    """Keep the flakes seen in the staged results; return the tests they are about."""
    with connection.cursor() as cursor:
        cursor.execute(RETRIES, values)
        if run.commit:
            cursor.execute(OTHER_RUNS, {**values, "limit": RUNS_OF_A_COMMIT})
            others = cursor.fetchall()
            if others:
                values |= {"others": [number for number, _ in others], "days": list({day for _, day in others})}
                cursor.execute(PASSED_HERE, values)
                cursor.execute(FAILED_HERE, values)
        if run.is_incident:
            cursor.execute(
                "UPDATE projects_flakeproof SET in_incident = true WHERE project_id = %(project_id)s AND ("
                " run_number = %(run_number)s OR other_run = %(run_number)s)",
                values,
            )
        cursor.execute(
            "SELECT i.test_id FROM incoming i JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = i.test_id"
            " WHERE t.flake_status <> 0 OR i.outcome IN (2, 3) OR i.is_flaky OR EXISTS (SELECT FROM projects_flakeproof p"
            " WHERE p.project_id = %(project_id)s AND p.test_id = i.test_id AND p.run_number = %(run_number)s)"
            " ORDER BY 1",
            values,
        )
        return [test_id for (test_id,) in cursor.fetchall()]


EVIDENCE = """
SELECT t.id, t.flake_status, coalesce(p.n, 0), p.first_on, p.last_on, coalesce(p.runs, '{}'), coalesce(d.n_results, 0),
    coalesce(d.n_bad, 0), coalesce(d.n_since, 0), coalesce(b.n_commits, 0)
FROM projects_test t
LEFT JOIN LATERAL (
    SELECT count(DISTINCT run_number) AS n, min(day) AS first_on, max(day) AS last_on,
        array_agg(DISTINCT run_number) AS runs
    FROM projects_flakeproof p
    WHERE p.project_id = t.project_id AND p.test_id = t.id AND NOT p.in_incident AND p.day > %(since)s
) p ON true
LEFT JOIN LATERAL (
    SELECT sum(n_passed + n_failed + n_error) AS n_results, sum(n_failed + n_error + n_flaky) AS n_bad,
        sum(n_passed) FILTER (WHERE day > p.last_on) AS n_since
    FROM projects_testday d
    WHERE d.project_id = t.project_id AND d.test_id = t.id AND d.on_default IN (false, true) AND d.day > %(since)s
) d ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT u.commit) AS n_commits FROM (
        SELECT r.run_number, r.outcome, bool_or(r.outcome = 1) OVER (ORDER BY u.started_at DESC, u.number DESC) AS passed
        FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
        WHERE r.project_id = t.project_id AND r.test_id = t.id AND r.ran_on > %(recent)s AND u.is_default_branch
            AND NOT u.is_incident AND r.outcome <> 4
    ) last JOIN projects_run u ON u.project_id = t.project_id AND u.number = last.run_number
    WHERE NOT last.passed
) b ON true
WHERE t.project_id = %(project_id)s AND t.id = ANY(%(test_ids)s)
"""

KEEP_FLAKES = """
INSERT INTO projects_flake (project_id, test_id, status, sentence, since_on, last_on, n_flakes, rate, proof_runs, state, note,
    fixed_commit)
SELECT %(project_id)s, id, status, sentence, since_on, last_on, n, rate, runs::int[], '', '', ''
FROM unnest(%(ids)s::int[], %(statuses)s::smallint[], %(sentences)s::text[], %(since)s::date[], %(last)s::date[], %(n)s::int[],
    %(rates)s::float8[], %(runs)s::text[]) AS f (id, status, sentence, since_on, last_on, n, rate, runs)
ON CONFLICT (project_id, test_id) DO UPDATE SET status = excluded.status, sentence = excluded.sentence,
    since_on = coalesce(projects_flake.since_on, excluded.since_on), last_on = excluded.last_on, n_flakes = excluded.n_flakes,
    rate = excluded.rate, proof_runs = excluded.proof_runs
"""

KEEP_STATUSES = """
UPDATE projects_test t SET flake_status = f.status
FROM unnest(%(ids)s::int[], %(statuses)s::smallint[]) AS f (id, status)
WHERE t.project_id = %(project_id)s AND t.id = f.id AND t.flake_status <> f.status
"""


def _judge(project: Project, run: Run, touched: list[int], *, now: datetime) -> None:
    if not touched:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            EVIDENCE,
            {
                "project_id": project.pk,
                "test_ids": touched,
                "since": run.day - timedelta(days=PROOF_DAYS),
                "recent": run.day - timedelta(days=QUIET_DAYS),
            },
        )
        verdicts = [_verdict(row, day=run.day) for row in cursor.fetchall()]
        told = [v for v in verdicts if v["status"] != FlakeStatus.HEALTHY or v["before"] != FlakeStatus.HEALTHY]
        if not told:
            return
        values = {
            "project_id": project.pk,
            "ids": [v["id"] for v in told],
            "statuses": [int(v["status"]) for v in told],
            "sentences": [v["sentence"] for v in told],
            "since": [v["since"] for v in told],
            "last": [v["last"] for v in told],
            "n": [v["n"] for v in told],
            "rates": [v["rate"] for v in told],
            "runs": ["{" + ",".join(map(str, v["runs"][-12:])) + "}" for v in told],
        }
        cursor.execute(KEEP_FLAKES, values)
        cursor.execute(KEEP_STATUSES, values)
    FlakeEvent.objects.bulk_create(
        FlakeEvent(
            project_id=project.pk,
            id=uuid.uuid4(),
            test_id=v["id"],
            at=now,
            run_number=run.number,
            before=v["before"],
            after=v["status"],
            sentence=v["sentence"],
        )
        for v in told
        if v["before"] != v["status"]
    )


def _verdict(row: tuple[Any, ...], *, day: date) -> dict[str, Any]:
    test_id, before, n, first, last, runs, n_results, n_bad, n_since, n_broken = row
    status, sentence = FlakeStatus.HEALTHY, ""
    quiet = last is not None and (day - last).days >= QUIET_DAYS and n_since >= 3 * n_results / max(1, n_bad)
    if n and quiet:
        status, sentence = FlakeStatus.FIXED, f"quiet for {n_since} passes since {last:%-d %b}"
    elif n_broken >= 2:
        status, sentence = FlakeStatus.BROKEN, f"failing on the last {n_broken} commits"
    elif n >= ENOUGH_PROOFS:
        status, sentence = FlakeStatus.FLAKY, f"passed and failed on one commit in {n} runs"
    elif n:
        status, sentence = FlakeStatus.SUSPECTED, "passed and failed on one commit once"
    rate = n_bad / n_results if n_results else None
    return {
        "id": test_id, "before": before, "status": status, "sentence": sentence, "since": first, "last": last,
        "n": n, "rate": rate, "runs": sorted(runs),
    }
