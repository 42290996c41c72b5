"""The end of a project: hidden at once, deleted in batches, and finished by the beat when a worker died."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from ingest.tasks import process_upload
from projects import access, ending, partitions
from projects.models import Project, Result, Upload
from projects.tasks import end_project, end_projects
from projects.vocabulary import UploadState
from tests.factories import Shop, a_history, a_shop, failed, passed, record, report, retried, send
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db


def a_full_shop(name: str = "Shop") -> Shop:
    """Return a project with something in most of its tables."""
    shop = a_shop(name)
    a_history(shop, "..R.F.R")
    record(shop, report(passed("a", seconds=1.0), failed("b"), retried("c")), branch="main")
    record(shop, b"this is not XML")
    return shop


def rows_of(project_id: int) -> Iterator[tuple[str, int]]:
    """Yield each table that has rows of the project, and how many."""
    for model in apps.get_app_config("projects").get_models():
        if any(field.attname == "project_id" for field in model._meta.concrete_fields):
            with connection.cursor() as cursor:
                table = model._meta.db_table
                cursor.execute(f"SELECT count(*) FROM {table} WHERE project_id = %s", [project_id])
                if n := cursor.fetchone()[0]:
                    yield table, n


def test_a_marked_project_is_hidden_and_its_token_opens_nothing() -> None:
    shop = a_full_shop()
    browser = shop.browser()

    ending.mark(shop.project, now=timezone.now())

    refused = Client().post(
        "/api/v1/uploads",
        report(passed()),
        content_type="application/xml",
        headers={"authorization": f"Bearer {shop.token}"},
    )
    assert browser.get("/p/shop/").status_code == 404
    assert "/p/shop/" not in browser.get("/?all=1").content.decode()
    assert refused.status_code == 401
    assert Result.objects.exists()


def test_the_address_of_a_marked_project_is_free() -> None:
    shop = a_full_shop()
    ending.mark(shop.project, now=timezone.now())

    again = access.create_project(name="Shop", owner=shop.owner)

    assert again.slug == "shop"


def test_an_upload_that_waited_is_not_recorded_any_more() -> None:
    shop = a_full_shop()
    upload_id = str(send(shop, report(passed("late")), run="late")["id"])
    before = sums(shop.project.pk)
    ending.mark(shop.project, now=timezone.now())

    process_upload(project_id=shop.project.pk, upload_id=upload_id)

    assert Upload.objects.get(id=upload_id).state == UploadState.RECEIVED
    assert sums(shop.project.pk) == before


def test_a_project_goes_with_every_row_and_takes_no_other_with_it() -> None:
    shop, other = a_full_shop(), a_full_shop("Other")
    before = dict(rows_of(other.project.pk))
    ending.mark(shop.project, now=timezone.now())

    end_project(project_id=shop.project.pk)

    assert dict(rows_of(shop.project.pk)) == {}
    assert dict(rows_of(other.project.pk)) == before
    assert set(Project.every.values_list("pk", flat=True)) == {other.project.pk}


def test_deleting_goes_in_batches_and_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = a_full_shop()
    ending.mark(shop.project, now=timezone.now())
    monkeypatch.setattr(ending, "BATCH", 2)

    calls = 1
    while not ending.delete_rows(shop.project.pk, most=10):
        assert Project.every.exists()
        calls += 1

    assert calls > 3
    assert dict(rows_of(shop.project.pk)) == {}


def test_a_project_that_nobody_marked_stays() -> None:
    shop = a_full_shop()

    end_project(project_id=shop.project.pk)
    end_projects()

    assert Project.objects.exists()
    assert ending.waiting() == []


def test_every_partitioned_table_is_emptied() -> None:
    names = {model._meta.db_table for model in apps.get_app_config("projects").get_models()}

    assert set(partitions.TABLES) <= names
