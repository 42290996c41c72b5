"""Every table of a page can be had as a file by its name, and short lists are searched, sorted and cut like the long ones."""

from __future__ import annotations

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from projects import access, care
from projects.models import DurationShift, Upload
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report

pytestmark = pytest.mark.django_db

FILE = "tests/integration/test_pay.py"
BESIDE = (
    ("slow", "slower"),
    ("slow", "misfits"),
    ("budgets", "growth"),
    ("budgets", "moves"),
    ("failures", "weeks"),
    ("tests/{test}", "reasons"),
    ("uploads", "problems"),
    ("uploads/{upload}", ""),
    ("quarantine", ""),
    ("settings/tokens", ""),
    ("settings/members", ""),
    ("settings/owners", ""),
)


@pytest.fixture
def shop() -> Shop:
    """Return a project with rows for every list: a budget that is crossed, a slower test, a misfit, and muted ones."""
    shop = a_shop("Web")
    cases = [passed("pays", seconds=400.0, file=FILE), passed("ships", seconds=9.0, file=FILE)]
    for number, more in enumerate(([], [], [passed("bills", seconds=50.0, file=FILE)])):
        at = (timezone.now() - timedelta(days=3 - number)).isoformat()
        record(
            shop, report(*cases, *more), branch="main", commit=f"a{number}", run=f"r{number}", started_at=at
        )
    message = "page.goto: Timeout 30000ms exceeded"
    broken = failed("pays", seconds=400.0, file=FILE, kind="TimeoutError", message=message)
    record(shop, report(broken), branch="main", commit="b1", run="b")
    record(shop, b"this is not XML", run="c")
    care.set_note(
        shop.project, a_test_named(shop, "ships").id, note="", owner="ada", by=shop.owner, now=timezone.now()
    )
    pays = a_test_named(shop, "pays").id
    DurationShift.objects.create(
        project=shop.project,
        test_id=pays,
        run_number=3,
        run_before=2,
        told_by_run=3,
        day=timezone.now().date(),
        told_on=timezone.now().date(),
        before_s=100.0,
        since_s=400.0,
    )
    for name, days in (("pays", 3), ("ships", 9)):
        test_id = a_test_named(shop, name).id
        care.mute(
            shop.project, test_id, reason=f"{name} waits", n_days=days, by=shop.owner, now=timezone.now()
        )
    return shop


def path_of(shop: Shop, place: str) -> str:
    """Return the address of a page, with the failing test and the refused upload in it."""
    upload = Upload.objects.get(project=shop.project, run_key="c")
    return f"/p/web/{place.format(test=a_test_named(shop, 'pays').id, upload=upload.id)}"


def rows_of(shop: Shop, path: str, query: str) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON."""
    rows: list[dict[str, Any]] = json.loads(shop.browser().get(f"{path}{query}").getvalue())["rows"]
    return rows


@pytest.mark.parametrize(("place", "part"), BESIDE)
def test_a_table_leads_to_its_own_file(shop: Shop, place: str, part: str) -> None:
    path = path_of(shop, place)
    query = f"?list={part}&format=" if part else "?format="

    shown = unescape(shop.browser().get(path).content.decode())

    assert f'href="{query}csv"' in shown
    assert f'href="{query}json"' in shown
    assert rows_of(shop, path, f"{query}json")
    assert shop.browser().get(f"{path}{query}csv").headers["Content-Type"].startswith("text/csv")


def test_the_files_of_budgets_name_the_layer_the_runs_and_the_tests(shop: Shop) -> None:
    grown = rows_of(shop, "/p/web/budgets", "?list=growth&format=json")
    moved = rows_of(shop, "/p/web/budgets", "?list=moves&format=json")

    assert {row["layer"] for row in (*grown, *moved)} == {"integration"}
    assert [row["test"] for row in moved] == ["Cart › pays"]
    assert moved[0]["per_run_s"] == 400.0


def test_a_name_that_no_list_has_leads_to_no_file(shop: Shop) -> None:
    answer = shop.browser().get("/p/web/slow?list=nothing&format=csv")

    assert answer.headers["Content-Type"].startswith("text/html")


def test_muted_tests_are_searched_and_sorted(shop: Shop) -> None:
    def names(query: str) -> list[str]:
        return [row["test"] for row in rows_of(shop, "/p/web/quarantine", f"?format=json{query}")]

    assert names("") == ["Cart › pays", "Cart › ships"]  # what ends first
    assert names("&sort=-until") == ["Cart › ships", "Cart › pays"]
    assert names("&sort=-name") == ["Cart › ships", "Cart › pays"]
    assert names("&q=SHIPS+waits") == ["Cart › ships"]
    shown = shop.browser().get("/p/web/quarantine?q=nothing").content.decode()
    assert "No muted tests match q=nothing." in shown
    assert "2 tests are muted in CI." in shown.replace("\u202f", " ")


def test_projects_are_sorted_searched_and_had_as_a_file(shop: Shop) -> None:
    access.create_project(name="Archive", owner=shop.owner)

    def names(query: str) -> list[str]:
        return [row["name"] for row in rows_of(shop, "/", f"?format=json{query}")]

    assert names("") == ["Web", "Archive"]  # the one that failed
    assert names("&sort=name") == ["Archive", "Web"]
    assert names("&q=arch") == ["Archive"]
    assert "No projects match q=nothing." in shop.browser().get("/?q=nothing").content.decode()


def test_the_only_project_is_gone_to_unless_the_list_is_asked_for(shop: Shop) -> None:
    assert shop.browser().get("/").headers["Location"] == "/p/web/"
    assert shop.browser().get("/?all=1").status_code == 200
    assert shop.browser().get("/?sort=name").status_code == 200
