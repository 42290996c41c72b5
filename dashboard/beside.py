"""The lists that stand beside a page's own, as files: their columns, and the rows that a file holds and a page leaves out.

Each is asked for by its name, `&list=slower`. Which page has which is the views' affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import NamedTuple, TypeVar

from django.http import HttpResponseBase

from analysis.answers.of_failures import BoundaryWeek
from analysis.answers.of_tests import OwnedTests, ReasonRow
from analysis.answers.of_time import BudgetStory, Growth, Misfit, ShiftRow, TimedTest
from analysis.answers.of_uploads import ProblemGroup, ProblemRow
from analysis.answers.rows import Page
from analysis.window import Window
from dashboard import export, listing
from dashboard.export import Column
from dashboard.format import THIN
from dashboard.page import ProjectRequest
from dashboard.plans import Mark
from dashboard.tables import Table
from dashboard.verdicts import TargetFit
from projects.models import ChannelDelivery, Letter, Membership, Project, Token, Trust
from projects.vocabulary import Boundary, Layer, Role

T = TypeVar("T")


def whole(rows: Sequence[T], _project: Project, window: Window) -> Page[T]:
    """Return a page of rows that are there already."""
    return listing.cut(rows, window)


def asked(
    request: ProjectRequest, name: str, columns: Sequence[Column[T]], rows: Sequence[T], *, part: str = ""
) -> HttpResponseBase | None:
    """Answer with all of these rows where the URL asks for their list as a file; None where it does not."""
    return export.asked(request, name, columns, partial(whole, rows), part=part)


def tables(request: ProjectRequest, known: Mapping[str, Table | None]) -> HttpResponseBase | None:
    """Answer with the data under one of a page's pictures, by its name, where the URL asks for it as a file."""
    for part, table in known.items():
        if table is None or not export.wanted(request, part):
            continue
        columns = [Column(name, itemgetter(place)) for place, name in enumerate(table.fields)]
        return asked(request, table.caption, columns, table.records, part=part)
    return None


# --- Shape


FITS: list[Column[TargetFit]] = [
    Column("target", lambda row: row.name),
    Column("is_chosen", lambda row: row.is_chosen),
    Column("fit", lambda row: row.fit),
    Column("bands", lambda row: row.bands.replace(THIN, " ")),
    Column("least_that_meets_it", lambda row: row.advice.replace(THIN, " ")),
    Column("unmet", lambda row: "; ".join(row.unmet).replace(THIN, " ")),
]


def marks(project: Project) -> list[Column[Mark]]:
    """Return the columns of a test that a plan moves."""
    url = export.url_of_tests(project)
    return [
        Column("id", lambda row: row.test.test_id),
        Column("test", lambda row: row.test.title),
        Column("layer", lambda row: row.test.layer),
        Column("would_be", lambda row: row.to),
        Column("per_run_s", lambda row: row.test.per_run_s),
        Column("url", lambda row: f"{url}{row.test.test_id}"),
    ]


# --- Slow


def slower(project: Project) -> list[Column[ShiftRow]]:
    """Return the columns of a test that became slower."""
    url = export.url_of_tests(project)
    return [
        Column("id", lambda row: row.test_id),
        Column("test", lambda row: row.title),
        Column("home", lambda row: row.home),
        Column("layer", lambda row: row.layer),
        Column("since_run", lambda row: row.run_number),
        Column("since_on", lambda row: row.day),
        Column("commit_before", lambda row: row.commit_before),
        Column("commit", lambda row: row.commit),
        Column("before_s", lambda row: row.before_s),
        Column("since_s", lambda row: row.since_s),
        Column("added_s", lambda row: row.added_s),
        Column("url", lambda row: f"{url}{row.test_id}"),
    ]


def misfits(project: Project) -> list[Column[Misfit]]:
    """Return the columns of a test that behaves unlike its layer, looked at or not."""
    url = export.url_of_tests(project)
    return [
        *export.named(lambda row: row.test),
        Column("layer", lambda row: row.test.layer),
        Column("looks_like", lambda row: row.looks_like),
        Column("median_s", lambda row: row.median_s),
        Column("limit_s", lambda row: row.limit_s),
        Column("total_s", lambda row: row.test.seconds),
        Column("other_signal", lambda row: row.other),
        Column("why_it_stays", lambda row: row.reason),
        Column("url", lambda row: f"{url}{row.test.id}"),
    ]


# --- Budgets


class Grown(NamedTuple):
    """What a run brought to a layer."""

    layer: Layer
    growth: Growth


class Moved(NamedTuple):
    """A test whose move would help the budget of its layer."""

    layer: Layer
    test: TimedTest


GROWTH: list[Column[Grown]] = [
    Column("layer", lambda row: row.layer),
    Column("run", lambda row: row.growth.run_number),
    Column("more_s", lambda row: row.growth.seconds),
    Column("new_tests", lambda row: row.growth.n_new),
    Column("slower_tests", lambda row: row.growth.n_slower),
    Column("faster_tests", lambda row: row.growth.n_faster),
    Column("dearest_tests", lambda row: " ".join(str(test.test_id) for test in row.growth.tests)),
]


def grown(stories: Iterable[BudgetStory]) -> list[Grown]:
    """Return what runs brought, layer by layer, as the page lists it."""
    return [Grown(story.layer, growth) for story in stories for growth in story.growth]


