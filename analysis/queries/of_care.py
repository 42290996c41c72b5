"""Questions about what people decided: a test's note, owner, repair and quarantine, and who did what when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from analysis.answers.of_care import Care, Muted, RemarkRow
from analysis.queries import rows
from analysis.states import State
from projects.models import Project, title_of
from projects.vocabulary import FlakeStatus

REMARKS = 20

MUTED_COLUMNS = """t.id, t.suite, t.classname, t.name, t.file, t.variant, t.flake_status, q.reason,
    CASE WHEN q.is_by_policy THEN 'policy' ELSE coalesce(a.username, '') END, q.created_at, q.until_on,
    (SELECT count(DISTINCT x.run_number) FROM projects_failure x JOIN projects_run u ON u.project_id = x.project_id
        AND u.number = x.run_number AND u.started_at >= q.created_at
        WHERE x.project_id = t.project_id AND x.test_id = t.id AND x.is_final)"""

CARE = f"""
SELECT f.status, f.n_quiet, f.p_unfixed, f.n_passes_needed, f.fixed_commit, f.note, f.owner, f.state,
    ARRAY(SELECT json_build_array(r.at, coalesce(b.username, ''), r.sentence)::text FROM projects_remark r
        LEFT JOIN auth_user b ON b.id = r.by_id
        WHERE r.project_id = t.project_id AND r.test_id = t.id ORDER BY r.at DESC, r.id LIMIT {REMARKS}),
    {MUTED_COLUMNS}
FROM projects_test t
LEFT JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
LEFT JOIN projects_quarantine q ON q.project_id = t.project_id AND q.test_id = t.id AND q.ended_at IS NULL
    AND q.until_on >= %(today)s
LEFT JOIN auth_user a ON a.id = q.by_id
WHERE t.project_id = %(project_id)s AND t.id = %(test_id)s
"""

QUARANTINE = f"""
SELECT {MUTED_COLUMNS} FROM projects_quarantine q
JOIN projects_test t ON t.project_id = q.project_id AND t.id = q.test_id
LEFT JOIN auth_user a ON a.id = q.by_id
WHERE q.project_id = %(project_id)s AND q.ended_at IS NULL AND q.until_on >= %(today)s
ORDER BY q.until_on, t.id
"""

REMARKS_OF_RUN = """
SELECT r.at, coalesce(b.username, ''), r.sentence FROM projects_remark r LEFT JOIN auth_user b ON b.id = r.by_id
WHERE r.project_id = %(project_id)s AND r.run_number = %(number)s ORDER BY r.at DESC, r.id LIMIT %(limit)s
"""

REMARKS_OF_PROJECT = """
SELECT r.at, coalesce(b.username, ''), r.sentence FROM projects_remark r LEFT JOIN auth_user b ON b.id = r.by_id
WHERE r.project_id = %(project_id)s AND r.test_id IS NULL AND r.run_number IS NULL ORDER BY r.at DESC, r.id LIMIT %(limit)s
"""


def care(project: Project, test_id: int, *, today: date) -> Care:
    """What did people decide about this test, and what do its passes say of a repair?"""
    found = rows.fetch(CARE, {"project_id": project.pk, "test_id": test_id, "today": today})[0]
    status, n_quiet, p_unfixed, n_needed, commit, note, owner, packed, remarks = found[:9]
    state = State.unpack(packed) if packed else None
    n_quiet = n_quiet or 0
    return Care(
        is_flaky=state is not None and state.is_flagged,
        was_flaky=state is not None and state.was_flagged and status != FlakeStatus.BROKEN,
        n_failed=state.n_failed if state else 0,
        n_tried=max(0, state.n_pass + state.n_failed - n_quiet) if state else 0,
        n_quiet=n_quiet,
        p_unfixed=1.0 if p_unfixed is None else p_unfixed,
        n_passes_needed=n_needed or 0,
        fixed_commit=commit or "",
        note=note or "",
        owner=owner or "",
        muted=_muted(found[9:]) if found[19] is not None else None,
        remarks=tuple(_remark(json.loads(one)) for one in remarks),
    )


def _remark(row: Sequence[Any]) -> RemarkRow:
    at, by, sentence = row
    return RemarkRow(datetime.fromisoformat(at) if isinstance(at, str) else at, by, sentence)


def _muted(row: Sequence[Any]) -> Muted:
    test_id, suite, classname, name, file, variant, status, reason, by, created_at, until_on, n_failed = row
    return Muted(
        test_id=test_id,
        title=title_of(suite=suite, classname=classname, name=name, file=file),
        suite=suite,
        classname=classname,
        name=name,
        file=file,
        variant=variant,
        status=FlakeStatus(status),
        reason=reason,
        by=by,
        created_at=created_at,
        until_on=until_on,
        n_failed_since=n_failed,
    )


def quarantine(project: Project, *, today: date) -> tuple[Muted, ...]:
    """Which tests are muted in CI today, those that end first at the top?"""
    return tuple(map(_muted, rows.fetch(QUARANTINE, {"project_id": project.pk, "today": today})))


def muted_of(found: str) -> tuple[Muted, ...]:
    """Read what QUARANTINE returned, as one value: an array of rows."""
    return tuple(
        _muted([*row[:9], datetime.fromisoformat(row[9]), date.fromisoformat(row[10]), row[11]])
        for row in json.loads(found)
    )


def remarks_of_run(project: Project, number: int) -> tuple[RemarkRow, ...]:
    """What did people decide about this run, newest first?"""
    values = {"project_id": project.pk, "number": number, "limit": REMARKS}
    return tuple(map(_remark, rows.fetch(REMARKS_OF_RUN, values)))


def remarks_of_project(project: Project) -> tuple[RemarkRow, ...]:
    """What did people decide about the project's policies, newest first?"""
    return tuple(map(_remark, rows.fetch(REMARKS_OF_PROJECT, {"project_id": project.pk, "limit": REMARKS})))
