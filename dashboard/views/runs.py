"""What happened in a run: the list of runs, and one run with what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import Http404, HttpResponseBase
from django.views.decorators.http import require_safe

from analysis import queries
from analysis.answers.of_runs import RunCounts, RunRow
from analysis.answers.of_tests import ResultRow
from analysis.answers.rows import LayerAmount
from analysis.shape import Shape
from analysis.targets import CORE
from analysis.window import Window
from dashboard import beside, export, page, stories, time_words, verdicts
from dashboard.export import Column
from dashboard.format import Delta, Tone, delta_text, duration, plural
from dashboard.page import ProjectRequest
from projects.models import Project
from projects.vocabulary import Layer, Outcome

ALIKE = (
    0.02  # of the tests: a run of other jobs takes another time, and that is no news; e2e tests may be few
)
NOISE_SHARE = 0.05  # of the time of the run before: less is the runner's mood
OFFERS = ("q", "outcome")
HINT = "Branch, commit or key"
SHOWN_FAILURES = 20  # of each kind; a run with more has one reason, and it is in the first


@dataclass(frozen=True, slots=True)
class Line:
    """One run of the list, with its change in time."""

    run: RunRow
    delta: Delta | None


@dataclass(frozen=True, slots=True)
class Beside:
    """The share of one layer in a run, beside the usual one."""

    layer: Layer
    share: float
    usual: float | None


RUN_COLUMNS: list[Column[RunRow]] = [
    Column("run", lambda row: row.number),
    Column("started_at", lambda row: row.started_at),
    Column("branch", lambda row: row.branch),
    Column("commit", lambda row: row.commit),
    Column("pull_request", lambda row: row.pull_request),
    Column("url", lambda row: row.url),
    Column("tests", lambda row: row.n_tests),
    Column("passed", lambda row: row.n_passed),
    Column("failed", lambda row: row.n_failed),
    Column("error", lambda row: row.n_error),
    Column("skipped", lambda row: row.n_skipped),
    Column("flaky", lambda row: row.n_flaky),
    Column("new", lambda row: row.n_new),
    Column("seconds", lambda row: row.seconds),
    Column("uploads", lambda row: row.n_uploads),
    Column("is_incident", lambda row: row.is_incident),
    Column("is_incomplete", lambda row: row.is_incomplete),
    Column("why_incomplete", lambda row: row.why_incomplete),
]
RESULT_COLUMNS: list[Column[ResultRow]] = [
    Column("run", lambda row: row.run_number),
    Column("test_id", lambda row: row.test_id),
    Column("test", lambda row: row.title),
    Column("layer", lambda row: row.layer),
    Column("outcome", lambda row: row.outcome),
    Column("is_flaky", lambda row: row.is_flaky),
    Column("seconds", lambda row: row.seconds),
    Column("attempts", lambda row: row.n_attempts),
]

SHAPE_COLUMNS: list[Column[Beside]] = [
    Column("layer", lambda row: row.layer),
    Column("share", lambda row: row.share),
    Column("usual_share", lambda row: row.usual),
]


@require_safe
@page.project_page()
def runs(request: ProjectRequest) -> HttpResponseBase:
    """List the runs of the window, newest first."""
    project, window = request.project, request.window
    if file := export.asked(request, "runs", RUN_COLUMNS, queries.runs):
        return file
    rows = queries.runs(project, window)
    if not rows.n_total and not window.is_filtered:
        return page.render_nothing(request, "Runs", place="runs", offers=OFFERS)
    context = {
        "rows": rows,
        "lines": [Line(run, _delta(run, rows.rows)) for run in rows.rows],
        "sentence": stories.runs_sentence(rows.n_total, *_counts(project, window), window),
        "empty": verdicts.past_the_end(rows, window) or verdicts.no_match(window),
    }
    return page.render(request, "runs.html", context, place="runs", offers=OFFERS, hint=HINT)


def _counts(project: Project, window: Window) -> tuple[RunCounts, RunCounts | None]:
    before = (
        queries.run_counts(project, window.previous) if window.compare and not window.is_filtered else None
    )
    return queries.run_counts(project, window), before


def _delta(run: RunRow, others: Sequence[RunRow]) -> Delta | None:
    """Return how much longer a run took than the newest older one of its kind; None where there is none."""
    older = (one for one in others if one.started_at < run.started_at and _is_alike(run, one))
    before = max(older, key=lambda one: one.started_at, default=None)
    if before is None or not before.seconds or not run.seconds or run.is_incomplete:
        return None
    change = run.seconds - before.seconds
    if abs(change) < NOISE_SHARE * before.seconds:
        return None
    tone = Tone.WORSE if change > 0 else Tone.BETTER
    title = (
        f"{duration(before.seconds)} in #{before.number}, the newest run before it with about as many tests"
    )
    return Delta(delta_text(change, duration(abs(change))), "▲" if change > 0 else "▼", tone, title)


def _is_alike(run: RunRow, older: RunRow) -> bool:
    return (
        older.branch == run.branch
        and not older.is_incomplete
        and older.shard_total == run.shard_total
        and abs(older.n_tests - run.n_tests) <= max(1, ALIKE * run.n_tests)
    )


@require_safe
@page.project_page()
def run(request: ProjectRequest, number: int) -> HttpResponseBase:
    """Show what happened in one run: what failed anew first."""
    project = request.project
    if file := export.asked(
        request, f"run {number}", RESULT_COLUMNS, lambda of, asked: queries.results_of_run(of, number, asked)
    ):
        return file
    answer = queries.run(project, number)
    if answer is None:
        raise Http404("No such run.")
    shape = _beside(answer.layers, answer.usual)
    if file := beside.asked(request, f"shape of run {number}", SHAPE_COLUMNS, shape, part="shape"):
        return file
    context = {
        "answer": answer,
        "run": answer.run,
        "verdict": verdict(answer.run),
        "kinds": [
            (key, words, failures[:SHOWN_FAILURES], len(failures))
            for key, words, failures in (
                ("failed-new", "Failed here, passing before", answer.failed_new),
                ("failed-before", "Failed before too", answer.failed_before),
                ("flaky", "Flaky here", answer.flaky),
            )
        ],
        "machine": time_words.machine_sentence(queries.machine(project, number)),
        "remarks": queries.remarks_of_run(project, number) if answer.run.incident_sentence else (),
        "shape": shape,
        "rows": queries.results_of_run(project, number, request.window),
        "outcomes": [outcome.word for outcome in Outcome],
        "layers": [layer.word for layer in Layer],
        "chosen_outcomes": [outcome.word for outcome in request.window.outcomes],
        "chosen_layers": [layer.word for layer in request.window.layers],
    }
    return page.render(request, "run.html", context, place="runs")


def verdict(row: RunRow) -> str:
    """Say in words what the run brought."""
    counted = [(row.n_failed, "failed"), (row.n_error, "ended in an error"), (row.n_flaky, "flaky")]
    bad = ", ".join(f"{n} {words}" for n, words in counted if n)
    skipped = f", {row.n_skipped} skipped" if row.n_skipped else ""
    ended = f"{plural(row.n_passed, 'test')} passed{skipped}."
    if bad:
        return f"{bad[0].upper()}{bad[1:]}; {ended}"
    return f"All of {ended}" if row.n_passed else f"Nothing ran to an end{skipped}."


def _beside(layers: Sequence[LayerAmount], usual: Sequence[LayerAmount]) -> list[Beside]:
    here = Shape({amount.layer: amount.n_tests for amount in layers}).shares
    before = Shape({amount.layer: amount.n_tests for amount in usual})
    return [
        Beside(layer, here[layer], before.shares[layer] if before.total else None) for layer in reversed(CORE)
    ]
