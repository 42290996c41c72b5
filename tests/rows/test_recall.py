"""What a worker remembers of earlier reports: faster, and never anything else than reading them afresh."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection

from analysis import rebuilding
from ingest import recall
from projects.models import Project, Result, Test, TestDay
from projects.vocabulary import Outcome, UploadState
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, run_of, send, skipped
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db


def remembered(shop: Shop) -> int:
    """Return how many cases the worker remembers of the project."""
    project = Project.objects.get(pk=shop.project.pk)
    memory = recall.memory_of(
        project.pk, identities=project.identities, classified_at=project.reclassified_at
    )
    return memory.n_entries


def taught(shop: Shop, *cases: str, n: int = 2) -> None:
    """Record the cases so often that the worker remembers them."""
    for number in range(n):
        record(shop, report(*cases), run=f"t{number}", started_at="2026-03-01T10:00:00Z")


@pytest.mark.parametrize("n", [1, 3])
def test_timed_passes_are_remembered(n: int) -> None:
    shop = a_shop()

    taught(shop, passed("a"), failed("b"), skipped("c"), passed("d", seconds=None), n=n)

    assert remembered(shop) == 1


def test_results_of_remembered_tests_are_counted_like_all_others() -> None:
    shop = a_shop()
    cases = [passed(f"a{number}", seconds=0.01 * number) for number in range(1, 50)]
    taught(shop, *cases)

    upload = record(shop, report(failed("z"), *cases, skipped("y")), run="r1", branch="topic")

    run = run_of(upload)
    before = sums(shop.project.pk)
    rebuilding.rebuild(shop.project.pk)
    assert remembered(shop) == 49
    assert (run.n_tests, run.n_passed, run.n_failed, run.n_skipped) == (51, 49, 1, 1)
    assert run.seconds == pytest.approx(sum(0.01 * number for number in range(1, 50)) + 0.01)
    assert sums(shop.project.pk) == before


def test_a_remembered_test_that_fails_is_a_failure() -> None:
    shop = a_shop()
    taught(shop, passed("a"))

    upload = record(shop, report(failed("a")), run="r1")

    assert run_of(upload).n_failed == 1
    assert Test.objects.filter(project=shop.project).count() == 1


@pytest.mark.parametrize(
    ("cases", "outcome"),
    [
        ([failed("a"), passed("a")], Outcome.PASSED),
        ([passed("a"), failed("a")], Outcome.FAILED),
    ],
)
def test_a_remembered_case_keeps_its_place_among_the_attempts_of_a_test(
    cases: list[str], outcome: Outcome
) -> None:
    shop = a_shop()
    taught(shop, passed("a"), passed("b"))

    record(shop, report(passed("b"), *cases), run="r1")

    result = Result.objects.get(project_id=shop.project.pk, test_id=a_test_named(shop, "a").id, run_number=3)
    assert (result.outcome, result.n_attempts) == (outcome, 2)


def test_many_reports_in_one_upload_are_one_after_another() -> None:
    shop = a_shop()
    taught(shop, passed("a"), passed("b"))

    upload = record(shop, report(passed("a")), report(passed("b"), passed("c")), run="r1")

    assert upload.n_tests == 3
    assert run_of(upload).n_new == 1


def test_another_day_moves_the_sight_of_remembered_tests() -> None:
    shop = a_shop()
    taught(shop, passed("a"))

    record(shop, report(passed("a")), run="r1", started_at="2026-03-05T10:00:00Z")

    assert str(a_test_named(shop, "a").last_seen_on) == "2026-03-05"


def test_what_was_remembered_is_void_once_identities_change() -> None:
    shop = a_shop()
    taught(shop, passed("a"))
    old = a_test_named(shop, "a")
    Test.objects.filter(pk=old.pk).update(fingerprint=uuid.uuid4().bytes)
    Project.objects.filter(pk=shop.project.pk).update(identities=uuid.uuid4())

    record(shop, report(passed("a")), run="r1")

    assert set(Test.objects.filter(project=shop.project).values_list("name", flat=True)) == {"a"}
    assert Result.objects.get(project_id=shop.project.pk, run_number=3).test_id != old.id


def test_an_upload_whose_remembered_test_is_gone_is_read_once_more() -> None:
    shop = a_shop()
    taught(shop, passed("a"))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM projects_test WHERE project_id = %s", [shop.project.pk])
    TestDay.objects.all().delete()

    upload = record(shop, report(passed("a"), passed("b")), run="r1")

    assert upload.state == UploadState.DONE
    assert run_of(upload).n_tests == 2


def test_a_tag_that_says_when_it_ran_is_not_remembered() -> None:
    shop = a_shop()

    taught(shop, passed("a", timestamp="2026-03-01T10:00:00"), n=3)

    assert remembered(shop) == 0
    assert send(shop, report(passed("a")))["state"]


def test_a_worker_remembers_no_more_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall, "MOST_ENTRIES", 3)
    shop, other = a_shop(), a_shop("Other")

    taught(shop, *[passed(f"a{number}") for number in range(5)])
    taught(other, passed("b"), n=3)

    assert remembered(shop) + remembered(other) <= 4


def test_an_upload_that_teaches_nothing_is_held_as_nothing() -> None:
    assert list(recall.Lessons().parts()) == []
