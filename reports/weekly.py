"""Builds a project's weekly letter: asks the pages' questions about seven days, and keeps what came of it.

What a letter says is letter.py's, how it looks look.py's, when it is due schedule.py's, how it reaches its
readers delivery.py's. The letter is about the default branch, in the project's own days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date, datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef
from django.urls import reverse

from analysis import queries, shape, wishes
from analysis.answers import FlakeRow, LayerAmount, SlowRow
from analysis.shape import Shape
from analysis.window import Window
from projects import models
from projects.vocabulary import FlakeStatus
from reports import look, schedule
from reports.letter import Asked, AskedBefore, Fate, Letter, Links, Week, compose
from reports.schedule import Days

MOST_ROWS = 60  # read of each list; a letter shows ten and counts the rest
SLOWER_RATIO = 1.5  # with the next line, the smallest change worth a line in a letter
SLOWER_SECONDS = 0.1
MOST_MISHAPS = 5  # so many results without one that passed are no flakes any more, whatever went before


def due_letter(project: models.Project, *, now: datetime) -> models.Letter | None:
    """Build and keep the letter that is due now; None when there is none, or a day of it was told before."""
    days = schedule.due(now, weekday=project.letter_weekday, hour=project.letter_hour, zone=project.time_zone)
    if days is None or not project.sends_letter or _was_told(project, days) or not _has_runs(project, days):
        return None
    return keep(project, build(project, days), days=days, now=now)


def build(project: models.Project, days: Days) -> Letter:
    """Return the letter about some days of a project."""
    return compose(_week(project, days))


@transaction.atomic
def keep(project: models.Project, letter: Letter, *, days: Days, now: datetime) -> models.Letter | None:
    """Keep a letter with a delivery for each reader; None when another process kept this week's first."""
    kept, is_first = models.Letter.objects.get_or_create(
        project=project,
        week_on=days.since,
        defaults={
            "built_at": now,
            "subject": letter.subject[:300],
            "html": look.html(letter),
            "text": look.text(letter),
            "asked": [asdict(asked) for asked in letter.asked],
            "is_calm": letter.is_calm,
        },
    )
    if not is_first:
        return None
    models.LetterDelivery.objects.bulk_create(
        models.LetterDelivery(letter=kept, user_id=user_id, due_at=_due(project, days, zone=zone))
        for user_id, zone in _readers(project, is_calm=letter.is_calm)
    )
    return kept


def _readers(project: models.Project, *, is_calm: bool) -> list[tuple[int, str]]:
    """Return who gets the letter, with their time zone; an address that was refused waits for its reader's word."""
    members = models.Membership.objects.filter(project=project, wants_letter=True, user__is_active=True)
    if is_calm:
        members = members.filter(only_changes=False)
    refused = models.Reader.objects.filter(user=OuterRef("user"), refused_address=OuterRef("user__email"))
    rows = members.exclude(user__email="").exclude(Exists(refused)).order_by("user_id")
    return [(user_id, zone or "") for user_id, zone in rows.values_list("user_id", "user__reader__time_zone")]


def _due(project: models.Project, days: Days, *, zone: str) -> datetime | None:
    """Return when a reader with a time zone of their own gets the letter; None is as soon as it is built."""
    return schedule.moment_of(days, hour=project.letter_hour, zone=zone) if zone else None


def _was_told(project: models.Project, days: Days) -> bool:
    """True when a letter about one of these days exists, as after a change of the sending day."""
    last = models.Letter.objects.filter(project=project).aggregate(on=Max("week_on"))
    return schedule.overlaps(days, last["on"])


def _has_runs(project: models.Project, days: Days) -> bool:
    runs = models.Run.objects.filter(
        project=project, is_default_branch=True, day__range=(days.since, days.until)
    )
    return runs.exists()


def _week(project: models.Project, days: Days) -> Week:
    window = Window(project.default_branch, project.default_branch, days.since, days.until, days.until)
    suite, suite_before = queries.suites(project, window)
    now, before = _shape(suite.layers), _shape(suite_before.layers)
    target = wishes.target(project.target_kind, project.target_bands)
    flaky = _flaky(project, window)
    return Week(
        project=project.name,
        branch=project.default_branch,
        since=days.since,
        until=days.until,
        totals=suite.totals,
        before=suite_before.totals,
        layers=suite.layers,
        layers_before=suite_before.layers,
        verdict=shape.sentence(project.name, now=now, before=before, n_days=schedule.N_DAYS),
        judgement=shape.judge(now, target) if target and now.total else None,
        target=target.kind.word if target else "",
        flaky=flaky,
        fixed=_fixed(project, window),
        slower=_slower(project, window),
        budgets=queries.budgets(project, window),
        asked=_asked(project, days, flaky=flaky),
        links=links(project),
    )


