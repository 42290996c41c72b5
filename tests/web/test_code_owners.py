"""Owners by CODEOWNERS: sent with an upload or kept in the settings, given to the tests in the background."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from analysis import owning
from analysis.tasks import settle_runs
from ingest.tasks import process_upload
from projects.models import CodeOwners, Test
from projects.vocabulary import Role
from tests.factories import Shop, a_shop, passed, record, report

pytestmark = pytest.mark.django_db

FILE = "*  @shop/all\n/tests/e2e/  @shop/web ada@shop.example\n"
NOW = timezone.now()


def deliver(shop: Shop, text: str, *cases: str, days: int = 0, as_file: bool = True, **fields: str) -> None:
    """Send a report with a file of owners, as CI does, and let the worker do what follows."""
    cases = cases or (
        passed("a", classname="", file="tests/e2e/test_cart.py"),
        passed("b", classname="", file="tests/unit/test_price.py"),
        passed("c", classname="nowhere"),
    )
    parts: dict[str, object] = {
        "file": SimpleUploadedFile("report.xml", report(*cases)),
        "codeowners": SimpleUploadedFile("CODEOWNERS", text.encode()) if as_file else text,
        "started_at": (NOW - timedelta(days=days)).isoformat(),
        **fields,
    }
    answer = Client().post("/api/v1/uploads", parts, headers={"authorization": f"Bearer {shop.token}"})
    assert answer.status_code in (200, 202), answer.content
    process_upload(project_id=shop.project.pk, upload_id=answer.json()["id"])
    settle_runs(project_id=shop.project.pk)


def owners(shop: Shop) -> dict[str, str]:
    return dict(Test.objects.filter(project=shop.project).values_list("name", "owner"))


@pytest.mark.parametrize("as_file", [True, False])
def test_a_file_that_comes_with_an_upload_owns_its_tests(as_file: bool) -> None:
    shop = a_shop()

    deliver(shop, FILE, as_file=as_file)

    assert owners(shop) == {"a": "@shop/web ada@shop.example", "b": "@shop/all", "c": ""}


def test_new_tests_are_owned_by_the_file_that_is_known() -> None:
    shop = a_shop()
    deliver(shop, FILE)

    record(shop, report(passed("d", classname="", file="tests/e2e/test_pay.py")))
    settle_runs(project_id=shop.project.pk)

    assert owners(shop)["d"] == "@shop/web ada@shop.example"


def test_another_file_owns_the_tests_anew_and_spares_what_reports_say() -> None:
    shop = a_shop()
    named = (
        '<testcase name="e" file="tests/e2e/test_pay.py"><properties>'
        '<property name="owner" value="bob"/></properties></testcase>'
    )
    deliver(shop, FILE, passed("a", classname="", file="tests/e2e/test_cart.py"), named)

    deliver(shop, "/tests/e2e/ @shop/payments\n", passed("z"))

    assert owners(shop) == {"a": "@shop/payments", "e": "bob", "z": ""}


def test_pull_requests_other_branches_and_older_runs_change_no_owners() -> None:
    shop = a_shop()
    deliver(shop, FILE, days=5)

    deliver(shop, "* @eve\n", passed("x"), pull_request="7")
    deliver(shop, "* @eve\n", passed("y"), branch="topic")
    deliver(shop, "* @eve\n", passed("z"), days=9)

    assert CodeOwners.objects.get().text == FILE


def test_a_file_kept_by_a_person_stands_until_it_is_given_up() -> None:
    shop = a_shop()
    deliver(shop, FILE)
    address = f"/p/{shop.project.slug}/settings/owners"
    browser = shop.browser(shop.member(Role.EDITOR))

    kept = browser.post(address, {"text": "* @carol\n"}, follow=True)
    deliver(shop, "* @eve\n", passed("x", classname="", file="a.py"))
    by_hand = owners(shop)
    browser.post(address, {"do": "give-up"})
    deliver(shop, "* @eve\n", passed("y", classname="", file="b.py"))

    assert "keeps this file here" in kept.content.decode()
    assert by_hand["a"] == by_hand["x"] == "@carol"
    assert owners(shop)["a"] == owners(shop)["y"] == "@eve"


def test_lines_that_cannot_be_read_are_told_with_their_number() -> None:
    shop = a_shop()
    address = f"/p/{shop.project.slug}/settings/owners"

    wrong = shop.browser().post(address, {"text": "* @ada\n!x.py @bob\n"})
    deliver(shop, "* @ada\nb.py bob\n")
    page = shop.browser().get(address).content.decode()

    assert wrong.status_code == 422
    assert "Line 2: A pattern cannot be negated" in wrong.content.decode()
    assert "Line 2: &#x27;bob&#x27; is no owner" in page
    assert "CI sent this file" in page


def test_a_viewer_reads_the_owners_and_changes_none() -> None:
    shop = a_shop()
    address = f"/p/{shop.project.slug}/settings/owners"
    browser = shop.browser(shop.member(Role.VIEWER))

    assert browser.get(address).status_code == 200
    assert browser.post(address, {"text": "* @eve\n"}).status_code == 403
    assert shop.browser(a_shop().owner).get(address).status_code == 404


def test_a_test_is_found_by_each_of_its_owners() -> None:
    shop = a_shop()
    deliver(shop, FILE)

    page = shop.browser().get(f"/p/{shop.project.slug}/tests?owner=ada@shop.example&format=json")

    assert [row["owner"] for row in _rows(page)] == ["@shop/web ada@shop.example"]


def _rows(page: object) -> list[dict[str, str]]:
    import json

    found = json.loads(page.getvalue())  # type: ignore[attr-defined]
    return found if isinstance(found, list) else found["rows"]


def test_a_file_that_is_too_large_refuses_the_upload_with_its_size() -> None:
    shop = a_shop()
    parts = {
        "file": SimpleUploadedFile("report.xml", report(passed("a"))),
        "codeowners": SimpleUploadedFile("CODEOWNERS", b"# " + b"x" * 1_100_000),
    }

    answer = Client().post("/api/v1/uploads", parts, headers={"authorization": f"Bearer {shop.token}"})

    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert "CODEOWNERS" in answer.json()["message"]


def test_owning_again_changes_nothing() -> None:
    shop = a_shop()
    deliver(shop, FILE)

    assert owning.own(shop.project.pk) == 0
    assert owning.own(shop.project.pk, afresh=True) == 0
