"""Days' rows are as narrow as they can be: what they hold stays the same, through the migration and at the end of a count."""

from __future__ import annotations

import importlib
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from analysis import rebuilding, rollups
from projects.models import TestDay
from projects.partitions import partitions
from tests.factories import Shop, a_shop, errored, failed, passed, record, report, retried, skipped
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db

MIGRATION = importlib.import_module("projects.migrations.0023_narrow_days")
MIXED = (passed("a", seconds=0.1), failed("b"), errored("c"), skipped("d"), retried("e"))


def recorded(shop: Shop, *, days_ago: int, run: str = "", branch: str = "main") -> None:
    """Record a run that began so many days ago."""
    then = (timezone.now() - timedelta(days=days_ago)).isoformat()
    record(shop, report(*MIXED), run=run or f"r{days_ago}", branch=branch, started_at=then)


def bytes_a_row() -> float:
    """Return what the columns of a row of the days take, with the row's own header."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT avg(pg_column_size(d.*)) FROM projects_testday d WHERE timings <> ''")
        return float(cursor.fetchone()[0])


def test_the_migration_there_and_back_keeps_every_row_and_makes_them_narrower() -> None:
    shop = a_shop()
    recorded(shop, days_ago=1)
    recorded(shop, days_ago=1, run="again", branch="change")
    recorded(shop, days_ago=80)
    before, months, narrow = sums(shop.project.pk), partitions("projects_testday"), bytes_a_row()

    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.REMAKE.format(columns=MIGRATION.WIDE))
        wide = bytes_a_row()
        cursor.execute(MIGRATION.REMAKE.format(columns=MIGRATION.NARROW))

    assert sums(shop.project.pk) == before
    assert partitions("projects_testday") == months
    assert wide - narrow >= 16
    assert bytes_a_row() == narrow


def test_uploads_count_on_after_the_migration() -> None:
    shop = a_shop()
    recorded(shop, days_ago=1)
    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.REMAKE.format(columns=MIGRATION.WIDE))
        cursor.execute(MIGRATION.REMAKE.format(columns=MIGRATION.NARROW))

    recorded(shop, days_ago=1, run="again")

    before = sums(shop.project.pk)
    assert max(day.n_passed for day in TestDay.objects.filter(project_id=shop.project.pk)) == 2
    rebuilding.rebuild(shop.project.pk)
    assert sums(shop.project.pk) == before


def test_a_count_that_is_full_stays_full_and_adds_up_with_another() -> None:
    shop = a_shop()
    recorded(shop, days_ago=1)
    full = {"n_failed": rollups.MOST_A_DAY, "n_error": rollups.MOST_A_DAY, "n_skipped": rollups.MOST_A_DAY}
    TestDay.objects.filter(project_id=shop.project.pk).update(**full, n_flaky=rollups.MOST_A_DAY)

    recorded(shop, days_ago=1, run="again")

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(n_failed), max(n_error), max(n_skipped), max(n_flaky), max(n_failed + n_error) FROM projects_testday"
            " WHERE project_id = %s",
            [shop.project.pk],
        )
        assert cursor.fetchone() == (*[rollups.MOST_A_DAY] * 4, 2 * rollups.MOST_A_DAY)
