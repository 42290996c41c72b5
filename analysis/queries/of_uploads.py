"""Questions about uploads: is data arriving, and what became of mine?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import groupby
from typing import Any

from analysis.answers.of_uploads import (
    Arrivals,
    ProblemExample,
    ProblemGroup,
    ProblemRow,
    UploadRow,
    UploadSpan,
)
from analysis.answers.rows import Page
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import ProblemLevel, UploadState

UPLOADS = """
SELECT p.id, p.received_at, p.run_number, coalesce(k.name, ''), p.repository, p.n_bytes, p.n_tests, p.state, p.finished_at, p.job,
    p.shard, p.branch, p.commit, p.run_key, p.environment, (
        SELECT jsonb_agg(jsonb_build_array(b.level, b.code, b.sentence, b.file, b.line, b."column") ORDER BY b.position)
        FROM projects_problem b WHERE b.project_id = p.project_id AND b.upload_id = p.id), count(*) OVER ()
FROM projects_upload p LEFT JOIN projects_token k ON k.id = p.token_id
WHERE p.project_id = %(project_id)s AND {which}
ORDER BY {order}, p.received_at DESC, p.id LIMIT %(size)s OFFSET %(offset)s
"""
IN_WINDOW = "p.received_at >= %(since)s AND p.received_at < %(after)s"
# Whatever somebody knows of their upload: where it came from, what became of it, what was wrong with it.
MATCHES = f"""{IN_WINDOW} AND concat_ws(' ', p.branch, p.commit, p.job, p.shard, p.environment, p.run_key, p.pull_request, k.name,
    p.repository, p.id, '#' || p.run_number,
    CASE p.state WHEN 3 THEN 'done' WHEN 4 THEN 'refused' WHEN 5 THEN 'failed' ELSE 'waiting' END,
    (SELECT string_agg(concat_ws(' ', b.code, b.file), ' ') FROM projects_problem b
        WHERE b.project_id = p.project_id AND b.upload_id = p.id)) ILIKE ALL(%(words)s)"""

HOURS = """
SELECT at, sum(n_done)::int, sum(n_rejected)::int, sum(n_failed)::int, sum(n_waiting)::int, sum(n_at_door)::int
FROM (
    SELECT date_trunc('hour', received_at, 'UTC') AS at, count(*) FILTER (WHERE state = 3) AS n_done,
        count(*) FILTER (WHERE state = 4) AS n_rejected, count(*) FILTER (WHERE state = 5) AS n_failed,
        count(*) FILTER (WHERE state IN (1, 2)) AS n_waiting, 0 AS n_at_door
    FROM projects_upload WHERE project_id = %(project_id)s AND received_at >= %(since)s AND received_at < %(after)s GROUP BY 1
    UNION ALL
    SELECT hour_at, 0, 0, 0, 0, n FROM projects_refusedhour
    WHERE project_id = %(project_id)s AND hour_at >= %(since)s AND hour_at < %(after)s
) came GROUP BY at ORDER BY at
"""
# One row a sentence that is new, the newest of a code first; how often its code came stands beside it.
GROUPS = """
WITH said AS (
    SELECT false AS at_door, code, level, sentence, count(*) AS n, max(at) AS at,
        (array_agg(upload_id::text ORDER BY at DESC, upload_id))[1] AS upload_id, '' AS token
    FROM projects_problem WHERE project_id = %(project_id)s AND at >= %(since)s AND at < %(after)s
    GROUP BY code, level, sentence
    UNION ALL
    SELECT true, r.code, 2, r.sentence, r.n, r.last_at, '', coalesce(k.name, '')
    FROM projects_refusedhour r LEFT JOIN projects_token k ON k.id = r.token_id
    WHERE r.project_id = %(project_id)s AND r.hour_at >= %(since)s AND r.hour_at < %(after)s
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY at_door, code, level ORDER BY at DESC, sentence) AS place,
        sum(n) OVER (PARTITION BY at_door, code, level)::int AS n_all FROM said
)
SELECT at_door, code, level, n_all, coalesce(u.n, 0), sentence, at, upload_id, token
FROM placed LEFT JOIN (
    SELECT code, level, count(DISTINCT upload_id)::int AS n FROM projects_problem
    WHERE project_id = %(project_id)s AND at >= %(since)s AND at < %(after)s GROUP BY code, level
) u USING (code, level)
WHERE place <= %(n_examples)s ORDER BY level DESC, n_all DESC, code, at_door, place
"""
SORTS = {
    "when": "p.received_at",
    "run": "p.run_number",
    "state": "p.state",
    "branch": "p.branch",
    "job": "p.job",
    "size": "p.n_bytes",
    "results": "p.n_tests",
}
NEWEST_FIRST = "p.received_at DESC"
EXAMPLES = 3  # of a problem: enough to see whether they are one fault
HOURS_SHOWN = 48


def uploads(project: Project, window: Window) -> Page[UploadRow]:
    """Which uploads came in the window and match the search, newest first?"""
    values = _values(project, window, size=window.size, offset=(window.page - 1) * window.size)
    order = rows.order(window.sort, SORTS, default="-when")
    if not window.q:
        return _page(UPLOADS.format(which=IN_WINDOW, order=order), values, window)
    statement = UPLOADS.format(which=MATCHES, order=order)
    return _page(statement, values | {"words": rows.words_of(window.q)}, window)


def _values(project: Project, window: Window, **more: Any) -> dict[str, Any]:
    return rows.values_of(project, window, after=window.until + timedelta(days=1), **more)


def _page(statement: str, values: dict[str, Any], window: Window) -> Page[UploadRow]:
    found = rows.fetch(statement, values)
    return Page(tuple(map(_upload_row, found)), found[0][-1] if found else 0, window.page, window.size)


def _upload_row(row: Sequence[Any]) -> UploadRow:
    upload_id, received_at, run_number, token, repository, n_bytes, n_tests, state, finished_at = row[:9]
    job, shard, branch, commit, run_key, environment, problems, _ = row[9:]
    return UploadRow(
        id=str(upload_id),
        received_at=received_at,
        run_number=run_number,
        token=token,
        repository=repository,
        n_bytes=n_bytes,
        n_tests=n_tests,
        state=UploadState(state),
        took_s=(finished_at - received_at).total_seconds() if finished_at else None,
        job=job,
        shard=shard,
        branch=branch,
        commit=commit,
        run_key=run_key,
        environment=environment,
        problems=tuple(
            ProblemRow(ProblemLevel(level), *words) for level, *words in json.loads(problems or "[]")
        ),
    )


def upload(project: Project, upload_id: uuid.UUID | str) -> UploadRow | None:
    """What became of this upload? None where the project has no such upload."""
    values = {"project_id": project.pk, "upload_id": str(upload_id), "size": 1, "offset": 0}
    found = rows.fetch(UPLOADS.format(which="p.id = %(upload_id)s::uuid", order=NEWEST_FIRST), values)
    return _upload_row(found[0]) if found else None


def uploads_of_run(project: Project, number: int) -> tuple[UploadRow, ...]:
    """Which uploads made this run, oldest first?"""
    values = {"project_id": project.pk, "number": number, "size": 500, "offset": 0}
    found = rows.fetch(UPLOADS.format(which="p.run_number = %(number)s", order=NEWEST_FIRST), values)
    return tuple(map(_upload_row, reversed(found)))


def arrivals(project: Project, window: Window, *, now: datetime) -> Arrivals:
    """How many uploads came each day and hour, and how did they end? Every day and every hour shown has a span."""
    end = datetime.combine(window.until + timedelta(days=1), time(), UTC)
    start = datetime.combine(window.since, time(), UTC)
    last = min(now.replace(minute=0, second=0, microsecond=0), end - timedelta(hours=1))
    hours = [last - timedelta(hours=back) for back in range(HOURS_SHOWN - 1, -1, -1)]
    earliest = start - timedelta(days=window.n_days)
    values = {"project_id": project.pk, "since": min(earliest, hours[0]), "after": end}
    found = {row[0]: UploadSpan(*row) for row in rows.fetch(HOURS, values)}
    days = [start + timedelta(days=n) for n in range(window.n_days)]
    before = [span for at, span in found.items() if earliest <= at < start]
    return Arrivals(
        days=tuple(_day(day, found) for day in days),
        hours=tuple(found.get(hour, UploadSpan(hour)) for hour in hours),
        n_before=sum(span.n_uploads for span in before),
        n_unread_before=sum(span.n_rejected + span.n_failed for span in before),
    )


def _day(day: datetime, hours: Mapping[datetime, UploadSpan]) -> UploadSpan:
    of_day = [span for n in range(24) if (span := hours.get(day + timedelta(hours=n))) is not None]
    return UploadSpan(
        day,
        n_done=sum(span.n_done for span in of_day),
        n_rejected=sum(span.n_rejected for span in of_day),
        n_failed=sum(span.n_failed for span in of_day),
        n_waiting=sum(span.n_waiting for span in of_day),
        n_at_door=sum(span.n_at_door for span in of_day),
    )


def problem_groups(project: Project, window: Window) -> tuple[ProblemGroup, ...]:
    """Which problems did uploads have, and why were requests refused? Errors first, then the most frequent."""
    found = rows.fetch(GROUPS, _values(project, window, n_examples=EXAMPLES))
    groups = []
    for (at_door, code, level, n, n_uploads), of_code in groupby(found, lambda row: row[:5]):
        examples = tuple(ProblemExample(*row[5:]) for row in of_code)
        groups.append(
            ProblemGroup(code, ProblemLevel(level), n, 0 if at_door else n_uploads, at_door, examples)
        )
    return tuple(groups)
