"""Weighing every test again writes what changed and nothing else, says how far it is, and keeps the weeks' buckets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from analysis import bucket_weeks, queries, refresh, tasks
from analysis.window import read
from projects.models import BucketWeek, LayerDay, LayerRule, Project, RunLayer, Test
from projects.vocabulary import Layer, RuleField, TimingBucket
from tests.factories import Shop, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db

NOW = timezone.now()
UNIT, INTEGRATION = "tests/unit/test_add.py", "tests/integration/test_pay.py"


def a_shop_with_runs(n_runs: int = 4) -> Shop:
    """Return a project of a fast unit test and a slow integration test, a run a day."""
    shop = a_shop()
    for number in range(n_runs):
        record(
            shop,
            report(passed("adds", seconds=0.005, file=UNIT), passed("pays", seconds=2.0, file=INTEGRATION)),
            run=f"run-{number}",
            started_at=(NOW - timedelta(days=n_runs - 1 - number)).isoformat(),
        )
    return shop


def reclassified(shop: Shop) -> int:
    """Reclassify the project as it is now, and return how many tests moved."""
    project = Project.objects.get(pk=shop.project.pk)
    n_moved = refresh.reclassify(project, now=NOW)
    bucket_weeks.judge_weeks(project, today=NOW.date())
    return n_moved


def versions(shop: Shop) -> dict[str, str]:
    """Return the version of each test's row: it is another one once the row is written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, ctid::text FROM projects_test WHERE project_id = %s", [shop.project.pk])
        return dict(cursor.fetchall())


def a_rule(shop: Shop, pattern: str, layer: Layer) -> None:
    LayerRule.objects.create(
        project=shop.project, position=1, field=RuleField.PATH, pattern=pattern, layer=layer
    )


def test_a_second_look_writes_no_test() -> None:
    shop = a_shop_with_runs()
    reclassified(shop)
    before = versions(shop)

    n_moved = reclassified(shop)

    assert n_moved == 0
    assert versions(shop) == before


def test_a_second_look_knows_what_a_rule_says_in_any_letters() -> None:
    shop = a_shop_with_runs()
    a_rule(shop, 'tests/{unit,"ünit\\n"}/**', Layer.STATIC)
    reclassified(shop)
    before = versions(shop)

    n_moved = reclassified(shop)

    assert a_test_named(shop, "adds").layer == Layer.STATIC
    assert n_moved == 0
    assert versions(shop) == before


def test_a_rule_writes_the_tests_that_it_moves() -> None:
    shop = a_shop_with_runs()
    reclassified(shop)
    before = versions(shop)
    a_rule(shop, "tests/integration/**", Layer.E2E)

    n_moved = reclassified(shop)

    changed = {name for name, version in versions(shop).items() if version != before[name]}
    assert n_moved == 1
    assert changed == {"pays"}
    assert set(LayerDay.objects.values_list("layer", flat=True)) == {Layer.UNIT, Layer.E2E}
    assert set(RunLayer.objects.values_list("layer", flat=True)) == {Layer.UNIT, Layer.E2E}


def test_sums_that_an_upload_made_stale_are_made_again() -> None:
    shop = a_shop_with_runs()
    Test.objects.filter(name="pays").update(layer=Layer.E2E, sent_layer=Layer.E2E)
    refresh.want_reclassify(shop.project.pk, now=NOW, sums_are_stale=True)

    reclassified(shop)

    project = Project.objects.get(pk=shop.project.pk)
    assert set(LayerDay.objects.values_list("layer", flat=True)) == {Layer.UNIT, Layer.E2E}
    assert not project.sums_are_stale
    assert project.reclassify_wanted_at is None
    assert project.n_reclassified == 0


def test_other_limits_judge_every_test_and_every_week_again() -> None:
    shop = a_shop_with_runs()
    reclassified(shop)
    assert a_test_named(shop, "pays").bucket == TimingBucket.SLOW
    Project.objects.filter(pk=shop.project.pk).update(
        timing_limits={"integration": {"fast_s": 1.0, "slow_s": 2.2}}
    )

    reclassified(shop)

    # Under the new limit of 2.2 s, though not under four fifths of it.
    assert a_test_named(shop, "pays").bucket == TimingBucket.ACCEPTABLE
    assert not BucketWeek.objects.filter(layer=Layer.INTEGRATION, bucket=TimingBucket.SLOW).exists()


