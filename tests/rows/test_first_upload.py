"""The first upload of a project makes its tests while it is read: the same rows as in turn, and nobody in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from analysis import rebuilding
from ingest import staging
from projects.locks import Lock
from projects.models import Project, Result, Test
from projects.vocabulary import UploadState
from tests.factories import Shop, a_shop, failed, passed, record, report, retried, run_of, skipped
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db

CASES = (
    passed("a", file="tests/unit/test_a.py", line="3"),
    passed("b", classname="tests.e2e.test_b.B", file="/builds/shop/shop/tests/e2e/test_b.py"),
    failed("c"),
    skipped("d"),
    retried("e"),
    passed("f", seconds=None),
    passed("a", file="tests/unit/test_a.py", line="3"),
    passed("g", group="slow"),
    passed("h", classname="Åre", file="tests/ünit/test_h.py"),
    *[passed(f"i{number}") for number in range(19)],
    skipped("j", seconds=0.0),
)
ONCE_EACH = tuple(dict.fromkeys(CASES))


@contextmanager
def beside(shop: Shop) -> Iterator[None]:
    """Be another upload of the project that records while the block lasts, so that none makes first tests alone."""
    other = connection.copy()
    key = [Lock.FIRST_TESTS.value, shop.project.pk]
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", key)
    try:
        yield
    finally:
        other.close()


@pytest.mark.parametrize("cases", [CASES, ONCE_EACH], ids=["twice", "once"])
@pytest.mark.parametrize("chunk", [1, 7, 4_000])
def test_first_tests_are_the_same_whether_made_at_once_or_in_turn(
    chunk: int, cases: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "CHUNK", chunk)
    at_once, in_turn = a_shop(), a_shop("Other")

    one = record(at_once, report(*cases), branch="main", layer="integration")
    with beside(in_turn):
        other = record(in_turn, report(*cases), branch="main", layer="integration")

    assert (one.state, run_of(one).n_new) == (other.state, run_of(other).n_new) == (UploadState.DONE, 28)
    assert rows(Test, at_once) == rows(Test, in_turn)
    assert rows(Result, at_once) == rows(Result, in_turn)
    assert sums(at_once.project.pk) == sums(in_turn.project.pk)


def test_the_second_upload_numbers_its_new_tests_after_the_first_ones() -> None:
    shop = a_shop()
    record(shop, report(passed("a"), passed("b")), run="r1")

    record(shop, report(passed("b"), passed("c"), passed("a")), run="r2")

    before = sums(shop.project.pk)
    rebuilding.rebuild(shop.project.pk)
    named = Test.objects.filter(project=shop.project).order_by("id").values_list("id", "name")
    assert list(named) == [(1, "a"), (2, "b"), (3, "c")]
    assert Project.objects.get(pk=shop.project.pk).n_tests == 3
    assert sums(shop.project.pk) == before


def test_a_first_upload_that_cannot_be_read_leaves_no_test() -> None:
    shop = a_shop()

    upload = record(shop, b"<testsuite><testcase")

    assert upload.state == UploadState.REJECTED
    assert not Test.objects.filter(project=shop.project).exists()
    assert record(shop, report(passed("a"))).state == UploadState.DONE


def test_a_first_upload_of_a_pull_request_makes_tests_that_the_default_branch_has_not_seen() -> None:
    shop = a_shop()

    record(shop, report(passed("a")), branch="topic", pull_request="7")

    test = Test.objects.get(project=shop.project)
    assert (test.first_run, test.first_main_on, test.last_main_on) == (1, None, None)
    assert test.first_seen_on == test.last_seen_on is not None


def rows(model: type[Test] | type[Result], shop: Shop) -> list[tuple[object, ...]]:
    """Return the rows of the project, without saying whose they are."""
    names = [
        field.name
        for field in model._meta.concrete_fields
        if field.name not in ("pk", "project", "project_id")
    ]
    found = model._default_manager.filter(project_id=shop.project.pk).values_list(*names)
    return sorted(
        (tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in found), key=repr
    )
