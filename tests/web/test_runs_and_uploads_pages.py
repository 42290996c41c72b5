"""Runs and uploads: what arrived, what was refused and why, and the first visit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.test import Client

from projects.models import Upload
from projects.vocabulary import Role, UploadState
from tests.factories import (
    Shop,
    a_person,
    a_shop,
    errored,
    failed,
    passed,
    record,
    report,
    retried,
    send,
    skipped,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def page(shop: Shop, place: str) -> str:
    """Return a page as its owner sees it, with plain spaces."""
    response = shop.browser().get(f"/p/web/{place}")
    assert response.status_code == 200
    return response.content.decode().replace("\u202f", " ").replace("\u00a0", " ")


def test_a_run_is_compared_with_the_newest_older_one_of_about_as_many_tests(shop: Shop) -> None:
    quick = [passed("adds", seconds=1.0)]
    full = [passed(f"case {number}", seconds=10.0) for number in range(10)]
    slower = [passed(f"case {number}", seconds=20.0) for number in range(10)]
    for number, cases in enumerate((full, quick, slower), start=1):
        record(
            shop,
            report(*cases),
            branch="main",
            commit=f"c{number}",
            started_at=f"2026-01-0{number}T08:00:00Z",
        )

    listed = page(shop, "runs?since=2026-01-01&until=2026-01-09")

    assert listed.count("delta-worse") == 1
    assert "in #1, the newest run before it with about as many tests" in listed
    assert "delta-better" not in listed


def test_a_run_says_what_it_brought(shop: Shop) -> None:
    record(shop, report(passed("a"), passed("b"), failed("c"), errored("d"), skipped("e"), retried("f")))

    text = page(shop, "runs/1")

    assert "1 failed, 1 ended in an error, 1 flaky; 3 tests passed, 1 skipped." in text


def test_what_failed_anew_stands_apart_from_what_failed_before(shop: Shop) -> None:
    record(shop, report(passed("new"), failed("old")), run="1", commit="a", branch="main")
    record(shop, report(failed("new"), failed("old")), run="2", commit="b", branch="main")

    text = page(shop, "runs/2")

    new = text.split('id="failed-new"')[1].split("</section>")[0]
    before = text.split('id="failed-before"')[1].split("</section>")[0]
    assert "Cart › new" in new
    assert "Cart › old" in before
    assert "failing since" in before


def test_the_results_of_a_run_are_filtered_by_the_url(shop: Shop) -> None:
    record(shop, report(passed("adds"), failed("pays")))

    shown = page(shop, "runs/1?outcome=failed").split('id="all"')[1]

    assert "Cart › pays" in shown
    assert "Cart › adds" not in shown


def test_a_message_from_a_report_cannot_become_markup(shop: Shop) -> None:
    record(shop, report(failed("x", message="<script>alert(1)</script>")))

    assert "<script>alert(1)" not in page(shop, "runs/1")


@pytest.mark.parametrize("place", ["runs/99", "uploads/00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_is_not_found(shop: Shop, place: str) -> None:
    assert shop.browser().get(f"/p/web/{place}").status_code == 404


def test_runs_are_listed_newest_first_and_exported(shop: Shop) -> None:
    record(shop, report(passed()), run="1", commit="a")
    record(shop, report(failed()), run="2", commit="b")

    text = page(shop, "runs")
    rows = json.loads(shop.browser().get("/p/web/runs?format=json").getvalue())["rows"]

    assert text.index(">#2<") < text.index(">#1<")
    assert [(row["run"], row["failed"]) for row in rows] == [(2, 1), (1, 0)]


def test_no_run_yet_leads_to_the_uploads(shop: Shop) -> None:
    assert "/p/web/uploads" in page(shop, "runs")


def test_the_first_visit_shows_how_to_send_and_waits(shop: Shop) -> None:
    text = page(shop, "uploads")

    assert "Waiting for the first upload" in text
    assert "pytest --junit-xml=report.xml" in text
    assert "/upload.py | python3 - upload --wait report.xml" in text
    assert 'hx-trigger="every 5s"' in text


def test_runner_and_ci_are_chosen_by_the_url(shop: Shop) -> None:
    text = page(shop, "uploads?tool=maven&ci=gitlab")

    assert "surefire.rerunFailingTestsCount" in text
    assert "after_script:" in text
    assert "{surefire,failsafe}-reports" in text


def test_the_waiting_page_stops_asking_after_ten_minutes(shop: Shop) -> None:
    text = page(shop, "uploads?waited=120")

    assert "stopped asking" in text
    assert "every 5s" not in text


def test_the_waiting_page_jumps_when_the_first_upload_is_read(shop: Shop) -> None:
    record(shop, report(passed()))
    browser = shop.browser()

    polled = browser.get("/p/web/uploads?waited=3", headers={"hx-request": "true"})
    looked = browser.get("/p/web/uploads?waited=3")

    assert polled.headers["HX-Redirect"] == "/p/web/"
    assert looked.headers["Location"] == "/p/web/"


def test_the_waiting_page_says_that_an_upload_was_refused(shop: Shop) -> None:
    record(shop, b"this is not XML")

    text = page(shop, "uploads?waited=3")

    assert "was refused" in text
    assert "See problems" in text


def test_a_refused_upload_is_listed_with_its_problem(shop: Shop) -> None:
    upload = record(shop, b"this is not XML")

    listed, alone = page(shop, "uploads"), page(shop, f"uploads/{upload.id}")

    assert "1 upload arrived: 0 were read, 1 refused." in listed
    assert 'id="problems"' in listed
    assert "This upload was refused." in alone


def test_an_upload_that_waits_is_counted_as_waiting(shop: Shop) -> None:
    send(shop, report(passed()))

    assert "1 waiting" in page(shop, "uploads")


def test_an_editor_puts_a_failed_upload_back_in_the_queue(shop: Shop) -> None:
    upload = record(shop, b"this is not XML")
    viewer, editor = shop.member(Role.VIEWER), shop.member(Role.EDITOR)
    path = f"/p/web/uploads/{upload.id}/again"

    refused = shop.browser(viewer).post(path)
    shop.browser(editor).post(path)

    assert refused.status_code == 403
    assert Upload.objects.get(id=upload.id).state == UploadState.RECEIVED


@pytest.mark.parametrize("place", ["runs", "runs/1", "uploads"])
def test_strangers_see_none_of_it(shop: Shop, place: str) -> None:
    record(shop, report(passed()))

    assert shop.browser(a_person()).get(f"/p/web/{place}").status_code == 404
    assert Client().get(f"/p/web/{place}").status_code == 302


def test_an_upload_of_another_project_is_not_found(shop: Shop) -> None:
    other = a_shop("Other")
    upload = record(other, report(passed()))

    assert shop.browser().get(f"/p/web/uploads/{upload.id}").status_code == 404
    assert (
        replace(shop, project=other.project).browser(other.owner).get("/p/other/uploads").status_code == 200
    )
