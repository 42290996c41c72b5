"""What each test of a window came to, as statements select it: by a span and the days beside it, or by a branch's results.

A window on the default branch, or on all branches, is told by the longest span within it and the days that the span leaves. Which
span that is, is asked before: a statement that knows its days is planned for them, and adds nothing up where one day is left. The
rows of a span that is dropped stay until the next are made, so a page under way finds them. Another branch has its results
read, as analysis.queries.of_branch does it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

from analysis.queries import rows
from analysis.queries.of_branch import BranchResults, branch_sums
from analysis.window import Window
from projects.models import Project

DAY = timedelta(days=1)

# The longest span within the window whose days are still those that it was made of. The time of a run lies in its day, or near
# it; it has an index.
SPAN = """(SELECT jsonb_build_array(number, since, until) FROM (
        SELECT *, until - since AS length FROM projects_span WHERE project_id = %(project_id)s AND on_default = {on_default}
            AND since >= %(since)s AND until <= %(until)s {with_bins} ORDER BY length DESC, number DESC
    ) p WHERE p.n_uploads = (SELECT coalesce(sum(u.n_uploads), 0) FROM projects_run u
        WHERE u.project_id = %(project_id)s AND u.is_default_branch IN (true, {on_default}) AND u.day BETWEEN p.since AND p.until
            AND u.started_at BETWEEN p.since - interval '1 day' AND p.until + interval '2 days')
    ORDER BY p.length DESC, p.number DESC LIMIT 1)::text"""

HELD = "FROM projects_testspan WHERE project_id = %(project_id)s AND span_number = %(now_span)s"
BESIDE = "FROM projects_testday WHERE project_id = %(project_id)s AND on_default {on_default} AND {days}"
SINGLE = """SELECT test_id, n_passed + n_failed + n_error + n_skipped AS n_results, n_failed + n_error AS n_bad, n_skipped, n_flaky,
        seconds::float8 AS seconds"""
ADDED = """SELECT test_id, sum(n_passed + n_failed + n_error + n_skipped) AS n_results, sum(n_failed + n_error) AS n_bad,
        sum(n_skipped) AS n_skipped, sum(n_flaky) AS n_flaky, sum(seconds::float8) AS seconds"""
TOGETHER = """SELECT test_id, coalesce(held.n_results, 0) + coalesce(later.n_results, 0) AS n_results,
        coalesce(held.n_bad, 0) + coalesce(later.n_bad, 0) AS n_bad,
        coalesce(held.n_skipped, 0) + coalesce(later.n_skipped, 0) AS n_skipped,
        coalesce(held.n_flaky, 0) + coalesce(later.n_flaky, 0) AS n_flaky,
        coalesce(held.seconds, 0) + coalesce(later.seconds, 0) AS seconds
    FROM ({held}) held FULL JOIN ({later}) later USING (test_id)"""
DAYS = "day BETWEEN %(now_since_PLACE)s AND %(now_until_PLACE)s"
ONE_DAY = "day = %(now_since_PLACE)s"  # whose rows come in the order of their tests
ON_ALL = "IN (false, true)"
WANTED = "WITH wanted AS MATERIALIZED (SELECT ARRAY({only}) AS ids) "
IS_WANTED = " AND test_id = ANY((SELECT ids FROM wanted)::int[])"


class Told(Protocol):
    """How statements select what each test came to: rows.SUM_COLUMNS as s."""

    def sums(self, *, only: str = "", is_before: bool = False) -> str:
        """Return a SELECT for the window, or the one before it. `only` selects the ids of those wanted."""

    def values(self) -> dict[str, Any]:
        """Return the parameters of these statements beside rows.values_of."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A window's days: those of a span, and those beside it, each with its first and last."""

    span: int | None
    beside: tuple[tuple[date, date], ...]

    @property
    def is_single(self) -> bool:
        """True where one day is left beside the span."""
        return len(self.beside) == 1 and self.beside[0][0] == self.beside[0][1]


