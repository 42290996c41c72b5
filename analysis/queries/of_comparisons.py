"""What differs between two runs, test by test and layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.answers.rows import LayerAmount
from analysis.compared import ComparedTest, Comparison, Difference, Differences, LayerChange
from analysis.queries import rows
from analysis.queries.of_changes import SLOWER_RATIO, SLOWER_SECONDS
from analysis.queries.of_runs import RUN_COLUMNS, run_row
from projects.models import Project, title_of
from projects.vocabulary import Layer, Outcome

SHOWN_DIFFERING = (
    30  # tests of each difference; more have one cause, and it is in the first. A file has them all
)

TWO_RUNS = """
SELECT {columns}, NULL FROM projects_run u WHERE u.project_id = %(project_id)s AND u.number IN (%(earlier)s, %(later)s)
"""
# The newest run of the default branch, or of the branch of the later one, and the run before it on that branch.
USUAL_PAIR = """
SELECT b.number, u.number FROM projects_run u
LEFT JOIN LATERAL (
    SELECT p.number FROM projects_run p
    WHERE p.project_id = u.project_id AND p.branch = u.branch AND p.started_at < u.started_at
    ORDER BY p.started_at DESC, p.number DESC LIMIT 1
) b ON true
WHERE u.project_id = %(project_id)s AND (u.number = %(later)s OR %(later)s IS NULL AND u.is_default_branch)
ORDER BY u.started_at DESC, u.number DESC LIMIT 1
"""
RESULTS_OF = """
    SELECT r.test_id, r.outcome, r.seconds FROM projects_result r
    WHERE r.project_id = %(project_id)s AND r.run_number = {number}
        AND r.ran_on = (SELECT day FROM projects_run WHERE project_id = %(project_id)s AND number = {number})"""

# Outcomes: 1 passed, 2 failed, 3 error, 4 skipped. Times are compared where both runs passed.
DIFFERENCES = """
WITH earlier AS ({earlier}), later AS ({later}), paired AS (
    SELECT test_id, e.outcome AS was, l.outcome AS is_now, e.seconds AS before_s, l.seconds AS now_s,
        CASE WHEN l.outcome IN (2, 3) AND e.outcome IN (2, 3) THEN 'still-failing'
            WHEN l.outcome IN (2, 3) THEN 'newly-failing'
            WHEN e.outcome IN (2, 3) AND l.outcome = 1 THEN 'fixed'
            WHEN e.outcome IS NULL THEN 'added' WHEN l.outcome IS NULL THEN 'missing'
            WHEN l.outcome = 4 AND e.outcome <> 4 THEN 'newly-skipped'
            WHEN e.outcome = 1 AND l.outcome = 1 AND l.seconds >= %(ratio)s * e.seconds AND l.seconds - e.seconds >= %(least)s
                THEN 'slower'
            WHEN e.outcome = 1 AND l.outcome = 1 AND e.seconds >= %(ratio)s * l.seconds AND e.seconds - l.seconds >= %(least)s
                THEN 'faster' END AS kind
    FROM earlier e FULL JOIN later l USING (test_id)
), placed AS (
    SELECT *, count(*) OVER (PARTITION BY kind) AS n, count(*) FILTER (WHERE was IS NOT NULL AND is_now IS NOT NULL) OVER ()
        AS n_common, row_number() OVER (PARTITION BY kind ORDER BY abs(coalesce(now_s, 0) - coalesce(before_s, 0)) DESC, test_id)
        AS place
    FROM paired
)
SELECT p.kind, p.n, p.n_common, t.id, t.suite, t.classname, t.name, t.file, t.layer, p.was, p.is_now, p.before_s, p.now_s
FROM placed p JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = p.test_id
WHERE p.place <= CASE WHEN p.kind IS NULL THEN 1 ELSE coalesce(%(limit)s, p.place) END ORDER BY p.kind, p.place
"""
LAYERS = """
SELECT run_number, layer, n_tests, seconds FROM projects_runlayer
WHERE project_id = %(project_id)s AND run_number IN (%(earlier)s, %(later)s)
"""


def usual_pair(project: Project, *, later: int | None = None) -> tuple[int, int] | None:
    """Which runs are compared when nobody says which: the newest, or `later`, and the one before it on its branch."""
    found = rows.fetch(USUAL_PAIR, {"project_id": project.pk, "later": later})
    return (found[0][0], found[0][1]) if found and found[0][0] is not None else None


def comparison(project: Project, earlier: int, later: int, *, is_whole: bool = False) -> Comparison | None:
    """What differs between these two runs, in every test if whole? None where the project lacks one of them."""
    values: dict[str, Any] = {
        "project_id": project.pk,
        "earlier": earlier,
        "later": later,
        "ratio": SLOWER_RATIO,
        "least": SLOWER_SECONDS,
        "limit": None if is_whole else SHOWN_DIFFERING,
    }
    runs = {row[0]: run_row(row) for row in rows.fetch(TWO_RUNS.format(columns=RUN_COLUMNS), values)}
    if earlier not in runs or later not in runs:
        return None
    statement = DIFFERENCES.format(
        earlier=RESULTS_OF.format(number="%(earlier)s"), later=RESULTS_OF.format(number="%(later)s")
    )
    found = rows.fetch(statement, values)
    amounts = {
        (number, layer): (n, float(seconds)) for number, layer, n, seconds in rows.fetch(LAYERS, values)
    }
    return Comparison(
        earlier=runs[earlier],
        later=runs[later],
        differences={kind: _differences(kind, found) for kind in Difference},
        layers=tuple(
            LayerChange(
                LayerAmount(layer, *amounts.get((earlier, layer), (0, 0.0))),
                LayerAmount(layer, *amounts.get((later, layer), (0, 0.0))),
            )
            for layer in Layer
            if (earlier, layer) in amounts or (later, layer) in amounts
        ),
        n_common=found[0][2] if found else 0,
    )


def _differences(kind: Difference, found: Sequence[Sequence[Any]]) -> Differences:
    mine = [row for row in found if row[0] == kind.value]
    return Differences(kind, mine[0][1] if mine else 0, tuple(map(_test, mine)))


def _test(row: Sequence[Any]) -> ComparedTest:
    test_id, suite, classname, name, file, layer, was, is_now, before_s, now_s = row[3:]
    return ComparedTest(
        id=test_id,
        title=title_of(suite=suite, classname=classname, name=name, file=file),
        home=file or classname or suite,
        layer=Layer(layer),
        earlier=Outcome(was) if was else None,
        later=Outcome(is_now) if is_now else None,
        earlier_s=before_s,
        later_s=now_s,
    )
