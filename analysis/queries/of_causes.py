"""What tests' failures are gathered for: analysis.causes reads a likely cause from them, and says when it cannot.

A test that runs in several environments is several tests of one base here; their failures are read together, since only
beside one another do they show that an environment is the cause.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from analysis.causes import CauseHint, FailureHistory, FailureSeen, cause
from analysis.queries import rows
from analysis.seats import unpacked
from projects.models import Project

HISTORY_DAYS = 90  # an older failure may have had another cause
FAILURES_READ = 40  # the newest of each test: a pattern that they do not show is not there

# One line a failing group: its first attempt, and whether a retry passed. The newest of each test brings along how often the
# test ran in each environment, and the hours at which anything ran. A test without an environment has its base for its
# fingerprint. Who failed beside it, in its class and run, is counted for all of these runs at once.
FAILED = """
WITH wanted AS MATERIALIZED (
    SELECT * FROM projects_test WHERE project_id = %(project_id)s AND id = ANY(%(ids)s)
), kin_ids AS (
    SELECT id AS wanted, id FROM wanted
    UNION SELECT w.id, t.id FROM wanted w
        JOIN projects_test t ON t.project_id = w.project_id AND t.base = w.base AND t.variant <> '' WHERE w.variant <> ''
    UNION SELECT w.id, t.id FROM wanted w
        JOIN projects_test t ON t.project_id = w.project_id AND t.fingerprint = w.base WHERE w.variant <> ''
), kin AS MATERIALIZED (
    SELECT k.wanted, k.id, t.variant, t.classname, w.median_s, w.framework, w.classname AS home, w.name, w.file
    FROM kin_ids k JOIN wanted w ON w.id = k.wanted
    JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = k.id
), tried AS (
    SELECT k.wanted, k.id, k.variant, k.classname, f.run_number, count(*) AS n, bool_or(f.is_final) AS is_final,
        (array_agg(f.seconds ORDER BY f.attempt))[1] AS seconds, (array_agg(f.signature ORDER BY f.attempt))[1] AS signature,
        (array_agg(f.after_test ORDER BY f.attempt))[1] AS after_test, (array_agg(f.worker ORDER BY f.attempt))[1] AS worker,
        (array_agg((f.place - 1) / greatest(1, f.n_cases - 1)::float8 ORDER BY f.attempt))[1] AS share,
        row_number() OVER (PARTITION BY k.wanted ORDER BY f.run_number DESC, k.id) AS place
    FROM kin k JOIN projects_failure f ON f.project_id = %(project_id)s AND f.test_id = k.id
    WHERE f.day BETWEEN %(since)s AND %(until)s AND NOT f.in_incident
    GROUP BY k.wanted, k.id, k.variant, k.classname, f.run_number
), shown AS MATERIALIZED (SELECT * FROM tried WHERE place <= %(n_failures)s
), beside AS (
    SELECT o.run_number, t.classname, count(DISTINCT o.test_id) AS n FROM projects_failure o
    JOIN projects_test t ON t.project_id = o.project_id AND t.id = o.test_id
    WHERE o.project_id = %(project_id)s AND o.run_number IN (SELECT run_number FROM shown) AND NOT o.in_incident
        AND t.classname <> ''
    GROUP BY o.run_number, t.classname
), spread AS (
    SELECT f.signature, count(DISTINCT f.test_id) AS n FROM projects_failure f
    WHERE f.project_id = %(project_id)s AND f.signature IN (SELECT signature FROM shown)
        AND f.day BETWEEN %(since)s AND %(until)s
    GROUP BY f.signature
), ran AS (
    SELECT k.wanted, k.variant, coalesce(sum(d.n_passed + d.n_failed + d.n_error), 0)::int AS n
    FROM kin k
    LEFT JOIN projects_testday d ON d.project_id = %(project_id)s AND d.on_default IN (false, true)
        AND d.day BETWEEN %(since)s AND %(until)s AND d.test_id = k.id
    WHERE k.wanted IN (SELECT wanted FROM shown)
    GROUP BY k.wanted, k.variant
), hours AS (
    SELECT h, count(u.number)::int AS n FROM generate_series(0, 23) AS h
    LEFT JOIN projects_run u ON u.project_id = %(project_id)s AND u.day BETWEEN %(since)s AND %(until)s
        AND extract(hour FROM u.started_at AT TIME ZONE 'UTC') = h
    GROUP BY h
), passes AS (
    SELECT k.wanted, array_agg(p ORDER BY k.id, n) AS passes
    FROM kin k JOIN projects_flake f ON f.project_id = %(project_id)s AND f.test_id = k.id
    CROSS JOIN unnest(f.passes_seen) WITH ORDINALITY AS u (p, n)
    GROUP BY k.wanted
), exposure AS (
    SELECT r.wanted, json_build_object('runs', json_object_agg(r.variant, r.n),
        'hours', (SELECT json_agg(n ORDER BY h) FROM hours),
        'passes', (SELECT b.passes FROM passes b WHERE b.wanted = r.wanted))::text AS document
    FROM ran r GROUP BY r.wanted
)
SELECT s.wanted, u.started_at, s.seconds, s.variant, coalesce(m.message, ''), g.title, s.signature, s.n, s.is_final,
    coalesce(b.n - 1, 0), p.n, CASE WHEN s.place = 1 THEN e.document END, k.median_s, k.framework, k.home, k.name, k.file,
    s.run_number, s.after_test, s.share, s.worker, o.classname, o.name, o.file
