"""A test that is flaky in one environment alone is told apart from one that is flaky everywhere."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import environments, flaking
from projects.models import Flake, FlakeEvent, Test
from projects.vocabulary import FlakeStatus
from tests.factories import CASES, Shop, a_shop, record, report

pytestmark = pytest.mark.django_db


def play(shop: Shop, environment: str, words: str) -> None:
    """Record a run a day of one test in an environment, the last of them today."""
    for n, word in enumerate(words):
        record(
            shop,
            report(CASES[word]("adds")),
            run=f"{environment}-{n}",
            commit=f"c{n:039d}",
            environment=environment,
            started_at=(timezone.now() - timedelta(days=len(words) - 1 - n)).isoformat(),
        )


def compare(shop: Shop) -> int:
    """Compare the environments as upkeep does."""
    now = timezone.now()
    return environments.compare(shop.project.pk, today=now.date(), now=now)


def statuses(shop: Shop) -> dict[str, FlakeStatus]:
    """Return the status of the test in each environment."""
    tests = Test.objects.filter(project=shop.project).values_list("variant", "flake_status")
    return {variant: FlakeStatus(status) for variant, status in tests}


def test_a_test_that_is_flaky_in_one_environment_alone_differs_by_environment() -> None:
    shop = a_shop()
    play(shop, "linux", "." * 20)
    play(shop, "win", "R.R..R.RR." * 2)

    n_found = compare(shop)

    assert n_found == 1
    assert statuses(shop) == {"linux": FlakeStatus.HEALTHY, "win": FlakeStatus.ENVIRONMENT_SPECIFIC}
    # 10 of 20 against 0 of 20: Fisher p = C(20, 10) / C(40, 10) = 0.0002
    flake = Flake.objects.get(project=shop.project)
    assert flake.only_here == "failed in 10 of 20 runs in win, and in 0 of 20 elsewhere"
    page = shop.browser().get(f"/p/{shop.project.slug}/tests/{flake.test_id}").content.decode()
    assert "failed in 10 of 20 runs in win, and in 0 of 20 elsewhere" in page
    event = FlakeEvent.objects.order_by("at").last()
    assert event is not None
    assert (event.before, event.after) == (FlakeStatus.FLAKY, FlakeStatus.ENVIRONMENT_SPECIFIC)


def test_it_stays_so_after_the_next_upload_and_the_next_night() -> None:
    shop = a_shop()
    play(shop, "linux", "." * 20)
    play(shop, "win", "R.R..R.RR." * 2)
    compare(shop)

    record(shop, report(CASES["R"]("adds")), run="next", commit="d1", environment="win")
    flaking.age(shop.project.pk, now=timezone.now())

    assert statuses(shop)["win"] is FlakeStatus.ENVIRONMENT_SPECIFIC
    assert compare(shop) == 1
    assert FlakeEvent.objects.filter(after=FlakeStatus.ENVIRONMENT_SPECIFIC).count() == 1


def test_a_test_that_is_flaky_everywhere_is_flaky() -> None:
    shop = a_shop()
    play(shop, "linux", "R..R..R." * 2)
    play(shop, "win", "R.RRR.RRR." * 2)

    n_found = compare(shop)

    assert n_found == 0
    assert set(statuses(shop).values()) == {FlakeStatus.FLAKY}


def test_a_test_that_becomes_flaky_elsewhere_too_is_flaky_again() -> None:
    shop = a_shop()
    play(shop, "linux", "." * 20)
    play(shop, "win", "R.R..R.RR." * 2)
    compare(shop)

    for n in range(8):
        record(shop, report(CASES["R"]("adds")), run=f"more-{n}", commit=f"e{n}", environment="linux")
    n_found = compare(shop)

    assert n_found == 0
    assert set(statuses(shop).values()) == {FlakeStatus.FLAKY}
    assert not Flake.objects.exclude(only_here="").exists()
