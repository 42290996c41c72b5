"""Recording an upload: counted once, wholly or not at all, and the sums equal a rebuild."""

from __future__ import annotations

import math
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from analysis import rebuilding, rollups
from ingest.tasks import MOST_TRIES, process_upload, sweep_uploads
from projects.models import Failure, LayerDay, Problem, Result, Run, RunLayer, Test, TestDay, Upload
from projects.vocabulary import Outcome, UploadState
from tests.factories import (
    a_shop,
    a_test_named,
    errored,
    failed,
    passed,
    record,
    report,
    retried,
    run_of,
    send,
    skipped,
)

pytestmark = pytest.mark.django_db


def test_an_upload_becomes_a_run_with_its_counts() -> None:
    shop = a_shop()

    upload = record(
        shop, report(passed("a"), failed("b"), errored("c"), skipped("d")), commit="abc1234", branch="main"
    )

    run = run_of(upload)
    assert upload.state == UploadState.DONE
    assert (run.number, run.n_tests, run.n_passed, run.n_failed, run.n_error, run.n_skipped) == (
        1,
        4,
        1,
        1,
        1,
        1,
    )
    assert run.is_default_branch
    assert run.n_new == 4
    assert run.seconds == pytest.approx(0.03)


def test_a_second_delivery_of_the_same_bytes_changes_nothing() -> None:
    shop = a_shop()
    body = report(passed("a"), failed("b"))
    first = record(shop, body, run="r1")

    second = record(shop, body, run="r1")

    assert second.id == first.id
    assert Result.objects.count() == 2
    assert run_of(first).n_uploads == 1


def test_processing_a_recorded_upload_again_changes_nothing() -> None:
    shop = a_shop()
    upload = record(shop, report(passed("a")), run="r1")
    before = sums(shop.project.pk)

    process_upload(project_id=shop.project.pk, upload_id=str(upload.id))

    assert sums(shop.project.pk) == before


def test_shards_of_one_key_make_one_run() -> None:
    shop = a_shop()

    record(shop, report(passed("a")), run="r1", job="unit", shard="1", shard_total="3")
    upload = record(shop, report(passed("b"), failed("c")), run="r1", job="unit", shard="2", shard_total="3")

    run = run_of(upload)
    assert Run.objects.count() == 1
    assert (run.n_tests, run.n_passed, run.n_failed) == (3, 2, 1)
    assert (run.n_shards, run.shard_total) == (2, 3)


def test_a_later_attempt_of_a_job_has_the_last_word_and_proves_a_flake() -> None:
    shop = a_shop()
    record(shop, report(failed("a"), passed("b")), run="r1", job="unit", commit="abc1234")

    upload = record(shop, report(passed("a")), run="r1", job="unit", commit="abc1234", attempt="2")

    run = run_of(upload)
    result = Result.objects.get(test_id=a_test_named(shop, "a").id)
    assert (run.n_tests, run.n_passed, run.n_failed, run.n_flaky) == (2, 2, 0, 1)
    assert (result.outcome, result.n_attempts) == (Outcome.PASSED, 2)
    assert not Failure.objects.get().is_final


def test_an_earlier_attempt_that_comes_late_does_not_overrule_the_later_one() -> None:
    shop = a_shop()
    record(shop, report(passed("a")), run="r1", job="unit", attempt="2")

    upload = record(shop, report(failed("a")), run="r1", job="unit", attempt="1")

    assert run_of(upload).n_failed == 0
    assert run_of(upload).n_flaky == 1


def test_the_same_test_in_another_job_counts_when_it_is_worse_and_proves_nothing() -> None:
    shop = a_shop()
    record(shop, report(passed("a")), run="r1", job="linux")

    upload = record(shop, report(failed("a")), run="r1", job="windows")

    run = run_of(upload)
    assert (run.n_tests, run.n_passed, run.n_failed, run.n_flaky) == (1, 0, 1, 0)


