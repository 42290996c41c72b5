"""Results that wait to be folded into the days of their tests: the same in the end, however many waited together."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from analysis import batches, rebuilding, slowdowns, trials
from analysis.states import State
from analysis.tasks import follow_paces
from ingest.tasks import process_upload
from projects.models import DurationShift, Flake, ResultBatch, Test, TestDay, TestPace, Upload
from projects.vocabulary import UploadState
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, retried, send, skipped
from tests.rows.test_record import sums

pytestmark = pytest.mark.django_db

END = timezone.now().replace(hour=12, minute=0)


def waits(shop: Shop) -> None:
    """Have an upload wait behind all others, so that these lay their results aside."""
    send(
        shop,
        report(passed("the one that waits")),
        run="waits",
        started_at=(END - timedelta(days=9)).isoformat(),
    )


def n_waiting(shop: Shop) -> int:
    return ResultBatch.objects.filter(project=shop.project).count()


def test_while_another_upload_waits_results_are_laid_aside_and_the_last_one_folds_them() -> None:
    shop = a_shop()
    ids = [str(send(shop, report(passed("a"), failed("b")), run=f"r{number}")["id"]) for number in range(3)]

    found = []
    for upload_id in ids:
        process_upload(project_id=shop.project.pk, upload_id=upload_id)
        found.append((n_waiting(shop), TestDay.objects.filter(project_id=shop.project.pk).count()))

    assert found == [(1, 0), (2, 0), (0, 2)]
    before = sums(shop.project.pk)
    rebuilding.rebuild(shop.project.pk)
    assert sums(shop.project.pk) == before


@pytest.mark.parametrize("n_failing", [1, trials.FEW + 1], ids=["few", "many"])
def test_a_test_that_fails_at_last_has_passed_as_often_as_uploads_wait_that_say_so(n_failing: int) -> None:
    shop = a_shop()
    names = [f"a{number}" for number in range(trials.FEW + 1)]
    waits(shop)
    for number, branch in enumerate(["main", "main", "topic", "main"]):
        record(shop, report(*map(passed, names)), run=f"r{number}", branch=branch, started_at=_at(number))
    record(shop, report(skipped(names[0]), *map(passed, names[1:])), run="r4", started_at=_at(4))

    now = [failed(name) for name in names[:n_failing]]
    record(shop, report(*now, *map(passed, names[n_failing:])), run="r5", started_at=_at(5))

    passes = {
        flake.test_id: (state.n_pass, state.n_main_pass)
        for flake in Flake.objects.filter(project=shop.project)
        if (state := State.unpack(flake.state))
    }
    assert n_waiting(shop) == 6
    assert passes == {
        a_test_named(shop, name).id: (4, 3) if name == names[0] else (5, 4) for name in names[:n_failing]
    }


def _at(hour: int) -> str:
    return (END - timedelta(days=8) + timedelta(hours=hour)).isoformat()


@pytest.mark.parametrize(
    "last", [b"no report at all", b"<project/>", report()], ids=["words", "foreign", "empty"]
)
def test_where_the_last_of_many_is_rejected_what_the_others_laid_aside_is_folded_at_once(last: bytes) -> None:
    shop = a_shop()
    first = send(shop, report(passed("a"), failed("b")), run="r1")
    rejected = send(shop, last, run="r2")
    process_upload(project_id=shop.project.pk, upload_id=str(first["id"]))
    laid_aside = n_waiting(shop)

    process_upload(project_id=shop.project.pk, upload_id=str(rejected["id"]))

    assert Upload.objects.get(id=str(rejected["id"])).state == UploadState.REJECTED
    assert (laid_aside, n_waiting(shop)) == (1, 0)
    assert TestDay.objects.filter(project_id=shop.project.pk).count() == 2


def test_a_rejected_upload_leaves_what_waits_to_those_behind_it() -> None:
    shop = a_shop()
    first = send(shop, report(passed("a")), run="r1")
    rejected = send(shop, b"no report at all", run="r2")
    send(shop, report(passed("a")), run="r3")

    for upload in (first, rejected):
        process_upload(project_id=shop.project.pk, upload_id=str(upload["id"]))

    assert n_waiting(shop) == 1


def test_so_many_are_folded_though_others_wait() -> None:
    shop = a_shop()
    waits(shop)

    for number in range(batches.FEW):
        record(shop, report(passed("a")), run=f"r{number}")

    assert n_waiting(shop) == 0
    assert TestDay.objects.get(project_id=shop.project.pk).n_passed == batches.FEW


def test_beat_folds_what_nobody_came_for() -> None:
    shop = a_shop()
    waits(shop)
    record(shop, report(passed("a")), run="r1")

    follow_paces()

    assert n_waiting(shop) == 0
    assert TestDay.objects.get(project_id=shop.project.pk).n_passed == 1


def test_a_rebuild_counts_what_waits_once() -> None:
    shop = a_shop()
    waits(shop)
    record(shop, report(passed("a")), run="r1")

    rebuilding.rebuild(shop.project.pk)
    follow_paces()

    assert TestDay.objects.get(project_id=shop.project.pk).n_passed == 1


def test_a_retried_job_changes_days_that_waited() -> None:
    shop = a_shop()
    waits(shop)
    record(shop, report(passed("a"), failed("b")), run="r1", job="j")

    record(shop, report(passed("a"), passed("b")), run="r1", job="j", attempt="2")

    before = sums(shop.project.pk)
    rebuilding.rebuild(shop.project.pk)
    assert sums(shop.project.pk) == before


def history(shop: Shop, *, seed: int) -> None:
    """Record runs of tests that pass, waver, retry, slow down, come and go, on two branches."""
    chance = random.Random(seed)
    for number in range(40):
        slow = 1.0 if number > 28 else 0.3
        cases = [passed(f"steady{n}", seconds=0.01 * n) for n in range(1, 8)]
        cases += [passed("slow", seconds=slow * chance.uniform(0.95, 1.05)), skipped("later")]
        cases += [passed("short then long", seconds=0.02 if number < 11 else 0.4)]
        cases += [failed("wavers") if chance.random() < 0.25 else passed("wavers")]
        cases += [retried("retries") if chance.random() < 0.3 else passed("retries")]
        cases += [passed(f"young{number // 10}", seconds=0.2)]
        if number % 7 == 3:
            cases.append(passed("steady1", seconds=0.5))  # twice in one report
        record(
            shop,
            report(*cases),
            run=f"r{number}",
            branch="main" if number % 5 else "topic",
            commit=f"c{number // 2:039d}",
            started_at=(END - timedelta(hours=6 * (40 - number))).isoformat(),
        )


def all_kept(shop: Shop) -> dict[str, Any]:
    """Return everything that is derived from the results of the project."""
    of = {"project_id": shop.project.pk}
    return {
        **sums(shop.project.pk),
        "paces": [
            (one.test_id, bytes(one.bins)) for one in TestPace.objects.filter(**of).order_by("test_id")
        ],
        "shifts": sorted(
            DurationShift.objects.filter(**of).values_list("test_id", "run_number", "told_by_run")
        ),
        "flakes": [
            (one.test_id, one.status, one.sentence, bytes(one.state))
            for one in Flake.objects.filter(**of).order_by("test_id")
        ],
        "tests": sorted(
            Test.objects.filter(**of).values_list(
                "name",
                "bucket",
                "flake_status",
                "first_seen_on",
                "last_seen_on",
                "first_main_on",
                "last_main_on",
            )
        ),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everything_is_the_same_whether_results_were_folded_one_by_one_or_together(seed: int) -> None:
    one_by_one, together = a_shop(), a_shop("Other")
    waits(together)

    for shop in (one_by_one, together):
        history(shop, seed=seed)
        batches.fold(shop.project.pk)
        slowdowns.follow(shop.project.pk)

    assert all_kept(together) == all_kept(one_by_one)
    before = sums(together.project.pk)
    rebuilding.rebuild(together.project.pk)
    assert sums(together.project.pk) == before


def test_a_large_upload_is_read_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "LARGE", 5)
    monkeypatch.setattr(batches, "A_PIECE", 2)
    monkeypatch.setattr(batches, "MOST_HELD", 8)
    shop = a_shop()
    waits(shop)
    many = [passed(f"t{n}", seconds=0.03 * n) for n in range(7)]
    for number, cases in enumerate(
        ([*many, failed("b")], many[:3], many[2:5], many[1:4], [*many, skipped("s")])
    ):
        record(shop, report(*cases), run=f"r{number}")

    batches.fold(shop.project.pk)

    before = sums(shop.project.pk)
    rebuilding.rebuild(shop.project.pk)
    assert sums(shop.project.pk) == before
