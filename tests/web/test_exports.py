"""Every list can be had as CSV and JSON, whole and with the filters of its page."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse, StreamingHttpResponse

from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report

pytestmark = pytest.mark.django_db

LINK = re.compile(r'<a href="([^"]*format=(?:csv|json)[^"]*)"')
LISTS = (
    ("tests", "q=a&layer=unit&sort=-p95"),
    ("tests/{test}", "outcome=passed"),
    ("flaky", "q=pays"),
    ("failures", "branch=*"),
    ("slow", "layer=unit"),
    ("runs", "outcome=passed"),
    ("runs/{run}", "outcome=failed"),
    ("runs/compare", "a=1&b=14"),
    ("uploads", ""),
)


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project whose every list has rows."""
    shop = a_shop("Web")
    cases = [passed(f"case {n}", file="tests/unit/test_case.py", seconds=1.5) for n in range(120)]
    a_history(shop, "..R.R.FF.R.", name="pays")
    record(shop, report(*cases, failed("breaks")), branch="main", commit="a1", run="a")
    record(shop, report(*cases, failed("breaks")), branch="main", commit="a2", run="b")
    record(shop, report(passed("pays"), failed("breaks", message="new")), branch="main", commit="a3", run="c")
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def path_of(shop: Shop, place: str) -> str:
    """Return the address of a list."""
    return f"/p/web/{place.format(test=a_test_named(shop, 'pays').id, run=14)}"


def body(answer: Any) -> str:
    """Return what was answered, streamed or not."""
    if isinstance(answer, StreamingHttpResponse):
        return answer.getvalue().decode()
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


@pytest.mark.parametrize(("place", "query"), LISTS)
def test_a_list_leads_to_both_files_and_they_keep_its_filters(shop: Shop, place: str, query: str) -> None:
    browser = shop.browser()
    path = path_of(shop, place)

    links = [unescape(link) for link in LINK.findall(body(browser.get(f"{path}?{query}")))]

    found = {parse_qs(urlsplit(link).query)["format"][0]: link for link in links}
    assert set(found) == {"csv", "json"}
    for form, link in found.items():
        kept = parse_qs(urlsplit(link).query)
        assert {name: kept.get(name) for name in parse_qs(query)} == parse_qs(query)
        answer = browser.get(f"{path}{link}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith(
            {"csv": "text/csv", "json": "application/json"}[form]
        )


def test_the_file_of_a_comparison_has_every_test_that_differs(shop: Shop) -> None:
    answer = shop.browser().get(path_of(shop, "runs/compare"), {"a": "13", "b": "14", "format": "csv"})

    rows = list(csv.DictReader(io.StringIO(body(answer))))
    missing = [row for row in rows if row["difference"] == "missing"]
    assert len(missing) == 120  # the page lists the first hundred
    assert {(row["earlier"], row["later"]) for row in missing} == {("passed", "")}
    assert [row["test"] for row in rows if row["difference"] == "added"] == ["Cart › pays"]
    assert 'filename="web-runs-13-and-14-' in answer.headers["Content-Disposition"]


def test_the_file_of_a_test_has_its_results_newest_first(shop: Shop) -> None:
    answer = shop.browser().get(path_of(shop, "tests/{test}"), {"format": "json"})

    rows = json.loads(body(answer))
    assert len(rows["rows"]) == 12
    assert rows["rows"][0]["run"] == 14
    assert {row["outcome"] for row in rows["rows"]} == {"passed", "failed"}
