"""Questions about results, one by one: how each test ended in a run, and how one test ended run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis import rollups
from analysis.answers.of_tests import ResultRow
from analysis.answers.rows import Page
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Layer, Outcome

RESULTS = f"""
SELECT r.run_number, r.test_id, t.suite, t.classname, t.name, t.file, t.layer, u.started_at, u.branch, u.commit, r.outcome,
    r.seconds, r.n_attempts, {rollups.FLAKY}, count(*) OVER ()
FROM projects_result r JOIN projects_run u ON u.project_id = r.project_id AND u.number = r.run_number
JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s"""
OF_RUN = f"""{RESULTS} AND r.run_number = %(number)s AND {{filters}}
    AND r.ran_on = (SELECT day FROM projects_run WHERE project_id = %(project_id)s AND number = %(number)s)
ORDER BY {{order}}, r.test_id LIMIT %(size)s OFFSET %(offset)s
"""
OF_TEST = f"""{RESULTS} AND r.test_id = %(test_id)s AND r.ran_on BETWEEN %(since)s AND %(until)s AND {{runs}} {{outcomes}}
ORDER BY {{order}}, u.started_at DESC, u.number DESC LIMIT %(size)s OFFSET %(offset)s
"""
SORTS = {
    "outcome": "array_position(ARRAY[2, 3, 1, 4]::smallint[], r.outcome)",
    "name": "lower(t.name)",
    "layer": "t.layer",
    "time": "r.seconds",
    "attempts": "r.n_attempts",
}
SORTS_OF_TEST = {
    "when": "u.started_at",
    "run": "u.number",
    "branch": "u.branch",
    "outcome": SORTS["outcome"],
    "time": "r.seconds",
    "attempts": "r.n_attempts",
}
OF_OUTCOMES = "AND r.outcome = ANY(%(outcomes)s)"


def results_of_run(project: Project, number: int, window: Window) -> Page[ResultRow]:
    """How did each test end in this run, the worst first?"""
    condition, more = rows.filters(replace(window, outcomes=()))
    statement = OF_RUN.format(
        filters=f"{condition} {OF_OUTCOMES}" if window.outcomes else condition,
        order=rows.order(window.sort, SORTS, default="outcome"),
    )
    return _page(statement, project, window, {**more, "number": number})


def results_of_test(project: Project, window: Window, test_id: int) -> Page[ResultRow]:
    """How did this test end, run by run, newest first?"""
    statement = OF_TEST.format(
        runs=rows.RUNS[rows.kind_of(window)],
        outcomes=OF_OUTCOMES if window.outcomes else "",
        order=rows.order(window.sort, SORTS_OF_TEST, default="-when"),
    )
    return _page(statement, project, window, {"test_id": test_id})


def _page(statement: str, project: Project, window: Window, more: Mapping[str, Any]) -> Page[ResultRow]:
    values = rows.values_of(
        project,
        window,
        outcomes=[int(outcome) for outcome in window.outcomes],
        size=window.size,
        offset=(window.page - 1) * window.size,
        **more,
    )
    found = rows.fetch(statement, values)
    return Page(tuple(map(_result, found)), found[0][-1] if found else 0, window.page, window.size)


def _result(row: Sequence[Any]) -> ResultRow:
    run_number, test_id, suite, classname, name, file, layer = row[:7]
    at, branch, commit, outcome, seconds, n_attempts, is_flaky, _ = row[7:]
    return ResultRow(
        run_number=run_number,
        test_id=test_id,
        title=title_of(suite=suite, classname=classname, name=name, file=file),
        at=at,
        branch=branch,
        commit=commit,
        outcome=Outcome(outcome),
        seconds=seconds,
        n_attempts=n_attempts,
        is_flaky=bool(is_flaky),
        layer=Layer(layer),
    )
