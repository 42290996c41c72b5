"""Tells a Prometheus server how the work goes: ingest, queues, failures and deliveries, in the text format.

A few statements over what is recent; nothing is counted in a process, so every web server answers the same.
Without METRICS_TOKEN the page does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from projects.vocabulary import UploadState

KIND = "text/plain; version=0.0.4; charset=utf-8"

UPLOADS = """
SELECT state, count(*), coalesce(sum(n_tests), 0), coalesce(sum(n_bytes), 0)
FROM projects_upload WHERE received_at > now() - interval '5 minutes' GROUP BY state
"""
# The partial index on uploads that wait answers these two.
QUEUE = """
SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 5),
    coalesce(extract(epoch FROM now() - min(received_at) FILTER (WHERE state = 1)), 0)
FROM projects_upload WHERE state IN (1, 2, 5)
"""
REFUSED = """
SELECT coalesce(sum(n), 0) FROM projects_refusedhour WHERE hour_at > now() - interval '1 day'
"""
TOTALS = """
SELECT count(*), coalesce(sum(n_runs), 0), coalesce(sum(n_tests), 0) FROM projects_project
"""
LETTERS = """
SELECT CASE WHEN d.sent_at IS NOT NULL THEN 'sent' WHEN d.refused <> '' THEN 'refused' ELSE 'waiting' END, count(*)
FROM projects_letterdelivery d JOIN projects_letter l ON l.id = d.letter_id
WHERE l.built_at > now() - interval '7 days' GROUP BY 1
"""
MESSAGES = """
SELECT CASE WHEN sent_at IS NOT NULL THEN 'sent' WHEN is_over THEN 'failed' ELSE 'waiting' END, count(*)
FROM projects_channeldelivery WHERE created_at > now() - interval '1 day' GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples, by their labels."""

    name: str
    kind: str
    words: str
    samples: Mapping[str, float]


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer who has the token; for everybody else there is no such page."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    if not wanted or scheme.lower() != "bearer" or not constant_time_compare(token.strip(), wanted):
        raise Http404("No such page.")
    return HttpResponse("".join(map(_text, _found())), content_type=KIND)


def _found() -> Iterable[Metric]:
    yield from _of_uploads()
    yield from _of_the_queue()
    yield _one(
        "trophycase_requests_refused_day",
        "Requests of the last day that were refused before they became an upload.",
        _rows(REFUSED)[0][0],
    )
    yield _states("trophycase_letters_week", "Letters to readers of the last seven days.", LETTERS, "refused")
    yield _states("trophycase_messages_day", "Messages to channels of the last day.", MESSAGES, "failed")
    (n_projects, n_runs, n_tests) = _rows(TOTALS)[0]
    yield _one("trophycase_projects", "Projects.", n_projects)
    yield _one("trophycase_runs", "Runs recorded in all projects.", n_runs)
    yield _one("trophycase_tests", "Tests known in all projects.", n_tests)


def _of_uploads() -> Iterable[Metric]:
    recent = {UploadState(row[0]).word: row[1:] for row in _rows(UPLOADS)}
    by_state = {state.word: recent.get(state.word, (0, 0, 0)) for state in UploadState}
    yield Metric(
        "trophycase_uploads_recent",
        "gauge",
        "Uploads received in the last five minutes, by their state now.",
        {f'state="{state}"': float(row[0]) for state, row in by_state.items()},
    )
    yield _one(
        "trophycase_results_recent",
        "Results recorded from uploads of the last five minutes.",
        sum(row[1] for row in by_state.values()),
    )
    yield _one(
        "trophycase_upload_bytes_recent",
        "Bytes of the uploads of the last five minutes, as they came.",
        sum(row[2] for row in by_state.values()),
    )


def _of_the_queue() -> Iterable[Metric]:
    (n_received, n_processing, n_failed, age_s) = _rows(QUEUE)[0]
    waiting = {"received": n_received, "processing": n_processing, "failed": n_failed}
    yield Metric(
        "trophycase_uploads_waiting",
        "gauge",
        "Uploads that are not read yet, by state; failed ones are the server's fault.",
        {f'state="{state}"': float(n) for state, n in waiting.items()},
    )
    yield _one(
        "trophycase_queue_age_seconds", "How long the oldest upload has waited for a worker.", float(age_s)
    )


def _one(name: str, words: str, value: float) -> Metric:
    return Metric(name, "gauge", words, {"": float(value)})


def _states(name: str, words: str, statement: str, bad: str) -> Metric:
    found = dict.fromkeys(("sent", "waiting", bad), 0) | dict(_rows(statement))
    return Metric(name, "gauge", words, {f'state="{state}"': float(n) for state, n in found.items()})


def _rows(statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _text(metric: Metric) -> str:
    lines = [f"# HELP {metric.name} {metric.words}", f"# TYPE {metric.name} {metric.kind}"]
    for labels, value in metric.samples.items():
        lines.append(f"{metric.name}{{{labels}}} {value:.17g}" if labels else f"{metric.name} {value:.17g}")
    return "\n".join(lines) + "\n"
