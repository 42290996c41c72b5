"""The uploader runs the tests and stands at the gate: known flakes pass, and without a verdict the exit code stands."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Failure, Upload
from tests.factories import Shop, failed, passed, record, report, retried
from tests.fronts import Scripted, a_front
from tests.jobs import ENDED, GOOD, Job, a_command_that_writes, the_upload
from tests.receiver import http_receiver
from tests.waiting import wait_until

PULL = ("--branch", "topic", "--pull-request", "7", "--commit", "abc", "--run", "pr")


def a_flaky_past(shop: Shop, name: str) -> None:
    """Record runs in which retries forgave the test's failures, one after the other."""
    end = timezone.now()
    for day, letter in enumerate("..R..R...R..R.."):
        sent = record(
            shop,
            report(retried(name) if letter == "R" else passed(name)),
            branch="main",
            run=f"past-{day}",
            commit=f"c{day:039d}",
            started_at=(end - timedelta(days=16 - day)).isoformat(),
        )
        # The worker hears of it too, and may have been faster.
        wait_until(Upload.objects.filter(id=sent.id, state__in=ENDED).exists, what="the run of a day")


def test_the_gate_lets_known_flakes_pass_and_says_which(job: Job, watched: Shop) -> None:
    a_flaky_past(watched, "adds")
    summary = job.folder / "summary.md"

    called = job.call(
        *("run", "--reports", "report.xml", *PULL, "--"),
        *a_command_that_writes(report(failed("adds"), passed("b")), exit_code=1),
        GITHUB_STEP_SUMMARY=str(summary),
    )

    assert called.returncode == 0, called.stdout
    assert "Forgiven: Cart › adds. Known flaky: P = " in called.stdout
    assert "the build goes on" in summary.read_text()


def test_the_gate_stops_a_failure_that_is_likely_the_changes(job: Job, watched: Shop) -> None:
    a_flaky_past(watched, "adds")
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
def test_a_server_that_fails_leaves_the_commands_exit_code(lone_job: Job, status: int) -> None:
    with a_front("", [Scripted(status)] * 9) as front:
        called = lone_job.call(
            "gate", "--run", "r1", "--exit-code", "6", "--url", front.url, "--timeout", "1"
        )

    assert called.returncode == 6
    assert f"(HTTP {status})" in called.stdout
    assert "Exit code 6 stands." in called.stdout


def test_a_server_that_is_slow_leaves_the_commands_exit_code(lone_job: Job) -> None:
    command = a_command_that_writes(report(failed("adds")), exit_code=1)

    with http_receiver() as receiver:
        receiver.drips = True
        called = lone_job.call(
            *("run", "--reports", "report.xml", "--url", receiver.url, "--timeout", "1", "--"), *command
        )

    assert called.returncode == 1
    assert "Exit code 1 stands." in called.stdout


def test_why_the_exit_code_stands_is_on_the_jobs_page_too(lone_job: Job) -> None:
    summary = lone_job.folder / "summary.md"

    lone_job.call(
        *("gate", "--run", "r1", "--exit-code", "6", "--timeout", "0"),
        TROPHYCASE_URL="http://127.0.0.1:9",
        TROPHYCASE_SUMMARY=str(summary),
    )

    assert "exit code 6 stands" in summary.read_text()
    assert "Nothing listens at http://127.0.0.1:9" in summary.read_text()


def test_a_verdict_that_cannot_be_read_forgives_nothing(lone_job: Job) -> None:
    with a_front("", [Scripted(200, {}, b"{}")]) as front:
        called = lone_job.call("gate", "--run", "r1", "--exit-code", "6", "--url", front.url)

    assert called.returncode == 6


def test_a_command_that_is_not_there_fails_as_in_a_shell(lone_job: Job) -> None:
    called = lone_job.call("run", "--", "no-such-program-anywhere")

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


def test_the_gate_alone_asks_about_a_run_that_was_sent_before(job: Job, watched: Shop) -> None:
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
