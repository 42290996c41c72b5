"""Every table of a page can be had as a file by its name, and short lists are searched, sorted and cut like the long ones."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from projects import access, care, subscribing
from projects.models import Channel, ChannelDelivery, DurationShift, Letter, Trust, Upload
from projects.vocabulary import ChannelKind
from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report

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
    ("settings/reports", ""),
    ("settings/readers", ""),
    ("settings/readers", "addresses"),
    ("", "shape-count"),
    ("", "shape-time"),
    ("", "trend"),
    ("shape", "count"),
    ("shape", "time"),
    ("shape", "trend"),
    ("shape", "targets"),
    ("shape", "candidates"),
    ("slow", "times"),
    ("slow", "buckets"),
    ("budgets", "integration"),
    ("uploads", "upload-hours"),
    ("uploads", "upload-days"),
    ("tests/{test}", "durations"),
    ("runs/1", "shape"),
)


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
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
    Letter.objects.create(
        project=shop.project,
        week_on=date(2026, 11, 9),
        built_at=timezone.now(),
        subject="web: one slower test",
    )
    subscribing.add_reader(shop.project, "ada", email="ada@example.net")
    for name in ("shop/web", "shop/api"):
        Trust.objects.create(project=shop.project, issuer="https://issuer.example", repository=name)
    for name in ("Team", "All"):
        channel = Channel.objects.create(
            project=shop.project, kind=ChannelKind.MAIL, name=name, address="a@example.net"
        )
        now = timezone.now()
        ChannelDelivery.objects.create(
            project=shop.project,
            channel=channel,
            subject=f"To {name}",
            message={},
            created_at=now,
            due_at=now,
        )
    for name, days in (("pays", 3), ("ships", 9)):
        test_id = a_test_named(shop, name).id
        care.mute(
            shop.project, test_id, reason=f"{name} waits", n_days=days, by=shop.owner, now=timezone.now()
        )
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


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


def test_the_data_under_a_chart_is_in_plain_numbers_in_its_file(shop: Shop) -> None:
    week = rows_of(shop, "/p/web/", "?list=trend&format=json")[0]
    by_time = rows_of(shop, "/p/web/shape", "?by=time&list=trend&format=json")[0]
    layers = rows_of(shop, "/p/web/", "?list=shape-count&format=json")

    assert {name: week[name] for name in ("integration_tests", "integration_share", "e2e_share")} == {
        "integration_tests": 3,
        "integration_share": 1.0,
        "e2e_share": 0.0,
    }
    assert by_time["integration_seconds"] > 400
    assert [row["tests"] for row in layers if row["layer"] == "integration"] == [3]


def test_the_weeks_of_flakes_are_a_file() -> None:
    shop = a_shop("Flaky")
    a_history(shop, "..R.R..R.R.")

    shown = unescape(shop.browser().get("/p/flaky/flaky").content.decode())
    weeks = rows_of(shop, "/p/flaky/flaky", "?list=flakes&format=json")

    assert 'href="?list=flakes&format=csv"' in shown
    assert len(weeks) == 12
    assert sum(week["new"] for week in weeks) == 1


def test_the_tests_of_a_plan_are_a_file_under_the_address_of_the_plan(shop: Shop) -> None:
    pays = a_test_named(shop, "pays").id
    plan = f"?as-e2e={pays}"

    shown = unescape(shop.browser().get(f"/p/web/shape{plan}").content.decode())
    marked = rows_of(shop, "/p/web/shape", f"{plan}&list=marks&format=json")

    assert f'href="{plan}&list=marks&format=csv"' in shown
    assert [(row["test"], row["layer"], row["would_be"]) for row in marked] == [
        ("Cart › pays", "integration", "e2e")
    ]


def test_the_search_of_a_plan_narrows_the_file_of_tests_to_mark(shop: Shop) -> None:
    found = rows_of(shop, "/p/web/shape", "?q=ships&list=candidates&format=json")

    assert [row["test"] for row in found] == ["Cart › ships"]


def test_two_runs_have_a_file_of_tests_and_one_of_layers(shop: Shop) -> None:
    pair = "?a=1&b=3"

    shown = unescape(shop.browser().get(f"/p/web/runs/compare{pair}").content.decode())
    layers = rows_of(shop, "/p/web/runs/compare", f"{pair}&list=layers&format=json")

    assert f'href="{pair}&format=csv"' in shown
    assert f'href="{pair}&list=layers&format=json"' in shown
    assert [
        (row["earlier_tests"], row["later_tests"]) for row in layers if row["layer"] == "integration"
    ] == [(2, 3)]


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


SORTED = (  # the address, the list's name, the words it is sorted by, the column of its file that follows the first
    ("slow", "slower", "name layer since change added", "test"),
    ("slow", "misfits", "name layer median total", "test"),
    ("budgets", "growth", "run more tests", "run"),
    ("budgets", "moves", "name time", "test"),
    ("tests/{test}", "reasons", "name boundary rate seen", "title"),
    ("uploads", "problems", "name times uploads last", "code"),
    ("shape", "targets", "name fit", "target"),
    ("runs/compare", "added", "name layer earlier later time change", ""),
    ("tests/{test}", "", "when run branch outcome time attempts", ""),
    ("runs/1", "", "outcome name layer time attempts", ""),
    ("runs", "", "number when failed flaky passed skipped new time branch", ""),
    ("uploads", "", "when run state branch job size results", ""),
    ("uploads/{upload}", "", "name file line", ""),
    ("settings/tokens", "", "name created used", "name"),
    ("settings/members", "", "name email role", "name"),
    ("settings/owners", "", "name tests unwell", "owner"),
    ("settings/readers", "", "name tests unwell", "owner"),
    ("settings/reports", "", "week name", ""),
    ("settings/trust", "", "name by used", "repository"),
    ("settings/channels", "sent", "channel when name", "channel"),
    ("?all=1", "", "name failed shape tests flaky runs bad last", ""),
)


@pytest.mark.parametrize(("place", "part", "words", "column"), SORTED)
def test_every_header_of_a_list_sorts_it_alone(
    shop: Shop, place: str, part: str, words: str, column: str
) -> None:
    path = "/" if place.startswith("?") else path_of(shop, place)
    name = f"sort-{part}" if part else "sort"
    asked = place if place.startswith("?") else "?b=3&a=1"

    for word in words.split():
        shown = unescape(shop.browser().get(f"{path}{asked}&{name}=-{word}").content.decode())

        header = shown.split(f'id="sort-{part}-{word}"' if part else f'id="sort-{word}"')[0][-150:]
        assert 'aria-sort="descending"' in header

    if column:
        first, *_ = words.split()
        listed = f"list={part}&" if part else ""
        rising, falling = (
            [row[column] for row in rows_of(shop, path, f"?{listed}format=json&{name}={sign}{first}")]
            for sign in ("", "-")
        )
        assert rising == sorted(rising, key=lambda value: str(value).lower())
        assert set(falling) == set(rising)
        assert falling == sorted(falling, key=lambda value: str(value).lower(), reverse=True)


def test_sorting_one_list_leaves_the_others_as_they_are(shop: Shop) -> None:
    shown = unescape(
        shop.browser().get("/p/web/slow?sort=name&page=1&sort-slower=-name&q=p").content.decode()
    )

    (link,) = re.findall(r'id="sort-misfits-median" href="([^"]+)"', shown)
    assert parse_qs(link.removeprefix("?")) == {
        "q": ["p"],
        "sort": ["name"],
        "sort-slower": ["-name"],
        "sort-misfits": ["-median"],
    }
    assert '<input type="hidden" name="sort-slower" value="-name">' in shown  # kept when a filter changes


def test_a_plan_and_two_runs_stay_when_their_lists_are_sorted(shop: Shop) -> None:
    plan = f"?as-e2e={a_test_named(shop, 'pays').id}"

    shape = unescape(shop.browser().get(f"/p/web/shape{plan}").content.decode())
    runs = unescape(shop.browser().get("/p/web/runs/compare?a=1&b=3").content.decode())

    assert f'id="sort-targets-fit" href="{plan}&sort-targets=-fit"' in shape
    assert f'id="sort-name" href="{plan}&sort=name"' in shape  # of the tests to mark
    assert 'id="sort-added-time" href="?a=1&b=3&sort-added=-time"' in runs


def test_a_list_is_not_sorted_by_what_it_does_not_have(shop: Shop) -> None:
    plain = rows_of(shop, "/p/web/slow", "?list=misfits&format=json")

    assert rows_of(shop, "/p/web/slow", "?list=misfits&format=json&sort-misfits=moon") == plain
