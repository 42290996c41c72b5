"""PostgreSQL, Redis and the web server may go at any time: what was answered 202 is recorded once, nothing half."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest
from django.db import connection

from ingest.tasks import process_upload
from projects.models import Upload, UploadFile
from projects.vocabulary import UploadState
from tests import processes
from tests.factories import Shop, a_shop, failed, passed, report
from tests.faults.wreck import (
    Servers,
    SmallDisk,
    assert_exactly_once,
    held,
    kill,
    sweep,
    wait_for_waiters,
)
from tests.waiting import wait_until

DISK_FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON projects_uploadfile FOR EACH ROW EXECUTE FUNCTION full_disk()
"""


def post(url: str, shop: Shop, run: str, *names: str) -> tuple[int, str | None]:
    """Send a report of these tests; return the status, 0 for no answer, and when to come again."""
    body = report(*[passed(name) for name in names or ("a", "b")], failed("c"))
    request = urllib.request.Request(
        f"{url}/api/v1/uploads?run={run}", body, {"Authorization": f"Bearer {shop.token}"}
    )
    request.add_header("Content-Type", "application/xml")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, None
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, error.headers["Retry-After"]
    except OSError:
        return 0, None


def settle(project_id: int) -> None:
    """Do what sweep and worker do once everything runs again."""
    for upload in Upload.objects.filter(project_id=project_id).exclude(state=UploadState.DONE):
        process_upload(project_id=project_id, upload_id=str(upload.id))


def test_what_was_taken_while_redis_was_gone_is_recorded(servers: Servers, tmp_path: Path) -> None:
    shop = a_shop()

    with processes.live_app(servers.environ, folder=tmp_path) as app:
        answers = [post(app.url, shop, "before")]
        servers.stop_redis()
        answers += [post(app.url, shop, f"without-{n}") for n in range(3)]
        servers.start()
        answers.append(post(app.url, shop, "after"))
        servers.flush_redis()
        Upload.objects.update(received_at="2026-01-01T00:00:00Z")
        sweep(environ=servers.environ)
        waiting = Upload.objects.filter(project=shop.project).exclude(state=UploadState.DONE)
        wait_until(lambda: not waiting.exists(), what="the worker", seconds=60)

    assert answers == [(202, None)] * 5
    assert_exactly_once(shop.project.pk, n_uploads=5, n_results=15)


def test_what_was_taken_before_postgresql_crashed_is_recorded(servers: Servers, tmp_path: Path) -> None:
    shop = a_shop()

    with processes.live_app(servers.environ, folder=tmp_path) as app:
        answers = [post(app.url, shop, f"before-{n}") for n in range(6)]
        servers.crash_postgres()  # with the worker somewhere among them
        refused = post(app.url, shop, "without")
        servers.start()
        connection.close()
        wait_until(
            lambda: post(app.url, shop, "after")[0] in (200, 202), what="the web server's new connection"
        )
        waiting = Upload.objects.filter(project=shop.project, state=UploadState.RECEIVED)
        waiting.update(received_at="2026-01-01T00:00:00Z")
        sweep(environ=servers.environ)
        wait_until(lambda: not waiting.exists(), what="the worker", seconds=60)
    Upload.objects.filter(state=UploadState.PROCESSING).update(claimed_at="2026-01-01T00:00:00Z")
    settle(shop.project.pk)

    assert answers == [(202, None)] * 6
    assert refused == (503, "10")
    assert_exactly_once(shop.project.pk, n_uploads=7, n_results=21)


