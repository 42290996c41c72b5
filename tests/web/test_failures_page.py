"""The failures page groups what failed by what it says, whichever tests it hit, and tells what is new."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Failure, Signature
from tests.factories import Shop, a_shop, failed, passed, record, report

pytestmark = pytest.mark.django_db

REFUSED = "connect ECONNREFUSED postgres:5432"


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def page(shop: Shop, query: str = "") -> str:
    """Return the page as its owner sees it, with plain spaces."""
    return shop.page(f"failures{query}")


def refuse(shop: Shop, n_runs: int, *names: str, **more: str) -> None:
    """Record runs in which these tests are refused a connection."""
    for n in range(n_runs):
        cases = [failed(name, kind="OperationalError", message=REFUSED) for name in names]
        record(shop, report(*cases, passed("fine")), run=f"refused-{n}", commit=f"c{n}", **more)


def test_a_project_without_runs_says_so(shop: Shop) -> None:
    assert "No results yet." in page(shop)


def test_runs_without_failures_say_over_how_many_runs(shop: Shop) -> None:
    record(shop, report(passed("a")), run="r1")

    text = page(shop)

    assert "Nothing failed on main in the last 30 days, over 1 run." in text
    assert "Boundary by week" not in text


def test_one_signature_over_many_tests_is_one_reason(shop: Shop) -> None:
    refuse(shop, 2, "a", "b", "c")

    text = page(shop)

    assert "6 failures on main in the last 30 days, for 1 reason; 1 is new this week." in text
    assert "hit <b>3 tests</b> in 2 runs" in text
    assert "ECONNREFUSED" in text


def test_the_heat_map_has_a_number_and_a_link_for_boundary_and_week(shop: Shop) -> None:
    refuse(shop, 2, "a", "b")
    boundary = Signature.objects.get(project=shop.project).get_boundary_display()

    text = page(shop)

    assert f"4 failures at {boundary.replace('-', ' ')}, week of" in text
    assert f"boundary={boundary}" in text


def test_a_boundary_filters_and_an_unknown_one_is_named(shop: Shop) -> None:
    refuse(shop, 1, "a")
    record(shop, report(failed("odd", message="1 != 2")), run="odd")

    none_found = page(shop, "?boundary=none-found")
    unknown = page(shop, "?boundary=moon")

    assert "1 failure on main in the last 30 days, for 1 reason" in none_found
    assert "ECONNREFUSED" not in none_found
    assert "boundary=moon" in unknown


def test_what_was_seen_before_this_week_is_not_new(shop: Shop) -> None:
    refuse(shop, 1, "a")
    Signature.objects.filter(project=shop.project).update(first_on=timezone.now().date() - timedelta(days=7))

    assert "none is new this week" in page(shop)


def test_failures_of_another_branch_are_seen_there_alone(shop: Shop) -> None:
    refuse(shop, 1, "a", branch="topic", pull_request="7")
    record(shop, report(passed("fine")), run="main")

    assert "Nothing failed on main" in page(shop)
    assert "1 failure on topic" in page(shop, "?branch=topic")
    assert "1 failure on any branch" in page(shop, "?branch=*")


def test_a_search_that_matches_none_says_so(shop: Shop) -> None:
    refuse(shop, 1, "a")

    assert "No failures match q=nothing." in page(shop, "?q=nothing")


@pytest.mark.parametrize(
    "sort", ["name", "-name", "boundary", "-tests", "runs", "-failures", "first", "-last", "x"]
)
def test_every_column_sorts(shop: Shop, sort: str) -> None:
    refuse(shop, 2, "a", "b")
    record(shop, report(failed("odd", message="1 != 2")), run="odd")

    assert "5 failures" in page(shop, f"?sort={sort}")


def test_the_list_is_a_file(shop: Shop) -> None:
    refuse(shop, 2, "a", "b")

    response = shop.browser().get(f"/p/{shop.project.slug}/failures?format=csv")
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    (row,) = csv.DictReader(io.StringIO(body))
    assert (row["tests"], row["runs"], row["failures"], row["newest_runs"]) == ("2", "2", "4", "2 1")


def test_another_projects_failures_are_not_here(shop: Shop) -> None:
    other = a_shop("Other")
    refuse(other, 1, "a")
    record(shop, report(passed("fine")), run="r1")

    assert "Nothing failed" in page(shop)
    assert shop.browser().get(f"/p/{other.project.slug}/failures").status_code == 404


def test_failures_in_an_incident_are_listed_and_marked(shop: Shop) -> None:
    refuse(shop, 1, "a")
    Failure.objects.filter(project=shop.project).update(in_incident=True)

    assert "1 failure in an incident" in page(shop)


def test_the_overviews_pass_rate_leads_here(shop: Shop) -> None:
    record(shop, report(passed("a")), run="r1")

    text = shop.browser().get(f"/p/{shop.project.slug}/").content.decode()

    assert f'href="/p/{shop.project.slug}/failures">Pass rate' in text
