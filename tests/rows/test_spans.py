"""Spans are sums made ahead: with them every number is what it is without them, and no upload has to care for them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from analysis import queries, rebuilding, spans
from analysis.answers.of_time import SlowRow
from analysis.answers.rows import TestRow
from analysis.queries import of_tests
from analysis.window import ALL_BRANCHES, Window
from projects import retention
from projects.models import Project, Span, TestSpan
from projects.spans import set_aside
from projects.vocabulary import Layer, Outcome
from tests.factories import Shop, a_shop, failed, passed, record, report, retried, skipped

pytestmark = pytest.mark.django_db

TODAY = datetime.now(tz=UTC).date()
NOW = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)  # an hour later is the same day
DAYS = 70
LAST_WEEKS = spans.Stretch(on_default=True, since=TODAY - timedelta(days=29), until=TODAY - timedelta(days=1))
MADE: dict[str, Callable[..., str]] = {"f": failed, "r": retried, "s": skipped}
NAMES = tuple(f"case {n}" for n in range(9))


def on_day(days_ago: int) -> str:
    """Return the noon of so many days ago, as an upload says when it ran; today, the beginning of the day."""
    noon = datetime(TODAY.year, TODAY.month, TODAY.day, 12 if days_ago else 0, tzinfo=UTC)
    return (noon - timedelta(days=days_ago)).isoformat()


def a_report(chance: random.Random) -> bytes:
    """Return a report of some of the tests, with every outcome among them."""
    cases = []
    for n, name in enumerate(NAMES):
        kind = chance.choice("pppppppfrs-")
        where = f"tests.{('unit', 'integration', 'e2e')[n % 3]}.Case"
        if kind == "p":
            cases.append(passed(name, classname=where, seconds=round(chance.uniform(0.001, 3 * n + 0.5), 4)))
        elif kind != "-":
            cases.append(MADE[kind](name, classname=where))
    return report(*cases, passed("always"))


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project with a few runs of its default branch in the last weeks."""
    shop = a_shop()
    for days_ago in (45, 31, 12, 12, 3, 1):
        cases = (passed("always"), passed("often") if days_ago % 2 else failed("often"))
        record(
            shop,
            report(*cases),
            branch="main",
            run=f"main-{days_ago}",
            job=str(days_ago),
            started_at=on_day(days_ago),
        )
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


@pytest.fixture(scope="module")
def kept_busy_shop(rows_of_the_module: None) -> Shop:
    """Return a project with uploads on random days of two branches, some of them into the same run."""
    chance = random.Random(20)
    shop = a_shop()
    Project.objects.filter(pk=shop.project.pk).update(budgets={"integration": 0.1, "e2e": 0.2})
    shop.project.refresh_from_db()
    for n in range(48):
        days_ago = chance.randrange(DAYS)
        branch = chance.choice(["main", "main", "change"])
        fields = {"branch": branch, "run": f"{branch}-{days_ago}", "job": f"job {n}", "commit": f"{n:040d}"}
        record(shop, a_report(chance), started_at=on_day(days_ago), **fields)
    return shop


@pytest.fixture
def busy_shop(kept_busy_shop: Shop, db: None) -> Shop:
    """Return the module's busy project, for a test to do with as it likes."""
    return kept_busy_shop.again()


def a_window(since: date, until: date, **more: Any) -> Window:
    """Return a window on the default branch that reads whole lists."""
    fields: dict[str, Any] = {"branch": "main", "default_branch": "main", "size": 200} | more
    return Window(since=since, until=until, today=TODAY, **fields)


def windows(n: int) -> list[Window]:
    """Return random windows, the default one first, with each branch, sort and filter among them."""
    chance = random.Random(3)
    found = [a_window(TODAY - timedelta(days=29), TODAY)]
    while len(found) < n:
        until = TODAY - timedelta(days=chance.choice([0, 0, 1, chance.randrange(DAYS)]))
        more: dict[str, Any] = {
            "branch": chance.choice(["main", "main", ALL_BRANCHES, "change"]),
            "sort": chance.choice(["", "-p95", "p95", "median", "-median", "-pass", "name"]),
            "layers": chance.choice([(), (), (Layer.UNIT,)]),
            "outcomes": chance.choice([(), (), (Outcome.FAILED,)]),
        }
        found.append(a_window(until - timedelta(days=chance.randrange(60)), until, **more))
    return found