def test_the_same_limits_keep_a_slow_test_slow_until_it_is_clearly_faster() -> None:
    shop = a_shop_with_runs()
    reclassified(shop)
    for number in range(10, 20):
        record(shop, report(passed("pays", seconds=0.9, file=INTEGRATION)), run=f"run-{number}")

    reclassified(shop)

    assert a_test_named(shop, "pays").bucket == TimingBucket.SLOW


def test_a_week_counts_its_tests_and_their_time_by_bucket() -> None:
    shop = a_shop()
    sunday = NOW - timedelta(days=NOW.weekday() + 1)
    for number in range(3):
        record(
            shop,
            report(
                passed("adds", seconds=0.005, file=UNIT),
                passed("pays", seconds=2.0, file=INTEGRATION),
                passed("idles", seconds=None, file=UNIT),
            ),
            run=f"run-{number}",
            started_at=(sunday - timedelta(days=number)).isoformat(),
        )

    bucket_weeks.judge_weeks(Project.objects.get(pk=shop.project.pk), today=NOW.date())

    weeks = queries.bucket_weeks(
        shop.project, read({}, today=NOW.date(), default_branch=shop.project.default_branch)
    )
    by_layer = {week.layer: week for week in weeks}
    assert by_layer[Layer.UNIT].tests == {TimingBucket.UNTIMED: 1, TimingBucket.FAST: 1}
    assert by_layer[Layer.UNIT].n_timed == 1
    assert by_layer[Layer.INTEGRATION].tests == {TimingBucket.SLOW: 1}
    assert by_layer[Layer.INTEGRATION].seconds == pytest.approx({TimingBucket.SLOW: 6.0})


def test_weeks_that_are_over_are_judged_once() -> None:
    shop = a_shop()
    record(shop, report(passed()), run="1", started_at=(NOW - timedelta(weeks=4)).isoformat())
    record(shop, report(passed()), run="2")
    project = Project.objects.get(pk=shop.project.pk)

    assert bucket_weeks.judge_weeks(project, today=NOW.date()) == 2
    assert bucket_weeks.judge_weeks(project, today=NOW.date()) == 1
    bucket_weeks.forget(project.pk)
    assert bucket_weeks.judge_weeks(project, today=NOW.date()) == 2


# Somebody saves rules again while tests are weighed.
WISH_MEANWHILE = """
CREATE FUNCTION pg_temp.wish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE projects_project SET reclassify_wanted_at = clock_timestamp() WHERE id = NEW.project_id;
    RETURN NEW;
END $$;
CREATE TRIGGER wish BEFORE UPDATE ON projects_test FOR EACH ROW EXECUTE FUNCTION pg_temp.wish();
"""

Capture = Callable[[], AbstractContextManager[list[object]]]


def test_a_wish_that_comes_while_tests_are_weighed_is_heard_when_that_is_done(
    django_capture_on_commit_callbacks: Capture,
) -> None:
    shop = a_shop_with_runs()
    a_rule(shop, "tests/unit/**", Layer.E2E)
    refresh.want_reclassify(shop.project.pk, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute(WISH_MEANWHILE)

    with django_capture_on_commit_callbacks() as rung:
        tasks.reclassify_project(project_id=shop.project.pk)

    assert len(rung) == 1
    assert Project.objects.exclude(reclassify_wanted_at=None).filter(pk=shop.project.pk).exists()


def test_a_wish_that_is_fulfilled_rings_no_more(django_capture_on_commit_callbacks: Capture) -> None:
    shop = a_shop_with_runs()
    a_rule(shop, "tests/unit/**", Layer.E2E)
    refresh.want_reclassify(shop.project.pk, now=NOW)

    with django_capture_on_commit_callbacks() as rung:
        tasks.reclassify_project(project_id=shop.project.pk)

    assert rung == []
    assert not Project.objects.exclude(reclassify_wanted_at=None).filter(pk=shop.project.pk).exists()
