"""The slow page says where the time goes, by layer and by test."""

from __future__ import annotations

import pytest

from tests.factories import Shop, a_shop, failed, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def page(shop: Shop, query: str = "") -> str:
    """Return the page as its owner sees it, with plain spaces."""
    return shop.page(f"slow{query}")


def a_mixed_report() -> bytes:
    """Return a report whose one e2e test takes nine tenths of its time."""
    return report(
        passed("pays", seconds=9.0, classname="Pay", file="tests/e2e/test_pay.py"),
        passed("adds", seconds=1.0, classname="Add", file="tests/unit/test_add.py"),
    )


def test_the_time_is_cut_by_layer(shop: Shop) -> None:
    record(shop, a_mixed_report(), branch="main", commit="a1")

    text = page(shop)

    assert 'aria-label="The time by layer: e2e 90 %, unit 10 %."' in text


def test_the_longest_test_comes_first_with_its_share(shop: Shop) -> None:
    record(shop, a_mixed_report(), branch="main", commit="a1")

    text = page(shop)

    assert text.index("pays</a>") < text.index("adds</a>")
    assert "90.0 %" in text


def test_a_filter_that_leaves_none_says_so(shop: Shop) -> None:
    record(shop, a_mixed_report(), branch="main", commit="a1")

    assert "No tests match q=nothing." in page(shop, "?q=nothing")


def test_no_data_is_not_zero_time(shop: Shop) -> None:
    assert "No results yet." in page(shop)


def test_the_list_is_a_file(shop: Shop) -> None:
    record(shop, a_mixed_report(), branch="main", commit="a1")

    response = shop.browser().get(f"/p/{shop.project.slug}/slow?format=csv")
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]

    assert len(lines) == 3


def test_a_slow_unit_test_that_breaks_at_the_database_is_called_a_misfit(shop: Shop) -> None:
    file = "tests/unit/test_save.py"
    for number in range(4):
        record(shop, report(passed("saves", seconds=0.5, file=file)), branch="main", commit=f"a{number}")
    broken = failed("saves", seconds=0.5, file=file, kind="IntegrityError", message="duplicate key value")
    record(shop, report(broken), branch="main", commit="b1")

    shown = page(shop)

    assert "Unlike their layer" in shown
    assert shown.index("Unlike their layer") < shown.index("saves</a>")