def told(project: Project, window: Window) -> list[Any]:
    """Return everything that is told of a window from sums of its tests; seconds to the microsecond."""
    slow, totals = queries.slow_and_totals(project, replace(window, sort=""))
    return [
        [_test(row) for row in queries.tests(project, window).rows],
        [_slow(row) for row in slow.rows],
        (totals.n_tests, totals.n_slowest, round(totals.seconds, 6), round(totals.share_of_slowest, 6)),
        queries.slow_totals(project, window) == totals or window.sort != "",
        [(one.test.id, round(one.test.seconds, 6)) for one in queries.misfits(project, window).found],
        [(one.kind, one.n, [_test(row) for row in one.tests]) for one in queries.changes(project, window)],
        [(one.layer, one.n_to_move) for one in queries.budgets(project, window)],
        [
            (one.layer, [(test.test_id, round(test.seconds, 6)) for test in one.to_move], len(one.growth))
            for one in queries.budget_stories(project, window)
        ],
    ]


def _test(row: TestRow) -> TestRow:
    return replace(row, seconds=round(row.seconds, 6))


def _slow(row: SlowRow) -> SlowRow:
    each, share = round(row.seconds_per_run, 6), round(row.share, 6)
    return replace(row, test=_test(row.test), seconds_per_run=each, share=share)


def some_spans() -> list[spans.Stretch]:
    """Return what is kept up for today, and random stretches beside it."""
    chance = random.Random(5)
    found = list(spans.wanted(TODAY))
    for _ in range(12):
        since = TODAY - timedelta(days=chance.randrange(1, DAYS))
        until = since + timedelta(days=chance.randrange((TODAY - since).days))
        found.append(spans.Stretch(chance.random() < 0.5, since, until, chance.random() < 0.7))
    return found


def test_every_number_of_a_window_is_the_same_with_and_without_spans(busy_shop: Shop) -> None:
    asked = windows(30)
    before = [told(busy_shop.project, window) for window in asked]

    n_made = sum(spans.make(busy_shop.project, stretch, now=NOW) for stretch in some_spans())

    assert n_made > 10
    for window, earlier in zip(asked, before, strict=True):
        assert told(busy_shop.project, window) == earlier, window


def n_results(shop: Shop, name: str = "always") -> int:
    """Return how many results the default window has of a test."""
    page = queries.tests(shop.project, a_window(TODAY - timedelta(days=29), TODAY))
    return next(row.n_results for row in page.rows if row.title.endswith(name))


def spoil(shop: Shop) -> None:
    """Make the spans say something else than the days, so that it shows where they are read."""
    TestSpan.objects.filter(project_id=shop.project.pk).update(n_results=F("n_results") + 1_000)


def test_a_window_reads_the_span_of_its_days(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)
    spoil(shop)

    assert n_results(shop) > 1_000


def test_an_upload_of_today_adds_to_the_span(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)
    before = n_results(shop)
    spoil(shop)

    record(shop, report(passed("always")), branch="main", run="late", started_at=on_day(0))

    assert n_results(shop) == 1_000 + before + 1


def test_an_upload_for_an_older_day_sets_the_spans_of_that_day_aside(shop: Shop) -> None:
    spans.make(shop.project, LAST_WEEKS, now=NOW)
    before = n_results(shop)
    spoil(shop)

    record(shop, report(passed("always")), branch="main", run="late", started_at=on_day(12))

    assert n_results(shop) == before + 1


def test_an_upload_for_yesterday_leaves_the_span_before_it_in_use(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)
    before = n_results(shop)
    spoil(shop)

    record(shop, report(passed("always")), branch="main", run="late", started_at=on_day(1))

    assert n_results(shop) == 1_000 + before + 1


def test_spans_of_days_that_changed_otherwise_can_be_set_aside(shop: Shop) -> None:
    spans.make(shop.project, LAST_WEEKS, now=NOW)
    before = n_results(shop)
    spoil(shop)
    day = TODAY - timedelta(days=12)

    set_aside(shop.project.pk, since=day, until=day)

    assert n_results(shop) == before
    assert spans.keep_up(shop.project, now=NOW + spans.REST) > 0


def test_a_later_attempt_of_an_older_day_is_counted(shop: Shop) -> None:
    first = {"branch": "main", "run": "twice", "job": "a", "started_at": on_day(9)}
    record(shop, report(failed("always")), **first)
    spans.keep_up(shop.project, now=NOW)
    before = n_results(shop)

    record(shop, report(passed("always")), attempt="2", **first)

    window = a_window(TODAY - timedelta(days=29), TODAY)
    row = next(row for row in queries.tests(shop.project, window).rows if row.title.endswith("always"))
    assert (row.n_results, row.n_bad) == (before, 0)


