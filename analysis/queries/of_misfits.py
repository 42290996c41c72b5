"""Which tests behave unlike their layer, which of them an editor has looked at, and why those stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from analysis import wishes
from analysis.answers.of_time import Misfit, Misfits
from analysis.queries import rows
from analysis.queries.summed import Told
from analysis.queries.summed import told as asked
from analysis.timing import Limits
from analysis.window import Window
from projects.models import Project
from projects.vocabulary import Boundary, EvidenceKind, Layer

# Slow for its layer is one signal; the boundaries that its failures broke at, or a vote for a higher layer, the other.
MISFITS = """
WITH s AS ({sums_of_slow})
SELECT {test}, {sums}, t.median_s, t.evidence, ARRAY(
    SELECT ARRAY[g.boundary::text, max(g.matched)] FROM projects_failure f
    JOIN projects_signature g ON g.project_id = f.project_id AND g.digest = f.signature
    WHERE f.project_id = t.project_id AND f.test_id = t.id AND NOT f.in_incident
    GROUP BY g.boundary ORDER BY count(*) DESC, g.boundary), t.misfit_dismissed
FROM s JOIN projects_test t ON t.project_id = %(project_id)s AND t.id = s.test_id
WHERE t.layer IN (2, 3) AND t.bucket = 3
ORDER BY s.seconds DESC, t.id LIMIT 1000
"""

SLOW_ONES = (
    "SELECT id FROM projects_test WHERE project_id = %(project_id)s AND layer IN (2, 3) AND bucket = 3"
)

SIGNS_OF_E2E = {Boundary.BROWSER: "a browser"}
SIGNS_OF_INTEGRATION = {
    Boundary.DATABASE: "a database",
    Boundary.NETWORK: "the network",
    Boundary.EXTERNAL_SERVICE: "an external service",
    Boundary.QUEUE: "a queue",
    Boundary.AUTHENTICATION: "authentication",
    Boundary.BROWSER: "a browser",
}


def misfits(project: Project, window: Window, limit: int = 20, *, told: Told | None = None) -> Misfits:
    """Which tests behave unlike their layer, by two signals? The most time first.

    `told` is how to know what tests came to, where the caller has asked.
    """
    told = told or asked(project, window)
    statement = MISFITS.format(
        sums_of_slow=told.sums(only=SLOW_ONES),
        test=rows.TEST_COLUMNS,
        sums=rows.SUM_COLUMNS,
    )
    limits = wishes.limits(project.timing_limits)
    values = rows.values_of(project, window) | told.values()
    judged = (_misfit(row, limits) for row in rows.fetch(statement, values))
    found = [misfit for misfit in judged if misfit is not None]
    wanted = [misfit for misfit in found if not misfit.reason]
    dismissed = tuple(misfit for misfit in found if misfit.reason)
    return Misfits(tuple(wanted[:limit]), dismissed, len(wanted))


def _misfit(row: Sequence[Any], limits: Mapping[Layer, Limits]) -> Misfit | None:
    test = rows.test_row(row)
    median_s, evidence, boundaries, reason = row[17:21]
    higher = Layer.INTEGRATION if test.layer is Layer.UNIT else Layer.E2E
    other = _broke_at(boundaries, higher) or _voted(evidence, higher)
    if not other or median_s is None:
        return None
    return Misfit(test, median_s, limits[test.layer].slow_s, other, higher, reason)


def _broke_at(boundaries: Sequence[Sequence[str]], higher: Layer) -> str:
    """Say which seam its failures broke at, with the words that show it."""
    signs = SIGNS_OF_INTEGRATION if higher is Layer.INTEGRATION else SIGNS_OF_E2E
    for boundary, matched in boundaries:
        if sign := signs.get(Boundary(int(boundary))):
            return f"failures show {sign}: {matched}" if matched else f"failures show {sign}"
    return ""


def _voted(evidence: str, higher: Layer) -> str:
    """Return what speaks for the higher layer; its duration does not count, being the first signal."""
    return next(
        (
            words
            for words, layer, weight, kind in json.loads(evidence)
            if layer == higher and weight > 0 and kind != EvidenceKind.DURATION
        ),
        "",
    )
