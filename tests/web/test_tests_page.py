"""The list of tests filters, sorts, pages and exports; a test's page tells its story with its evidence."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from tests.factories import (
    Shop,
    a_history,
    a_person,
    a_shop,
    a_test_named,
    errored,
    failed,
    passed,
    record,
    report,
    skipped,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def page(shop: Shop, query: str = "", place: str = "tests") -> str:
    """Return a page as its owner sees it, with plain spaces."""
    return shop.page(f"{place}{query}")


def names(text: str) -> list[str]:
    """Return the tests of a page in their order."""
    return re.findall(r'<a class="name clamp"[^>]*>([^<]*)</a>', text)


def test_one_test_is_listed_with_what_it_did(shop: Shop) -> None:
    record(shop, report(passed("adds", seconds=0.25)), branch="main", commit="a1")

    text = page(shop)

    assert "1 test ran on main in the last 30 days." in text
    assert 'aria-label="1 of 1 passed"' in text
    assert "250 ms" in text


def test_many_tests_are_paged_without_repeating_one(shop: Shop) -> None:
    cases = [passed(f"case {number:03}", seconds=0.01) for number in range(120)]
    record(shop, report(*cases), branch="main", commit="a1")

    pages = [names(page(shop, f"?page={number}")) for number in (1, 2, 3)]

    assert [len(found) for found in pages] == [50, 50, 20]
    assert len({name for found in pages for name in found}) == 120


def test_a_page_past_the_end_leads_back(shop: Shop) -> None:
    record(shop, report(passed("adds")), branch="main", commit="a1")

    text = page(shop, "?page=9")

    assert "The list has no page 9." in text


def test_a_search_that_matches_nothing_says_what_it_looked_for(shop: Shop) -> None:
    record(shop, report(passed("adds")), branch="main", commit="a1")

    text = page(shop, "?q=chekout&layer=e2e")

    assert "No tests match layer=e2e, q=chekout." in text
    assert 'id="chip-q"' in text


def test_another_projects_tests_are_not_listed(shop: Shop) -> None:
    other = a_shop("Other")
    record(other, report(passed("secret")), branch="main", commit="a1")
    record(shop, report(passed("adds")), branch="main", commit="a1")

    assert not any("secret" in name for name in names(page(shop)))


def test_the_header_of_the_sorted_column_says_so_and_turns_around(shop: Shop) -> None:
    record(shop, report(passed("b", seconds=1), passed("a", seconds=2)), branch="main", commit="a1")

    text = page(shop, "?sort=name")

    assert [name[-1] for name in names(text)] == ["a", "b"]
    assert re.search(r'aria-sort="ascending"><a class="sort" id="sort-name" href="\?sort=-name"', text)


def test_names_are_escaped(shop: Shop) -> None:
    record(shop, report(passed("<script>alert(1)</script>")), branch="main", commit="a1")

    assert "<script>alert" not in page(shop)


def test_a_list_is_a_file_of_all_its_rows(shop: Shop) -> None:
    cases = [passed(f"case {number:03}") for number in range(60)]
    record(shop, report(*cases), branch="main", commit="a1")

    response = shop.browser().get(f"/p/{shop.project.slug}/tests?format=csv")
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    rows = list(csv.DictReader(io.StringIO(body)))
    assert len(rows) == 60
    assert rows[0]["results"] == "1"
    assert response["Content-Disposition"].startswith('attachment; filename="web-tests-')


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(shop: Shop) -> None:
    record(shop, report(passed("=cmd()", classname="")), branch="main", commit="a1")

    response = shop.browser().get(f"/p/{shop.project.slug}/tests?format=csv")
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]

    assert not any(cell.startswith("=") for row in csv.reader(io.StringIO(body)) for cell in row)


def test_a_list_is_json_for_programs(shop: Shop) -> None:
    record(shop, report(passed("adds"), failed("subtracts")), branch="main", commit="a1")

    response = shop.browser().get(f"/p/{shop.project.slug}/tests?format=json&q=subtracts")
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]

    rows = json.loads(body)["rows"]
    assert [row["failed"] for row in rows] == [1]
    assert rows[0]["url"].startswith(f"/p/{shop.project.slug}/tests/")


def test_a_test_that_never_failed_says_so(shop: Shop) -> None:
    a_history(shop, "...")

    text = page(shop, place=f"tests/{a_test_named(shop, 'adds').id}")

    assert "It passed in all of 3 runs." in text
    assert "It did not fail in this window." in text


def test_a_flaky_test_shows_the_runs_that_prove_it(shop: Shop) -> None:
    a_history(shop, "..R.R..R.")

    text = page(shop, place=f"tests/{a_test_named(shop, 'adds').id}")

    assert "Proof" in text
    assert "failed, then passed on a retry in run #3" in text
    assert f'href="/p/{shop.project.slug}/runs/3"' in text


def test_failures_are_grouped_by_reason_with_their_text(shop: Shop) -> None:
    cases = failed(
        "adds", kind="IntegrityError", message="duplicate key value", text="psycopg.errors.UniqueViolation"
    )
    record(shop, report(cases), branch="main", commit="a1")

    text = page(shop, place=f"tests/{a_test_named(shop, 'adds').id}")

    assert "Failures by reason" in text
    assert "duplicate key value" in text
    assert "database" in text


def test_the_evidence_for_the_layer_is_told_in_words(shop: Shop) -> None:
    record(shop, report(passed("adds", file="tests/unit/test_cart.py")), branch="main", commit="a1")

    text = page(shop, place=f"tests/{a_test_named(shop, 'adds').id}")

    assert "Why unit" in text
    assert "tests/unit" in text


@pytest.mark.parametrize("case", [skipped("adds"), errored("adds"), passed("adds", seconds=None)])
def test_a_test_without_times_has_a_page_too(shop: Shop, case: str) -> None:
    record(shop, report(case), branch="main", commit="a1")

    text = page(shop, place=f"tests/{a_test_named(shop, 'adds').id}")

    assert "Facts" in text


def test_a_test_of_another_project_is_not_found(shop: Shop) -> None:
    record(shop, report(passed("adds")), branch="main", commit="a1")

    response = shop.browser(a_person()).get(f"/p/{shop.project.slug}/tests/1")

    assert response.status_code == 404
    assert shop.browser().get(f"/p/{shop.project.slug}/tests/99").status_code == 404
