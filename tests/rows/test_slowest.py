"""The tests that take most time are ranked before anything else is asked of them, and the list is that of a look at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analysis import queries, spans
from analysis.window import Window, read
from projects.vocabulary import Layer
from tests.factories import Shop, a_shop, failed, passed, record, report, skipped

pytestmark = pytest.mark.django_db

N_TESTS = 60


@pytest.fixture
def shop() -> Shop:
    """Return a project of sixty tests, two of each duration, and three without one, over four days."""
    shop = a_shop()
    cases = [passed(f"case {n:02}", seconds=1.0 + n // 2) for n in range(N_TESTS)]
    cases += [skipped("waits"), passed("untimed", seconds=None), failed("breaks", seconds=0.0)]
    for days in (6, 4, 2, 0):
        at = (timezone.now() - timedelta(days=days)).isoformat()
        record(shop, report(*cases), branch="main", run=f"r{days}", commit=f"c{days}", started_at=at)
    return shop


def window_of(shop: Shop, **params: str) -> Window:
    return read(params, today=timezone.now().date(), default_branch=shop.project.default_branch)


@pytest.mark.parametrize("branch", ["", "*"])
@pytest.mark.parametrize("sort", ["", "total", "-share", "-run", "name"])
@pytest.mark.parametrize("has_spans", [False, True])
def test_each_page_is_that_of_a_look_at_all_tests(
    shop: Shop, branch: str, sort: str, has_spans: bool
) -> None:
    if has_spans:
        spans.keep_up(shop.project, now=timezone.now())
    window = window_of(shop, branch=branch, sort=sort, size="25")

    for number in (1, 2, 3, 4):
        page = replace(window, page=number)
        listed, (looked_at, _) = queries.slow(shop.project, page), queries.slow_and_totals(shop.project, page)
        assert listed == looked_at


def test_what_takes_most_time_comes_first_and_ties_by_id(shop: Shop) -> None:
    listed = queries.slow(shop.project, window_of(shop, size="25"))

    first = [row.test for row in listed.rows[:3]]
    assert [test.title.rpartition(" › ")[2] for test in first] == ["case 58", "case 59", "case 56"]
    assert [(test.n_results, test.seconds) for test in first] == [(4, 120.0), (4, 120.0), (4, 116.0)]
    assert listed.n_total == N_TESTS
    # Two of each duration from 1 to 30 s, four times.
    assert listed.rows[0].share == pytest.approx(120.0 / (2 * 4 * sum(range(1, 31))))
    assert listed.rows[0].seconds_per_run == 30.0


def test_a_filter_narrows_the_list_and_not_the_shares(shop: Shop) -> None:
    every, some = (queries.slow(shop.project, window_of(shop, **params)) for params in ({}, {"q": "case 58"}))

    assert [row.test.id for row in some.rows] == [every.rows[0].test.id]
    assert some.rows[0].share == every.rows[0].share
    assert queries.slow(shop.project, window_of(shop, layer=Layer.E2E.word)).rows == ()


def test_only_tests_of_the_page_are_looked_up(shop: Shop) -> None:
    with CaptureQueriesContext(connection) as captured:
        queries.slow(shop.project, window_of(shop))

    statement = captured[1]["sql"]  # after the one that asks for the span
    assert statement.count("projects_test ") == 1
    assert statement.index("LIMIT 50") < statement.index("projects_test ")
