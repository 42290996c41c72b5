"""Verdicts from recorded runs: flakes with the runs that prove them, apart from breaks and outages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis.flaking import age
from analysis.states import State
from ingest import failing
from projects.models import EnvironmentRun, Failure, Flake, FlakeEvent, FlakeProof, Run
from projects.vocabulary import FlakeRule, FlakeStatus
from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report

pytestmark = pytest.mark.django_db

N_OUTAGE = 30


def status_of(shop: Shop, name: str) -> FlakeStatus:
    """Return the verdict that the test's row carries."""
    return FlakeStatus(a_test_named(shop, name).flake_status)


def test_a_test_that_always_passes_has_no_row_of_its_own() -> None:
    shop = a_shop()

    a_history(shop, "." * 5)

    assert status_of(shop, "adds") is FlakeStatus.HEALTHY
    assert Flake.objects.count() == 0


def test_a_test_that_retries_forgive_again_and_again_is_flaky_with_its_runs() -> None:
    shop = a_shop()

    a_history(shop, "....R....R...R..")

    flake = Flake.objects.get()
    assert status_of(shop, "adds") is FlakeStatus.FLAKY
    assert flake.proof_runs == [5, 10, 14]
    assert set(FlakeProof.objects.values_list("rule", flat=True)) == {FlakeRule.RETRY}
    assert flake.rate_low is not None
    assert flake.rate is not None
    assert flake.rate_high is not None
    assert flake.rate_low < flake.rate < flake.rate_high


def test_one_flip_is_a_suspicion() -> None:
    shop = a_shop()

    a_history(shop, "......F+.")

    assert status_of(shop, "adds") in (FlakeStatus.SUSPECTED, FlakeStatus.FLAKY)
    proof = FlakeProof.objects.get()
    assert (proof.rule, proof.other_run, proof.run_number) == (FlakeRule.SAME_COMMIT, 7, 8)


def test_a_regression_is_broken_and_never_flaky() -> None:
    shop = a_shop()

    a_history(shop, "." * 10 + "FFFF")

    assert status_of(shop, "adds") is FlakeStatus.BROKEN


def test_a_mended_regression_is_healthy_again() -> None:
    shop = a_shop()

    a_history(shop, "." * 10 + "FFFF" + "." * 5)

    assert status_of(shop, "adds") is FlakeStatus.HEALTHY
    assert not FlakeEvent.objects.filter(after=FlakeStatus.FLAKY).exists()


def test_a_change_of_status_is_an_event_with_its_run() -> None:
    shop = a_shop()

    a_history(shop, "....R....R...R..")

    event = FlakeEvent.objects.get(after=FlakeStatus.FLAKY)
    assert event.test_id == a_test_named(shop, "adds").id
    assert event.run_number is not None
    assert 5 <= event.run_number <= 14


def test_an_outage_makes_no_test_flaky_and_is_told_on_the_run() -> None:
    shop = a_shop()
    names = [(f"t{n}", f"suite{n % 6}.Case") for n in range(N_OUTAGE)]
    calm = report(*[passed(name, classname=home) for name, home in names])
    storm = report(*[failed(name, classname=home, message="connection refused") for name, home in names])
    now = timezone.now()
    for n, body in enumerate([calm, calm, calm, storm, calm]):
        started = (now - timedelta(hours=5 - n)).isoformat()
        record(shop, body, run=f"r{n}", commit="c1" if n >= 3 else f"a{n}", started_at=started)

    run = Run.objects.get(number=4)
    assert run.is_incident
    assert str(N_OUTAGE) in run.incident_sentence
    assert Failure.objects.filter(in_incident=True).count() == N_OUTAGE
    assert Flake.objects.filter(status=FlakeStatus.FLAKY).count() == 0
    assert FlakeProof.objects.count() == 0


def test_what_failed_unexpectedly_is_remembered_for_each_environment() -> None:
    shop = a_shop()
    now = timezone.now()
    record(
        shop,
        report(passed("a"), passed("b")),
        run="r1",
        job="unit",
        started_at=(now - timedelta(hours=1)).isoformat(),
    )

    record(shop, report(failed("a"), passed("b")), run="r2", job="unit", started_at=now.isoformat())

    row = EnvironmentRun.objects.get(run_number=2)
    assert (row.environment, row.n_tests) == ("unit", 2)
    assert row.unexpected == [a_test_named(shop, "a").id]


def test_a_flake_not_seen_for_two_weeks_is_stale() -> None:
    shop = a_shop()
    a_history(shop, "....R....R...R..")

    age(shop.project.pk, now=timezone.now() + timedelta(days=20))

    assert status_of(shop, "adds") is FlakeStatus.STALE


def test_a_failure_keeps_the_chance_that_it_was_a_flake() -> None:
    shop = a_shop()

    a_history(shop, "....R....R...R..")

    assert all(p > 0.5 for p in Failure.objects.values_list("p_flaky", flat=True) if p is not None)
    assert Failure.objects.exclude(p_flaky=None).count() == 3


def test_a_failure_that_says_what_tests_of_another_branch_say_counts_a_quarter() -> None:
    shops = [a_shop(name=name) for name in ("spread", "alone")]
    now = timezone.now()
    for shop, words in zip(shops, ("the moon is down", "not the moon"), strict=True):
        calm = report(*[passed(name) for name in "abcd"])
        for n in range(3):
            record(
                shop, calm, run=f"r{n}", commit=f"c{n}", started_at=(now - timedelta(hours=9 - n)).isoformat()
            )
        storm = report(*[failed(name, message="the moon is down") for name in "abc"], passed("d"))
        for n, branch in enumerate(["one", "two"]):
            started = (now - timedelta(minutes=30 - n)).isoformat()
            record(shop, storm, run=f"b{n}", branch=branch, commit=f"b{n}", started_at=started)

        late = report(*[passed(name) for name in "abc"], failed("d", message=words))
        record(shop, late, run="r9", commit="c9", started_at=now.isoformat())

    spread, alone = (
        State.unpack(Flake.objects.get(project=shop.project, test_id=a_test_named(shop, "d").id).state)
        for shop in shops
    )
    assert (spread.mass, alone.mass) == (0.25, 1.0)


def test_failures_say_the_same_whether_they_waited_for_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [(f"t{n}", f"suite{n % 6}.Case") for n in range(N_OUTAGE)]
    calm = report(*[passed(name, classname=home) for name, home in names])
    two = report(
        *[(failed if n < 2 else passed)(name, classname=home) for n, (name, home) in enumerate(names)]
    )
    storm = report(*[failed(name, classname=home, message="connection refused") for name, home in names])
    now = timezone.now()

    told = []
    for most in (failing.MOST_HELD, 1):
        monkeypatch.setattr(failing, "MOST_HELD", most)
        shop = a_shop(name=f"Shop {most}")
        for n, body in enumerate([calm, two, calm, two, storm, calm]):
            started = (now - timedelta(hours=6 - n)).isoformat()
            record(shop, body, run=f"r{n}", commit=f"c{n}", started_at=started)
        kept = Failure.objects.filter(project=shop.project).order_by("run_number", "test_id")
        told.append(list(kept.values_list("run_number", "p_flaky", "in_incident", "signature")))

    assert told[0] == told[1]
    assert {(run, in_incident) for run, _, in_incident, _ in told[0]} == {(2, False), (4, False), (5, True)}
    assert all(p_flaky is not None for _, p_flaky, _, _ in told[0])
