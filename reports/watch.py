"""Looks at a project for news: gathers the facts, asks events.py, keeps what is told and queues it for the channels.

One transaction a look, with the project's Watch locked: what was learned, what was told and what is to be sent
agree, whatever dies. When a project is looked at, and that somebody rings for the messages, is tasks.py's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.urls import reverse

from analysis import queries, shape, wishes
from analysis import window as windows
from analysis.shape import Shape
from projects.models import (
    Channel,
    Event,
    FlakeEvent,
    Problem,
    Project,
    RefusedHour,
    Run,
    Test,
    Upload,
    Watch,
)
from projects.vocabulary import EventKind, FlakeStatus, Layer, ProblemLevel, UploadState
from reports import channels, events, messages
from reports.events import Arrivals, Facts, Known, Outage, StatusChange, Told
from reports.messages import Message, News

NEWS_FOR = timedelta(days=2)  # what a late upload of old runs brings is history
LOOK_ANYWAY = timedelta(hours=1)  # silence has no upload that would announce it
PAUSES_OF = timedelta(days=28)
LAST_UPLOADS = 20

# What came, or was refused, since each project's last look, and when its last upload came at all; indexes answer each.
LOOKS = """
SELECT p.id, w.looked_at, least(came.first_at, refused.first_at), greatest(last.at, refused.last_at)
FROM projects_project p LEFT JOIN projects_watch w ON w.project_id = p.id
CROSS JOIN LATERAL (
    SELECT min(received_at) AS first_at FROM projects_upload u
    WHERE u.project_id = p.id AND u.received_at > coalesce(w.looked_at, '-infinity')
) came
CROSS JOIN LATERAL (
    SELECT max(received_at) AS at FROM projects_upload u WHERE u.project_id = p.id
) last
CROSS JOIN LATERAL (
    SELECT min(greatest(first_at, w.looked_at)) AS first_at, max(last_at) AS last_at FROM projects_refusedhour r
    WHERE r.project_id = p.id AND r.last_at > coalesce(w.looked_at, '-infinity') AND r.code <> 'busy'
) refused
WHERE p.deleted_at IS NULL AND (last.at IS NOT NULL OR refused.last_at IS NOT NULL)
ORDER BY p.id
"""

ARRIVALS = """
SELECT max(received_at), coalesce(max(pause), interval '0'), count(DISTINCT run_number)
FROM (
    SELECT received_at, run_number, received_at - lag(received_at) OVER (ORDER BY received_at) AS pause
    FROM projects_upload WHERE project_id = %(project_id)s AND received_at >= %(since)s
) u
"""

PAGES = {
    EventKind.BROKEN: ("flaky", "?status=broken"),
    EventKind.FLAKY: ("flaky", ""),
    EventKind.FIXED: ("flaky", "?status=fixed"),
}


def due(*, now: datetime) -> list[int]:
    """Return the projects to look at: those whose uploads have paused since the last look, and each once an hour."""
    with connection.cursor() as cursor:
        cursor.execute(LOOKS)
        found = cursor.fetchall()
    return [
        project_id
        for project_id, looked_at, first_at, last_at in found
        if looked_at is None
        or now - looked_at >= LOOK_ANYWAY
        or (first_at is not None and events.is_settled(now, first_at=first_at, last_at=last_at))
    ]


@transaction.atomic
def look(project_id: int, *, now: datetime) -> list[uuid.UUID]:
    """Look at one project and return the deliveries that this queued; none when another worker looks already."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        return []
    _, is_first = Watch.objects.get_or_create(project=project, defaults={"looked_at": now})
    watch = Watch.objects.select_for_update(skip_locked=True).filter(pk=project_id).first()
    if watch is None:
        return []
    changed = list(FlakeEvent.objects.filter(project=project, is_told=False).order_by("at", "id"))
    told, learned = events.decide(_facts(project, changed, now=now), _known(watch, is_first=is_first))
    FlakeEvent.objects.filter(project=project, id__in=[event.id for event in changed]).update(is_told=True)
    _learn(watch, learned, now=now)
    Event.objects.bulk_create(_event(project, one, now=now) for one in told)
    return _queue(project, told, now=now) if told else []


def _facts(project: Project, changed: Sequence[FlakeEvent], *, now: datetime) -> Facts:
    window = windows.read({}, today=now.date(), default_branch=project.default_branch)
    target = wishes.target(project.target_kind, project.target_bands)
    amounts = queries.layer_amounts(project, window)
    suite = Shape({amount.layer: amount.n_tests for amount in amounts})
    recent = [event for event in changed if now - event.at <= NEWS_FOR]
    told = Event.objects.filter(project=project, at__gte=now - events.SAME_AGAIN)
    return Facts(
        now=now,
        changes=tuple(_changes(project, recent)),
        outages=_outages(project, now=now),
        budgets=queries.budgets(project, window),
        judgement=shape.judge(suite, target) if target and suite.total else None,
        target=target.kind.word if target else "",
        arrivals=_arrivals(project, now=now),
        told_at=dict(told.values_list("key").annotate(last=Max("at"))),
    )


