"""Likely causes are read from what was recorded: words, durations, neighbours and environments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import queries
from analysis.causes import CauseHint
from analysis.flaking import PASSES_A_SPELL
from analysis.tasks import settle_runs
from projects.models import Failure, Flake
from projects.vocabulary import Cause
from tests.factories import (
    Shop,
    a_history,
    a_shop,
    a_test_named,
    failed,
    passed,
    record,
    report,
    retried,
    skipped,
)

pytestmark = pytest.mark.django_db


def hint(shop: Shop, name: str = "a") -> CauseHint | None:
    """Return what is told of a test."""
    test = a_test_named(shop, name)
    return queries.causes(shop.project, [test.id], until=timezone.now().date()).get(test.id)


def fails(shop: Shop, n: int, *, seconds: float = 0.01, message: str = "1 != 2", name: str = "a") -> None:
    """Record runs in which a test fails."""
    for number in range(n):
        case = failed(name, seconds=seconds, message=message)
        record(shop, report(case, passed("fine")), run=f"{name}-{number}", commit=f"c{number}")


def retry(shop: Shop, *, number: int = 99) -> None:
    """Record a run in which the test waits in vain and passes on a retry."""
    case = retried("a", message="Timed out waiting for #pay")
    record(shop, report(case, passed("fine")), run=f"again-{number}", commit=f"again-{number}")


def test_a_test_that_never_failed_has_no_cause() -> None:
    shop = a_shop()
    record(shop, report(passed("a")))

    assert hint(shop) is None


def test_two_failures_are_not_enough_evidence() -> None:
    shop = a_shop()
    fails(shop, 2)

    found = hint(shop)

    assert found is not None
    assert found.cause is Cause.NOT_ENOUGH_EVIDENCE


def test_failures_that_wait_are_timing() -> None:
    shop = a_shop()
    fails(shop, 5, message="Timed out waiting for #pay")

    found = hint(shop)

    assert found is not None
    assert found.cause is Cause.TIMING
    assert "5 of 5 failures" in found.evidence


def test_words_that_were_kept_of_other_failures_speak_for_all_of_a_signature() -> None:
    shop = a_shop()
    fails(shop, 8, message="connect ECONNREFUSED 10.0.0.7:5432")

    found = hint(shop)

    assert found is not None
    assert found.cause is Cause.EXTERNAL_SERVICE
    assert "8 of 8" in found.evidence


def test_the_same_signature_in_three_tests_is_told() -> None:
    shop = a_shop()
    for name in ("a", "b", "c"):
        fails(shop, 3, name=name, message="connect ECONNREFUSED postgres:5432")

    found = hint(shop)

    assert found is not None
    assert "the same signature hit 3 tests" in found.evidence


def test_one_environment_of_two_is_told_where_the_failures_are() -> None:
    shop = a_shop()
    for number in range(12):
        case = failed("a", message="no such file") if number % 2 else passed("a")
        record(shop, report(case), run=f"w{number}", environment="windows", commit=f"c{number}")
        record(shop, report(passed("a")), run=f"l{number}", environment="linux", commit=f"c{number}")
        record(shop, report(passed("a")), run=f"m{number}", environment="mac", commit=f"c{number}")
    test = shop.project.tests.get(name="a", variant__contains="windows")

    found = queries.causes(shop.project, [test.id], until=timezone.now().date())[test.id]

    assert found.cause is Cause.ENVIRONMENT
    assert "windows" in found.evidence


def test_the_pages_tell_the_cause_with_its_recipe() -> None:
    shop = a_shop()
    a_history(shop, "..R.R..R.R.")
    test = a_test_named(shop, "adds")
    settle_runs(project_id=shop.project.pk)

    on_test = shop.browser().get(f"/p/{shop.project.slug}/tests/{test.id}").content.decode()
    on_flaky = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode()

    assert "Likely cause: not enough evidence" in on_test
    assert "not enough evidence" in on_flaky


def test_a_cause_is_looked_for_once_the_uploads_are_recorded_and_not_for_the_page() -> None:
    shop = a_shop()
    a_history(shop, "..R.R..R.R.")

    before = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode()
    settle_runs(project_id=shop.project.pk)
    after = shop.browser().get(f"/p/{shop.project.slug}/flaky").content.decode()

    assert "not looked for yet" in before
    assert "not looked for yet" not in after


def test_more_failures_of_the_same_day_can_show_a_cause() -> None:
    shop = a_shop()
    retry(shop)
    settle_runs(project_id=shop.project.pk)
    early = Flake.objects.get(project=shop.project).cause

    for number in range(4):
        retry(shop, number=number)
    settle_runs(project_id=shop.project.pk)

    assert early is None or early == Cause.NOT_ENOUGH_EVIDENCE
    assert Flake.objects.get(project=shop.project).cause == Cause.TIMING


def test_a_test_whose_failures_are_gone_is_asked_about_once() -> None:
    shop = a_shop()
    a_history(shop, "..R.R..R.R.")
    Failure.objects.filter(project=shop.project).delete()

    settle_runs(project_id=shop.project.pk)

    assert Flake.objects.get(project=shop.project).cause == Cause.NOT_ENOUGH_EVIDENCE


def test_two_flakes_in_one_test_are_two_entries_with_their_own_cause_and_rate() -> None:
    shop = a_shop()
    record(shop, report(passed("a"), passed("fine")), run="good", commit="g")
    fails(shop, 4, message="Timed out waiting for #pay")
    for n in range(3):
        case = failed("a", message="connect ECONNREFUSED 10.0.0.7:5432")
        record(shop, report(case, passed("fine")), run=f"more-{n}", commit=f"m{n}")

    response = shop.browser().get(f"/p/{shop.project.slug}/tests/{a_test_named(shop, 'a').id}")

    reasons = response.context["reasons"]
    assert [(reason.n_runs, reason.cause.cause) for reason in reasons] == [
        (4, Cause.TIMING),
        (3, Cause.EXTERNAL_SERVICE),
    ]
    assert [reason.rate for reason in reasons] == [4 / 8, 3 / 8]


# --- order and workers


def ordered(shop: Shop, orders: str, *, culprit: str = "dirties", hosts: Sequence[str] = ()) -> None:
    """Record a run a letter on a commit each: "F" fails right after the culprit, "f" after another, "." and "," pass alike."""
    now = timezone.now()
    for number, letter in enumerate(orders):
        others = [f"other{(number + n) % 5}" for n in range(4)]
        before = [*others[:2], culprit] if letter in "F," else [culprit, *others[:2]]
        case = retried("a") if letter in "Ff" else passed("a")
        cases = [*map(passed, before), case, passed(others[2])]
        body = report(*cases, suite="pytest")
        if hosts:
            host = f'<testsuite hostname="{hosts[number % len(hosts)]}"'.encode()
            body = body.replace(b"<testsuite", host)
        started = now - timedelta(hours=len(orders) - number)
        record(shop, body, run=f"r{number}", commit=f"c{number}", started_at=started.isoformat())


def test_a_failure_keeps_where_it_stood_and_on_which_machine() -> None:
    shop = a_shop()
    ordered(shop, ".F", hosts=["runner-17"])

    failure = Failure.objects.get()

    assert (failure.after_test, failure.place, failure.n_cases, failure.worker) == (
        a_test_named(shop, "dirties").id,
        4,
        5,
        "runner-17",
    )


def test_the_first_case_of_a_report_comes_after_nothing() -> None:
    shop = a_shop()
    first, second = report(passed("b"), passed("c")), report(failed("a"), passed("d"))

    record(shop, first, second, run="r", shard="2")

    failure = Failure.objects.get()
    assert (failure.after_test, failure.place, failure.n_cases, failure.worker) == (0, 1, 2, "shard 2")


def test_a_test_that_did_not_run_is_nobodys_predecessor() -> None:
    shop = a_shop()

    record(shop, report(passed("b"), skipped("c"), failed("a")))

    assert Failure.objects.get().after_test == 0


def test_failures_after_one_test_are_told_with_the_passes_that_did_not_come_after_it() -> None:
    shop = a_shop()
    ordered(shop, "....F" * 4 + "....f" + "....F" * 3)

    page = shop.page(f"tests/{a_test_named(shop, 'a').id}").replace("<wbr>", "")

    # seven of the eight failures have four passes after them
    assert "7 of 8 failures came right after shop.py::Cart::dirties, 0 of the 28 passes beside them." in page
    assert "pytest -p no:randomly shop.py::Cart::dirties shop.py::Cart::a" in page


def test_failures_after_one_test_that_all_passes_follow_too_tell_nothing() -> None:
    shop = a_shop()
    ordered(shop, ",,,,F" * 8)

    found = hint(shop)

    assert found is not None
    assert found.cause is Cause.NOT_ENOUGH_EVIDENCE


def test_failures_on_one_of_the_workers_that_cases_name_are_told() -> None:
    shop = a_shop()
    for number in range(28):
        named = f'<properties><property name="worker_id" value="gw{number % 4}"/></properties>'
        case = retried("a") if number % 4 == 2 else passed("a")
        own = case.replace("><flaky", f">{named}<flaky").replace("></testcase", f">{named}</testcase", 1)
        started = timezone.now() - timedelta(hours=40 - number)
        other = passed(f"other{number % 7}")
        record(
            shop, report(other, own), run=f"r{number}", commit=f"c{number}", started_at=started.isoformat()
        )

    found = hint(shop)

    # seven failures, and three passes after each but the last, which has one
    assert found is not None
    assert found.evidence == "7 of 7 failures were on the worker gw2, 0 of the 19 passes beside them."


def test_only_the_first_passes_after_a_failure_are_kept_beside_it() -> None:
    shop = a_shop()
    ordered(shop, "....F....F" + "." * 12)

    kept = Flake.objects.get().passes_seen

    assert len(kept) <= 2 * PASSES_A_SPELL
    assert [int(words.split()[0]) for words in kept] == sorted(int(words.split()[0]) for words in kept)


def test_failures_on_one_machine_of_four_are_told() -> None:
    shop = a_shop()
    ordered(shop, "..f." * 8, hosts=["runner-1", "runner-2", "runner-3", "runner-4"])

    found = hint(shop)

    assert found is not None
    assert found.cause is Cause.SHARED_STATE
    assert "failures were on the worker runner-3, 0 of the" in found.evidence
