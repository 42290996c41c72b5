"""Pages say since which run a test is slower, and that a machine was slow."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import BucketWeek, DurationShift, Run
from projects.vocabulary import Layer, TimingBucket
from tests.factories import Shop, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db

TODAY = timezone.now().date()
FILE = "tests/integration/test_index.py"


@pytest.fixture
def shop() -> Shop:
    """Return a project of a test that takes 1 s in two runs, and 4 s since the third."""
    shop = a_shop("Web")
    for number, seconds in enumerate((1.0, 1.0, 4.0, 4.0), 1):
        at = timezone.now() - timedelta(hours=5 - number)
        record(
            shop,
            report(passed("indexes", seconds=seconds, file=FILE), passed("adds", seconds=9.0, file=FILE)),
            branch="main",
            commit=f"{number:x}" * 40,
            started_at=at.isoformat(),
        )
    return shop


def a_shift(shop: Shop, name: str, *, before_s: float, since_s: float, run_number: int = 3) -> None:
    """Keep that the test became slower or faster with this run."""
    DurationShift.objects.create(
        project=shop.project,
        test_id=a_test_named(shop, name).id,
        run_number=run_number,
        run_before=run_number - 1,
        told_by_run=4,
        day=TODAY,
        told_on=TODAY,
        before_s=before_s,
        since_s=since_s,
    )


def page(shop: Shop, place: str = "slow") -> str:
    """Return the page as its owner sees it, with plain spaces."""
    return shop.page(place)


def test_the_slow_page_names_the_run_and_the_commits(shop: Shop) -> None:
    a_shift(shop, "indexes", before_s=1.0, since_s=4.0)

    shown = page(shop)

    assert "1.0 s → 4.0 s, 4.0 times as long" in shown
    assert "2222222..3333333" in shown
    assert 'slower since <a href="/p/web/runs/3">#3</a>' in shown


def test_the_most_time_added_comes_first(shop: Shop) -> None:
    a_shift(shop, "adds", before_s=8.0, since_s=9.0)
    a_shift(shop, "indexes", before_s=1.0, since_s=4.0)

    shown = page(shop)
    listed = shown[shown.index('id="slower"') :]

    assert listed.index("indexes</a>") < listed.index("adds</a>")


def test_a_test_that_is_fast_again_is_not_slower(shop: Shop) -> None:
    a_shift(shop, "indexes", before_s=1.0, since_s=4.0)
    a_shift(shop, "indexes", before_s=4.0, since_s=1.0, run_number=4)

    assert 'id="slower"' not in page(shop)


def test_a_tenth_of_a_second_is_told_where_a_run_is_short(shop: Shop) -> None:
    # A run takes 10 s or 13 s, so a hundredth of the median run is 0.115 s.
    a_shift(shop, "adds", before_s=8.9, since_s=9.0)
    assert 'id="slower"' not in page(shop)

    a_shift(shop, "indexes", before_s=3.8, since_s=4.0)
    assert 'id="slower"' in page(shop)


def test_the_overview_counts_it_among_the_changes(shop: Shop) -> None:
    assert "slower test" not in page(shop, "")

    a_shift(shop, "indexes", before_s=1.0, since_s=4.0)

    assert "1 slower test" in page(shop, "")


def test_the_page_of_the_test_says_and_draws_it(shop: Shop) -> None:
    a_shift(shop, "indexes", before_s=1.0, since_s=4.0)

    shown = page(shop, f"tests/{a_test_named(shop, 'indexes').id}")

    assert 'Slower since <a href="/p/web/runs/3">#3</a>' in shown
    assert '"text":"slower since #3"' in shown


def test_another_project_sees_nothing_of_it(shop: Shop) -> None:
    a_shift(shop, "indexes", before_s=1.0, since_s=4.0)
    other = a_shop("Other")
    record(other, report(passed("indexes", seconds=1.0, file=FILE)), branch="main", commit="a")

    assert 'id="slower"' not in page(other)


def test_a_slow_machine_is_said_on_the_page_of_its_run(shop: Shop) -> None:
    Run.objects.filter(project=shop.project).update(machine_factor=1.0)
    Run.objects.filter(project=shop.project, number=4).update(machine_factor=1.5)

    assert "took 1.5 times as long as in the runs before" in page(shop, "runs/4")
    assert "This run&#x27;s machine" not in page(shop, "runs/3")


def test_a_machine_that_is_always_so_is_not_slow(shop: Shop) -> None:
    Run.objects.filter(project=shop.project).update(machine_factor=1.5)

    assert "machine was slow" not in page(shop, "runs/4")


def test_the_weeks_behind_are_drawn_with_their_table(shop: Shop) -> None:
    monday = TODAY - timedelta(days=TODAY.weekday())
    for week, n_slow in ((monday - timedelta(weeks=1), 1), (monday, 3)):
        for bucket, n in ((TimingBucket.FAST, 4 - n_slow), (TimingBucket.SLOW, n_slow)):
            BucketWeek.objects.create(
                project=shop.project,
                monday=week,
                layer=Layer.INTEGRATION,
                bucket=bucket,
                n_tests=n,
                seconds=float(n),
            )

    shown = page(shop)

    assert "25 % → 75 % slow" in shown
    assert "Tests and their time by timing, week by week" in shown
    assert "3 (3.0 s)" in shown
    asked = shop.browser().get(f"/p/{shop.project.slug}/slow?list=past&format=json")
    newest = json.loads(asked.getvalue())["rows"][0]
    assert (newest["slow_tests"], newest["slow_seconds"], newest["untimed_tests"]) == (3, 3.0, 0)
