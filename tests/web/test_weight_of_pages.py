"""Pages stay light whatever tests are called and whatever their failures say."""

from __future__ import annotations

import pytest

from tests.factories import Shop, a_shop, failed, passed, record, report, retried

pytestmark = pytest.mark.django_db

MOST_BYTES = 150_000
N_TESTS = 55  # more than a page lists
N_RUNS = 20  # as many as a history strip shows
WORDS = "a_name_that_says_everything/about the case[chromium-"
TRACE = 'File "/app/shop/cart.py", line 20, in &lt;module&gt; raise Boom("it broke")\n' * 200


def name_of(number: int) -> str:
    return f"{number} {WORDS * 18}"[:990] + f"{number}]"


@pytest.fixture
def shop() -> Shop:
    """Return a project of tests with the longest names, half of which flake and half of which fail, all at length."""
    shop = a_shop()
    for run in range(N_RUNS):
        cases = [_case(number, run) for number in range(N_TESTS)]
        record(shop, report(*cases), run=f"run-{run}", commit=f"commit-{run}", branch="main")
    return shop


def _case(number: int, run: int) -> str:
    where = {"classname": "shop." + "Cart" * 200, "file": "tests/" + "deep/" * 150 + "test_cart.py"}
    message = f"{'kind ' + chr(97 + number % 26) * 3} " + "of a long explanation " * 45
    if number % 2 and (run + number) % 3 == 0:
        return retried(name_of(number), message=message, **where)
    if number % 2 == 0 and run >= N_RUNS - 2:
        return failed(
            name_of(number),
            message=message,
            text=TRACE,
            classname=where["classname"],
            file=where["file"],
        )
    return passed(name_of(number), classname=where["classname"], file=where["file"])


def test_no_page_of_long_names_and_long_failures_is_heavy(shop: Shop) -> None:
    reader = shop.browser()
    places = ("", "shape", "tests", "flaky", "failures", "slow", "runs", "runs/20", "runs/compare", "uploads")
    tests = [f"tests/{number}" for number in (1, 2)]

    weights = {
        place: len(reader.get(f"/p/{shop.project.slug}/{place}", follow=True).content)
        for place in (*places, *tests)
    }

    assert {place: weight for place, weight in weights.items() if weight > MOST_BYTES} == {}
