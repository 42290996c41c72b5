"""What goes wrong while reports are sent: the uploader says it in words, tries again, keeps what is unsent, fails no build."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from projects.models import Run, Upload
from projects.vocabulary import UploadState
from tests.factories import passed, report
from tests.fronts import Scripted, a_front
from tests.jobs import Job, the_upload
from tests.processes import LiveApp
from tests.receiver import http_receiver
from tests.waiting import wait_until


def test_a_wrong_token_is_told_and_never_shown(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", TROPHYCASE_TOKEN="tc_wrong_and_secret")

    assert called.returncode == 0
    assert "does not know this token" in called.stdout
    assert "Settings, Tokens" in called.stdout
    assert "wrong_and_secret" not in called.stdout + called.stderr


def test_no_files_is_told_with_the_folder(lone_job: Job) -> None:
    called = lone_job.call("upload", "reports/*.xml")

    assert called.returncode == 0
    assert f"No report matches reports/*.xml in {lone_job.folder.resolve()}" in called.stdout


def test_a_refused_field_is_told_in_the_servers_words(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", "--layer", "smoke")

    assert "layer is 'smoke': send one of static, unit, integration, e2e, load." in called.stdout


def test_another_server_is_not_taken_for_trophycase(lone_job: Job) -> None:
    lone_job.write("a.xml")
    page = Scripted(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")

    with a_front("", [page]) as front:
        called = lone_job.call("upload", "a.xml", "--url", front.url)

    assert "answers, but not as Trophycase does. Set TROPHYCASE_URL" in called.stdout


def test_a_redirect_is_not_followed_and_names_the_address_to_set(job: Job) -> None:
    job.write("a.xml")
    moved = Scripted(301, {"Location": "https://tests.example/api/v1/uploads"})

    with a_front(job.environ["TROPHYCASE_URL"], [moved]) as front:
        called = job.call("upload", "a.xml", "--url", front.url)

        assert front.n_requests == 1
    assert "Set TROPHYCASE_URL to https://tests.example" in called.stdout
    assert Upload.objects.count() == 0


def test_too_large_an_upload_is_sent_in_halves(job: Job) -> None:
    for name in "abcd":
        job.write(f"{name}.xml", report(passed(name, classname=f"shop.{name}")))

    with a_front(job.environ["TROPHYCASE_URL"], [Scripted(413)]) as front:
        called = job.call("upload", "*.xml", "--wait", "--run", "r1", "--url", front.url)

    assert "Taken: 4 tests" in called.stdout
    assert Upload.objects.count() == 2
    assert Run.objects.get().n_tests == 4


def test_one_file_that_is_too_large_says_what_to_do(lone_job: Job) -> None:
    lone_job.write("a.xml")

    with a_front("", [Scripted(413)]) as front:
        called = lone_job.call("upload", "a.xml", "--url", front.url)

    assert "(HTTP 413). Send fewer files at once, or raise the body limit" in called.stdout


def test_a_busy_server_is_asked_again(job: Job) -> None:
    job.write("a.xml")
    busy = Scripted(503, {"Retry-After": "0"}, b'{"error": "busy", "message": "Many uploads wait."}')

    with a_front(job.environ["TROPHYCASE_URL"], [busy]) as front:
        called = job.call("upload", "a.xml", "--url", front.url)

    assert "Many uploads wait. Trying again in" in called.stdout
    assert the_upload().state == UploadState.DONE


def test_a_busy_server_that_asks_for_more_time_than_there_is_gets_it_next_time(lone_job: Job) -> None:
    lone_job.write("a.xml")
    busy = Scripted(503, {"Retry-After": "3600"})

    with a_front("", [busy]) as front:
        called = lone_job.call("upload", "a.xml", "--url", front.url)

        assert front.n_requests == 1
    assert called.returncode == 0
    assert "Kept in .trophycase-unsent" in called.stdout


def test_what_a_server_that_is_down_missed_is_sent_by_the_next_call(
    job: Job, live_app: LiveApp, free_port: int
) -> None:
    job.environ["TROPHYCASE_URL"] = f"http://127.0.0.1:{free_port}"
    job.write("a.xml")
    down = job.call("upload", "a.xml", "--run", "r1", "--timeout", "0")
    kept = [path.read_bytes() for path in (job.folder / ".trophycase-unsent").glob("*.parcel")]
    job.write("b.xml", report(passed("later")))

    with a_front(live_app.url, port=free_port):
        up = job.call("upload", "b.xml", "--run", "r2", "--wait")

    assert f"Nothing listens at http://127.0.0.1:{free_port}" in down.stdout
    assert (down.returncode, len(kept)) == (0, 1)
    assert job.environ["TROPHYCASE_TOKEN"].encode() not in kept[0]
    assert "Sent 1 upload that an earlier call had kept." in up.stdout
    wait_until(lambda: Run.objects.count() == 2, what="both runs")
    assert set(Run.objects.values_list("key", flat=True)) == {"r1", "r2"}
    assert not list((job.folder / ".trophycase-unsent").glob("*.parcel"))


def test_a_host_that_is_not_there_is_told(lone_job: Job) -> None:
    lone_job.write("a.xml")

    called = lone_job.call("upload", "a.xml", "--url", "http://nowhere.invalid", "--timeout", "0")

    assert "There is no host named nowhere.invalid." in called.stdout


def test_an_answer_that_nobody_thought_of_fails_no_build(lone_job: Job) -> None:
    lone_job.write("a.xml")
    odd = Scripted(202, {}, b'{"id": 1, "state": "done"}')

    with a_front("", [odd]) as front:
        called = lone_job.call("upload", "a.xml", "--wait", "--url", front.url)

    assert called.returncode == 0
    assert "The uploader failed, not you (KeyError" in called.stdout


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a server with a certificate that nobody vouches for, and the certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("No openssl on PATH, which makes the certificate.")
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    kind = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run(
        [openssl, *kind, *names, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    busy = Scripted(422, {}, b'{"error": "x", "message": "It was reached."}')
    with a_front("", [busy] * 3, tls=(certificate, key)) as front:
        yield front.url, certificate


def test_a_certificate_that_nobody_vouches_for_is_told_with_the_way_out(
    lone_job: Job, tls: tuple[str, Path]
) -> None:
    lone_job.write("a.xml")

    refused = lone_job.call("upload", "a.xml", "--url", tls[0])
    trusted = lone_job.call("upload", "a.xml", "--url", tls[0], SSL_CERT_FILE=str(tls[1]))

    assert "is not trusted here." in refused.stdout
    assert "SSL_CERT_FILE" in refused.stdout
    assert "It was reached." in trusted.stdout


def test_https_where_there_is_none_is_told(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", "--url", job.environ["TROPHYCASE_URL"].replace("http:", "https:"))

    assert "No secure connection to https://127.0.0.1" in called.stdout
    assert "Is it https, and the port right?" in called.stdout


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_told_without_its_password(
    lone_job: Job, free_port: int, scheme: str
) -> None:
    lone_job.write("a.xml")
    proxy = f"http://ada:pass-of-ada@127.0.0.1:{free_port}"
    url = f"{scheme}://trophycase.example"

    called = lone_job.call("upload", "a.xml", "--url", url, "--timeout", "0", **{f"{scheme}_proxy": proxy})

    assert f"{url} cannot be reached through the proxy 127.0.0.1:{free_port}" in called.stdout
    assert "add trophycase.example to NO_PROXY" in called.stdout
    assert "pass-of-ada" not in called.stdout + called.stderr


def test_a_proxy_that_wants_a_password_is_told(lone_job: Job) -> None:
    lone_job.write("a.xml")

    with a_front("", [Scripted(407)] * 2) as front:
        plain = lone_job.call("upload", "a.xml", "--url", "http://trophycase.example", http_proxy=front.url)
        secure = lone_job.call(
            "upload", "a.xml", "--url", "https://trophycase.example", https_proxy=front.url
        )

    for called in (plain, secure):
        assert "asks for a name and a password (HTTP 407)." in called.stdout
        assert "NO_PROXY" in called.stdout


def test_a_server_that_drips_is_given_up_in_time(lone_job: Job) -> None:
    lone_job.write("a.xml")

    with http_receiver() as receiver:
        receiver.drips = True
        called = lone_job.call("upload", "a.xml", "--url", receiver.url, "--timeout", "1")

    assert "does not answer in time." in called.stdout
    assert "Kept in .trophycase-unsent" in called.stdout


def test_what_a_test_is_called_gives_the_ci_no_commands(lone_job: Job) -> None:
    name = "adds\n::error::x ##vso[task.complete] ##teamcity[buildStatus]"
    told = {"error": "x", "message": name}

    with a_front("", [Scripted(422, {}, json.dumps(told).encode())]) as front:
        lone_job.write("a.xml")
        called = lone_job.call("upload", "a.xml", "--url", front.url)

    lines = called.stdout.splitlines()
    assert not [line for line in lines if line.startswith(("::", "##"))]
    assert "##vso[" not in called.stdout
    assert "##teamcity[" not in called.stdout