FROM shown s
JOIN kin k ON k.wanted = s.wanted AND k.id = s.wanted
JOIN exposure e ON e.wanted = s.wanted
JOIN projects_run u ON u.project_id = %(project_id)s AND u.number = s.run_number
JOIN projects_signature g ON g.project_id = %(project_id)s AND g.digest = s.signature
JOIN spread p ON p.signature = s.signature
LEFT JOIN beside b ON b.run_number = s.run_number AND b.classname = s.classname
LEFT JOIN projects_test o ON o.project_id = %(project_id)s AND o.id = s.after_test
LEFT JOIN LATERAL (
    SELECT m.message FROM projects_failuresample m
    WHERE m.project_id = %(project_id)s AND m.test_id = s.id AND m.signature = s.signature AND m.run_number = s.run_number
    ORDER BY m.slot LIMIT 1
) m ON true
ORDER BY s.wanted, u.started_at, s.run_number, s.id
"""

RUNNERS = {
    "pytest": "pytest",
    "jest": "jest",
    "go": "go",
    "playwright": "playwright",
    "rspec": "rspec",
    "surefire": "junit",
}


def causes(project: Project, test_ids: Sequence[int], *, until: date) -> dict[int, CauseHint]:
    """Why does each of these tests likely fail now and then? Tests that never failed have no answer."""
    failed = _failed(project, test_ids, until=until)
    return {test_id: cause(_history(found)) for test_id, found in failed.items()}


def causes_of_test(
    project: Project, test_id: int, *, until: date
) -> tuple[CauseHint | None, dict[str, CauseHint]]:
    """Why does a test likely fail, all in all, and for each reason that it fails for? Two flakes may be two bugs."""
    found = _failed(project, [test_id], until=until).get(test_id, [])
    if not found:
        return None, {}
    alike: dict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in found:
        alike[bytes(row[6]).hex()].append(row)
    exposure = next(row[11] for row in found if row[11] is not None)
    return cause(_history(found)), {
        signature: cause(_history([[*part[0][:11], exposure, *part[0][12:]], *part[1:]]))
        for signature, part in alike.items()
    }


def _failed(project: Project, test_ids: Sequence[int], *, until: date) -> dict[int, list[Sequence[Any]]]:
    failed: dict[int, list[Sequence[Any]]] = defaultdict(list)
    if not test_ids:
        return failed
    values = {
        "project_id": project.pk,
        "ids": list(test_ids),
        "since": until - timedelta(days=HISTORY_DAYS - 1),
        "until": until,
        "n_failures": FAILURES_READ,
    }
    for row in rows.fetch(FAILED, values):
        failed[row[0]].append(row)
    return failed


def _seen(row: Sequence[Any]) -> FailureSeen:
    _, at, seconds, environment, message, title, signature, n, is_final, n_beside = row[:10]
    run, after_test, share, worker, classname, name, file = row[17:]
    return FailureSeen(
        at=at,
        seconds=seconds,
        environment=environment,
        worker=worker,
        message=message,
        signature=bytes(signature),
        passed_on_retry=(not is_final) if n > 1 or not is_final else None,
        n_failed_beside=n_beside,
        masked=title,
        run=run,
        after_test=(after_test or 0) if name else 0,
        predecessor=_address(RUNNERS.get(row[13], ""), classname=classname, name=name, file=file)
        if name
        else "",
        place_in_run=share,
    )


def _history(found: Sequence[Sequence[Any]]) -> FailureHistory:
    median_s, framework, classname, name, file = found[0][12:17]
    exposure = json.loads(next(row[11] for row in found if row[11] is not None))
    runner = RUNNERS.get(framework, "")
    return FailureHistory(
        failures=[_seen(row) for row in found],
        median_pass_s=median_s,
        n_runs=sum(exposure["runs"].values()),
        runs_by_environment=exposure["runs"],
        runs_by_hour=exposure["hours"],
        passes=[unpacked(words) for words in exposure["passes"] or []],
        n_tests_with_signature=_spread_of_commonest(found),
        runner=runner,
        test=_address(runner, classname=classname, name=name, file=file),
    )


def _spread_of_commonest(found: Sequence[Sequence[Any]]) -> int:
    """Return how many tests failed with the signature that most of these failures have."""
    counts = Counter(bytes(row[6]) for row in found)
    spread = {bytes(row[6]): int(row[10]) for row in found}
    return spread[max(counts, key=lambda signature: (counts[signature], signature))]


def _address(runner: str, *, classname: str, name: str, file: str) -> str:
    """Spell the test as its runner takes it on the command line."""
    if runner == "go":
        return f"^{name.split('/')[0]}$"
    if runner != "pytest":
        return name
    modules = [part for part in classname.split(".") if part]
    classes = [part for part in modules if part[:1].isupper()]
    path = file or "/".join(part for part in modules if part not in classes) + ".py"
    return "::".join([path, *classes, name]) if path != ".py" else name
