"""The question behind a run's summary that no page asks: which tests took clearly longer than they usually do."""

from __future__ import annotations

from analysis.answers import SlowerTest
from analysis.queries import rows
from projects.models import Project, Run, title_of

SLOWER_RATIO = 2.0  # with the next line: what a busy machine does to every test now and then stays out
SLOWER_SECONDS = 2.0
SHOWN = 50

SLOWER = """
SELECT t.id, t.suite, t.classname, t.name, t.file, t.median_s, r.seconds
FROM projects_result r JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s AND r.run_number = %(number)s AND r.ran_on = %(day)s AND r.outcome = 1
    AND r.seconds >= %(ratio)s * t.median_s AND r.seconds - t.median_s >= %(least)s
ORDER BY r.seconds - t.median_s DESC, t.id LIMIT %(limit)s
"""


def slower_in_run(project: Project, number: int) -> tuple[SlowerTest, ...]:
    """Which tests took at least twice their median, and two seconds more, in this run? The longest wait first."""
    day = Run.objects.filter(project=project, number=number).values_list("day", flat=True).first()
    values = {
        "project_id": project.pk,
        "number": number,
        "day": day,
        "ratio": SLOWER_RATIO,
        "least": SLOWER_SECONDS,
        "limit": SHOWN,
    }
    return tuple(
        SlowerTest(
            test_id=test_id,
            title=title_of(suite=suite, classname=classname, name=name, file=file),
            usual_s=float(median_s),
            seconds=float(seconds),
        )
        for test_id, suite, classname, name, file, median_s, seconds in rows.fetch(SLOWER, values)
    )
