"""Rebuilding: small steps make the same rows, paces and shifts come back, and what retention left is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from analysis import paces, rebuilding
from projects import retention
from projects.models import DurationShift, Project, Result, Run, RunLayer, TestDay, TestPace
from tests.factories import Shop, a_shop, failed, passed, record, report, retried, skipped
from tests.rows.test_record import sums
from tests.rows.test_slowdowns import N_BEFORE, history

pytestmark = pytest.mark.django_db


def told(shop: Shop) -> tuple[list[Any], list[Any]]:
    """Return the paces and the shifts of the project."""
    mine = TestPace.objects.filter(project=shop.project).order_by("test_id")
    shifts = DurationShift.objects.filter(project=shop.project).order_by("test_id", "run_number")
    return [(pace.test_id, bytes(pace.bins), pace.n_held) for pace in mine], list(shifts.values())


def a_quarter(shop: Shop) -> None:
    """Record twenty runs over three months, of a few tests each."""
    for number in range(20):
        then = timezone.now() - timedelta(days=4 * number)
        cases = [passed(f"t{(number + k) % 7}", seconds=0.2 * (k + 1)) for k in range(4)]
        branch = "main" if number % 3 else "topic"
        bad = [failed("bad"), retried("wavers"), skipped("later")]
        record(shop, report(*cases, *bad), run=f"r{number}", branch=branch, started_at=then.isoformat())


def test_a_rebuild_in_small_steps_makes_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = a_shop()
    a_quarter(shop)
    before = sums(shop.project.pk)
    monkeypatch.setattr(rebuilding, "ROWS", 10)
    monkeypatch.setattr(rebuilding, "MOST_TESTS", 2)

    rebuilding.rebuild(shop.project.pk)

    assert sums(shop.project.pk) == before


def test_a_rebuild_mends_sums_that_were_wrong() -> None:
    shop, other = a_shop(), a_shop()
    a_quarter(shop)
    record(other, report(passed("a")))
    before, theirs = sums(shop.project.pk), sums(other.project.pk)
    TestDay.objects.filter(project_id=shop.project.pk, n_passed__gt=0).update(n_passed=9)
    RunLayer.objects.filter(project=shop.project).delete()
    Run.objects.filter(project=shop.project).update(n_tests=0, n_flaky=7)

    rebuilding.rebuild(shop.project.pk)

    assert sums(shop.project.pk) == before
    assert sums(other.project.pk) == theirs


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_rebuild_makes_the_paces_and_shifts_that_the_uploads_made(is_lost: bool) -> None:
    shop = a_shop()
    history(shop, [0.01] * 5 + [1.0] * N_BEFORE + [2.0] * 12)
    before = told(shop)
    if is_lost:
        TestPace.objects.all().delete()
        DurationShift.objects.all().delete()

    rebuilding.rebuild(shop.project.pk)

    assert told(shop)[0] == before[0]
    assert [row["told_by_run"] for row in before[1]]
    assert told(shop)[1] == before[1]


def test_shifts_that_were_told_from_passes_that_are_gone_stay() -> None:
    shop = a_shop()
    history(shop, [1.0] * N_BEFORE + [2.0] * 12)
    before = told(shop)
    Result.objects.filter(project_id=shop.project.pk, run_number__lte=N_BEFORE).delete()
    first_left = Run.objects.get(project=shop.project, number=N_BEFORE + 1)
    Result.objects.filter(project_id=shop.project.pk, ran_on__lt=first_left.day).delete()
    Project.objects.filter(pk=shop.project.pk).update(results_since=first_left.day)

    rebuilding.rebuild(shop.project.pk)

    assert before[1]
    assert told(shop) == before


def test_a_replay_from_a_cut_on_is_sure_once_it_has_filled_a_ring() -> None:
    day = timezone.now().date()
    passes = [paces.Pass(1, n, day, 1.0, is_first_attempt=True, factor=1.0) for n in range(1, 63)]

    assert paces.replay(1, passes).full_from == 61
    assert paces.replay(1, passes[:60]).full_from is None


def test_a_late_attempt_of_a_day_whose_results_are_gone_changes_its_own_part_alone() -> None:
    shop = a_shop()
    then = (timezone.now() - timedelta(days=500)).isoformat()
    for run in ("r1", "r2"):
        record(shop, report(passed("a")), run=run, started_at=then)
    retention.keep_house(timezone.now())
    record(shop, report(passed("a")), run="r3", job="unit", started_at=then)

    record(shop, report(failed("a")), run="r3", job="unit", attempt="2", started_at=then)

    day = TestDay.objects.get(project_id=shop.project.pk)
    layers = list(RunLayer.objects.order_by("run_number").values_list("run_number", "n_tests", "n_bad"))
    assert (day.n_passed, day.n_failed) == (2, 1)
    assert layers == [(1, 1, 0), (2, 1, 0), (3, 1, 1)]
