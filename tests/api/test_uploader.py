"""The uploader as CI runs it: the real script, an empty environment, a real server and worker."""

from __future__ import annotations

import json
import os
import pty
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from projects.models import Failure, Run, Upload
from projects.vocabulary import UploadState
from tests.factories import Shop, a_shop, failed, passed, report, retried
from tests.fronts import Scripted, a_front
from tests.interpreters import oldest
from tests.processes import LiveApp
from tests.receiver import http_receiver
from tests.waiting import wait_until
from uploader import trophycase

SCRIPT = Path(trophycase.__file__).resolve()
GOOD = report(passed("adds"), passed("removes"), failed("empties"))
ENDED = (UploadState.DONE, UploadState.REJECTED, UploadState.FAILED)


@dataclass
class Job:
    """A CI job: its folder, its variables, and how it calls the uploader."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable

    def write(self, name: str, body: bytes = GOOD) -> None:
        """Write a report as a test runner would."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def call(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the uploader with nothing else in its environment."""
        return subprocess.run(
            [self.python, "-E", "-W", "error", str(SCRIPT), *words],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )


@pytest.fixture
def shop(live_app: LiveApp) -> Shop:
    """Return a project of the running server."""
    return a_shop()


@pytest.fixture
def job(live_app: LiveApp, shop: Shop, tmp_path: Path) -> Job:
    """Return a CI job with address and token of the running server."""
    return Job(
        tmp_path,
        {"TROPHYCASE_URL": live_app.url, "TROPHYCASE_TOKEN": shop.token, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture
def free_port() -> int:
    """Return a port at which nothing listens yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def the_upload() -> Upload:
    """Return the only upload, once the worker is done with it."""
    wait_until(lambda: Upload.objects.filter(state__in=ENDED).exists(), what="the upload to be worked off")
    return Upload.objects.get()


# --- sending


@pytest.mark.parametrize("python", [sys.executable, oldest()], ids=["this", "oldest"])
def test_reports_are_sent_and_told_with_the_runs_address(job: Job, shop: Shop, python: str) -> None:
    job.python = python
    job.write("reports/a.xml")
    job.write("reports/deep/b.xml", report(passed("c", classname="shop.Till")))

    called = job.call("upload", "reports/**/*.xml", "--wait", "--branch", "refs/heads/topic", "--run", "r1")

    upload = the_upload()
    assert called.returncode == 0, called.stderr
    assert (upload.branch, upload.run_key, upload.n_tests) == ("topic", "r1", 4)
    assert "Taken: 4 tests, 3 passed, 1 failed. Run #1: http://" in called.stdout
    assert shop.token not in called.stdout + called.stderr


def test_a_ci_job_is_recognised_by_its_variables(job: Job) -> None:
    job.write("a.xml")
    job.environ |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "99",
        "GITHUB_RUN_ATTEMPT": "2",
        "GITHUB_SHA": "ab" * 20,
        "GITHUB_HEAD_REF": "topic",
        "GITHUB_REF": "refs/pull/3/merge",
        "GITHUB_JOB": "test",
        "TROPHYCASE_MATRIX": '{"shard": "1/2", "os": "linux"}',
    }

    job.call("upload", "a.xml")

    upload = the_upload()
    assert (upload.run_key, upload.attempt, upload.commit) == ("github-99", 2, "ab" * 20)
    assert (upload.branch, upload.pull_request, upload.job) == ("topic", "3", "test")
    assert (upload.shard, upload.shard_total, upload.environment) == ("1", 2, "linux")


def test_sending_the_same_twice_is_one_upload(job: Job) -> None:
    job.write("a.xml")

    job.call("upload", "a.xml")
    job.call("upload", "a.xml")

    assert Upload.objects.count() == 1


def test_a_malformed_report_is_told_with_line_and_column_and_the_rest_is_taken(job: Job) -> None:
    job.write("reports/bad.xml", b'<testsuite name="s">\n<testcase name="n"></testsuite>')
    job.write("reports/good.xml")

    called = job.call("upload", "reports/*.xml", "--wait")

    assert called.returncode == 0
    assert "reports/bad.xml:2:" in called.stdout
    assert "Taken: 3 tests" in called.stdout


def test_strict_makes_the_exit_code_speak(job: Job) -> None:
    job.write("bad.xml", b"<testsuite>")
    job.write("good.xml")

    codes = [
        job.call("upload", name, "--wait", "--strict").returncode
        for name in ("bad.xml", "good.xml", "none.xml")
    ]

    assert codes == [1, 0, 1]


def test_json_is_for_programs_and_words_go_to_stderr(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", "--wait", "--json")

    told = json.loads(called.stdout)
    assert told["is_whole"] is True
    assert told["uploads"][0]["counts"]["tests"] == 3
    assert told["uploads"][0]["run"]["url"].endswith("/runs/1")
    assert "Taken: 3 tests" in called.stderr


def test_quiet_says_nothing_when_all_is_well(job: Job) -> None:
    job.write("a.xml")

    assert job.call("upload", "a.xml", "--wait", "--quiet").stdout == ""


# --- what goes wrong, in words


def test_a_wrong_token_is_told_and_never_shown(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", TROPHYCASE_TOKEN="tc_wrong_and_secret")

    assert called.returncode == 0
    assert "does not know this token" in called.stdout
    assert "Settings, Tokens" in called.stdout
    assert "wrong_and_secret" not in called.stdout + called.stderr


def test_no_files_is_told_with_the_folder(job: Job) -> None:
    called = job.call("upload", "reports/*.xml")

    assert called.returncode == 0
    assert f"No report matches reports/*.xml in {job.folder.resolve()}" in called.stdout


def test_a_refused_field_is_told_in_the_servers_words(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", "--layer", "smoke")

    assert "layer is 'smoke': send one of static, unit, integration, e2e, load." in called.stdout


def test_another_server_is_not_taken_for_trophycase(job: Job) -> None:
    job.write("a.xml")
    page = Scripted(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")

    with a_front("", [page]) as front:
        called = job.call("upload", "a.xml", "--url", front.url)

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


def test_one_file_that_is_too_large_says_what_to_do(job: Job) -> None:
    job.write("a.xml")

    with a_front("", [Scripted(413)]) as front:
        called = job.call("upload", "a.xml", "--url", front.url)

    assert "(HTTP 413). Send fewer files at once, or raise the body limit" in called.stdout


def test_a_busy_server_is_asked_again(job: Job) -> None:
    job.write("a.xml")
    busy = Scripted(503, {"Retry-After": "0"}, b'{"error": "busy", "message": "Many uploads wait."}')

    with a_front(job.environ["TROPHYCASE_URL"], [busy]) as front:
        called = job.call("upload", "a.xml", "--url", front.url)

    assert "Many uploads wait. Trying again in" in called.stdout
    assert the_upload().state == UploadState.DONE


def test_a_busy_server_that_asks_for_more_time_than_there_is_gets_it_next_time(job: Job) -> None:
    job.write("a.xml")
    busy = Scripted(503, {"Retry-After": "3600"})

    with a_front("", [busy]) as front:
        called = job.call("upload", "a.xml", "--url", front.url)

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


def test_a_host_that_is_not_there_is_told(job: Job) -> None:
    job.write("a.xml")

    called = job.call("upload", "a.xml", "--url", "http://nowhere.invalid", "--timeout", "0")

    assert "There is no host named nowhere.invalid." in called.stdout


def test_an_answer_that_nobody_thought_of_fails_no_build(job: Job) -> None:
    job.write("a.xml")
    odd = Scripted(202, {}, b'{"id": 1, "state": "done"}')

    with a_front("", [odd]) as front:
        called = job.call("upload", "a.xml", "--wait", "--url", front.url)

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
    job: Job, tls: tuple[str, Path]
) -> None:
    job.write("a.xml")

    refused = job.call("upload", "a.xml", "--url", tls[0])
    trusted = job.call("upload", "a.xml", "--url", tls[0], SSL_CERT_FILE=str(tls[1]))

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
    job: Job, free_port: int, scheme: str
) -> None:
    job.write("a.xml")
    proxy = f"http://ada:pass-of-ada@127.0.0.1:{free_port}"
    url = f"{scheme}://trophycase.example"

    called = job.call("upload", "a.xml", "--url", url, "--timeout", "0", **{f"{scheme}_proxy": proxy})

    assert f"{url} cannot be reached through the proxy 127.0.0.1:{free_port}" in called.stdout
    assert "add trophycase.example to NO_PROXY" in called.stdout
    assert "pass-of-ada" not in called.stdout + called.stderr


def test_a_proxy_that_wants_a_password_is_told(job: Job) -> None:
    job.write("a.xml")

    with a_front("", [Scripted(407)] * 2) as front:
        plain = job.call("upload", "a.xml", "--url", "http://trophycase.example", http_proxy=front.url)
        secure = job.call("upload", "a.xml", "--url", "https://trophycase.example", https_proxy=front.url)

    for called in (plain, secure):
        assert "asks for a name and a password (HTTP 407)." in called.stdout
        assert "NO_PROXY" in called.stdout


def test_a_server_that_drips_is_given_up_in_time(job: Job) -> None:
    job.write("a.xml")

    with http_receiver() as receiver:
        receiver.drips = True
        called = job.call("upload", "a.xml", "--url", receiver.url, "--timeout", "1")

    assert "does not answer in time." in called.stdout
    assert "Kept in .trophycase-unsent" in called.stdout


def test_what_a_test_is_called_gives_the_ci_no_commands(job: Job) -> None:
    name = "adds\n::error::x ##vso[task.complete] ##teamcity[buildStatus]"
    told = {"error": "x", "message": name}

    with a_front("", [Scripted(422, {}, json.dumps(told).encode())]) as front:
        job.write("a.xml")
        called = job.call("upload", "a.xml", "--url", front.url)

    lines = called.stdout.splitlines()
    assert not [line for line in lines if line.startswith(("::", "##"))]
    assert "##vso[" not in called.stdout
    assert "##teamcity[" not in called.stdout


@pytest.mark.parametrize(("environ", "is_shown"), [({}, True), ({"CI": "true"}, False)])
def test_progress_is_for_terminals_only(job: Job, environ: dict[str, str], is_shown: bool) -> None:
    job.write("a.xml")
    ours, theirs = pty.openpty()

    subprocess.run(
        [job.python, "-E", str(SCRIPT), "upload", "a.xml", "--wait"],
        cwd=job.folder,
        env={**job.environ, **environ},
        stdout=theirs,
        stderr=theirs,
        timeout=100,
        check=True,
    )
    os.close(theirs)
    printed = os.read(ours, 100_000)
    os.close(ours)

    assert (b"\r\x1b[K" in printed) is is_shown
    assert b"Taken: 3 tests" in printed


# --- the gate


def a_flaky_past(shop: Shop, job: Job, name: str) -> None:
    """Send runs in which retries forgave the test's failures, one after the other."""
    end = timezone.now()
    for day, letter in enumerate("..R..R...R..R.."):
        job.write("past.xml", report(retried(name) if letter == "R" else passed(name)))
        started = (end - timedelta(days=16 - day)).isoformat()
        job.call(
            *("upload", "past.xml", "--wait", "--branch", "main", "--run", f"past-{day}"),
            *("--commit", f"c{day:039d}", "--started-at", started),
        )


def a_command_that_writes(body: bytes, *, exit_code: int) -> list[str]:
    """Return a test command that writes this report and ends so."""
    code = f"open('report.xml', 'wb').write({body!r}); raise SystemExit({exit_code})"
    return [sys.executable, "-c", code]


PULL = ("--branch", "topic", "--pull-request", "7", "--commit", "abc", "--run", "pr")


def test_the_gate_lets_known_flakes_pass_and_says_which(job: Job, shop: Shop) -> None:
    a_flaky_past(shop, job, "adds")
    summary = job.folder / "summary.md"

    called = job.call(
        *("run", "--reports", "report.xml", *PULL, "--"),
        *a_command_that_writes(report(failed("adds"), passed("b")), exit_code=1),
        GITHUB_STEP_SUMMARY=str(summary),
    )

    assert called.returncode == 0, called.stdout
    assert "Forgiven: Cart › adds. Known flaky: P = " in called.stdout
    assert "the build goes on" in summary.read_text()


def test_the_gate_stops_a_failure_that_is_likely_the_changes(job: Job, shop: Shop) -> None:
    a_flaky_past(shop, job, "adds")
    Failure.objects.update(p_flaky=0.99)

    called = job.call(
        *("run", "--reports", "report.xml", *PULL, "--"),
        *a_command_that_writes(report(failed("adds"), failed("b")), exit_code=3),
    )

    assert called.returncode == 3
    assert "Stands: Cart › b." in called.stdout
    assert "1 of 2 failures not known to be flaky" in called.stdout


def test_a_run_that_succeeds_is_sent_and_succeeds(job: Job) -> None:
    called = job.call("run", "--reports", "report.xml", "--", *a_command_that_writes(GOOD, exit_code=0))

    assert called.returncode == 0
    assert the_upload().n_tests == 3


@pytest.mark.parametrize(
    ("words", "environ", "told"),
    [
        ((), {"TROPHYCASE_URL": "http://127.0.0.1:9"}, "Exit code 5 stands."),
        ((), {"TROPHYCASE_TOKEN": "tc_wrong"}, "Exit code 5 stands."),
        ((), {"TROPHYCASE_TOKEN": ""}, "Exit code 5 stands."),
        (("--p", "0.1"), {}, "P must lie between 0.5 and 1."),
    ],
    ids=["no server", "wrong token", "no token", "careless P"],
)
def test_without_a_verdict_the_commands_exit_code_stands(
    job: Job, words: tuple[str, ...], environ: dict[str, str], told: str
) -> None:
    command = a_command_that_writes(GOOD, exit_code=5)

    called = job.call(
        *("run", "--reports", "report.xml", "--timeout", "5", *words, "--", *command), **environ
    )

    assert called.returncode == 5
    assert told in called.stdout


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_fails_leaves_the_commands_exit_code(job: Job, status: int) -> None:
    with a_front("", [Scripted(status)] * 9) as front:
        called = job.call("gate", "--run", "r1", "--exit-code", "6", "--url", front.url, "--timeout", "1")

    assert called.returncode == 6
    assert f"(HTTP {status})" in called.stdout
    assert "Exit code 6 stands." in called.stdout


def test_a_server_that_is_slow_leaves_the_commands_exit_code(job: Job) -> None:
    command = a_command_that_writes(report(failed("adds")), exit_code=1)

    with http_receiver() as receiver:
        receiver.drips = True
        called = job.call(
            *("run", "--reports", "report.xml", "--url", receiver.url, "--timeout", "1", "--"), *command
        )

    assert called.returncode == 1
    assert "Exit code 1 stands." in called.stdout


def test_why_the_exit_code_stands_is_on_the_jobs_page_too(job: Job) -> None:
    summary = job.folder / "summary.md"

    job.call(
        *("gate", "--run", "r1", "--exit-code", "6", "--timeout", "0"),
        TROPHYCASE_URL="http://127.0.0.1:9",
        TROPHYCASE_SUMMARY=str(summary),
    )

    assert "exit code 6 stands" in summary.read_text()
    assert "Nothing listens at http://127.0.0.1:9" in summary.read_text()


def test_a_verdict_that_cannot_be_read_forgives_nothing(job: Job) -> None:
    with a_front("", [Scripted(200, {}, b"{}")]) as front:
        called = job.call("gate", "--run", "r1", "--exit-code", "6", "--url", front.url)

    assert called.returncode == 6


def test_a_command_that_is_not_there_fails_as_in_a_shell(job: Job) -> None:
    called = job.call("run", "--", "no-such-program-anywhere")

    assert called.returncode == 127
    assert "could not be started" in called.stdout


def test_a_report_without_failures_forgives_nothing(job: Job) -> None:
    called = job.call(
        "run", "--reports", "report.xml", "--", *a_command_that_writes(report(passed("a")), exit_code=1)
    )

    assert called.returncode == 1
    assert "the command failed for another reason" in called.stdout.lower()


def test_a_report_of_an_earlier_run_is_not_taken_for_this_ones(job: Job) -> None:
    job.write("report.xml")
    os.utime(job.folder / "report.xml", (1, 1))

    called = job.call("run", "--reports", "report.xml", "--", sys.executable, "-c", "raise SystemExit(4)")

    assert called.returncode == 4
    assert Upload.objects.count() == 0


def test_the_tests_do_not_see_the_token(job: Job) -> None:
    code = "import os; print('TOKEN' in str(os.environ))"

    called = job.call("run", "--", sys.executable, "-c", code)

    assert "False" in called.stdout


def test_pytest_is_asked_for_a_report(job: Job) -> None:
    (job.folder / "test_cart.py").write_text("def test_adds():\n    assert True\n")

    called = job.call("run", "--", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert called.returncode == 0, called.stdout + called.stderr
    assert the_upload().n_tests == 1


def test_the_gate_alone_asks_about_a_run_that_was_sent_before(job: Job, shop: Shop) -> None:
    job.write("a.xml", report(failed("adds"), passed("b")))
    job.call("upload", "a.xml", *PULL)
    the_upload()
    before = job.call("gate", "--exit-code", "7", *PULL)
    Failure.objects.update(p_flaky=0.97)

    after = job.call("gate", "--exit-code", "7", *PULL)
    strict = job.call("gate", "--exit-code", "7", "--p", "0.98", *PULL)

    assert (before.returncode, after.returncode, strict.returncode) == (7, 0, 7)


def test_a_gate_without_a_run_leaves_the_exit_code(job: Job) -> None:
    called = job.call("gate", "--run", "never", "--timeout", "1")

    assert called.returncode == 1
    assert "No upload with this run key was recorded yet." in called.stdout


# --- served by the instance


def test_the_served_script_knows_its_server(job: Job, live_app: LiveApp) -> None:
    job.write("a.xml")
    pipe = f"curl -fsS {live_app.url}/upload.py | {sys.executable} - upload a.xml --wait"

    called = subprocess.run(
        ["sh", "-c", pipe],
        cwd=job.folder,
        env={"PATH": os.environ["PATH"], "TROPHYCASE_TOKEN": job.environ["TROPHYCASE_TOKEN"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "Taken: 3 tests" in called.stdout, called.stderr
