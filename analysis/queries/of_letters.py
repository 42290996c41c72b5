"""The questions that only the weekly letter asks: what it says of tests beside what the pages' questions told of them, and two
of the pages' lists at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from analysis.answers.of_care import Muted
from analysis.answers.of_letters import ToldTest
from analysis.answers.of_time import ShiftRow
from analysis.queries import rows
from analysis.queries.of_care import QUARANTINE, muted_of
from analysis.queries.of_owners import OWNER
from analysis.queries.of_shifts import SLOWER, shifts_of_one
from analysis.window import Window
from projects.models import Project
from projects.owner_names import names_of
from projects.vocabulary import FlakeStatus

TOLD = f"""
WITH changed AS (
    SELECT test_id, bool_or(after = 4) AS is_fixed, bool_or(before = 4 AND after = 2) AS is_relapsed FROM projects_flakeevent
    WHERE project_id = %(project_id)s AND at >= %(since)s AND at < %(after)s GROUP BY test_id
)
SELECT t.id, {OWNER}, t.last_main_on, t.flake_status, coalesce(c.is_fixed, false), coalesce(c.is_relapsed, false)
FROM projects_test t
LEFT JOIN projects_flake f ON f.project_id = t.project_id AND f.test_id = t.id
LEFT JOIN changed c ON c.test_id = t.id
WHERE t.project_id = %(project_id)s AND t.id = ANY(%(ids)s)
"""


def _as_one(statement: str, *, n: int) -> str:
    """Return the statement's rows of n columns as one value, in their order."""
    columns = ", ".join(f"c{place}" for place in range(n))
    return f"(SELECT coalesce(json_agg(json_build_array({columns})), '[]')::text FROM ({statement}) r ({columns}))"


N_SLOWER, N_MUTED = 14, 12  # columns
SLOWER_AND_MUTED = f"SELECT {_as_one(SLOWER, n=N_SLOWER)}, {_as_one(QUARANTINE, n=N_MUTED)}"


def slower_and_muted(
    project: Project, window: Window, *, today: date
) -> tuple[tuple[ShiftRow, ...], tuple[Muted, ...]]:
    """Which tests became slower in the window of the default branch, and which are muted today? Ordered as on their pages."""
    ((slower, muted),) = rows.fetch(
        SLOWER_AND_MUTED, rows.values_of(project, window, limit=None, today=today)
    )
    return shifts_of_one(slower), muted_of(muted)


def of_letter(project: Project, window: Window, test_ids: Iterable[int]) -> dict[int, ToldTest]:
    """Whose are these tests, when did the default branch last see them, and which were fixed or relapsed in the window?"""
    values = rows.values_of(project, window, after=window.until + timedelta(days=1), ids=list(test_ids))
    return {
        test_id: ToldTest(names_of(owners), last_on, FlakeStatus(status), is_fixed, is_relapsed)
        for test_id, owners, last_on, status, is_fixed, is_relapsed in rows.fetch(TOLD, values)
    }
