"""Builds a project's weekly letter: asks the pages' questions about seven days, and keeps what came of it.

What a letter says is letter.py's, how it looks look.py's, when it is due schedule.py's, who gets it readers.py's, how it
reaches them delivery.py's. The letter is about the default branch, in the project's own days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Subquery
from django.urls import reverse

from analysis import queries, shape, wishes
from analysis.answers.of_care import Muted
from analysis.answers.of_flakes import FlakeRow
from analysis.answers.of_letters import ToldTest
from analysis.answers.of_time import ShiftRow
from analysis.answers.rows import LayerAmount
from analysis.queries import Costs, Told
from analysis.shape import Shape
from analysis.window import Window
from projects import models
from projects.owner_names import key_of
from projects.vocabulary import FLAKY_NOW, FlakeStatus
from reports import look, readers, schedule
from reports.letter import Letter, compose
from reports.readers import Key, LetterReader
from reports.schedule import Days
from reports.week import Asked, AskedBefore, Fate, Links, Own, Week

EVERY = 1_000_000  # tests: a letter shows ten and counts the rest, and an owner's own may be far down
MUTED_FOR = timedelta(days=7)  # who is told a week ahead can still mend the test


@dataclass(frozen=True, slots=True)
class Issue:
    """A week's letter, the versions of it for owners of tests, and who gets it."""

    letter: Letter
    readers: tuple[LetterReader, ...]
    versions: Mapping[Key, Letter] = field(default_factory=dict)
    present: frozenset[str] = frozenset()  # the owners of the week's tests

    def key_of(self, reader: LetterReader) -> Key | None:
        """Return which version is a reader's; None is the letter itself."""
        return reader.key(self.present)


@dataclass(frozen=True, slots=True)
class Material:
    """What every version of a letter is made of: the week, what each version asked before, and what is known of the tests."""

    days: Days
    week: Week
    asked: Mapping[Key | None, tuple[Asked, ...]]
    told: Mapping[int, ToldTest]
    owners: Mapping[int, tuple[str, ...]]  # of the tests that the letter tells of or asked for


def due_letter(project: models.Project, *, now: datetime) -> models.Letter | None:
    """Build and keep the letter that is due now; None when there is none, or a day of it was told before."""
    days = schedule.due(now, weekday=project.letter_weekday, hour=project.letter_hour, zone=project.time_zone)
    if days is None or not project.sends_letter or _was_told(project, days) or not _has_runs(project, days):
        return None
    return keep(project, issue(project, days), days=days, now=now)


def build(project: models.Project, days: Days) -> Letter:
    """Return the letter about some days of a project, as it is for nobody in particular."""
    return compose(_material(project, days).week)


def build_for(project: models.Project, reader: LetterReader, days: Days) -> Letter:
    """Return the letter about some days of a project as one reader gets it."""
    material = _material(project, days)
    key = reader.key(_present(material))
    return _version(material, key) if key else compose(material.week)


def issue(project: models.Project, days: Days) -> Issue:
    """Return the letter about some days with a version for each set of owners that somebody reads about."""
    material = _material(project, days)
    present = _present(material)
    found = readers.of_project(project)
    keys = {key for reader in found if (key := reader.key(present)) is not None}
    versions = {key: _version(material, key) for key in sorted(keys)}
    return Issue(compose(material.week), found, versions, present)


@transaction.atomic
def keep(project: models.Project, issue: Issue, *, days: Days, now: datetime) -> models.Letter | None:
    """Keep a letter with a delivery for each reader; None when another process kept this week's first."""
    kept, is_first = models.Letter.objects.get_or_create(
        project=project,
        week_on=days.since,
        defaults={**_body(issue.letter), "built_at": now, "is_calm": issue.letter.is_calm},
    )
    if not is_first:
        return None
    made = models.LetterVersion.objects.bulk_create(
        models.LetterVersion(letter=kept, owners=list(owners), only_own=only_own, **_body(letter))
        for (owners, only_own), letter in issue.versions.items()
    )
    versions = dict(zip(issue.versions, made, strict=True))
    models.LetterDelivery.objects.bulk_create(
        models.LetterDelivery(
            letter=kept,
            version=versions.get(key) if key else None,
            user_id=reader.user_id,
            address_id=reader.address_id,
            due_at=_due(project, days, zone=reader.zone),
        )
        for reader, key in _told(issue)
    )
    return kept


def _body(letter: Letter) -> dict[str, object]:
    return {
        "subject": letter.subject[:300],
        "html": look.html(letter),
        "text": look.text(letter),
        "asked": [asdict(asked) for asked in letter.asked],
    }


def _told(issue: Issue) -> Iterable[tuple[LetterReader, Key | None]]:
    """Yield who gets the letter and which version of it: a calm one goes only to those who want every letter."""
    for reader in issue.readers:
        key = issue.key_of(reader)
        letter = issue.versions[key] if key else issue.letter
        if not (letter.is_calm and reader.only_changes):
            yield reader, key


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


# --- the week


