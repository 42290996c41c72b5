"""A test under another name keeps its history: found in whole runs of the default branch, kept by a rebuild, undone by people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from analysis import moving, rename_decisions
from analysis.tasks import settle_runs
from projects import care
from projects.care import Unfit
from projects.models import (
    Failure,
    FailureSample,
    Flake,
    LayerDay,
    Project,
    Quarantine,
    Remark,
    Rename,
    Result,
    Run,
    RunLayer,
    Span,
    Test,
    TestDay,
)
from projects.vocabulary import FlakeStatus, RenameState
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, retried, run_of

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
OLD, NEW = "adds a line to the cart", "adds a line to a cart"
OTHERS = ("pays by card", "sends a letter")


def run(shop: Shop, day: int, *names: str, **fields: str) -> Run:
    """Record a run of these tests, so many days ago, and let the worker do what follows."""
    return run_cases(shop, day, *(passed(name) for name in names), **fields)


def run_cases(shop: Shop, day: int, *cases: str, **fields: str) -> Run:
    started = (NOW - timedelta(days=day)).isoformat()
    upload = record(shop, report(*cases), **{"started_at": started, "run": f"day-{day}", **fields})
    settle_runs(project_id=shop.project.pk)
    return run_of(upload)


def renamed(shop: Shop) -> Test:
    """Record a history in which a test changes its name; return the test that goes on."""
    for day in (9, 8, 7):
        run(shop, day, OLD, *OTHERS)
    old = a_test_named(shop, OLD)
    run(shop, 6, NEW, *OTHERS)
    return old


def outcomes(shop: Shop, test_id: int) -> int:
    return Result.objects.filter(project_id=shop.project.pk, test_id=test_id).count()


def sums(project_id: int) -> list[Any]:
    return [
        list(TestDay.objects.filter(project_id=project_id).order_by("on_default", "day", "test_id").values()),
        list(LayerDay.objects.filter(project_id=project_id).order_by("on_default", "day", "layer").values()),
        list(RunLayer.objects.filter(project_id=project_id).order_by("run_number", "layer").values()),
    ]


def test_a_renamed_test_keeps_its_history_under_its_address() -> None:
    shop = a_shop()

    old = renamed(shop)

    test = Test.objects.get(project=shop.project, id=old.id)
    rename = Rename.objects.get()
    assert (test.name, outcomes(shop, test.id)) == (NEW, 4)
    assert bytes(test.fingerprint) != bytes(old.fingerprint)
    assert (test.first_run, test.first_seen_on) == (old.first_run, old.first_seen_on)
    assert test.last_main_on == (NOW - timedelta(days=6)).date()
    assert (rename.state, rename.run_number, rename.was["name"]) == (RenameState.APPLIED, 4, OLD)
    assert rename.likeness == pytest.approx(10 / 12)
    assert Run.objects.get(number=4).n_new == 0


def test_later_runs_go_on_with_the_renamed_test() -> None:
    shop = a_shop()
    old = renamed(shop)

    run(shop, 5, NEW, *OTHERS)

    assert outcomes(shop, old.id) == 5
    assert Rename.objects.count() == 1


def test_a_moved_test_keeps_its_history() -> None:
    shop = a_shop()
    others = [passed(name, classname="shop.Pay") for name in OTHERS]
    for day in (9, 8):
        run_cases(shop, day, passed("adds up", classname="shop.CartTest"), *others)
    old = a_test_named(shop, "adds up")

    run_cases(shop, 7, passed("adds up", classname="shop.Pay"), *others)

    assert Test.objects.get(project=shop.project, id=old.id).classname == "shop.Pay"
    assert outcomes(shop, old.id) == 3


def test_a_run_with_fewer_jobs_than_the_one_before_it_is_compared_with_an_older_one() -> None:
    shop = a_shop()
    for day in (9, 8, 7):
        run(shop, day, OLD, *OTHERS, job="unit")
    old = a_test_named(shop, OLD)
    run(shop, 7, "drives a browser", "clicks", job="e2e")

    run(shop, 6, NEW, *OTHERS, job="unit")

    assert Test.objects.get(project=shop.project, id=old.id).name == NEW


def test_sums_equal_a_rebuild_after_a_rename() -> None:
    shop = a_shop()
    old = renamed(shop)
    before = sums(shop.project.pk)

    call_command("rebuild", shop.project.slug)

    assert sums(shop.project.pk) == before
    assert outcomes(shop, old.id) == 4
    assert [day["test_id"] for day in before[0]].count(old.id) == 4


def test_failures_verdict_care_and_quarantine_follow() -> None:
    shop = a_shop()
    for day in range(16, 6, -1):
        case = passed(OLD) if day % 2 else retried(OLD)
        run_cases(shop, day, case, *(passed(name) for name in OTHERS), commit=f"c{day}")
    old = a_test_named(shop, OLD)
    care.set_note(shop.project, old.id, note="mind the clock", owner="ada", by=shop.owner, now=NOW)
    care.mute(shop.project, old.id, reason="known", n_days=9, by=shop.owner, now=timezone.now())
    before = Flake.objects.get(test_id=old.id)

    run_cases(shop, 6, failed(NEW, message="1 != 2"), *(passed(name) for name in OTHERS))

    flake = Flake.objects.get()
    assert (flake.test_id, flake.note, flake.owner) == (old.id, "mind the clock", "ada")
    assert flake.n_flakes >= before.n_flakes
    assert Quarantine.objects.get().test_id == old.id
    assert set(Failure.objects.values_list("test_id", flat=True)) == {old.id}
    assert set(FailureSample.objects.values_list("test_id", flat=True)) == {old.id}
    assert before.status == FlakeStatus.FLAKY
    assert (
        Test.objects.get(project=shop.project, id=old.id).flake_status == flake.status != FlakeStatus.HEALTHY
    )


def test_the_branch_that_renames_says_nothing_until_it_is_merged() -> None:
    shop = a_shop()
    for day in (9, 8, 7):
        run(shop, day, OLD, *OTHERS)
    old = a_test_named(shop, OLD)

    run(shop, 6, NEW, *OTHERS, branch="topic", pull_request="7", run="pr")
    on_branch = Test.objects.get(project=shop.project, id=old.id).name
    run(shop, 5, OLD, *OTHERS)
    run(shop, 4, NEW, *OTHERS)

    assert on_branch == OLD
    assert Test.objects.get(project=shop.project, id=old.id).name == NEW
    assert outcomes(shop, old.id) == 6


def test_uploads_under_the_old_name_land_on_the_renamed_test() -> None:
    shop = a_shop()
    old = renamed(shop)

    run(shop, 7, OLD, *OTHERS, run="late")
    run(shop, 3, OLD, *OTHERS, branch="older", run="older")

    assert outcomes(shop, old.id) == 6
    assert Test.objects.get(project=shop.project, id=old.id).name == NEW
    assert Test.objects.filter(project=shop.project, last_seen_on__gte=NOW - timedelta(days=90)).count() == 3
    before = sums(shop.project.pk)
    call_command("rebuild", shop.project.slug)
    assert sums(shop.project.pk) == before


def test_a_rename_that_is_taken_back_takes_the_history_back() -> None:
    shop = a_shop()
    old = renamed(shop)

    run(shop, 5, OLD, *OTHERS)

    assert Test.objects.get(project=shop.project, id=old.id).name == OLD
    assert outcomes(shop, old.id) == 5
    assert list(Rename.objects.order_by("at").values_list("state", flat=True)) == [
        RenameState.ENDED,
        RenameState.APPLIED,
    ]


def test_both_names_in_one_run_are_two_tests() -> None:
    shop = a_shop()
    old = renamed(shop)

    run(shop, 5, OLD, NEW, *OTHERS)
    run(shop, 4, OLD, NEW, *OTHERS)

    other = Test.objects.get(project=shop.project, name=OLD)
    assert other.id != old.id
    assert (outcomes(shop, old.id), outcomes(shop, other.id)) == (6, 2)
    assert Rename.objects.get().state == RenameState.ENDED
    assert other.last_main_on == (NOW - timedelta(days=4)).date()


def test_an_incomplete_run_renames_nothing() -> None:
    shop = a_shop()
    for day in (9, 8, 7):
        run(shop, day, OLD, *OTHERS)

    run(shop, 6, NEW, OTHERS[0])
    run(shop, 5, NEW, *OTHERS, shard="1", shard_total="2", job="unit")

    assert not Rename.objects.exists()


def test_two_old_tests_that_fit_are_for_a_person_to_choose() -> None:
    shop = a_shop()
    homes = [passed("adds", classname="a.CartTest"), passed("adds", classname="b.CartTest")]
    for day in (9, 8):
        run_cases(shop, day, *homes, passed("pays"))

    last = run_cases(shop, 7, passed("adds", classname="c.CartTest"), passed("sends"), passed("pays"))

    assert set(Rename.objects.values_list("state", flat=True)) == {RenameState.PROPOSED}
    chosen = Rename.objects.filter(was__classname="b.CartTest").get()
    rename_decisions.accept(shop.project, chosen.id, by=shop.owner, now=timezone.now())
    test = Test.objects.get(project=shop.project, id=chosen.test_id)
    assert test.classname == "c.CartTest"
    assert outcomes(shop, test.id) == 3
    assert Rename.objects.get().state == RenameState.APPLIED
    assert last.n_new == 2


def test_undoing_makes_two_tests_again_and_later_runs_leave_it_so() -> None:
    shop = a_shop()
    old = renamed(shop)
    run(shop, 5, NEW, *OTHERS)
    run(shop, 8, OLD, *OTHERS, run="late")
    identities = Project.objects.get(pk=shop.project.pk).identities

    rename_decisions.undo(shop.project, Rename.objects.get().id, by=shop.owner, now=timezone.now())
    run(shop, 4, NEW, *OTHERS)

    first, second = a_test_named(shop, OLD), a_test_named(shop, NEW)
    assert first.id == old.id
    assert (outcomes(shop, first.id), outcomes(shop, second.id)) == (4, 3)
    assert first.last_main_on == (NOW - timedelta(days=7)).date()
    assert (second.first_main_on, second.first_run) == ((NOW - timedelta(days=6)).date(), 4)
    assert Rename.objects.get().state == RenameState.UNDONE
    assert Remark.objects.filter(by=shop.owner).count() == 2
    assert Project.objects.get(pk=shop.project.pk).identities != identities
    before = sums(shop.project.pk)
    call_command("rebuild", shop.project.slug)
    assert sums(shop.project.pk) == before


def test_what_was_decided_is_not_decided_again() -> None:
    shop = a_shop()
    renamed(shop)
    rename = Rename.objects.get()
    rename_decisions.undo(shop.project, rename.id, by=shop.owner, now=timezone.now())

    with pytest.raises(Unfit, match="decided already"):
        rename_decisions.undo(shop.project, rename.id, by=shop.owner, now=timezone.now())


def test_each_environment_is_renamed_for_itself() -> None:
    shop = a_shop()
    for day in (9, 8, 7):
        for environment in ("py311", "py312"):
            run(shop, day, OLD, *OTHERS, environment=environment)

    for environment in ("py311", "py312"):
        run(shop, 6, NEW, *OTHERS, environment=environment)

    assert sorted(Test.objects.filter(name=NEW).values_list("variant", flat=True)) == ["py311", "py312"]
    assert {outcomes(shop, test.id) for test in Test.objects.filter(name=NEW)} == {4}
    assert Rename.objects.filter(state=RenameState.APPLIED).count() == 2


def test_every_table_that_knows_tests_is_moved() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name FROM information_schema.columns WHERE column_name IN ('test_id', 'test_ids')"
            " AND table_name LIKE 'projects\\_%%' AND table_name !~ '_\\d{4}_\\d{2}$'"
        )
        tables = {table for (table,) in cursor.fetchall()}
    moved = " ".join((*moving.MOVES, *moving.CARE))

    unmoved = {table for table in tables if table not in moved}

    # A rename is what moves them, results that wait are folded before, and the sums of spans are made again.
    assert unmoved == {"projects_rename", "projects_resultbatch", "projects_testspan"}


def test_days_that_are_summed_ahead_are_summed_again() -> None:
    shop = a_shop()
    for day in (9, 8, 7):
        run(shop, day, OLD, *OTHERS)
    Span.objects.create(
        project=shop.project,
        number=1,
        on_default=True,
        since=(NOW - timedelta(days=20)).date(),
        until=(NOW - timedelta(days=2)).date(),
        n_uploads=4,
        made_at=NOW,
    )

    run(shop, 6, NEW, *OTHERS)

    assert Rename.objects.exists()
    assert Span.objects.get().n_uploads != 4
