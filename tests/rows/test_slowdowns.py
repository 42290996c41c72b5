"""Slower since: the run that began it is found, once, and a slow machine is no alarm."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from analysis import slowdowns
from projects.models import DurationShift, Run, TestPace, Upload
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, retried, run_of

pytestmark = pytest.mark.django_db

END = timezone.now().replace(hour=12)
N_BEFORE = 30


def a_run(shop: Shop, number: int, *cases: str, branch: str = "main") -> Upload:
    """Record a run; a higher number is a later one."""
    upload = record(
        shop,
        report(*cases),
        run=f"run-{number}",
        branch=branch,
        commit=f"c{number:039d}",
        started_at=at(number).isoformat(),
    )
    slowdowns.follow(shop.project.pk)
    return upload


def at(number: int) -> datetime:
    """Return when a run began: four a day, the sixtieth today."""
    return END - timedelta(hours=6 * (60 - number))


def noisy(seconds: float, *, seed: int) -> float:
    """Return the duration with the noise of a machine."""
    return seconds * random.Random(seed).uniform(0.95, 1.05)


def history(shop: Shop, durations: list[float], *, start: int = 1) -> list[Upload]:
    """Record a run for each duration of the test "index"."""
    return [
        a_run(shop, number, passed("index", seconds=noisy(seconds, seed=number)))
        for number, seconds in enumerate(durations, start)
    ]


def test_a_slower_test_is_told_with_the_runs_between_which_it_happened() -> None:
    shop = a_shop()

    history(shop, [1.0] * N_BEFORE + [2.0] * 6)

    shift = DurationShift.objects.get()
    assert shift.test_id == a_test_named(shop, "index").id
    assert (shift.run_before, shift.run_number) == (N_BEFORE, N_BEFORE + 1)
    assert shift.told_by_run <= N_BEFORE + 5
    assert shift.before_s == pytest.approx(1.0, rel=0.05)
    assert shift.since_s == pytest.approx(2.0, rel=0.05)


def test_the_passes_of_many_uploads_are_followed_at_once_as_one_by_one() -> None:
    shop, other = a_shop(), a_shop("Other")
    history(shop, [0.01] * 5 + [1.0] * N_BEFORE + [2.0] * 12)
    for number, seconds in enumerate([0.01] * 5 + [1.0] * N_BEFORE + [2.0] * 12, 1):
        record(
            other,
            report(passed("index", seconds=noisy(seconds, seed=number))),
            run=f"run-{number}",
            started_at=at(number).isoformat(),
        )

    slowdowns.follow(other.project.pk)

    paces = [bytes(TestPace.objects.get(project=one.project).bins) for one in (shop, other)]
    shifts = [
        DurationShift.objects.filter(project=one.project).values_list("run_number", "told_by_run", "since_s")
        for one in (shop, other)
    ]
    assert paces[0] == paces[1]
    assert list(shifts[0]) == list(shifts[1]) != []
    assert other.project.pk not in slowdowns.waiting()


def test_the_same_shift_is_told_once() -> None:
    shop = a_shop()

    history(shop, [1.0] * N_BEFORE + [2.0] * 25)

    assert DurationShift.objects.count() == 1


def test_other_branches_retries_and_failures_tell_nothing() -> None:
    shop = a_shop()
    history(shop, [1.0] * N_BEFORE)
    before = bytes(TestPace.objects.get().bins)

    a_run(shop, 31, passed("index", seconds=9.0), branch="topic")
    a_run(shop, 32, failed("index", seconds=9.0))
    a_run(shop, 33, retried("index"))

    assert bytes(TestPace.objects.get().bins) == before


def test_short_tests_have_no_pace_until_they_are_long_and_then_know_their_past() -> None:
    shop = a_shop()
    history(shop, [0.01] * N_BEFORE)
    assert not TestPace.objects.exists()

    history(shop, [0.5] * 5, start=N_BEFORE + 1)

    assert DurationShift.objects.get().run_number == N_BEFORE + 1


def test_a_slow_machine_is_noted_with_the_run_and_blamed_on_no_test() -> None:
    shop = a_shop()
    for number in range(1, 31):
        a_run(shop, number, *many(number))

    slow = [run_of(a_run(shop, number, *many(number, factor=1.6))) for number in range(31, 40)]

    usual = Run.objects.get(project=shop.project, number=30)
    assert slow[0].machine_factor == pytest.approx(1.6, rel=0.03)
    assert usual.machine_factor == pytest.approx(1.0, rel=0.03)
    assert not DurationShift.objects.exists()


def many(number: int, *, factor: float = 1.0) -> list[str]:
    """Return thirty tests of different lengths on a machine slower by a factor."""
    return [
        passed(f"t{test}", seconds=noisy(factor * (0.2 + test / 10), seed=1000 * number + test))
        for test in range(30)
    ]


def test_bins_survive_being_packed() -> None:
    assert slowdowns.unpacked(slowdowns.packed((0, 1, 256, 65_535))) == (0, 1, 256, 65_535)