def _changes(project: Project, recent: Sequence[FlakeEvent]) -> Iterable[StatusChange]:
    tests = Test.objects.filter(project=project, id__in={event.test_id for event in recent})
    titles = {
        test.id: test.title for test in tests.only("id", "project", "suite", "classname", "name", "file")
    }
    for event in recent:
        yield StatusChange(
            test_id=event.test_id,
            title=titles.get(event.test_id, f"test {event.test_id}"),
            before=FlakeStatus(event.before),
            after=FlakeStatus(event.after),
            run_number=event.run_number,
            sentence=event.sentence,
        )


def _outages(project: Project, *, now: datetime) -> tuple[Outage, ...]:
    runs = Run.objects.filter(project=project, is_incident=True, started_at__gte=now - NEWS_FOR)
    return tuple(Outage(*row) for row in runs.order_by("number").values_list("number", "incident_sentence"))


def _arrivals(project: Project, *, now: datetime) -> Arrivals:
    with connection.cursor() as cursor:
        cursor.execute(ARRIVALS, {"project_id": project.pk, "since": now - PAUSES_OF})
        last_at, longest_pause, n_runs = cursor.fetchone()
    n_refused, refused_since, sentence = _refusals(project, since=now - PAUSES_OF)
    return Arrivals(
        last_at=last_at,
        longest_pause=longest_pause,
        n_runs=n_runs,
        n_refused=n_refused,
        refused_since=refused_since,
        sentence=sentence,
    )


def _refusals(project: Project, *, since: datetime) -> tuple[int, datetime | None, str]:
    """Return how much was refused since the last upload that was read, from when on, and why the newest was."""
    ended = Upload.objects.filter(project=project, received_at__gte=since).order_by("-received_at", "id")
    done = ended.filter(state=UploadState.DONE).values_list("received_at", flat=True).first()
    since = done or since
    refused = list(ended.filter(state=UploadState.REJECTED, received_at__gt=since)[:LAST_UPLOADS])
    # Who was asked to come again was not refused.
    hours = RefusedHour.objects.filter(project=project, last_at__gt=since).exclude(code="busy")
    at_door = list(hours.order_by("-last_at", "code")[:LAST_UPLOADS])
    if not refused and not at_door:
        return 0, None, ""
    n = len(refused) + sum(hour.n if hour.first_at > since else 1 for hour in at_door)
    begin = min([upload.received_at for upload in refused] + [max(hour.first_at, since) for hour in at_door])
    if at_door and (not refused or at_door[0].last_at > refused[0].received_at):
        return n, begin, at_door[0].sentence
    return n, begin, _why(project, refused[0].id)


def _why(project: Project, upload_id: uuid.UUID) -> str:
    problems = Problem.objects.filter(project=project, upload_id=upload_id, level=ProblemLevel.ERROR)
    return problems.order_by("position").values_list("sentence", flat=True).first() or ""


def _known(watch: Watch, *, is_first: bool) -> Known:
    return Known(
        over_budget=frozenset(Layer(number) for number in watch.over_budget),
        is_off_target=watch.is_off_target,
        is_silent=watch.is_silent,
        is_refused=watch.is_refused,
        outages=tuple(watch.incidents),
        is_first=is_first,
    )


def _learn(watch: Watch, learned: Known, *, now: datetime) -> None:
    """Keep what is known now; an upload that still waits for its worker asks for another look."""
    waiting = Upload.objects.filter(
        project_id=watch.pk,
        state__in=[UploadState.RECEIVED, UploadState.PROCESSING],
        received_at__gt=now - LOOK_ANYWAY,
    )
    oldest = waiting.order_by("received_at").values_list("received_at", flat=True).first()
    watch.looked_at = min(now, oldest - timedelta(microseconds=1)) if oldest else now
    watch.over_budget = sorted(int(layer) for layer in learned.over_budget)
    watch.is_off_target = learned.is_off_target
    watch.is_silent = learned.is_silent
    watch.is_refused = learned.is_refused
    watch.incidents = list(learned.outages)
    watch.save()


def _event(project: Project, told: Told, *, now: datetime) -> Event:
    return Event(
        project=project,
        kind=told.kind,
        at=now,
        key=told.key,
        title=told.title,
        detail=told.detail[:500],
        path=_path(project, told),
        is_good=told.is_good,
    )


def _path(project: Project, told: Told) -> str:
    more = () if told.page_id is None else (told.page_id,)
    return reverse(told.page, args=[project.slug, *more])


def _queue(project: Project, told: Sequence[Told], *, now: datetime) -> list[uuid.UUID]:
    queued = []
    for channel in Channel.objects.filter(project=project, is_on=True).order_by("id"):
        wanted = [one for one in told if one.kind in channel.wants]
        if wanted:
            queued.append(channels.queue(channel, message(project, wanted), now=now))
    return queued


def message(project: Project, told: Sequence[Told]) -> Message:
    """Return one message of what was told of a project, with absolute addresses."""
    news = [
        News(one.kind, one.title, one.detail, settings.BASE_URL + _path(project, one), one.is_good)
        for one in told
    ]
    lists = {
        kind: settings.BASE_URL + reverse(page, args=[project.slug]) + query
        for kind, (page, query) in PAGES.items()
    }
    url = settings.BASE_URL + reverse("overview", args=[project.slug])
    return messages.compose(project.name, news, url=url, lists=lists)


def trial(project: Project, *, name: str) -> Message:
    """Return the message that shows whether a channel works."""
    told = Told(EventKind.TRIAL, "trial", f"This is a trial of the channel {name}", "It works.", "overview")
    return message(project, [told])
