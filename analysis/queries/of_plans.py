"""The tests that a plan names: where they sit now, and what they take."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.answers.of_time import MarkedTest
from analysis.queries import rows
from analysis.queries.summed import Told, of_few
from analysis.window import Window
from projects.models import Project, title_of
from projects.vocabulary import Layer

MARKED = """
WITH s AS ({sums})
SELECT t.id, encode(t.base, 'hex'), t.layer, t.suite, t.classname, t.name, t.file, s.seconds,
    s.seconds / nullif(s.n_results - s.n_skipped, 0)
FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
ORDER BY s.seconds DESC, t.id
"""
ONES = "SELECT id FROM projects_test WHERE project_id = %(project_id)s AND id = ANY(%(marked)s)"


def marked(
    project: Project, window: Window, test_ids: Sequence[int], *, told: Told | None = None
) -> tuple[MarkedTest, ...]:
    """Which of these tests ran in the window, and what does each take? The most time first.

    `told` is how to know what tests came to, where the caller has asked.
    """
    if not test_ids:
        return ()
    told = told or of_few(project, window)
    statement = MARKED.format(sums=told.sums(only=ONES))
    return tuple(
        MarkedTest(
            test_id=test_id,
            base=base,
            layer=Layer(layer),
            title=title_of(suite=suite, classname=classname, name=name, file=file),
            seconds=float(seconds or 0),
            per_run_s=float(each or 0),
        )
        for test_id, base, layer, suite, classname, name, file, seconds, each in rows.fetch(
            statement, rows.values_of(project, window, marked=list(test_ids)) | told.values()
        )
    )
