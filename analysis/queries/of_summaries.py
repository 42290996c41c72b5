"""Questions behind a run's summary that no page asks: what was slower than lately, and which runs it compares with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median
from typing import Any

from django.db.models import Count

from analysis import timing
from analysis.answers.of_time import SlowerTest
from analysis.answers.rows import LayerAmount
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project, Run, Test, title_of
from projects.vocabulary import Layer

SLOWER_RATIO = 2.0  # with the next line: what a busy machine does to every test now and then stays out
SLOWER_SECONDS = 2.0
SHOWN = 50
LATELY_DAYS = 45  # the last ten passes of a weekly test lie within
LAST_RUNS_SHOWN = 20

SLOWER = """
SELECT t.id, t.suite, t.classname, t.name, t.file, t.median_s, r.seconds
FROM projects_result r JOIN projects_test t ON t.project_id = r.project_id AND t.id = r.test_id
WHERE r.project_id = %(project_id)s AND r.run_number = %(number)s AND r.ran_on = %(day)s AND r.outcome = 1
    AND r.seconds >= %(ratio)s * t.median_s AND r.seconds - t.median_s >= %(least)s
ORDER BY r.seconds - t.median_s DESC, t.id LIMIT %(limit)s
"""


# The layers of the last runs of the default branch before a run, newest first.
LAST_RUNS = """
SELECT u.number, l.layer, l.n_tests, l.seconds
FROM (
    SELECT number FROM projects_run
    WHERE project_id = %(project_id)s AND is_default_branch AND NOT is_truncated AND NOT is_incomplete AND NOT is_incident
        AND number <> %(number)s AND started_at < %(started_at)s
    ORDER BY started_at DESC, number DESC LIMIT %(limit)s
) u JOIN projects_runlayer l ON l.project_id = %(project_id)s AND l.run_number = u.number
ORDER BY u.number DESC, l.layer
"""


def slower_in_run(project: Project, number: int) -> tuple[SlowerTest, ...]:
    """Which tests took at least twice their time of late, and two seconds more, in this run? The longest wait first."""
    day = Run.objects.filter(project=project, number=number).values_list("day", flat=True).first()
    if day is None:
        return ()
    values = {
        "project_id": project.pk,
        "number": number,
        "day": day,
        "ratio": SLOWER_RATIO,
        "least": SLOWER_SECONDS,
        "limit": SHOWN,
    }
    found = rows.fetch(SLOWER, values)
    main = project.default_branch
    window = Window(main, main, since=day - timedelta(days=LATELY_DAYS), until=day, today=day)
    lately = rows.timings(project, window, [row[0] for row in found]) if found else {}
    tests = (_slower(row, lately.get(row[0], ([], []))[0]) for row in found)
    return tuple(test for test in tests if test is not None)


def _slower(row: Sequence[Any], bins: Sequence[int]) -> SlowerTest | None:
    """Judge by the last passes: the kept median is as old as the last night, and a test may have settled since."""
    test_id, suite, classname, name, file, median_s, seconds = row
    last = bins[-timing.LAST_PASSES :]
    usual_s = timing.from_bin(round(median(last))) if last else float(median_s)
    if seconds < SLOWER_RATIO * usual_s or seconds - usual_s < SLOWER_SECONDS:
        return None
    title = title_of(suite=suite, classname=classname, name=name, file=file)
    return SlowerTest(test_id=test_id, title=title, usual_s=usual_s, seconds=float(seconds))


def last_runs(project: Project, number: int) -> tuple[tuple[LayerAmount, ...], ...]:
    """What did the layers come to in each of the last 20 runs of the default branch before this one, newest first?"""
    run = Run.objects.filter(project=project, number=number).values_list("started_at", flat=True).first()
    values = {"project_id": project.pk, "number": number, "started_at": run, "limit": LAST_RUNS_SHOWN}
    found: dict[int, list[LayerAmount]] = {}
    for run_number, layer, n_tests, seconds in rows.fetch(LAST_RUNS, values):
        found.setdefault(run_number, []).append(LayerAmount(Layer(layer), n_tests, float(seconds)))
    return tuple(tuple(amounts) for amounts in found.values())


def new_by_layer(project: Project, number: int) -> dict[Layer, int]:
    """How many tests were seen for the first time in this run, by layer?"""
    found = Test.objects.filter(project=project, first_run=number).values_list("layer")
    return {Layer(layer): n for layer, n in found.annotate(n=Count("id")).order_by("layer")}
