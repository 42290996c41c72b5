"""The overview says the shape of the suite, what it is compared with, and why there is nothing where there is nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import queries
from analysis import window as windows
from projects.models import Upload
from projects.vocabulary import UploadState
from tests.factories import Shop, a_person, a_shop, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def page(shop: Shop, query: str = "") -> str:
    """Return the overview as its owner sees it, with plain spaces."""
    return shop.page(query)


def a_suite(n_unit: int, n_integration: int, n_e2e: int) -> bytes:
    """Return a report with so many tests a layer, told by their paths."""
    layers = (("unit", n_unit), ("integration", n_integration), ("e2e", n_e2e))
    return report(
        *(
            passed(
                f"case {number}",
                classname=f"tests.{word}.Case",
                file=f"tests/{word}/test_case.py",
                seconds=1.0,
            )
            for word, n in layers
            for number in range(n)
        )
    )


def test_the_overview_names_the_shape_and_its_shares(shop: Shop) -> None:
    record(shop, a_suite(15, 4, 1), branch="main", commit="a1")

    text = page(shop)

    assert "<h1>Web is a pyramid" in text
    assert re.search(r'aria-label="The shape by count: e2e 5 %, integration 20 %, unit 75 %\."', text)


def test_a_first_window_compares_with_nothing(shop: Shop) -> None:
    record(shop, a_suite(15, 4, 1), branch="main", commit="a1")

    text = page(shop)

    assert "no earlier window to compare with" in text


def test_each_headline_number_leads_to_its_rows(shop: Shop) -> None:
    record(shop, a_suite(15, 4, 1), branch="main", commit="a1")

    text = page(shop, "?window=7d")

    assert f'<a href="/p/{shop.project.slug}/tests?window=7d">Tests</a>' in text
    assert f'<a href="/p/{shop.project.slug}/tests?window=7d&amp;layer=unknown">No layer</a>' in text


def test_a_project_without_uploads_leads_to_sending_one(shop: Shop) -> None:
    text = page(shop)

    assert "No results yet." in text
    assert f"/p/{shop.project.slug}/uploads" in text


def test_refused_uploads_are_named_with_their_problem(shop: Shop) -> None:
    upload = record(shop, b"<html></html>", branch="main")
    assert Upload.objects.get(pk=upload.pk).state == UploadState.REJECTED

    text = page(shop)

    assert "1 upload arrived and could not be read:" in text


def test_a_branch_without_runs_offers_the_other_branches(shop: Shop) -> None:
    record(shop, a_suite(15, 4, 1), branch="topic", commit="a1")

    text = page(shop)

    assert "No runs on main in the last 30 days." in text
    assert 'href="?branch=*"' in text


def test_a_word_that_is_not_understood_is_named(shop: Shop) -> None:
    record(shop, a_suite(15, 4, 1), branch="main", commit="a1")

    text = page(shop, "?window=forever")

    assert "<code>window=forever</code>" in text


def test_a_stranger_sees_no_such_page(shop: Shop) -> None:
    record(shop, a_suite(15, 4, 1), branch="main", commit="a1")

    response = shop.browser(a_person()).get(f"/p/{shop.project.slug}/")

    assert response.status_code == 404


def test_a_visitor_signs_in_first(shop: Shop) -> None:
    from django.test import Client

    response = Client().get(f"/p/{shop.project.slug}/?window=7d")

    assert response.status_code == 302
    assert response["Location"] == f"/login?next=/p/{shop.project.slug}/%3Fwindow%3D7d"


def test_the_shape_page_says_the_least_that_meets_each_target(shop: Shop) -> None:
    record(shop, a_suite(10, 8, 2), branch="main", commit="a1")

    response = shop.browser().get(f"/p/{shop.project.slug}/shape")

    text = response.content.decode()
    assert "Move 4 integration tests down to unit" in text
    assert "pyramid" in text


def test_a_plan_shows_the_shape_it_leads_to(shop: Shop) -> None:
    record(shop, a_suite(10, 8, 2), branch="main", commit="a1")

    response = shop.browser().get(f"/p/{shop.project.slug}/shape?integration-to-unit=4")

    text = response.content.decode()
    assert "This plan makes a pyramid of 20 tests that fits the pyramid target by 100 of 100" in text


def test_a_test_of_few_passes_is_slower_by_its_mean_and_a_new_one_is_not(shop: Shop) -> None:
    now = timezone.now()
    before, since = (
        passed("drags", seconds=1.0),
        report(passed("drags", seconds=3.0), passed("begins", seconds=9.0)),
    )
    for days, body in [
        (42, report(before)),
        (41, report(before)),
        (40, report(before)),
        (3, since),
        (2, since),
        (1, since),
    ]:
        record(
            shop,
            body,
            branch="main",
            commit=f"c{days:039d}",
            started_at=(now - timedelta(days=days)).isoformat(),
        )

    found = queries.changes(shop.project, windows.read({}, today=now.date(), default_branch="main"))

    assert [[row.title for row in one.tests] for one in found if one.kind == "slower"] == [["Cart › drags"]]
