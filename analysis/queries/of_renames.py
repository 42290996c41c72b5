"""Questions about tests that changed their name: those of one test, and all of a project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from analysis.answers.of_renames import RenameRow
from analysis.queries import rows
from projects.models import Project, title_of
from projects.vocabulary import RenameState

SHOWN = 200  # the newest; older ones stand on the pages of their tests

COLUMNS = "n.id, n.test_id, n.other_id, n.run_number, n.at, n.state, n.likeness, n.was, n.became, coalesce(p.username, '')"
JOINED = "FROM projects_rename n LEFT JOIN auth_user p ON p.id = n.decided_by_id"
# As one value, so that the page of a test asks no question more: what it was called, or may have been, and who goes on for it.
OF_ONE = f"""
SELECT coalesce(json_agg(json_build_array({COLUMNS}) ORDER BY n.at DESC, n.id), '[]') {JOINED}
WHERE n.project_id = %(project_id)s AND (n.test_id = %(test_id)s OR (n.other_id = %(test_id)s AND n.state IN (1, 2)))
"""
ALL = f"""
SELECT json_build_array({COLUMNS})::text {JOINED}
WHERE n.project_id = %(project_id)s ORDER BY n.at DESC, n.id LIMIT %(limit)s
"""


def renames(project: Project) -> tuple[RenameRow, ...]:
    """Which tests changed their name, and which may have? The newest first."""
    found = rows.fetch(ALL, {"project_id": project.pk, "limit": SHOWN})
    return tuple(_row(json.loads(told)) for (told,) in found)


def renames_of_one(told: str) -> tuple[RenameRow, ...]:
    """Read what OF_ONE tells of a test."""
    return tuple(map(_row, json.loads(told)))


def _row(told: Sequence[Any]) -> RenameRow:
    rename_id, test_id, other_id, run_number, at, state, likeness, was, became, by = told
    return RenameRow(
        id=UUID(rename_id),
        test_id=test_id,
        other_id=other_id,
        run_number=run_number,
        at=datetime.fromisoformat(at),
        state=RenameState(state),
        likeness=likeness,
        was=title_of(**was),
        was_home=_home(was),
        became=title_of(**became),
        became_home=_home(became),
        by=by,
    )


def _home(words: dict[str, str]) -> str:
    return words["file"] or words["classname"] or words["suite"]
