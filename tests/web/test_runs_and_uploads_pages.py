"""Runs and uploads: what arrived, what was refused and why, and the first visit."""

from __future__ import annotations

import json
import re
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
    return shop.page(place)


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


def test_the_verdict_counts_the_runs_with_failures_and_those_of_the_window_before(shop: Shop) -> None:
    days = {"2026-01-02": failed(), "2026-01-11": failed(), "2026-01-12": passed(), "2026-01-13": failed()}
    for day, case in days.items():
        record(shop, report(case), branch="main", started_at=f"{day}T08:00:00Z")

    text = page(shop, "runs?since=2026-01-11&until=2026-01-20")
    alone = page(shop, "runs?since=2026-01-11&until=2026-01-20&compare=off")

    assert "; 2 had failures, against 1 of 1 in the 10 days before." in text
    assert "; 2 had failures." in alone


def test_runs_sort_by_their_headers(shop: Shop) -> None:
    record(shop, report(passed(seconds=9.0)), branch="main")
    record(shop, report(passed(seconds=1.0)), branch="main")

    text = page(shop, "runs?sort=-time")

    assert text.index(">#1<") < text.index(">#2<")
    assert 'aria-sort="descending"' in text


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


def refused(shop: Shop, query: str = "layer=lint") -> None:
    """Send a request that is refused before it becomes an upload."""
    response = Client().post(
        f"/api/v1/uploads?{query}",
        report(passed()),
        content_type="application/xml",
        headers={"authorization": f"Bearer {shop.token}"},
    )
    assert response.status_code == 422


def test_requests_that_were_refused_at_the_door_are_counted_and_shown(shop: Shop) -> None:
    other = a_shop("Other")
    record(shop, report(passed()))
    refused(shop)
    refused(shop, "layer=style")
    refused(other)

    text = page(shop, "uploads")

    problems = text.split('id="problems"')[1].split("</section>")[0]
    assert "1 upload arrived: 1 was read. 2 requests were refused at the door." in text
    assert "bad_layer" in problems
    assert "&#x27;style&#x27;" in problems
    assert 'data-label="times">2</td>' in problems


def test_the_hours_stand_in_a_table_under_their_picture(shop: Shop) -> None:
    record(shop, report(passed()))
    record(shop, b"this is not XML")
    refused(shop)

    hours = page(shop, "uploads").split('id="by-hour"')[1].split("</section>")[0]

    cells = re.findall(r'<td class="num"[^>]*>(\d+)</td>', hours)
    assert re.search(r'<th scope="row">\d+ \w+, \d\d:00 UTC</th>', hours)
    # As every moment of a page: scripts put the reader's own zone into the words on hover.
    assert (
        len(
            re.findall(
                r'<time datetime="[^"]+:00:00\+00:00" title="[^"]+ UTC">\d+ \w+, \d\d:00 UTC</time>', hours
            )
        )
        == 2
    )
    assert [sum(map(int, cells[n::5])) for n in range(5)] == [1, 0, 2, 1, 0]
    assert hours.count("<rect") >= 2


def test_a_short_window_has_hours_alone(shop: Shop) -> None:
    record(shop, report(passed()))

    assert 'id="by-day"' in page(shop, "uploads?window=7d")
    assert 'id="by-day"' not in page(shop, "uploads?window=1d")


def test_problems_of_one_code_stand_together_with_their_newest_examples(shop: Shop) -> None:
    for n in range(5):
        record(shop, b"this is not XML" + b"\n" * n + b"<testsuite><a>", run=f"r{n}")

    problems = page(shop, "uploads").split('id="problems"')[1].split("</section>")[0]

    assert problems.count('<th scope="row" class="whole">') == 1
    assert 1 <= problems.count("<li>") <= 3
    assert 'data-label="times">5</td>' in problems


@pytest.mark.parametrize(
    ("q", "n"), [("c0ffee", 1), ("topic", 1), ("nightly", 1), ("refused", 1), ("not-xml", 1), ("main", 2)]
)
def test_readers_find_their_upload_by_what_they_know_of_it(shop: Shop, q: str, n: int) -> None:
    record(shop, report(passed("a")), commit="c0ffee12", branch="main")
    record(shop, report(passed("b")), branch="topic", job="nightly")
    record(shop, b"this is not XML", branch="main")

    rows = json.loads(shop.browser().get(f"/p/web/uploads?format=json&q={q}").getvalue())["rows"]

    assert len(rows) == n
    assert "1 upload arrived" not in page(shop, f"uploads?q={q}")


def test_a_search_without_a_match_says_so_and_leads_back(shop: Shop) -> None:
    record(shop, report(passed("a")))

    assert "No upload of this window matches the search." in page(shop, "uploads?q=nothing")


def test_the_first_visit_says_that_a_request_was_refused(shop: Shop) -> None:
    refused(shop)

    text = page(shop, "uploads")

    assert "1 request came and was refused:" in text
    assert "send one of" in text
