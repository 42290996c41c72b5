"""The budgets in full: where a layer stands by sum and by shard, what brought it there, what takes it back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Project
from tests.factories import Shop, a_shop, passed, record, report

pytestmark = pytest.mark.django_db

FILE = "tests/integration/test_orders.py"


@pytest.fixture
def shop() -> Shop:
    """Return a project with the budget of a new one: five minutes of integration tests."""
    return a_shop("Web")


def page(shop: Shop, place: str = "budgets") -> str:
    """Return the page as its owner sees it, with plain spaces."""
    return shop.page(place)


def a_run(shop: Shop, number: int, *, days_ago: int = 0, shards: int = 1, **seconds: float) -> None:
    """Record a run of integration tests, spread evenly over its shards."""
    cases = [passed(name, seconds=s, file=FILE) for name, s in seconds.items()]
    at = (timezone.now() - timedelta(days=days_ago)).isoformat()
    for shard in range(shards):
        fields = {"shard": f"{shard + 1}/{shards}"} if shards > 1 else {}
        record(
            shop,
            report(*cases[shard::shards]),
            branch="main",
            commit=f"a{number}",
            run=f"run-{number}",
            started_at=at,
            **fields,
        )


def test_a_layer_over_its_budget_names_the_fewest_tests_that_take_it_back(shop: Shop) -> None:
    a_run(shop, 1, imports=200.0, exports=100.0, bills=50.0)

    shown = page(shop)

    # 350 s of 300 s: the dearest test alone is enough.
    assert "Integration tests take 5 m 50 s a run, 50 s over the budget of 5 m." in shown
    assert "Moving or quickening 1 test (3 m 20 s) brings it back under the budget." in shown
    assert "imports</a></th>" in shown
    assert "exports</a></th>" not in shown


def test_the_slowest_shard_is_judged_beside_the_sum(shop: Shop) -> None:
    a_run(shop, 1, shards=2, imports=200.0, exports=100.0, bills=50.0)

    shown = page(shop)

    # Shard 1 has imports and bills, shard 2 exports.
    assert "the slowest of 2 shards stays within it with 4 m 10 s." in shown
    assert "4 m 10 s, 83 % of the budget" in shown


def test_near_its_end_it_warns(shop: Shop) -> None:
    a_run(shop, 1, imports=250.0)

    shown = page(shop)

    assert "83 % of the budget of 5 m, near its end." in shown
    assert "meter-warn" in shown
    assert "brings it under 80 % of it" in shown


def test_growth_is_told_by_the_run_that_brought_it(shop: Shop) -> None:
    a_run(shop, 1, days_ago=5, imports=100.0)
    a_run(shop, 2, days_ago=1, imports=100.0, exports=30.0, bills=12.0)

    shown = page(shop)

    assert "#2</a></th>" in shown
    assert "+42 s" in shown
    assert "2 new tests" in shown


def test_no_budget_says_so(shop: Shop) -> None:
    a_run(shop, 1, imports=100.0)
    Project.objects.filter(pk=shop.project.pk).update(budgets={})

    assert "No layer has a budget." in page(shop)


def test_without_runs_there_is_nothing_to_judge(shop: Shop) -> None:
    assert "No results yet." in page(shop)


def test_the_slow_page_leads_there(shop: Shop) -> None:
    a_run(shop, 1, imports=350.0)

    assert f'href="/p/{shop.project.slug}/budgets"' in page(shop, "slow")


def test_strangers_see_nothing(shop: Shop) -> None:
    other = a_shop("Other")

    assert other.browser().get(f"/p/{shop.project.slug}/budgets").status_code == 404


def test_runs_without_tests_of_the_layer_leave_its_budget_untouched(shop: Shop) -> None:
    record(shop, report(passed(file="tests/unit/test_sum.py")), branch="main")

    text = page(shop)

    assert "No integration tests ran, so the budget of 5 m is untouched." in text
    assert "No runs" not in text
