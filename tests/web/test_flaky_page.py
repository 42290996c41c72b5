"""The flaky page ranks tests by what they cost, says why, and praises nobody for missing data."""

from __future__ import annotations

import csv
import io

import pytest

from tests.factories import Shop, a_history, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def page(shop: Shop, query: str = "") -> str:
    """Return the page as its owner sees it, with plain spaces."""
    return shop.page(f"flaky{query}")


def test_a_project_without_runs_is_not_called_reliable(shop: Shop) -> None:
    text = page(shop)

    assert "No results yet." in text
    assert "Nothing to fix" not in text


def test_no_flakes_says_the_definition_and_over_how_many_runs(shop: Shop) -> None:
    a_history(shop, "...")

    text = page(shop)

    assert "No test was flaky in the last 30 days, over 3 runs." in text


def test_a_flaky_test_is_listed_with_its_sentence_and_runs(shop: Shop) -> None:
    a_history(shop, "..R.R..R.R.")

    text = page(shop)

    assert "1 test is flaky" in text
    assert 'class="badge badge-flaky"' not in text  # all of the list are
    assert "<summary" in text


def test_a_filter_that_leaves_none_says_so(shop: Shop) -> None:
    a_history(shop, "..R.R..R.R.")

    text = page(shop, "?q=nothing")

    assert "No flaky tests match q=nothing." in text


def test_the_list_is_a_file(shop: Shop) -> None:
    a_history(shop, "..R.R..R.R.")

    response = shop.browser().get(f"/p/{shop.project.slug}/flaky?format=csv")
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    rows = list(csv.DictReader(io.StringIO(body)))
    assert [row["status"] for row in rows] == ["flaky"]
    assert rows[0]["proof_runs"] == "3 5 8 10"


def test_another_project_has_none_of_it(shop: Shop) -> None:
    other = a_shop("Other")
    a_history(other, "..R.R..R.R.")
    record(shop, report(passed("adds")), branch="main", commit="a1")

    assert "Nothing to fix here." in page(shop)


def test_what_flakes_cost_stands_on_top_beside_the_window_before(shop: Shop) -> None:
    a_history(shop, "..F+.F+..F+.R.")

    text = page(shop)

    assert "Runs broken" in text
    assert "People&#x27;s time" in text
    assert "1 new in this window" in text


def test_a_proof_says_what_it_is(shop: Shop) -> None:
    a_history(shop, ("." * 6 + "F") * 5 + ".")
    test_id = a_test_named(shop, "adds").id

    text = shop.browser().get(f"/p/{shop.project.slug}/tests/{test_id}").content.decode()

    assert "with no sign of a break or a repair between" in text
    assert "on one commit" not in text