def test_an_environment_is_part_of_a_tests_identity() -> None:
    shop = a_shop()

    record(shop, report(passed("a")), run="r1", environment="py311")
    record(shop, report(failed("a")), run="r1", environment="py312")

    assert sorted(Test.objects.values_list("variant", flat=True)) == ["py311", "py312"]
    assert len({bytes(base) for base in Test.objects.values_list("base", flat=True)}) == 1


def test_a_retry_inside_a_report_is_one_passed_result_with_two_attempts() -> None:
    shop = a_shop()

    upload = record(shop, report(retried("a")), run="r1")

    result = Result.objects.get()
    assert (result.outcome, result.n_attempts) == (Outcome.PASSED, 2)
    assert run_of(upload).n_flaky == 1
    assert Failure.objects.get().is_final is False


def test_a_truncated_report_keeps_what_came_before_the_break() -> None:
    shop = a_shop()
    whole = report(passed("a"), passed("b"), passed("c"))

    upload = record(shop, whole[: whole.index(b'name="c"')], run="r1")

    problem = Problem.objects.get()
    assert upload.state == UploadState.DONE
    assert run_of(upload).n_tests == 2
    assert run_of(upload).is_truncated
    assert problem.line == 1


def test_a_report_that_is_no_xml_is_rejected_with_its_place() -> None:
    shop = a_shop()

    upload = record(shop, b"<html><body>502 Bad Gateway</body></html>")

    assert upload.state == UploadState.REJECTED
    assert Problem.objects.get().line == 1
    assert Run.objects.count() == 0


def test_one_unreadable_file_leaves_the_others_standing() -> None:
    shop = a_shop()

    upload = record(shop, report(passed("a")), b"not xml at all", run="r1")

    assert upload.state == UploadState.DONE
    assert upload.n_tests == 1
    assert Problem.objects.get().file == "report-2.xml"


def test_an_external_entity_is_refused() -> None:
    shop = a_shop()
    body = (
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&e;"/></testsuite>'
    )

    upload = record(shop, body)

    assert upload.state == UploadState.REJECTED


def test_a_fault_of_ours_is_kept_for_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = a_shop()
    answer = send(shop, report(passed("a")), run="r1")
    monkeypatch.setattr(rollups, "ADD_LAYERS", "SELECT 1 / 0")

    process_upload(project_id=shop.project.pk, upload_id=str(answer["id"]))

    upload = Upload.objects.get()
    assert upload.state == UploadState.FAILED
    assert Result.objects.count() == 0
    assert str(MOST_TRIES) in Problem.objects.get().sentence

    monkeypatch.undo()
    process_upload(project_id=shop.project.pk, upload_id=str(answer["id"]))
    upload.refresh_from_db()
    assert upload.state == UploadState.DONE
    assert Problem.objects.count() == 0


def test_a_worker_that_lost_its_claim_records_nothing() -> None:
    shop = a_shop()
    answer = send(shop, report(passed("a")), run="r1")
    upload = Upload.objects.get(id=uuid.UUID(str(answer["id"])))
    now = timezone.now()
    assert upload.claim(now=now - timedelta(hours=1), stale_before=now - timedelta(hours=2))

    process_upload(project_id=shop.project.pk, upload_id=str(upload.id))

    upload.refresh_from_db()
    assert upload.state == UploadState.DONE
    assert upload.n_tries == 2


def test_the_sweep_finds_what_the_broker_lost(django_capture_on_commit_callbacks: Any) -> None:
    shop = a_shop()
    send(shop, report(passed("a")), run="r1")
    Upload.objects.update(received_at=timezone.now() - timedelta(minutes=10))

    with django_capture_on_commit_callbacks() as callbacks:
        sweep_uploads()

    assert len(callbacks) == 1