def test_a_span_that_is_out_of_date_is_made_again_after_a_rest(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)
    record(shop, report(passed("always")), branch="main", run="late", started_at=on_day(12))

    at_once = spans.keep_up(shop.project, now=NOW + timedelta(minutes=1))
    later = spans.keep_up(shop.project, now=NOW + spans.REST)

    assert (at_once, later > 0) == (0, True)
    assert spans.keep_up(shop.project, now=NOW + 2 * spans.REST) == 0


def test_the_default_window_of_tomorrow_has_its_span_today(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)

    since, until = TODAY - timedelta(days=28), TODAY - timedelta(days=1)
    assert Span.objects.filter(project_id=shop.project.pk, on_default=True, since=since, until=until).exists()


def test_spans_that_no_window_wants_any_more_are_dropped_and_their_rows_the_next_time(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)

    spans.keep_up(shop.project, now=NOW + timedelta(days=200))

    rows = TestSpan.objects.filter(project_id=shop.project.pk)
    assert not Span.objects.filter(project_id=shop.project.pk).exists()
    assert rows.exists()
    spans.keep_up(shop.project, now=NOW + timedelta(days=200))
    assert not rows.exists()


def test_a_page_under_way_finds_the_rows_of_a_span_that_is_dropped_meanwhile(shop: Shop) -> None:
    window = a_window(TODAY - timedelta(days=29), TODAY)
    spans.keep_up(shop.project, now=NOW)
    told = queries.told(shop.project, window)
    before = queries.slow(shop.project, window, told=told)

    spans.keep_up(shop.project, now=NOW + timedelta(days=200))

    assert queries.slow(shop.project, window, told=told) == before
    assert queries.slow(shop.project, window) == before


def test_a_span_that_is_made_again_takes_no_number_whose_rows_are_still_there(shop: Shop) -> None:
    spans.make(shop.project, LAST_WEEKS, now=NOW)

    spans.make(shop.project, LAST_WEEKS, now=NOW)

    numbers = TestSpan.objects.filter(project_id=shop.project.pk).values_list("span_number", flat=True)
    assert set(numbers) == {1, 2}
    assert [span.number for span in Span.objects.filter(project_id=shop.project.pk)] == [2]


def test_rebuilding_drops_the_spans(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)

    rebuilding.rebuild(shop.project.pk)

    assert not Span.objects.filter(project_id=shop.project.pk).exists()
    assert not TestSpan.objects.filter(project_id=shop.project.pk).exists()


def test_retention_drops_the_spans_of_the_days_that_it_deletes(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)
    Project.objects.filter(pk=shop.project.pk).update(keep_sums_days=40)

    retention.keep_house(NOW)

    firsts = Span.objects.filter(project_id=shop.project.pk).values_list("since", flat=True)
    assert firsts
    assert min(firsts) >= TODAY - timedelta(days=40)


def test_a_project_takes_its_spans_along_when_it_is_deleted(shop: Shop) -> None:
    spans.keep_up(shop.project, now=NOW)

    Project.objects.get(pk=shop.project.pk).delete()

    assert not TestSpan.objects.filter(project_id=shop.project.pk).exists()


@pytest.mark.parametrize("first_look", [1, of_tests.FIRST_LOOK])
@pytest.mark.parametrize("sort", ["p95", "-p95", "median", "-median"])
def test_short_pages_sorted_by_a_percentile_are_parts_of_the_long_one(
    busy_shop: Shop, monkeypatch: pytest.MonkeyPatch, sort: str, first_look: int
) -> None:
    monkeypatch.setattr(of_tests, "FIRST_LOOK", first_look)
    spans.keep_up(busy_shop.project, now=NOW)
    later = {"started_at": on_day(0), "branch": "main", "run": "later", "commit": "f" * 40}
    record(busy_shop, a_report(random.Random(21)), **later)

    for window in windows(8):
        whole = queries.tests(busy_shop.project, replace(window, sort=sort))
        short = replace(window, sort=sort, size=3)
        pages = [
            queries.tests(busy_shop.project, replace(short, page=n + 1))
            for n in range(math.ceil(whole.n_total / 3))
        ]

        assert [row.id for page in pages for row in page.rows] == [row.id for row in whole.rows]
        assert {page.n_total for page in pages} <= {whole.n_total}
