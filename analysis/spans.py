"""Sum the windows that pages ask for ahead of them: the days that are over, test by test, in the background.

A span holds what the TestDay rows of its days come to. A page adds the days of its window that no span holds, today's at least,
so uploads of today change no span. An upload for an older day is seen by the number of uploads of the span's runs: it differs
from the one that the span was made with, the span is not used any more, and is made again. Nothing is done for it while an
upload is recorded. A page asks which span it may use before it reads its rows, so rows stay for a while without their span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from analysis import batches
from analysis.quantiles import around
from analysis.slowdowns import packed, unpacked
from analysis.window import DEFAULT_DAYS
from projects.models import Project, Span, TestSpan

WORTH = 1_000  # tests; adding up the days of fewer takes a page a few milliseconds
OTHER_LENGTHS = (7, 14, 90)  # days of the windows that the pages offer beside the default and one day
REST = timedelta(minutes=30)  # between two makings of one span, while a history is sent or a day is just over
BATCH = 5_000  # tests read at once

# One statement, so that sums and number of uploads are of one moment.
DAYS = """
SELECT d.test_id, sum(d.n_passed + d.n_failed + d.n_error + d.n_skipped), sum(d.n_failed + d.n_error), sum(d.n_skipped),
    sum(d.n_flaky), sum(d.seconds::float8), string_agg(d.timings, ''::bytea), ({n_uploads})
FROM projects_testday d
WHERE d.project_id = %(project_id)s AND d.on_default IN (true, %(on_default)s) AND d.day BETWEEN %(since)s AND %(until)s
GROUP BY d.test_id ORDER BY d.test_id
"""
N_UPLOADS = """
    SELECT coalesce(sum(u.n_uploads), 0) FROM projects_run u WHERE u.project_id = %(project_id)s
        AND u.is_default_branch IN (true, %(on_default)s) AND u.day BETWEEN %(since)s AND %(until)s"""
KEEP = """
COPY projects_testspan (project_id, span_number, test_id, n_results, n_bad, n_skipped, n_flaky, seconds, n_timed, near_median,
    near_p95) FROM STDIN
"""
KNOWN = """
SELECT s.number, s.on_default, s.since, s.until, s.has_bins, s.made_at, s.n_uploads = (
    SELECT coalesce(sum(u.n_uploads), 0) FROM projects_run u WHERE u.project_id = s.project_id
        AND u.is_default_branch IN (true, s.on_default) AND u.day BETWEEN s.since AND s.until
        AND u.started_at BETWEEN s.since - interval '1 day' AND s.until + interval '2 days')
