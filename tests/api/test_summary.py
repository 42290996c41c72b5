"""The summary of a run as Markdown: what it says, when it is silent, and that names stay names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from analysis import refresh
from projects.models import Project
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, retried, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return a_shop("Web")


def run(shop: Shop, key: str, *cases: str, hours_ago: float = 0, **fields: str) -> None:
    """Record a run."""
    at = timezone.now() - timedelta(hours=hours_ago)
    record(
        shop, report(*cases), run=key, commit=f"c{key.replace('/', '-')}", started_at=at.isoformat(), **fields
    )


def some_runs(shop: Shop, *cases: str, n: int = 4) -> None:
    """Record runs that differ in nothing."""
    for number in range(n):
        run(shop, f"before-{number}", *cases, hours_ago=20 - number)


def ask(shop: Shop, key: str, *, token: str = "") -> tuple[int, str]:
    """Ask for the summary as CI does."""
    response = Client().get(
        f"/api/v1/runs/{quote(key)}/summary.md", headers={"authorization": f"Bearer {token or shop.token}"}
    )
    return response.status_code, response.content.decode()


def names(n: int) -> Sequence[str]:
    """Return the names of n tests."""
    return [f"test_{number}" for number in range(n)]


def test_a_run_like_those_before_says_nothing(shop: Shop) -> None:
    some_runs(shop, passed(), passed("b"))
    run(shop, "now", passed(), passed("b"))

    assert ask(shop, "now") == (204, "")


def test_a_new_failure_is_told_with_its_verdict(shop: Shop) -> None:
    some_runs(shop, *map(passed, names(30)))
    run(shop, "now", failed("test_0"), *map(passed, names(30)[1:]), branch="feature", pull_request="7")

    status, text = ask(shop, "now")

    test_id = a_test_named(shop, "test_0").id
    assert status == 200
    assert text.startswith("### Trophycase: 1 new failure\n\n[Run #5](http://")
    assert "on `feature` · 30 tests, 1 failed, 0 skipped" in text
    assert f"- [`Cart › test_0`](http://127.0.0.1:8000/p/web/tests/{test_id}): Likely" in text


def test_a_failure_of_the_default_branch_is_no_new_one(shop: Shop) -> None:
    some_runs(shop, *map(passed, names(30)))
    for n in range(3):
        run(shop, f"red-{n}", failed("test_0"), *map(passed, names(30)[1:]), hours_ago=5 - n)
    run(shop, "now", failed("test_0"), *map(passed, names(30)[1:]), branch="feature")

    _, text = ask(shop, "now")

    assert text.startswith("### Trophycase: 1 failure from before\n")
    assert "Failing on the default branch since run #5." in text


def test_a_flake_that_a_retry_saved_is_known_flaky(shop: Shop) -> None:
    some_runs(shop, passed(), passed("b"))
    run(shop, "now", retried(), passed("b"))

    _, text = ask(shop, "now")

    assert "### Trophycase: 1 known flaky" in text
    assert "**Passed when retried (1)**" in text


def test_slower_and_new_tests_are_told(shop: Shop) -> None:
    some_runs(shop, passed(seconds=1.0), passed("b"))
    refresh.reclassify(Project.objects.get(pk=shop.project.pk), now=timezone.now())
    run(shop, "now", passed(seconds=9.0), passed("b"), passed("c"))

    _, text = ask(shop, "now")

    assert text.startswith("### Trophycase: 1 slower test, 1 new test")
    assert "s → 9.0 s" in text
    assert "(+8.0 s)" in text


def test_a_crossed_budget_is_told_with_the_usual_time(shop: Shop) -> None:
    for n in range(4):
        run(shop, f"b{n}", passed(seconds=290), hours_ago=20 - n, layer="integration")
    run(shop, "now", passed(seconds=310), layer="integration")

    _, text = ask(shop, "now")

    assert "integration over budget" in text
    assert "integration 5 m 10 s of 5 m 00 s (usually 4 m 50 s), over budget." in text


def test_a_moved_balance_is_told(shop: Shop) -> None:
    for n in range(4):
        record(shop, report(*map(passed, names(8))), run=f"b{n}", layer="unit")
    record(shop, report(*map(passed, names(8))), run="now", layer="unit")
    record(shop, report(passed("e", classname="web.Pay")), run="now", job="e2e", layer="e2e")

    _, text = ask(shop, "now")

    assert "**Balance**: unit 100 % → 89 %, e2e 0 % → 11 % of the tests." in text


def test_a_job_that_runs_a_part_of_the_tests_says_nothing_of_the_balance(shop: Shop) -> None:
    for n in range(4):
        record(shop, report(*map(passed, names(8))), run=f"b{n}", layer="unit")
        record(shop, report(passed("e", classname="web.Pay")), run=f"b{n}", job="e2e", layer="e2e")
    record(shop, report(passed("e", classname="web.Pay")), run="now", job="e2e", layer="e2e")

    assert ask(shop, "now") == (204, "")


def test_a_list_shows_ten_and_counts_the_rest(shop: Shop) -> None:
    some_runs(shop, *map(passed, names(200)))
    run(shop, "now", *map(failed, names(14)), *map(passed, names(200)[14:]), branch="feature")

    _, text = ask(shop, "now")

    assert "**New failures (14)**" in text
    assert text.count("- [`Cart ›") == 10
    assert "- [and 4 more](" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("has `ticks`", "`` Cart › has `ticks` ``"),
        ("@everyone | <b>[x](y)", "`Cart › @everyone | <b>[x](y)`"),
        ("two\nlines", "`Cart › two lines`"),
    ],
)
def test_names_are_code_whatever_is_in_them(shop: Shop, name: str, shown: str) -> None:
    some_runs(shop, passed(name), *map(passed, names(30)))
    run(shop, "now", failed(name), *map(passed, names(30)))

    _, text = ask(shop, "now")

    assert f"- [{shown}](" in text


def test_a_run_that_is_not_read_yet_is_asked_for_again(shop: Shop) -> None:
    send(shop, report(passed()), run="now")

    response = Client().get("/api/v1/runs/now/summary.md", headers={"authorization": f"Bearer {shop.token}"})

    assert (response.status_code, response["Retry-After"], response.content) == (202, "5", b"")


def test_a_run_key_may_have_slashes(shop: Shop) -> None:
    run(shop, "a/b/4711", failed())

    assert ask(shop, "a/b/4711")[0] == 200


def test_runs_that_are_not_there_or_not_yours_are_refused(shop: Shop) -> None:
    other = a_shop("Other")
    run(shop, "now", failed())

    assert ask(shop, "never")[0] == 404
    assert ask(shop, "now", token=other.token)[0] == 404
    assert ask(shop, "now", token="tc_no")[0] == 401


def test_a_summary_costs_few_queries(
    shop: Shop, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    some_runs(shop, *map(passed, names(30)))
    run(shop, "now", failed("test_0"), *map(passed, names(30)[1:]))

    with django_assert_max_num_queries(20):
        ask(shop, "now")
