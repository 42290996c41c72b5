"""Months that are over are written anew, once and full, and nobody waits for it: with real transactions beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest
from django.db import connection, connections

from analysis import rebuilding
from config import embedded
from projects import repacking
from projects.partitions import TABLES, drop_months_before, ensure_months
from tests import addresses
from tests.factories import Shop, a_shop, failed, passed, record, report, send
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db(transaction=True)

OVER = date(2019, 3, 5)  # long before the months of other tests
SOON_AFTER, AFTER = date(2019, 4, 2), date(2019, 4, 9)
# As uploads leave an index: each run adds a result to every test.
RESULTS = """
INSERT INTO projects_result (project_id, test_id, run_number, ran_on, seconds, outcome, n_attempts)
SELECT %s, test, 1000 + run, %s, 0.1, 1, 1 FROM generate_series(1, 40) run, generate_series(1, 700) test ORDER BY run, test
"""
DAYS = """
INSERT INTO projects_testday (project_id, on_default, day, test_id, n_passed) SELECT %s, true, %s, test, 1
FROM generate_series(100, 30000) test
"""
DAYS_INDEX = "SELECT pg_relation_size('projects_testday_2019_03_pkey')"
SIZES = """
SELECT pg_relation_size('projects_result_2019_03_project_id_test_id_idx'), pg_total_relation_size('projects_testday_2019_03')
"""
INVALID = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


@pytest.fixture
def shop() -> Iterator[Shop]:
    """Return a project with results in a month that is over, which goes with the test."""
    with connection.cursor() as cursor:  # no test empties these, and what others left would be packed too
        cursor.execute("TRUNCATE projects_result, projects_testday")
    ensure_months({OVER})
    shop = a_shop()
    record(shop, report(passed("a"), failed("b")), run="r1", started_at=OVER.isoformat())
    yield shop
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM projects_resultbatch")
    for table in TABLES:
        drop_months_before(table, SOON_AFTER)


def fill(shop: Shop) -> None:
    """Give the month more rows than a page holds, those of its days written twice."""
    with connection.cursor() as cursor:
        cursor.execute(RESULTS, [shop.project.pk, OVER])
        cursor.execute(DAYS, [shop.project.pk, OVER])
    rewrite(shop)


def rewrite(shop: Shop, *, times: int = 1) -> None:
    """Write the rows of the days so many times, with what autovacuum does in between."""
    with connection.cursor() as cursor:
        for _ in range(times):
            cursor.execute(
                "UPDATE projects_testday SET n_passed = 2 WHERE project_id = %s", [shop.project.pk]
            )
            cursor.execute("VACUUM projects_testday_2019_03")


def asked(statement: str) -> tuple[int, ...]:
    """Return the one row of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(cursor.fetchone())


def pack_all(today: date) -> list[str]:
    """Do what tasks of one night do; return the indexes in their order."""
    return list(iter(lambda: repacking.pack_next(today), None))


def test_a_month_is_packed_once_it_is_over_and_only_once(shop: Shop) -> None:
    found = [pack_all(today) for today in (SOON_AFTER, AFTER, AFTER)]

    assert found == [
        [],
        ["projects_result_2019_03_project_id_test_id_idx", "projects_testday_2019_03_pkey"],
        [],
    ]


def test_a_packed_month_is_smaller_and_holds_the_same(shop: Shop) -> None:
    fill(shop)
    loose, before = asked(SIZES), sums(shop.project.pk)

    pack_all(AFTER)

    packed = asked(SIZES)
    assert packed[0] < 0.8 * loose[0]
    assert packed[1] < 0.8 * loose[1]
    assert sums(shop.project.pk) == before


def test_in_a_month_that_grows_an_index_is_made_anew_whenever_it_is_a_quarter_larger_than_it_was(
    shop: Shop,
) -> None:
    fill(shop)
    first = [pack_all(OVER), pack_all(OVER)]
    packed, before = asked(DAYS_INDEX), sums(shop.project.pk)
    rewrite(shop, times=16)
    loose = asked(DAYS_INDEX)

    again = [pack_all(OVER), pack_all(OVER)]

    assert first == again == [["projects_testday_2019_03_pkey"], []]
    assert loose[0] > 1.25 * packed[0]
    assert asked(DAYS_INDEX) == packed
    assert sums(shop.project.pk) == before
    assert len(pack_all(AFTER)) == 2


def test_a_late_upload_of_a_packed_month_counts_as_ever(shop: Shop) -> None:
    pack_all(AFTER)

    record(shop, report(passed("a"), passed("new")), run="late", started_at=OVER.isoformat())

    before = sums(shop.project.pk)
    assert len(before["days"]) == 3
    rebuilding.rebuild(shop.project.pk)
    assert sums(shop.project.pk) == before


def test_nothing_is_packed_while_an_upload_waits(shop: Shop) -> None:
    send(shop, report(passed("a")), run="waits")

    assert pack_all(AFTER) == []


def test_a_month_that_somebody_reads_is_left_to_the_next_night(
    shop: Shop, services: embedded.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repacking, "PATIENCE", "100ms")
    monkeypatch.setattr(repacking, "WITHOUT_HARM", "100ms")
    database = str(connections["default"].settings_dict["NAME"])

    with psycopg.connect(addresses.database_named(services.database_url, name=database)) as reader:
        reader.execute("SELECT count(*) FROM projects_result, projects_testday")
        tonight = pack_all(AFTER)
    tomorrow = pack_all(AFTER)

    assert tonight == []
    assert len(tomorrow) == 2
    assert asked(INVALID) == (0,)


def test_what_an_interrupted_night_left_is_swept(shop: Shop) -> None:
    fill(shop)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '1ms'")
        with pytest.raises(Exception, match="statement timeout"):
            cursor.execute("REINDEX INDEX CONCURRENTLY projects_result_2019_03_project_id_test_id_idx")
        cursor.execute("RESET statement_timeout")

    found = pack_all(AFTER)

    assert len(found) == 2
    assert asked(INVALID) == (0,)