def test_every_sum_equals_a_rebuild_from_the_record() -> None:
    shop = a_shop()
    now = timezone.now()
    for day in range(40, 0, -1):
        started = (now - timedelta(days=day)).isoformat()
        fate = failed if day % 7 == 0 else retried if day % 5 == 0 else passed
        record(
            shop, report(fate("a"), passed("b", seconds=0.2), skipped("c")), run=f"r{day}", started_at=started
        )
        if day % 9 == 0:
            record(shop, report(passed("a")), run=f"r{day}", started_at=started, attempt="2")
        if day % 4 == 0:
            record(shop, report(failed("a")), run=f"p{day}", branch="topic", started_at=started)
    before = sums(shop.project.pk)

    rebuilding.rebuild(shop.project.pk)

    assert sums(shop.project.pk) == before
    assert len(before["days"]) > 100


def test_short_tests_are_not_lost_beside_a_long_one_when_times_are_summed() -> None:
    shop = a_shop()
    short = [passed(f"short {number}", seconds=0.001) for number in range(1_000)]

    upload = record(shop, report(passed("long", seconds=65_536.0), *short), run="r1")

    assert run_of(upload).seconds == pytest.approx(65_537.0, abs=0.001)
    assert sum(LayerDay.objects.values_list("seconds", flat=True)) == pytest.approx(65_537.0, abs=0.001)


def test_results_land_in_the_month_they_ran_in() -> None:
    shop = a_shop()

    record(shop, report(passed("a")), run="r1", started_at="2024-02-29T23:59:59Z")
    record(shop, report(passed("a")), run="r2", started_at="2024-03-01T00:00:01Z")

    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, ran_on::text FROM projects_result ORDER BY ran_on")
        rows = cursor.fetchall()
    assert rows == [("projects_result_2024_02", "2024-02-29"), ("projects_result_2024_03", "2024-03-01")]


def test_ten_thousand_repetitions_of_one_name_are_one_test_with_a_count() -> None:
    shop = a_shop()

    upload = record(
        shop, report(*[passed("GET /", classname="jmeter")] * 1_500, failed("GET /", classname="jmeter"))
    )

    result = Result.objects.get()
    assert upload.n_tests == 1
    assert (result.outcome, result.n_attempts) == (Outcome.FAILED, 1_501)
    assert run_of(upload).n_flaky == 0


class Seconds(float):
    """Seconds that equal others where four bytes, which a day's row has for them, cannot tell them apart."""

    __hash__ = float.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and math.isclose(self, other, rel_tol=1e-6, abs_tol=1e-6)

    def __ne__(self, other: object) -> bool:
        return not self == other


def sums(project_id: int) -> dict[str, Any]:
    """Return every derived row of the project, as values that can be compared."""

    def rounded(rows: Any) -> list[tuple[Any, ...]]:
        return sorted(
            tuple(
                Seconds(v) if isinstance(v, float) else bytes(v) if isinstance(v, memoryview) else v
                for v in row
            )
            for row in rows
        )

    return {
        "days": rounded(
            TestDay.objects.filter(project_id=project_id).values_list(
                "on_default",
                "day",
                "test_id",
                "n_passed",
                "n_failed",
                "n_error",
                "n_skipped",
                "n_flaky",
                "seconds",
                "timings",
            )
        ),
        "layers": rounded(
            LayerDay.objects.filter(project_id=project_id).values_list(
                "on_default",
                "day",
                "layer",
                "n_passed",
                "n_failed",
                "n_error",
                "n_skipped",
                "n_flaky",
                "seconds",
            )
        ),
        "run layers": rounded(
            RunLayer.objects.filter(project_id=project_id).values_list(
                "run_number", "layer", "n_tests", "n_bad", "n_skipped", "seconds"
            )
        ),
        "runs": rounded(
            Run.objects.filter(project_id=project_id).values_list(
                "number", "n_tests", "n_passed", "n_failed", "n_error", "n_skipped", "n_flaky", "seconds"
            )
        ),
    }
