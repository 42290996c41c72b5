"""Another branch is read once for a page: every number is that of its results."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analysis import queries
from analysis.answers.rows import LayerAmount
from analysis.window import Window, read
from projects.models import Project, Result, Run, Test
from projects.vocabulary import Layer, Outcome
from tests.factories import Shop, a_shop, errored, failed, passed, record, report, retried, skipped

pytestmark = pytest.mark.django_db


def a_case(name: str, word: str, *, seconds: float) -> str:
    return passed(name, classname=f"tests.{word}.Case", file=f"tests/{word}/test_{name}.py", seconds=seconds)


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project with a branch in two windows: slower tests, new ones, bad ones, two environments, a budget that is over."""
    shop = a_shop()
    today = timezone.now().replace(hour=12)
    for days in (40, 38, 36, 33, 9, 7, 5, 3, 1):
        slower = 9.0 if days < 30 else 2.0
        cases = [
            a_case("buys", "integration", seconds=slower),
            a_case("pays", "integration", seconds=4.0),
            a_case("adds", "unit", seconds=slower / 10),
            a_case("opens", "e2e", seconds=30.0),
            failed("breaks") if days % 2 else passed("breaks"),
            retried("wavers"),
            errored("falls"),
            skipped("waits"),
        ]
        cases += [a_case(f"new {days}", "unit", seconds=0.02)] if days < 30 else []
        at = (today - timedelta(days=days)).astimezone(UTC).isoformat()
        for branch in ("main", "side"):
            for environment in ("linux", "mac"):
                run = f"{branch}-{days}"
                sent = {"run": run, "commit": run, "started_at": at, "environment": environment}
                record(shop, report(*cases), branch=branch, **sent)
    Project.objects.filter(pk=shop.project.pk).update(budgets={"integration": 5, "unit": 0.1})
    shop.project.refresh_from_db()
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def window_of(shop: Shop, **params: str) -> Window:
    params = {"branch": "side", **params}
    return read(params, today=timezone.now().date(), default_branch=shop.project.default_branch)


def counted(shop: Shop, *, since: date, until: date) -> tuple[tuple[LayerAmount, ...], list[int]]:
    """Return tests and seconds of each layer, then how many passed, went wrong and were skipped, one result after another."""
    of_tests = {test.id: test for test in Test.objects.filter(project=shop.project)}
    numbers = Run.objects.filter(project=shop.project, branch="side").values_list("number", flat=True)
    bases: dict[Layer, set[bytes]] = defaultdict(set)
    seconds: dict[Layer, float] = defaultdict(float)
    outcomes: Counter[Outcome] = Counter()
    found = Result.objects.filter(
        project_id=shop.project.pk, run_number__in=list(numbers), ran_on__range=(since, until)
    )
    for test_id, outcome, spent in found.values_list("test_id", "outcome", "seconds"):
        layer = Layer(of_tests[test_id].layer)
        bases[layer].add(bytes(of_tests[test_id].base))
        seconds[layer] += spent or 0.0
        outcomes[Outcome(outcome)] += 1
    amounts = tuple(LayerAmount(layer, len(bases[layer]), round(seconds[layer], 4)) for layer in Layer)
    n_bad = outcomes[Outcome.FAILED] + outcomes[Outcome.ERROR]
    return amounts, [outcomes[Outcome.PASSED], n_bad, outcomes[Outcome.SKIPPED]]


def test_the_suite_of_another_branch_is_that_of_its_results(shop: Shop) -> None:
    window = window_of(shop)
    told = queries.told(shop.project, window, with_before=True)

    now, before, _ = queries.suites_and_trend(shop.project, window, told=told)

    for suite, of in ((now, window), (before, window.previous)):
        amounts, outcomes = counted(shop, since=of.since, until=of.until)
        totals = suite.totals
        assert tuple(replace(one, seconds=round(one.seconds, 4)) for one in suite.layers) == amounts
        assert [totals.n_passed, totals.n_bad, totals.n_skipped] == outcomes
    assert (now.totals.n_tests, before.totals.n_tests) == (13, 8)
    assert queries.suite(shop.project, window) == now


@pytest.mark.parametrize("days", ["7d", "30d", "90d"])
def test_what_was_read_once_answers_as_results_do(shop: Shop, days: str) -> None:
    project, window = shop.project, window_of(shop, window=days)

    told = queries.told(project, window, with_before=True)

    assert queries.budgets(project, window, told=told) == queries.budgets(project, window)
    assert queries.changes(project, window, told=told) == queries.changes(project, window)
    assert queries.misfits(project, window, told=told) == queries.misfits(project, window)
    assert queries.slow(project, window, told=told) == queries.slow_and_totals(project, window)[0]


def test_the_branch_has_something_for_each_question(shop: Shop) -> None:
    window = window_of(shop)
    told = queries.told(shop.project, window, with_before=True)

    budgets = queries.budgets(shop.project, window, told=told)
    changes = queries.changes(shop.project, window, told=told)
    slow = queries.slow(shop.project, window, told=told)

    assert [budget.n_to_move > 0 for budget in budgets] == [True, True]
    assert [test.title for change in changes if change.kind == "slower" for test in change.tests] != []
    assert [row.test.n_flaky for row in slow.rows if row.test.title.endswith("wavers")] == [5, 5]


def test_a_branch_without_runs_comes_to_nothing(shop: Shop) -> None:
    window = window_of(shop, branch="unheard")
    told = queries.told(shop.project, window, with_before=True)

    now, before, _ = queries.suites_and_trend(shop.project, window, told=told)

    assert (now.totals.n_tests, before.totals.n_tests) == (0, 0)
    assert queries.slow(shop.project, window, told=told).rows == ()


@pytest.mark.parametrize("branch", ["", "*"])
def test_branches_with_sums_by_day_are_not_read(shop: Shop, branch: str) -> None:
    project, window = shop.project, window_of(shop, branch=branch)

    with CaptureQueriesContext(connection) as asked:
        queries.slow(project, window, told=queries.told(project, window, with_before=True))

    assert [one["sql"] for one in asked if "projects_result" in one["sql"]] == []


def test_the_results_of_another_project_are_not_counted(shop: Shop) -> None:
    other = a_shop("Other")
    record(other, report(passed("theirs")), branch="side", run="theirs")

    (now, _, _) = queries.suites_and_trend(other.project, window_of(other))

    assert now.totals.n_tests == 1
