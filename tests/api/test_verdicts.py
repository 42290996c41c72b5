"""The gate's question: what each failure of a run most likely is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from projects import care
from projects.models import Failure, Quarantine
from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report

pytestmark = pytest.mark.django_db


def verdict(shop: Shop, key: str) -> Any:
    """Ask for the verdicts of a run."""
    return Client().get(f"/api/v1/runs/{key}/verdict", headers={"authorization": f"Bearer {shop.token}"})


def settle(shop: Shop, name: str, p: float | None) -> None:
    """Give the failures of a test this probability of being flaky."""
    Failure.objects.filter(
        project=shop.project, test_id__in=shop.project.tests.filter(name=name).values("id")
    ).update(p_flaky=p)


def test_a_run_without_failures_has_no_verdicts() -> None:
    shop = a_shop()
    record(shop, report(passed("a")), run="r1")

    answer = verdict(shop, "r1").json()

    assert (answer["number"], answer["n_failures"], answer["failures"]) == (1, 0, [])
    assert answer["url"].endswith("/runs/1")


@pytest.mark.parametrize(
    ("p", "word"),
    [(0.9, "known-flaky"), (0.89, "likely-flaky"), (0.5, "likely-flaky"), (0.49, "likely-yours")],
)
def test_a_failure_is_told_by_how_likely_it_is_flaky(p: float, word: str) -> None:
    shop = a_shop()
    record(shop, report(failed("a")), run="r1", branch="topic")
    settle(shop, "a", p)

    (failure,) = verdict(shop, "r1").json()["failures"]

    assert (failure["verdict"], failure["p_flaky"]) == (word, p)
    assert f"{p:.2f}" in failure["sentence"]


def test_without_evidence_a_failure_is_likely_the_changes() -> None:
    shop = a_shop()
    record(shop, report(failed("a")), run="r1", branch="topic")
    settle(shop, "a", None)

    (failure,) = verdict(shop, "r1").json()["failures"]

    assert (failure["verdict"], failure["p_flaky"]) == ("likely-yours", None)


def test_what_fails_on_the_default_branch_already_failed_before() -> None:
    shop = a_shop()
    a_history(shop, "..FF")
    record(shop, report(failed("adds")), run="pr", branch="topic", commit="abc", pull_request="7")

    (failure,) = verdict(shop, "pr").json()["failures"]

    assert (failure["verdict"], failure["failing_since"]) == ("failing-before", 3)


def test_what_passed_on_the_default_branch_last_did_not_fail_before() -> None:
    shop = a_shop()
    a_history(shop, "FF.")
    record(shop, report(failed("adds")), run="pr", branch="topic", commit="abc", pull_request="7")

    (failure,) = verdict(shop, "pr").json()["failures"]

    assert failure["failing_since"] is None


def test_a_flaky_history_makes_the_next_failure_a_known_flake() -> None:
    shop = a_shop()
    a_history(shop, "..R..R...R..R...")
    record(shop, report(failed("adds")), run="pr", branch="topic", commit="abc", pull_request="7")

    (failure,) = verdict(shop, "pr").json()["failures"]

    assert failure["verdict"] == "known-flaky"
    assert failure["status"] == "flaky"


def test_a_failure_that_a_later_attempt_forgave_is_none() -> None:
    shop = a_shop()
    record(shop, report(failed("a"), failed("b")), run="r1", job="j")
    record(shop, report(passed("a"), failed("b")), run="r1", job="j", attempt="2")

    answer = verdict(shop, "r1").json()

    assert [failure["name"] for failure in answer["failures"]] == ["b"]
    assert answer["n_failures"] == 1


def test_the_least_excusable_failure_comes_first() -> None:
    shop = a_shop()
    record(shop, report(failed("a"), failed("b"), failed("c")), run="r1", branch="topic")
    for name, p in (("a", 0.95), ("b", None), ("c", 0.1)):
        settle(shop, name, p)

    assert [failure["name"] for failure in verdict(shop, "r1").json()["failures"]] == ["b", "c", "a"]


def test_a_run_key_may_hold_slashes() -> None:
    shop = a_shop()
    record(shop, report(failed("a")), run="drone-o/r-4")

    assert verdict(shop, "drone-o%2Fr-4").json()["key"] == "drone-o/r-4"


def test_an_unknown_run_and_another_projects_run_are_the_same() -> None:
    mine, theirs = a_shop("Mine"), a_shop("Theirs")
    record(theirs, report(failed("a")), run="r1")

    answers = [verdict(mine, "r1"), verdict(mine, "r2")]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(404, "unknown_run")] * 2


def test_a_verdict_needs_a_token() -> None:
    assert Client().get("/api/v1/runs/r1/verdict").status_code == 401


# --- quarantine


def mute(shop: Shop, name: str) -> None:
    """Mute a test for two weeks."""
    test_id = a_test_named(shop, name).id
    care.mute(shop.project, test_id, reason="sandbox is down", n_days=14, by=shop.owner, now=timezone.now())


def quarantine(shop: Shop) -> Any:
    """Ask for the muted tests."""
    answer = Client().get("/api/v1/quarantine", headers={"authorization": f"Bearer {shop.token}"})
    assert answer.status_code == 200
    return answer.json()["tests"]


def test_a_muted_failure_is_named_with_its_reason_and_keeps_its_verdict() -> None:
    shop = a_shop()
    record(shop, report(failed("a"), failed("b")), run="r1", branch="topic")
    mute(shop, "a")

    failures = {failure["name"]: failure for failure in verdict(shop, "r1").json()["failures"]}

    until = (timezone.now() + timedelta(days=14)).date().isoformat()
    assert failures["a"]["quarantine"] == {"reason": "sandbox is down", "until_on": until}
    assert failures["a"]["verdict"] == failures["b"]["verdict"]
    assert f"Muted until {until}: sandbox is down" in failures["a"]["sentence"]
    assert failures["b"]["quarantine"] is None


def test_the_muted_tests_are_told_with_reason_person_and_last_day() -> None:
    shop = a_shop()
    record(shop, report(passed("a"), passed("b")), run="r1")
    mute(shop, "a")

    (muted,) = quarantine(shop)

    assert (muted["name"], muted["reason"], muted["by"]) == ("a", "sandbox is down", shop.owner.username)
    assert muted["until_on"] == (timezone.now() + timedelta(days=14)).date().isoformat()


def test_a_quarantine_that_is_over_mutes_nothing_even_before_upkeep() -> None:
    shop = a_shop()
    record(shop, report(failed("a")), run="r1")
    mute(shop, "a")
    Quarantine.objects.update(until_on=timezone.now().date() - timedelta(days=1))

    (failure,) = verdict(shop, "r1").json()["failures"]

    assert quarantine(shop) == []
    assert failure["quarantine"] is None


def test_another_projects_quarantine_is_not_told() -> None:
    mine, theirs = a_shop("Mine"), a_shop("Theirs")
    record(theirs, report(failed("a")), run="r1")
    mute(theirs, "a")

    assert quarantine(mine) == []


def test_the_quarantine_needs_a_token() -> None:
    assert Client().get("/api/v1/quarantine").status_code == 401