def _material(project: models.Project, days: Days) -> Material:
    window = Window(project.default_branch, project.default_branch, days.since, days.until, days.until)
    asked = _asked(project, days)
    ids = {one.test_id for of_version in asked.values() for one in of_version}
    spent = queries.costs(project, window, with_before=True)
    sums = queries.told(project, window)
    rows = _unreliable(project, window, spent=spent, told=sums)
    slower, ending = _slower_and_ending(project, days, window)
    ids |= {shift.test_id for shift in slower} | {muted.test_id for muted in ending}
    every = sorted(ids | {row.test.id for row in rows})
    told = queries.of_letter(project, window, every) if every else {}
    found_fixed = {test_id for test_id, one in told.items() if one.is_fixed}
    flaky = tuple(row for row in rows if row.status in FLAKY_NOW)
    fixed = tuple(row for row in rows if row.status is FlakeStatus.FIXED and row.test.id in found_fixed)
    week = replace(
        _week(project, days, window=window, told=sums),
        flaky=flaky,
        fixed=fixed,
        slower=slower,
        relapsed=frozenset(test_id for test_id, one in told.items() if one.is_relapsed),
        ending=ending,
        costs_before=spent.of_tests_before if flaky else {},
    )
    ids |= {row.test.id for row in (*flaky, *fixed)}
    owners = {test_id: told[test_id].owners for test_id in sorted(ids & told.keys())}
    material = Material(days, week, asked, told, {one: names for one, names in owners.items() if names})
    return replace(material, week=replace(week, asked=_fates(material, None)))


def _week(project: models.Project, days: Days, *, window: Window, told: Told) -> Week:
    """Return what the letter says of the suite; its tests come in by _material."""
    suite, suite_before = queries.suites(project, window)
    now, before = _shape(suite.layers), _shape(suite_before.layers)
    target = wishes.target(project.target_kind, project.target_bands)
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
        flaky=(),
        fixed=(),
        slower=(),
        budgets=queries.budgets(project, window, told=told),
        asked=(),
        links=links(project),
    )


def _shape(layers: Sequence[LayerAmount]) -> Shape:
    return Shape({amount.layer: amount.n_tests for amount in layers})


def _unreliable(project: models.Project, window: Window, *, spent: Costs, told: Told) -> tuple[FlakeRow, ...]:
    """Return the tests that flaked in these days, and all that are fixed, the dearest first."""
    wanted = replace(window, statuses=(*FLAKY_NOW, FlakeStatus.FIXED), size=EVERY)
    rows = queries.flakes(project, wanted, is_dressed=False, spent=spent, told=told).rows
    return tuple(row for row in rows if row.status not in FLAKY_NOW or row.test.n_bad or row.test.n_flaky)


def _slower_and_ending(
    project: models.Project, days: Days, window: Window
) -> tuple[tuple[ShiftRow, ...], tuple[Muted, ...]]:
    """Return the tests that became slower, and those whose muting ends within a week of the letter, the soonest first."""
    sent_on = days.until + timedelta(days=1)
    slower, muted = queries.slower_and_muted(project, window, today=sent_on)
    return slower, tuple(one for one in muted if one.until_on <= sent_on + MUTED_FOR)


# --- versions for owners


def _present(material: Material) -> frozenset[str]:
    return frozenset(key_of(owner) for owners in material.owners.values() for owner in owners)


def _version(material: Material, key: Key) -> Letter:
    """Return the letter as the readers of some owners' tests get it."""
    owners, only_own = key
    spelt = {key_of(owner): owner for of_test in material.owners.values() for owner in of_test}
    mine = frozenset(
        test_id
        for test_id, of_test in material.owners.items()
        if any(key_of(one) in owners for one in of_test)
    )
    own = Own(tuple(spelt.get(owner, owner) for owner in owners), mine, is_only=only_own)
    return compose(replace(material.week, asked=_fates(material, key)), own=own)


# --- what was asked before


def _asked(project: models.Project, days: Days) -> dict[Key | None, tuple[Asked, ...]]:
    """Return what the last letter asked for, and what each of its versions did."""
    letters = models.Letter.objects.filter(project=project, week_on__lt=days.since)
    last = letters.filter(week_on=Subquery(letters.order_by("-week_on").values("week_on")[:1]))
    of_versions = last.values_list("asked", "versions__owners", "versions__only_own", "versions__asked")
    found: dict[Key | None, tuple[Asked, ...]] = {}
    for of_letter, owners, only_own, asked in of_versions.order_by("versions__id"):
        found[None] = _read(of_letter)
        if owners is not None:
            found[tuple(owners), only_own] = _read(asked)
    return found


def _read(kept: Iterable[Mapping[str, object]]) -> tuple[Asked, ...]:
    return tuple(Asked(**one) for one in kept)  # type: ignore[arg-type]


def _fates(material: Material, key: Key | None) -> tuple[AskedBefore, ...]:
    """Return what a version asked for, with what became of it; a new version goes on from the letter itself."""
    asked = material.asked.get(key, material.asked.get(None, ()))
    rows = {row.test.id: row for row in material.week.flaky}
    return tuple(
        _fate(one, rows.get(one.test_id), told=material.told.get(one.test_id), days=material.days)
        for one in asked
    )


def _fate(asked: Asked, row: FlakeRow | None, *, told: ToldTest | None, days: Days) -> AskedBefore:
    if row is not None:
        return AskedBefore(asked, Fate.FLAKY, n_runs_broken=row.n_runs_broken, seconds_lost=row.seconds_lost)
    if told is None or told.last_on is None or told.last_on < days.since:
        return AskedBefore(asked, Fate.UNSEEN)
    if told.status is FlakeStatus.BROKEN:
        return AskedBefore(asked, Fate.BROKEN)
    return AskedBefore(asked, Fate.QUIET if told.status in FLAKY_NOW else Fate.FIXED)


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
        muted=address("quarantine"),
        test=address("test", 0).removesuffix("0") + "{id}",
    )