def _shape(layers: Sequence[LayerAmount]) -> Shape:
    return Shape({amount.layer: amount.n_tests for amount in layers})


def _with_status(project: models.Project, window: Window, status: FlakeStatus) -> tuple[FlakeRow, ...]:
    return queries.flakes(project, replace(window, statuses=(status,), size=MOST_ROWS)).rows


def _flaky(project: models.Project, window: Window) -> tuple[FlakeRow, ...]:
    """Return the tests that flaked in these days, the dearest first."""
    rows = _with_status(project, window, FlakeStatus.FLAKY)
    return tuple(row for row in rows if row.test.n_bad or row.test.n_flaky)


def _fixed(project: models.Project, window: Window) -> tuple[FlakeRow, ...]:
    """Return the tests that were found fixed in these days."""
    events = models.FlakeEvent.objects.filter(
        project=project, after=FlakeStatus.FIXED, at__date__range=(window.since, window.until)
    )
    found = set(events.values_list("test_id", flat=True))
    return tuple(row for row in _with_status(project, window, FlakeStatus.FIXED) if row.test.id in found)


def _slower(project: models.Project, window: Window) -> tuple[SlowRow, ...]:
    """Return the tests that take clearly longer than the week before, the largest growth a run first."""
    rows = queries.slow(project, replace(window, size=MOST_ROWS)).rows
    return tuple(sorted(filter(_is_slower, rows), key=lambda row: (-_growth(row), row.test.id)))


def _is_slower(row: SlowRow) -> bool:
    before, now = row.p95_before_s, row.test.p95_s
    return bool(before and now and now >= SLOWER_RATIO * before and now - before >= SLOWER_SECONDS)


def _growth(row: SlowRow) -> float:
    return (row.test.p95_s or 0) - (row.p95_before_s or 0)


def _asked(project: models.Project, days: Days, *, flaky: Sequence[FlakeRow]) -> tuple[AskedBefore, ...]:
    """Return what the last letter asked for, with what became of it."""
    last = models.Letter.objects.filter(project=project, week_on__lt=days.since).order_by("-week_on").first()
    asked = [Asked(**one) for one in last.asked] if last else []
    rows = {row.test.id: row for row in flaky}
    known = models.Test.objects.filter(project=project, id__in=[one.test_id for one in asked])
    seen = {
        test_id: (last_on, status)
        for test_id, last_on, status in known.values_list("id", "last_main_on", "flake_status")
    }
    return tuple(_fate(one, rows.get(one.test_id), seen=seen.get(one.test_id), days=days) for one in asked)


def _fate(
    asked: Asked, row: FlakeRow | None, *, seen: tuple[date | None, int] | None, days: Days
) -> AskedBefore:
    if row is not None and row.test.pass_rate == 0 and row.test.n_results >= MOST_MISHAPS:
        return AskedBefore(asked, Fate.BROKEN)
    if row is not None:
        return AskedBefore(asked, Fate.FLAKY, n_runs_broken=row.n_runs_broken, seconds_lost=row.seconds_lost)
    last_on, status = seen or (None, FlakeStatus.STALE)
    if last_on is None or last_on < days.since:
        return AskedBefore(asked, Fate.UNSEEN)
    if status == FlakeStatus.BROKEN:
        return AskedBefore(asked, Fate.BROKEN)
    return AskedBefore(asked, Fate.QUIET if status == FlakeStatus.FLAKY else Fate.FIXED)


def links(project: models.Project) -> Links:
    """Return the addresses that a project's letter leads to."""
    week = f"?window={schedule.N_DAYS}d"

    def address(name: str, *args: object) -> str:
        return settings.BASE_URL + reverse(name, args=[project.slug, *args])

    return Links(
        overview=address("overview") + week,
        flaky=address("flaky") + week,
        slow=address("slow") + week,
        shape=address("shape"),
        settings=settings.BASE_URL + reverse("account"),
        test=address("test", 0).removesuffix("0") + "{id}",
    )
