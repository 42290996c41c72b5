"""Questions about uploads: is data arriving, and what became of mine?"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from analysis.answers import Page, ProblemGroup, ProblemRow, UploadDay, UploadRow
from analysis.queries import rows
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import ProblemLevel, UploadState

UPLOADS = """
SELECT p.id, p.received_at, p.run_number, coalesce(k.name, ''), p.n_bytes, p.n_tests, p.state, p.claimed_at, p.finished_at,
    p.job, p.shard, (
        SELECT jsonb_agg(jsonb_build_array(b.level, b.code, b.sentence, b.file, b.line, b."column") ORDER BY b.position)
        FROM projects_problem b WHERE b.project_id = p.project_id AND b.upload_id = p.id), count(*) OVER ()
FROM projects_upload p LEFT JOIN projects_token k ON k.id = p.token_id
WHERE p.project_id = %(project_id)s AND {which}
ORDER BY p.received_at DESC, p.id LIMIT %(size)s OFFSET %(offset)s
"""
IN_WINDOW = "p.received_at >= %(since)s AND p.received_at < %(after)s"

DAYS = """
SELECT p.received_at::date, count(*) FILTER (WHERE state = 3), count(*) FILTER (WHERE state = 4),
    count(*) FILTER (WHERE state = 5), count(*) FILTER (WHERE state IN (1, 2))
FROM projects_upload p
WHERE p.project_id = %(project_id)s AND p.received_at >= %(since)s AND p.received_at < %(after)s
GROUP BY 1 ORDER BY 1
"""
GROUPS = """
SELECT DISTINCT ON (code, level) code, level, sentence, count(*) OVER (PARTITION BY code, level), at, upload_id::text
FROM projects_problem
WHERE project_id = %(project_id)s AND at >= %(since)s AND at < %(after)s
ORDER BY code, level, at DESC
"""


def uploads(project: Project, window: Window) -> Page[UploadRow]:
    """Which uploads came in the window, newest first?"""
    values = _values(project, window, size=window.size, offset=(window.page - 1) * window.size)
    return _page(UPLOADS.format(which=IN_WINDOW), values, window)


def _values(project: Project, window: Window, **more: Any) -> dict[str, Any]:
    return rows.values_of(project, window, after=window.until + timedelta(days=1), **more)


def _page(statement: str, values: dict[str, Any], window: Window) -> Page[UploadRow]:
    found = rows.fetch(statement, values)
    return Page(tuple(map(_upload_row, found)), found[0][-1] if found else 0, window.page, window.size)


def _upload_row(row: Sequence[Any]) -> UploadRow:
    upload_id, received_at, run_number, token, n_bytes, n_tests, state, _, finished_at = row[:9]
    job, shard, problems, _ = row[9:]
    return UploadRow(
        id=str(upload_id),
        received_at=received_at,
        run_number=run_number,
        token=token,
        n_bytes=n_bytes,
        n_tests=n_tests,
        state=UploadState(state),
        took_s=(finished_at - received_at).total_seconds() if finished_at else None,
        job=job,
        shard=shard,
        problems=tuple(
            ProblemRow(ProblemLevel(level), *words) for level, *words in json.loads(problems or "[]")
        ),
    )


def upload(project: Project, upload_id: uuid.UUID | str) -> UploadRow | None:
    """What became of this upload? None where the project has no such upload."""
    values = {"project_id": project.pk, "upload_id": str(upload_id), "size": 1, "offset": 0}
    found = rows.fetch(UPLOADS.format(which="p.id = %(upload_id)s::uuid"), values)
    return _upload_row(found[0]) if found else None


def uploads_of_run(project: Project, number: int) -> tuple[UploadRow, ...]:
    """Which uploads made this run, oldest first?"""
    values = {"project_id": project.pk, "number": number, "size": 500, "offset": 0}
    found = rows.fetch(UPLOADS.format(which="p.run_number = %(number)s"), values)
    return tuple(map(_upload_row, reversed(found)))


def upload_days(project: Project, window: Window) -> tuple[UploadDay, ...]:
    """How many uploads came each day, and how did they end? Every day of the window has a row."""
    found = {row[0]: row for row in rows.fetch(DAYS, _values(project, window))}
    days = [window.since + timedelta(days=n) for n in range(window.n_days)]
    return tuple(UploadDay(*found.get(day, (day, 0, 0, 0, 0))) for day in days)


def problem_groups(project: Project, window: Window) -> tuple[ProblemGroup, ...]:
    """Which problems did uploads have, the most frequent first?"""
    found = [
        ProblemGroup(code, ProblemLevel(level), sentence, n, at, upload_id)
        for code, level, sentence, n, at, upload_id in rows.fetch(GROUPS, _values(project, window))
    ]
    return tuple(sorted(found, key=lambda group: (-group.level, -group.n, group.code)))
