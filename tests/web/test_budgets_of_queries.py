"""No page asks the database more than twelve questions, and none reads results without a bound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects import access
from projects.models import Membership, Test
from projects.vocabulary import Role
from tests.factories import Shop, a_history, a_person, a_shop, failed, passed, record, report, retried

pytestmark = pytest.mark.django_db

MOST = 12
PAGES = (
    "",
    "?compare=off",
    "?by=time",
    "?branch=*",
    "?branch=change",
    "shape?branch=change",
    "shape",
    "shape?as-unit=5.6&e2e-to-unit=1&q=case",
    "tests",
    "tests?sort=-p95&layer=unit&q=a",
    "tests/{test}",
    "tests/{test}?page=2",
    "tests/{test}?outcome=failed",
    "flaky",
    "flaky?branch=*&sort=-people",
    "flaky?branch=change&status=flaky,broken",
    "failures",
    "failures?branch=change&boundary=none",
    "quarantine",
    "settings/muting",
    "slow",
    "slow?branch=change",
    "slow?branch=*",
    "slow?layer=unit&compare=off",
    "budgets",
    "budgets?branch=*",
    "runs",
    "runs?outcome=failed",
    "runs/{run}",
    "runs/compare",
    "runs/compare?a=1&b={run}",
    "runs/compare?format=csv",
    "tests?format=csv&outcome=failed",
    "slow?sort-slower=name&sort-misfits=-median",
    "tests/{test}?sort=-time&sort-reasons=name",
    "runs/{run}?sort=-time",
    "runs/compare?a=1&b={run}&sort-slower=-change",
    "uploads?sort=-size&sort-problems=name",
    "slow?list=buckets&format=json",
    "uploads",
    "settings/rules",
    "settings/targets",
    "settings/tokens",
    "settings/members",
    "settings/reports",
    "settings/limits",
    "settings/danger",
    "reports/weekly",
    "reports/weekly?whose=mine",
)
BOUNDS = ("Index Cond", "Recheck Cond", "Filter")


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project that has something for every part of every page: flakes, failures, budgets that are over."""
    shop = a_shop("Web")
    cases = [
        passed(f"case {n}", classname=f"tests.{word}.Case", file=f"tests/{word}/test_case.py", seconds=400.0)
        for word in ("unit", "integration", "e2e")
        for n in range(4)
    ]
    record(shop, report(*cases), branch="main", commit="a0", run="0")
    a_history(shop, "..R.R.FF.R.", name="pays")
    record(shop, report(*cases, failed("breaks"), retried("pays")), branch="main", commit="a1", run="a")
    record(shop, report(*cases, failed("breaks")), branch="main", commit="a2", run="b")
    record(shop, report(*cases, failed("breaks")), branch="change", commit="a3", run="c")
    record(shop, b"this is not XML", run="d")
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def path_of(shop: Shop, place: str) -> str:
    """Return the address of a page, with the flaky test and the newest run of the default branch in it."""
    test = Test.objects.get(project=shop.project, name="pays")
    return f"/p/{shop.project.slug}/{place.format(test=test.id, run=14)}"


def n_queries(browser: Client, path: str) -> int:
    """Return how many statements the page takes."""
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize("place", PAGES)
def test_a_page_asks_at_most_twelve_questions(shop: Shop, place: str) -> None:
    browser = shop.browser()

    assert n_queries(browser, path_of(shop, place)) <= MOST


def test_the_list_of_projects_asks_as_much_for_one_as_for_many() -> None:
    person = a_person()
    for number in range(9):
        Membership.objects.create(
            project=access.create_project(name=f"Project {number}", owner=a_person()),
            user=person,
            role=Role.VIEWER,
        )
    browser = Client()
    browser.force_login(person)

    assert n_queries(browser, "/") <= MOST


@pytest.mark.parametrize("place", PAGES)
def test_no_page_reads_results_without_a_bound(shop: Shop, place: str) -> None:
    browser = shop.browser()

    with plans() as found:
        assert browser.get(path_of(shop, place)).status_code == 200

    assert [read for plan in found for read in unbounded(plan)] == []


def test_a_statement_that_reads_all_results_is_found_out(shop: Shop) -> None:
    with plans() as found, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM projects_result WHERE project_id = %s", [shop.project.pk])

    assert [read for plan in found for read in unbounded(plan)] != []


@contextmanager
def plans() -> Iterator[list[dict[str, Any]]]:
    """Collect the plan of each statement on results, as it is where reading a table from end to end is dear."""
    found: list[dict[str, Any]] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "projects_result" in sql:
            with connection.cursor() as cursor:
                cursor.cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                plan = cursor.fetchone()[0]
            found.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        for habit_of_small_tables in ("seqscan", "hashjoin", "mergejoin"):
            cursor.execute(f"SET LOCAL enable_{habit_of_small_tables} = off")
    with connection.execute_wrapper(explain):
        yield found


def unbounded(plan: dict[str, Any]) -> list[str]:
    """Return the reads of results that neither a test nor a run bounds."""
    children = [read for child in plan.get("Plans", ()) for read in unbounded(child)]
    if not plan.get("Relation Name", "").startswith("projects_result"):
        return children
    conditions = " ".join(
        str(node.get(bound, "")) for node in (plan, *plan.get("Plans", ())) for bound in BOUNDS
    )
    is_bounded = "test_id =" in conditions or "run_number =" in conditions
    return (
        children
        if is_bounded
        else [*children, f"{plan['Node Type']} of {plan['Relation Name']}: {conditions}"]
    )