FROM projects_span s WHERE s.project_id = %(project_id)s ORDER BY s.number
"""
# From one number to the next along the index: there are a few dozen, of thousands of rows each.
NUMBERS = """
WITH RECURSIVE numbers AS (
    SELECT min(span_number) AS number FROM projects_testspan WHERE project_id = %(project_id)s
    UNION ALL SELECT (SELECT min(span_number) FROM projects_testspan WHERE project_id = %(project_id)s AND span_number > number)
    FROM numbers WHERE number IS NOT NULL
) SELECT number FROM numbers WHERE number IS NOT NULL
"""


class Stretch(NamedTuple):
    """Days, both included, of the default branch or of all branches; pages ask for quantiles of those with bins alone."""

    on_default: bool
    since: date
    until: date
    has_bins: bool = True


class Known(NamedTuple):
    """A span that is there, and whether the rows of its days are still those that it was made of."""

    number: int
    stretch: Stretch
    made_at: datetime
    is_current: bool


def wanted(today: date) -> tuple[Stretch, ...]:
    """Return the days that windows of today and of tomorrow have behind them, those of today first.

    A span that ends the day before yesterday serves while uploads for yesterday still come in.
    """
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    found = [_behind(today, DEFAULT_DAYS, until=yesterday - timedelta(days=1))]
    for day in (today, tomorrow):
        found += [_behind(day, DEFAULT_DAYS, until=yesterday), _before(day, DEFAULT_DAYS)]
    for n_days, on_default in (*((n_days, True) for n_days in OTHER_LENGTHS), (DEFAULT_DAYS, False)):
        found += _of_both(today, tomorrow, n_days, on_default=on_default)
    # All branches have two rows a test and day, so a day more is dear: their sums, which most pages ask for, have today's own.
    of_all = _behind(today, DEFAULT_DAYS, until=yesterday, on_default=False)
    return (*found, of_all._replace(has_bins=False))


def _of_both(today: date, tomorrow: date, n_days: int, *, on_default: bool) -> list[Stretch]:
    """Return what the windows of both days have in common: those that are asked for less often read a day more instead."""
    behind = _behind(tomorrow, n_days, until=today - timedelta(days=1), on_default=on_default)
    before = _before(tomorrow, n_days, on_default=on_default)
    return [behind, before._replace(until=today - timedelta(days=n_days))]


def _behind(day: date, n_days: int, *, until: date, on_default: bool = True) -> Stretch:
    """Return what a window of n days that ends on the day has up to `until`."""
    return Stretch(on_default, day - timedelta(days=n_days - 1), until)


def _before(day: date, n_days: int, *, on_default: bool = True) -> Stretch:
    """Return the window before the one of n days that ends on the day; changes are told against it."""
    until = day - timedelta(days=n_days)
    return Stretch(on_default, since=until - timedelta(days=n_days - 1), until=until, has_bins=False)


def keep_up(project: Project, *, now: datetime) -> int:
    """Make the spans that are missing or out of date, and drop those that no window wants; return how many were made.

    The rows of a span that is dropped now go the next time.
    """
    wishes = wanted(now.date())
    known = _known(project.pk)
    left = set(_numbers(project.pk)) - {span.number for span in known}
    TestSpan.objects.filter(project_id=project.pk, span_number__in=left).delete()
    _drop(project.pk, [span.number for span in known if span.stretch not in wishes])
    settled = {span.stretch for span in known if span.is_current or now - span.made_at < REST}
    made = [make(project, stretch, now=now) for stretch in wishes if stretch not in settled]
    if any(made):
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE projects_testspan")
    return sum(made)


def _known(project_id: int) -> list[Known]:
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, {"project_id": project_id})
        return [
            Known(number, Stretch(*stretch), made_at, is_current)
            for number, *stretch, made_at, is_current in cursor.fetchall()
        ]


@transaction.atomic
def make(project: Project, stretch: Stretch, *, now: datetime) -> bool:
    """Sum the stretch, in place of an earlier span of the same days; False where no test ran in it."""
    batches.fold(project.pk)  # the runs of these uploads are counted below
    same = Span.objects.filter(project_id=project.pk, **stretch._asdict())
    _drop(project.pk, list(same.values_list("number", flat=True)))
    number = max(_numbers(project.pk), default=0) + 1
    n_uploads = None
    for batch in _sums(project.pk, stretch):
        n_uploads = int(batch[0][-1])
        _keep(project.pk, number, batch, has_bins=stretch.has_bins)
    if n_uploads is None:
        return False
    Span.objects.create(
        project_id=project.pk, number=number, n_uploads=n_uploads, made_at=now, **stretch._asdict()
    )
    return True


def _sums(project_id: int, stretch: Stretch) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the sums of the tests, as many at a time as memory bears; all are of the moment of the first."""
    values: dict[str, Any] = {"project_id": project_id, **stretch._asdict()}
    with connection.chunked_cursor() as cursor:
        cursor.execute(DAYS.format(n_uploads=N_UPLOADS), values)
        while batch := cursor.fetchmany(BATCH):
            yield batch


def _keep(project_id: int, number: int, batch: Sequence[Sequence[Any]], *, has_bins: bool) -> None:
    with connection.cursor() as cursor, cursor.copy(KEEP) as copy:
        for test_id, n_results, n_bad, n_skipped, n_flaky, seconds, timings, _ in batch:
            bins = sorted(unpacked(timings))
            counts = (int(n) for n in (n_results, n_bad, n_skipped, n_flaky))
            near = (packed(around(bins, 0.5)), packed(around(bins, 0.95))) if has_bins else (b"", b"")
            copy.write_row((project_id, number, test_id, *counts, float(seconds), len(bins), *near))


def _drop(project_id: int, numbers: Sequence[int]) -> None:
    """Let no more pages use these spans; those that are under way still find their rows."""
    Span.objects.filter(project_id=project_id, number__in=numbers).delete()


def _numbers(project_id: int) -> list[int]:
    """Return the numbers of the spans that have rows, with those that were dropped the last time."""
    with connection.cursor() as cursor:
        cursor.execute(NUMBERS, {"project_id": project_id})
        return [number for (number,) in cursor.fetchall()]
