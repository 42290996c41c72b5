"""Retention: bodies, results and sums end each in their own time, and no sum is lost with the results."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from analysis import rollups, tasks
from projects import retention
from projects.models import Failure, LayerDay, Project, Result, RunLayer, TestDay, Upload, UploadFile
from projects.partitions import TABLES, name_of, partitions
from tests.factories import Shop, a_shop, failed, passed, record, report
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db


def recorded(shop: Shop, *, days_ago: int) -> Upload:
    """Record a run that began and came so many days ago."""
    then = timezone.now() - timedelta(days=days_ago)
    upload = record(shop, report(passed("a"), failed("b")), run=f"r{days_ago}", started_at=then.isoformat())
    Upload.objects.filter(pk=upload.pk).update(received_at=then)
    return upload


def test_bodies_results_and_sums_end_each_in_their_own_time() -> None:
    shop = a_shop()
    for days_ago in (1, 40, 500, 900):
        recorded(shop, days_ago=days_ago)

    retention.keep_house(timezone.now())

    assert (UploadFile.objects.count(), Result.objects.count(), TestDay.objects.count()) == (1, 4, 6)
    assert (RunLayer.objects.count(), LayerDay.objects.count(), Failure.objects.count()) == (3, 3, 3)
    assert Upload.objects.count() == 4


def test_each_project_keeps_its_own_periods_and_a_month_goes_when_it_is_over_for_all() -> None:
    short, long = a_shop("Short"), a_shop("Long")
    Project.objects.filter(pk=short.project.pk).update(keep_results_days=30)
    for shop in (short, long):
        recorded(shop, days_ago=200)
    recorded(long, days_ago=700)
    then = timezone.now() - timedelta(days=700)

    retention.keep_house(timezone.now())

    assert set(Result.objects.values_list("project_id", flat=True)) == {long.project.pk}
    assert f"projects_result_{then:%Y_%m}" not in partitions("projects_result")
    assert f"projects_testday_{then:%Y_%m}" in partitions("projects_testday")


def test_the_night_makes_the_next_month_before_it_is_needed() -> None:
    next_month = timezone.now() + timedelta(days=31)
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS {name_of(table, next_month.date())}")

    tasks.upkeep()

    for table in TABLES:
        assert name_of(table, next_month.date()) in partitions(table)


def test_sums_outlive_their_results_through_rebuild_and_reclassification() -> None:
    shop = a_shop()
    for days_ago in (1, 500):
        recorded(shop, days_ago=days_ago)
    before = sums(shop.project.pk)
    retention.keep_house(timezone.now())

    call_command("rebuild", shop.project.slug)
    for since, until in rollups.months(shop.project.pk):
        rollups.relayer(shop.project.pk, since=since, until=until)

    assert Result.objects.count() == 2
    assert sums(shop.project.pk) == before


def test_an_upload_that_waits_keeps_its_body() -> None:
    shop = a_shop()
    upload = recorded(shop, days_ago=90)
    Upload.objects.filter(pk=upload.pk).update(state=1)

    retention.keep_house(timezone.now())

    assert UploadFile.objects.count() == 1


def test_deleting_goes_in_batches_within_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = a_shop()
    record(shop, report(*[passed(f"t{n}") for n in range(25)]), run="r", started_at="2020-01-05T00:00:00Z")
    Project.objects.update(keep_sums_days=5_000)
    monkeypatch.setattr(retention, "BATCH", 10)
    monkeypatch.setattr(retention, "MOST_BATCHES", 2)
    monkeypatch.setattr(retention, "_drop", lambda *_: None)

    retention.keep_house(timezone.now())
    left = Result.objects.count()
    retention.keep_house(timezone.now())

    assert (left, Result.objects.count()) == (5, 0)


def test_rebuild_says_which_project_it_does_not_know() -> None:
    with pytest.raises(CommandError, match="no project nowhere"):
        call_command("rebuild", "nowhere")
    assert not connection.needs_rollback
