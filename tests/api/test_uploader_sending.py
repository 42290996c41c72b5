"""The uploader as CI runs it, when all is well: a real server and worker take what it sends, and it says so."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from projects.models import Upload
from tests.factories import Shop, passed, report
from tests.interpreters import oldest
from tests.jobs import SCRIPT, Job, the_upload
from tests.processes import LiveApp


@pytest.mark.parametrize("python", [sys.executable, oldest()], ids=["this", "oldest"])
def test_reports_are_sent_and_told_with_the_runs_address(job: Job, watched: Shop, python: str) -> None:
    job.python = python
    job.write("reports/a.xml")
    job.write("reports/deep/b.xml", report(passed("c", classname="shop.Till")))

    called = job.call("upload", "reports/**/*.xml", "--wait", "--branch", "refs/heads/topic", "--run", "r1")

    upload = the_upload()
    assert called.returncode == 0, called.stderr
    assert (upload.branch, upload.run_key, upload.n_tests) == ("topic", "r1", 4)
    assert "Taken: 4 tests, 3 passed, 1 failed. Run #1: http://" in called.stdout
    assert watched.token not in called.stdout + called.stderr


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