def test_a_web_server_killed_during_a_delivery_leaves_nothing_half(
    environ: dict[str, str], tmp_path: Path
) -> None:
    shop = a_shop()
    answers: list[tuple[int, str | None]] = []

    with processes.web_server(environ, folder=tmp_path) as (url, server):
        with held("LOCK TABLE projects_uploadfile IN SHARE MODE", environ=environ):
            client = threading.Thread(target=lambda: answers.append(post(url, shop, "r1")))
            client.start()
            wait_for_waiters(1, environ=environ)
            kill(server)
        client.join()
    left = (Upload.objects.count(), UploadFile.objects.count())
    with processes.web_server(environ, folder=tmp_path) as (url, _):
        answers.append(post(url, shop, "r1"))
    settle(shop.project.pk)

    assert left == (0, 0)
    assert answers == [(0, None), (202, None)]
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=3)


def test_a_full_disk_refuses_a_delivery_and_keeps_nothing_of_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    shop = a_shop()

    with processes.web_server(environ, folder=tmp_path) as (url, _):
        with connection.cursor() as cursor:
            cursor.execute(DISK_FULL)
        try:
            refused = post(url, shop, "r1")
            left = (Upload.objects.count(), UploadFile.objects.count())
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP FUNCTION full_disk() CASCADE")
        taken = post(url, shop, "r1")
    settle(shop.project.pk)

    assert refused == (503, "10")
    assert left == (0, 0)
    assert taken == (202, None)
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=3)


def test_a_disk_that_is_full_refuses_a_delivery_until_there_is_room(
    servers: Servers, bodies_on_a_small_disk: SmallDisk, tmp_path: Path
) -> None:
    shop = a_shop()
    names = [uuid.uuid4().hex * 4 for _ in range(20_000)]  # half a megabyte that cannot be packed

    with processes.web_server(servers.environ, folder=tmp_path) as (url, _):
        refused = post(url, shop, "large", *names)
        left = (Upload.objects.count(), UploadFile.objects.count())
        bodies_on_a_small_disk.grow()
        taken = post(url, shop, "large", *names)
    settle(shop.project.pk)

    assert refused == (503, "10")
    assert left == (0, 0)
    assert taken == (202, None)
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=20_001)


def test_the_same_bytes_twice_at_once_are_one_upload(environ: dict[str, str], tmp_path: Path) -> None:
    shop = a_shop()
    answers: list[tuple[int, str | None]] = []

    with processes.web_server(environ, folder=tmp_path) as (url, _):
        clients = [threading.Thread(target=lambda: answers.append(post(url, shop, "r1"))) for _ in range(2)]
        with held("LOCK TABLE projects_upload IN SHARE MODE", environ=environ):
            for client in clients:
                client.start()
            wait_for_waiters(2, environ=environ)  # neither has seen the other's row
        for client in clients:
            client.join()
        answers.append(post(url, shop, "r1"))
    settle(shop.project.pk)

    assert sorted(answers) == [(200, None), (200, None), (202, None)]
    assert_exactly_once(shop.project.pk, n_uploads=1, n_results=3)


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_two_hundred_clients_lose_nothing(
    live_app: processes.LiveApp, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = a_shop()
    answers: list[int] = []

    def send_ten(client: int) -> None:
        answers.extend(_until_taken(live_app.url, shop, f"r{client}-{n}") for n in range(10))

    began = time.monotonic()
    clients = [threading.Thread(target=send_ten, args=(number,)) for number in range(200)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    sent_s = time.monotonic() - began
    waiting = Upload.objects.filter(project=shop.project).exclude(state=UploadState.DONE)
    wait_until(lambda: not waiting.exists(), what="2,000 uploads", seconds=600)
    with capsys.disabled():
        print(
            f"\n2,000 uploads of 200 clients: taken in {sent_s:.0f} s, recorded after {time.monotonic() - began:.0f} s"
        )

    assert answers == [202] * 2_000
    assert_exactly_once(shop.project.pk, n_uploads=2_000, n_results=6_000)


def _until_taken(url: str, shop: Shop, run: str) -> int:
    """Send until it is taken, as a CI job does; only a refusal that says when to come again is tried again."""
    while True:
        status, retry_after = post(url, shop, run)
        if status not in (0, 503) or (status == 503 and retry_after is None):
            return status