@dataclass(frozen=True, slots=True)
class SpanSums:
    """The days of a window and of the one before it, on the default branch alone or on all."""

    is_default: bool
    now: Stretch
    before: Stretch

    def sums(self, *, only: str = "", is_before: bool = False) -> str:
        """Return a SELECT for the window, or the one before it. `only` selects the ids of those wanted."""
        narrow = IS_WANTED if only else ""
        held = f"SELECT test_id, n_results, n_bad, n_skipped, n_flaky, seconds {HELD}{narrow}"
        found = self._joined(
            held, self._later(SINGLE, ADDED, narrow, is_before=is_before), is_before=is_before
        )
        return (WANTED.format(only=only) if only else "") + (rows.before(found) if is_before else found)

    def long(self) -> str:
        """Return a SELECT of the tests whose mean in the window can be `least` seconds: the span or a day of theirs has it."""
        parts = [f"{SINGLE} {of}" for of in self._days()]
        parts += [f"SELECT test_id, n_results, n_bad, n_skipped, n_flaky, seconds {HELD}"] * (
            self.now.span is not None
        )
        every = " UNION ALL ".join(parts)
        return f"SELECT test_id FROM ({every}) p WHERE seconds > 0 AND seconds >= %(least)s::float8 * (n_results - n_skipped)"

    def near(self, column: str) -> str:
        """Return a SELECT of the bins that tell a quantile of each test; `column` names those that spans keep for it."""
        held = f"SELECT test_id, n_timed, {column} AS near {HELD}"
        added = "SELECT test_id, string_agg(timings, ''::bytea) AS timings"
        later = self._later("SELECT test_id, timings", added, "", is_before=False)
        if self.now.span is None:
            return f"SELECT test_id, 0 AS n_timed, ''::bytea AS near, timings FROM ({later}) later"
        if not later:
            return f"SELECT *, ''::bytea AS timings FROM ({held}) held"
        return f"""SELECT test_id, coalesce(n_timed, 0) AS n_timed, coalesce(near, '') AS near, coalesce(timings, '') AS timings
            FROM ({held}) held FULL JOIN ({later}) later USING (test_id)"""

    def values(self) -> dict[str, Any]:
        """Return the parameters of these statements beside rows.values_of."""
        found: dict[str, Any] = {}
        for prefix, stretch in (("now", self.now), ("before", self.before)):
            found[f"{prefix}_span"] = stretch.span
            for place, (since, until) in enumerate(stretch.beside):
                found |= {f"{prefix}_since_{place}": since, f"{prefix}_until_{place}": until}
        return found

    def _joined(self, held: str, later: str, *, is_before: bool) -> str:
        stretch = self.before if is_before else self.now
        if stretch.span is None:
            return later
        return TOGETHER.format(held=held, later=later) if later else held

    def _later(self, single: str, added: str, narrow: str, *, is_before: bool) -> str:
        """Return a SELECT of the days beside the span, one row a test; nothing where there are none."""
        stretch = self.before if is_before else self.now
        days = [f"{of}{narrow}" for of in self._days(is_before=is_before)]
        if stretch.is_single and self.is_default:
            return f"{single} {days[0]}"
        if (
            stretch.is_single and single == SINGLE
        ):  # a row off the default branch and one on it are joined faster than added up
            on, off = (f"{single} {days[0].replace(ON_ALL, side)}" for side in ("= true", "= false"))
            return TOGETHER.format(held=on, later=off)
        if len(days) > 1:
            days = ["FROM (" + " UNION ALL ".join(f"SELECT * {of}" for of in days) + ") days"]
        return "".join(f"{added} {of} GROUP BY test_id" for of in days)

    def _days(self, *, is_before: bool = False) -> list[str]:
        """Return which day rows are beside the span, as the end of a SELECT each."""
        stretch = self.before if is_before else self.now
        on_default = "= true" if self.is_default else ON_ALL
        return [
            BESIDE.format(on_default=on_default, days=ONE_DAY if first == last else DAYS).replace(
                "PLACE", str(place)
            )
            for place, (first, last) in enumerate(stretch.beside)
        ]


def told(project: Project, window: Window, *, with_before: bool = False) -> Told:
    """What did each test come to? `with_before` has the results of another branch read for the window before, too."""
    if rows.kind_of(window) == "branch":
        return branch_sums(project, window, with_before=with_before)
    return span_sums(project, window)


def of_few(project: Project, window: Window, *, with_bins: bool = False) -> Told:
    """What did a few tests come to? Those of another branch are read by the statement that asks for them."""
    if rows.kind_of(window) == "branch":
        return BranchResults()
    return span_sums(project, window, with_bins=with_bins)


def span_sums(project: Project, window: Window, *, with_bins: bool = False) -> SpanSums:
    """Which spans tell of the window and of the one before it, and which days beside them? Not of one other branch.

    `with_bins` asks for those that know quantiles.
    """
    is_default = rows.kind_of(window) == "default"
    span = SPAN.format(
        on_default="true" if is_default else "false", with_bins="AND has_bins" if with_bins else ""
    )
    statement = f"SELECT {span}, {rows.before(span)}"
    ((now, before),) = rows.fetch(statement, rows.values_of(project, window))
    return SpanSums(is_default, _stretch(window, now), _stretch(window.previous, before))


def _stretch(window: Window, found: str | None) -> Stretch:
    """Return the days of the window as the span divides them."""
    if found is None:
        return Stretch(None, ((window.since, window.until),))
    number, *days = json.loads(found)
    since, until = map(date.fromisoformat, days)
    beside = ((window.since, since - DAY), (until + DAY, window.until))
    return Stretch(number, tuple((first, last) for first, last in beside if first <= last))
