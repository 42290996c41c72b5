"""Runs that lack what is usual: told from the rows, kept out of trends, and judged alike by a rebuild."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from analysis import queries, tallies
from analysis.tasks import settle_runs
from analysis.window import Window
from projects.models import Run, RunTally
from tests.factories import Shop, a_shop, failed, passed, record, report, run_of

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def names(n: int, *, word: str = "t") -> list[str]:
    return [f"{word}{place}" for place in range(n)]


def a_report(tests: Iterable[str], *, suite: str = "unit", seconds: float = 1.0) -> bytes:
    return report(*(passed(name, classname=f"shop.{suite}", seconds=seconds) for name in tests), suite=suite)


def run(shop: Shop, day: int, *reports: bytes, **fields: str) -> Run:
    """Record a run of one upload so many days ago, and let it be judged."""
    started = NOW - timedelta(days=day)
    upload = record(shop, *reports, **{"started_at": started.isoformat(), **fields})
    settle(shop)
    return run_of(upload)


def settle(shop: Shop, *, at: datetime | None = None) -> None:
    tallies.settle(shop.project.pk, now=at or timezone.now())


def usual_runs(shop: Shop, *reports: bytes, n: int = 6, **fields: str) -> None:
    for day in range(30, 30 - n, -1):
        run(shop, day, *reports, **{"run": f"usual-{day}-{fields.get('branch', '')}", **fields})


def sentence(shop: Shop, number: int) -> str:
    found: str = Run.objects.get(project=shop.project, number=number).incomplete_sentence
    return found


def test_a_run_with_all_that_is_usual_is_whole() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)))

    last = run(shop, 1, a_report(names(10)))

    assert not last.is_incomplete
    assert last.n_judged == last.n_uploads == 1


def test_a_missing_suite_is_named_with_its_tests() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), a_report(names(4), suite="api"))

    last = run(shop, 1, a_report(names(10)))

    assert last.is_incomplete
    assert last.incomplete_sentence == "The suite api is missing, which usually has 4 tests."


def test_more_than_one_per_cent_of_the_tests_missing_makes_a_run_incomplete() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(100)))

    with_all_but_one = run(shop, 2, a_report(names(99)))
    with_all_but_two = run(shop, 1, a_report(names(98)))

    assert not with_all_but_one.is_incomplete
    assert with_all_but_two.incomplete_sentence == (
        "2 of the usual 100 tests are missing (2.0 %), most of them from shop.unit."
    )


def test_new_tests_elsewhere_hide_no_missing_ones() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(100)), a_report(names(20, word="x"), suite="api"))

    last = run(
        shop, 1, a_report(names(90)), a_report([*names(20, word="x"), *names(15, word="new")], suite="api")
    )

    assert last.incomplete_sentence == (
        "10 of the usual 120 tests are missing (8.3 %), most of them from shop.unit."
    )


def test_a_suite_that_is_new_hides_no_missing_one_of_many_tests() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(100)), a_report(names(20, word="x"), suite="api"))

    last = run(shop, 1, a_report(names(100)), a_report(names(30, word="y"), suite="shop"))

    assert last.incomplete_sentence == (
        "20 of the usual 120 tests are missing (16.7 %), most of them from shop.api."
    )


def test_tests_that_were_written_anew_in_their_file_are_not_missed() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(100)))

    later = [run(shop, day, a_report([*names(80), *names(20, word="new")]), run=f"r{day}") for day in (3, 2)]

    assert [one.is_incomplete for one in later] == [False, False]


def test_moved_tests_are_not_missed_off_the_default_branch_either() -> None:
    shop = a_shop()
    here, there = names(10), names(6, word="x")
    usual_runs(shop, a_report(here), a_report(there, suite="api"), branch="topic", pull_request="7")
    moved = (a_report(here[:6]), a_report([*there, *here[6:]], suite="api"))

    later = [run(shop, day, *moved, run=f"r{day}", branch="topic", pull_request="7") for day in (4, 3, 2)]

    assert [one.is_incomplete for one in later] == [False, False, False]


def test_a_missing_job_is_named() -> None:
    shop = a_shop()
    for day in range(30, 24, -1):
        run(shop, day, a_report(names(5)), run=f"r{day}", job="unit")
        run(shop, day, a_report(names(2), suite="e2e"), run=f"r{day}", job="e2e", environment="firefox")

    last = run(shop, 1, a_report(names(5)), run="last", job="unit")

    assert last.incomplete_sentence == "The job e2e · firefox is missing, which usually has 2 tests."


def test_a_missing_shard_is_told_where_the_total_is_announced_and_where_it_is_only_usual() -> None:
    shop = a_shop()
    announced = run(shop, 40, a_report(["a"]), run="announced", job="unit", shard="1", shard_total="4")
    for day in range(30, 24, -1):
        for shard in ("1", "2", "3"):
            tests = [f"t{shard}{place}" for place in range(3)]
            run(shop, day, a_report(tests), run=f"r{day}", job="e2e", shard=shard)

    for shard in ("1", "2"):
        last = run(shop, 1, a_report(names(3, word=f"t{shard}")), run="last", job="e2e", shard=shard)

    assert announced.incomplete_sentence == "1 of 4 shards arrived."
    assert last.incomplete_sentence == "2 of the usual 3 shards of e2e arrived."


def test_what_comes_later_makes_a_run_whole() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), a_report(names(8), suite="api"))
    first = run(shop, 1, a_report(names(10)), run="last")

    second = run(shop, 1, a_report(names(8), suite="api"), run="last")

    assert (first.is_incomplete, second.is_incomplete) == (True, False)


def test_a_report_that_broke_off_is_the_reason() -> None:
    shop = a_shop()
    whole = a_report(names(10))

    broken = run(shop, 1, whole[: whole.index(b'name="t7"')])

    assert broken.incomplete_sentence == "A report broke off. What came before the break is counted."
    assert not RunTally.objects.exists()


def test_a_new_project_has_nothing_usual() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), n=4)

    assert not run(shop, 1, a_report(names(2))).is_incomplete


def test_removed_tests_are_the_new_usual_after_three_runs() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), n=10)

    shrunk = [run(shop, 5 - step, a_report(names(5)), run=f"shrunk-{step}") for step in range(4)]

    assert [one.is_incomplete for one in shrunk] == [True, True, True, False]


def test_a_renamed_suite_lacks_nothing() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), a_report(names(4), suite="api"))

    assert not run(shop, 1, a_report(names(10)), a_report(names(4), suite="http")).is_incomplete


def test_tests_that_moved_to_another_file_are_not_missed_there() -> None:
    shop = a_shop()
    here, there = names(10), names(6, word="x")
    usual_runs(shop, a_report(here), a_report(there, suite="api"))
    moved = (a_report(here[:6]), a_report([*there, *here[6:]], suite="api"))

    runs = [a_settled_run(shop, day, *moved) for day in (5, 4, 3)]
    part = a_settled_run(shop, 2, moved[0])

    assert [one.is_incomplete for one in runs] == [False, False, False]
    assert part.incomplete_sentence == "The suite api is missing, which usually has 10 tests."
    settled = list(RunTally.objects.order_by("run_number").values())
    call_command("rebuild", shop.project.slug)
    assert list(RunTally.objects.order_by("run_number").values()) == settled


def a_settled_run(shop: Shop, day: int, *reports: bytes) -> Run:
    """Record a run and let the worker do all that follows, renames included."""
    started = (NOW - timedelta(days=day)).isoformat()
    upload = record(shop, *reports, started_at=started)
    settle_runs(project_id=shop.project.pk)
    return run_of(upload)


def test_a_file_that_is_its_own_suite_goes_with_an_everyday_change() -> None:
    shop = a_shop()
    files = [f"src/{word}.test.ts" for word in ("cart", "pay", "user")]
    reports = [
        report(
            *(passed(f"t{n}", classname=file, file=file) for n in range(1 if file == files[0] else 100)),
            suite=file,
        )
        for file in files
    ]
    usual_runs(shop, *reports)

    without_one_test = run(shop, 2, *reports[1:])
    without_many = run(shop, 1, *reports[:2])

    assert not without_one_test.is_incomplete
    assert without_many.incomplete_sentence.endswith("missing (49.8 %), most of them from src/user.test.ts.")


def test_one_run_of_a_part_does_not_make_parts_usual() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), n=9)
    part = run(shop, 3, a_report(names(1)), run="filtered")

    whole = run(shop, 2, a_report(names(10)), run="whole")
    another = run(shop, 1, a_report(names(1)), run="again")

    assert (part.is_incomplete, whole.is_incomplete, another.is_incomplete) == (True, False, True)


def test_pull_requests_that_run_what_changed_say_nothing_of_the_default_branch() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)))
    for day in range(20, 10, -1):
        some = names(10)[day % 5 : day % 5 + 3]
        changed = run(shop, day, a_report(some), branch="topic", pull_request=str(day), run=f"pr-{day}")
        assert not changed.is_incomplete

    assert not run(shop, 2, a_report(names(10)), run="whole").is_incomplete
    assert run(shop, 1, a_report(names(5)), run="part").is_incomplete


def test_a_job_of_the_night_is_compared_with_nights() -> None:
    shop = a_shop()
    for day in range(30, 10, -1):
        run(shop, day, a_report(names(10)), run=f"push-{day}", job="unit")
    nights = [
        run(shop, day, a_report(names(3), suite="load"), run=f"night-{day}", job="night")
        for day in range(9, 2, -1)
    ]

    assert not any(night.is_incomplete for night in nights)


def test_a_run_that_comes_late_changes_what_was_usual_for_later_ones() -> None:
    shop = a_shop()
    for day in range(30, 26, -1):
        run(shop, day, a_report(names(10)), run=f"r{day}")
    later = run(shop, 1, a_report(names(5)), run="later")

    run(shop, 20, a_report(names(10)), run="late")

    assert not later.is_incomplete
    assert sentence(shop, later.number).startswith("5 of the usual 10 tests are missing")


def test_a_growing_run_is_counted_again_when_it_has_grown_or_is_quiet() -> None:
    shop = a_shop()
    run(shop, 1, a_report(names(100)), run="r")
    record(shop, a_report(names(1, word="more")), run="r", started_at=(NOW - timedelta(days=1)).isoformat())

    settle(shop)
    waiting = Run.objects.get()
    settle(shop, at=timezone.now() + timedelta(minutes=3))
    settled = Run.objects.get()

    assert (waiting.n_judged, settled.n_judged) == (1, 2)
    assert RunTally.objects.get().n_tests == 101


def test_a_rebuild_judges_as_it_was_judged() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), a_report(names(4), suite="api"))
    run(shop, 3, a_report(names(10)), run="part")
    run(shop, 2, a_report(names(10)), a_report(names(4), suite="api"), run="whole")
    usual_runs(shop, a_report(names(10)), branch="topic", pull_request="7")
    before = list(Run.objects.order_by("number").values("number", "is_incomplete", "incomplete_sentence"))
    counted = list(RunTally.objects.order_by("run_number").values())

    call_command("rebuild", shop.project.slug)

    assert (
        list(Run.objects.order_by("number").values("number", "is_incomplete", "incomplete_sentence"))
        == before
    )
    assert list(RunTally.objects.order_by("run_number").values()) == counted
    assert [one["is_incomplete"] for one in before].count(True) == 1


def test_incomplete_runs_stay_out_of_trends_and_their_failures_count() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(4), seconds=2.0), a_report(names(6), suite="api", seconds=2.0))
    window = Window(
        "main", "main", since=(NOW - timedelta(days=60)).date(), until=NOW.date(), today=NOW.date()
    )
    before = queries.trend(shop.project, window)
    suite_before = queries.suite(shop.project, window)

    part = report(*(failed(name, classname="shop.unit", seconds=90.0) for name in names(4)), suite="unit")
    run(shop, 1, part, run="part")

    after, suite = queries.trend(shop.project, window), queries.suite(shop.project, window)
    assert [week.n_runs for week in after] == [week.n_runs for week in before]
    assert [sum(week.seconds.values()) for week in after] == pytest.approx(
        [sum(week.seconds.values()) for week in before]
    )
    assert sum(layer.seconds for layer in suite.layers) == pytest.approx(
        sum(layer.seconds for layer in suite_before.layers)
    )
    assert suite.totals.run_seconds_p50 == suite_before.totals.run_seconds_p50
    assert suite.totals.n_bad == 4


def test_pages_and_api_say_what_is_missing() -> None:
    shop = a_shop()
    usual_runs(shop, a_report(names(10)), a_report(names(4), suite="api"))
    part = run(shop, 1, a_report(names(10)), run="part")
    words = "The suite api is missing, which usually has 4 tests."
    bearer = {"authorization": f"Bearer {shop.token}"}

    page = shop.browser().get(f"/p/{shop.project.slug}/runs/{part.number}").content.decode()
    runs = shop.browser().get(f"/p/{shop.project.slug}/runs").content.decode()
    listed = shop.browser().get(f"/p/{shop.project.slug}/runs?format=json").getvalue().decode()
    verdict = Client().get("/api/v1/runs/part/verdict", headers=bearer).json()
    summary = Client().get("/api/v1/runs/part/summary.md", headers=bearer).content.decode()

    assert words in page
    assert words in runs
    assert words in listed
    assert (verdict["is_incomplete"], verdict["why_incomplete"]) == (True, words)
    assert words in summary
