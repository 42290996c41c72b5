"""A worker may die at any statement: the upload is recorded exactly once all the same."""

from __future__ import annotations

import contextlib
import subprocess
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ingest.tasks import process_upload, sweep_uploads
from projects.locks import Lock
from projects.models import ResultBatch, TestDay, Upload
from projects.vocabulary import UploadState
from tests.factories import Shop, a_shop, failed, passed, record, report, retried, send, skipped
from tests.faults.nursery import Nursery
from tests.faults.wreck import (
    age_claims,
    assert_exactly_once,
    held,
    try_again,
    wait_for_silence,
    wait_for_waiters,
)

# A worker's first write to the table, in the order in which it comes by.
STEPS = {
    "claim": "LOCK TABLE projects_upload IN SHARE MODE",
    "read": "LOCK TABLE projects_uploadfile IN ACCESS EXCLUSIVE MODE",
    "run": "LOCK TABLE projects_run IN SHARE MODE",
    "tests": "LOCK TABLE projects_test IN SHARE MODE",
    "results": "LOCK TABLE projects_result IN SHARE MODE",
    "signatures": "LOCK TABLE projects_signature IN SHARE MODE",
    "failures": "LOCK TABLE projects_failure IN SHARE MODE",
    "samples": "LOCK TABLE projects_failuresample IN SHARE MODE",
    "batch": "LOCK TABLE projects_resultbatch IN SHARE MODE",
    "layers of the day": "LOCK TABLE projects_layerday IN SHARE MODE",
    "layers of the run": "LOCK TABLE projects_runlayer IN SHARE MODE",
    "flakes": "LOCK TABLE projects_flake IN SHARE MODE",
    "environment": "LOCK TABLE projects_environmentrun IN SHARE MODE",
    "problems": "LOCK TABLE projects_problem IN SHARE MODE",
    "passes": "LOCK TABLE projects_passbatch IN SHARE MODE",
    "paces": "LOCK TABLE projects_testpace IN SHARE MODE",
    "days": "LOCK TABLE projects_testday IN SHARE MODE",
    "commit": "SELECT pg_advisory_xact_lock(77)",
}
# Everything is written when this trigger fires: it holds the commit itself.
AT_COMMIT = f"""
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON projects_upload DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (new.state = {int(UploadState.DONE)}) EXECUTE FUNCTION hold()
"""


def a_mixed_report(first: str = "a") -> bytes:
    """Return a report that touches every table: new tests, a failure, a retry, and a break at the end."""
    cases = [
        passed(first, seconds=0.5),
        failed("b", message=f"{first} broke"),
        retried("c"),
        skipped("d"),
        passed("e", seconds=0.5),
    ]
    whole = report(*cases, passed("cut off"))
    return whole[: whole.index(b'name="cut off"')]


def sent(shop: Shop, body: bytes, **fields: str) -> str:
    """Send a report without letting a worker at it; return its id."""
    return str(send(shop, body, **fields)["id"])


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_step_leaves_an_upload_that_is_recorded_once(
    step: str, environ: dict[str, str], nursery: Nursery
) -> None:
    shop = a_shop()
    record(shop, a_mixed_report(), run="r1")
    upload_id = sent(shop, a_mixed_report("new"), run="r2")
    if step == "commit":
        with connection.cursor() as cursor:
            cursor.execute(AT_COMMIT)

    try:
        with held(STEPS[step], environ=environ):
            worker = nursery.process_upload(shop.project.pk, upload_id)
            wait_for_waiters(1, environ=environ)
            worker.kill()
        wait_for_silence(environ=environ)
        upload = try_again(shop.project.pk, upload_id)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION IF EXISTS hold() CASCADE")

    assert upload.state == UploadState.DONE
    assert_exactly_once(shop.project.pk, n_uploads=2, n_results=10)


def test_a_worker_killed_after_the_commit_leaves_nothing_to_do(
    environ: dict[str, str], nursery: Nursery
) -> None:
    shop = a_shop()
    upload_id = sent(shop, a_mixed_report(), run="r1")
    assert nursery.process_upload(shop.project.pk, upload_id).wait(60) == 0

    upload = try_again(shop.project.pk, upload_id)

    assert upload.n_tries == 1
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=5)


def test_two_workers_on_one_upload_record_it_once(environ: dict[str, str], nursery: Nursery) -> None:
    shop = a_shop()
    upload_id = sent(shop, a_mixed_report(), run="r1")

    with held(f"SELECT pg_advisory_xact_lock({Lock.RECORD.value}, {shop.project.pk})", environ=environ):
        workers = [nursery.process_upload(shop.project.pk, upload_id)]
        wait_for_waiters(1, environ=environ)
        age_claims(shop.project.pk)  # the sweep takes the first for dead while it only waits
        workers.append(nursery.process_upload(shop.project.pk, upload_id))
        wait_for_waiters(2, environ=environ)
    ends = [worker.wait(60) for worker in workers]

    assert ends == [0, 0]
    assert Upload.objects.get().n_tries == 2
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=5)


def test_what_one_left_to_the_last_is_folded_though_the_last_is_rejected_meanwhile(
    environ: dict[str, str], nursery: Nursery
) -> None:
    shop = a_shop()
    first, last = sent(shop, a_mixed_report(), run="r1"), sent(shop, b"no report", run="r2")
    with connection.cursor() as cursor:
        cursor.execute(AT_COMMIT)

    try:
        with held(STEPS["commit"], environ=environ):
            workers = [nursery.process_upload(shop.project.pk, first)]
            wait_for_waiters(1, environ=environ)  # it has seen that another waits, and lays aside
            workers.append(nursery.process_upload(shop.project.pk, last))
            wait_for_waiters(2, environ=environ)
        ends = [worker.wait(60) for worker in workers]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION IF EXISTS hold() CASCADE")

    assert ends == [0, 0]
    assert Upload.objects.get(id=last).state == UploadState.REJECTED
    assert not ResultBatch.objects.exists()
    assert TestDay.objects.filter(project_id=shop.project.pk).count() == 5


def test_workers_killed_at_odd_moments_lose_and_double_nothing(
    environ: dict[str, str], nursery: Nursery
) -> None:
    shop = a_shop()
    ids = [sent(shop, a_mixed_report(f"a{n}"), run=f"r{n // 2}", shard=str(n % 2)) for n in range(8)]

    for n, upload_id in enumerate(ids):
        worker = nursery.process_upload(shop.project.pk, upload_id)
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(0.01 + 0.03 * n)  # from before the first statement to after the last one
        worker.kill()
    wait_for_silence(environ=environ)
    for upload_id in ids:
        try_again(shop.project.pk, upload_id)

    # The shards of a run share four tests and differ in one.
    assert_exactly_once(shop.project.pk, n_uploads=8, n_results=4 * 6)


def test_the_sweep_rings_for_a_claim_whose_worker_died(environ: dict[str, str], nursery: Nursery) -> None:
    shop = a_shop()
    upload_id = sent(shop, a_mixed_report(), run="r1")
    with held(STEPS["results"], environ=environ):
        worker = nursery.process_upload(shop.project.pk, upload_id)
        wait_for_waiters(1, environ=environ)
        worker.kill()
    wait_for_silence(environ=environ)

    process_upload(project_id=shop.project.pk, upload_id=upload_id)
    young = Upload.objects.get().state
    Upload.objects.update(claimed_at=timezone.now() - timedelta(hours=1))
    sweep_uploads()
    process_upload(project_id=shop.project.pk, upload_id=upload_id)

    assert young == UploadState.PROCESSING  # it may be alive, so nobody takes it over yet
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=5)