def to_move(stories: Iterable[BudgetStory]) -> list[Moved]:
    """Return the fewest tests that bring each layer back, as the page lists them."""
    return [Moved(story.layer, test) for story in stories for test in story.to_move]


def moves(project: Project) -> list[Column[Moved]]:
    """Return the columns of a test to move."""
    url = export.url_of_tests(project)
    return [
        Column("layer", lambda row: row.layer),
        Column("id", lambda row: row.test.test_id),
        Column("test", lambda row: row.test.title),
        Column("per_run_s", lambda row: row.test.seconds),
        Column("url", lambda row: f"{url}{row.test.test_id}"),
    ]


# --- Failures, and those of one test


REASONS: list[Column[ReasonRow]] = [
    Column("signature", lambda row: row.signature),
    Column("title", lambda row: row.title),
    Column("boundary", lambda row: row.boundary),
    Column("matched", lambda row: row.matched),
    Column("cause", lambda row: row.cause.cause if row.cause else None),
    Column("cause_evidence", lambda row: row.cause.evidence if row.cause else ""),
    Column("failures", lambda row: row.n),
    Column("runs", lambda row: row.n_runs),
    Column("rate", lambda row: row.rate),
    Column("first_on", lambda row: row.first_on),
    Column("last_on", lambda row: row.last_on),
    Column("sample_run", lambda row: row.sample_run),
    Column("sample_message", lambda row: row.sample_message),
]


@dataclass(frozen=True, slots=True)
class BrokeAt:
    """The failures of one boundary in one week."""

    week: BoundaryWeek
    boundary: Boundary


WEEKS: list[Column[BrokeAt]] = [
    Column("week_from", lambda row: row.week.monday),
    Column("boundary", lambda row: row.boundary),
    Column("failures", lambda row: row.week.n_failures.get(row.boundary, 0)),
    Column("runs", lambda row: row.week.n_runs),
]


def broke_at(weeks: Sequence[BoundaryWeek]) -> list[BrokeAt]:
    """Return a row a week and boundary, for the boundaries that broke in any of them."""
    seen = [boundary for boundary in Boundary if any(week.n_failures.get(boundary) for week in weeks)]
    return [BrokeAt(week, boundary) for week in weeks for boundary in seen]


# --- Uploads, and one of them


GROUPS: list[Column[ProblemGroup]] = [
    Column("code", lambda row: row.code),
    Column("level", lambda row: row.level),
    Column("at_door", lambda row: row.at_door),
    Column("times", lambda row: row.n),
    Column("uploads", lambda row: row.n_uploads),
    Column("last_at", lambda row: row.examples[0].at),
    Column("example", lambda row: row.examples[0].sentence),
]
PROBLEMS: list[Column[ProblemRow]] = [
    Column("level", lambda row: row.level),
    Column("code", lambda row: row.code),
    Column("sentence", lambda row: row.sentence),
    Column("file", lambda row: row.file),
    Column("line", lambda row: row.line),
    Column("column", lambda row: row.column),
]


# --- Settings


TOKENS: list[Column[Token]] = [
    Column("name", lambda row: row.name),
    Column("begins", lambda row: row.prefix),
    Column("created_at", lambda row: row.created_at),
    Column("created_by", lambda row: str(row.created_by or "")),
    Column("last_used_at", lambda row: row.last_used_at),
    Column("revoked_at", lambda row: row.revoked_at),
]
TRUSTS: list[Column[Trust]] = [
    Column("repository", lambda row: row.repository),
    Column("issuer", lambda row: row.issuer),
    Column("owner_id", lambda row: row.owner_id),
    Column("branches", lambda row: row.branches),
    Column("events", lambda row: row.events),
    Column("takes_pulls", lambda row: row.takes_pulls),
    Column("last_used_at", lambda row: row.last_used_at),
]
MEMBERS: list[Column[Membership]] = [
    Column("name", lambda row: row.user.get_username()),
    Column("email", lambda row: row.user.email),
    Column("role", lambda row: Role(row.role)),
    Column("wants_letter", lambda row: row.wants_letter),
    Column("only_changes", lambda row: row.only_changes),
]
OWNERS: list[Column[OwnedTests]] = [
    Column("owner", lambda row: row.owner),
    Column("tests", lambda row: row.n_tests),
    Column("flaky_or_broken", lambda row: row.n_unwell),
]
LETTERS: list[Column[Letter]] = [
    Column("week_from", lambda row: row.week_on),
    Column("built_at", lambda row: row.built_at),
    Column("subject", lambda row: row.subject),
    Column("is_calm", lambda row: row.is_calm),
    Column("sent", lambda row: sum(bool(one.sent_at) for one in row.deliveries.all())),
    Column("refused", lambda row: sum(bool(one.refused) for one in row.deliveries.all())),
    Column("readers", lambda row: " ".join(str(one.user or one.address) for one in row.deliveries.all())),
]
SENT: list[Column[ChannelDelivery]] = [
    Column("created_at", lambda row: row.created_at),
    Column("channel", lambda row: row.channel.name),
    Column("message", lambda row: row.subject),
    Column("sent_at", lambda row: row.sent_at),
    Column("status", lambda row: row.status),
    Column("tries", lambda row: row.n_tries),
    Column("answer", lambda row: row.answer),
]
