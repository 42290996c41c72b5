"""Runs a client as CI does: in a small suite's folder, with nothing of this machine's environment, and not for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from projects.models import Result, Test, Upload
from projects.vocabulary import Outcome, UploadState
from tests.factories import Shop
from tests.waiting import wait_until

HERE = Path(__file__).resolve().parent.parent.parent / ".clients"
CLIENT_SECONDS = 90
COMMIT = "abcdefabcdefabcdefabcdefabcdefabcdefabcd"
# What GitHub Actions sets; every client knows it.
GITHUB = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTION": "__run_2",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_JOB": "test",
    "GITHUB_REF": "refs/heads/topic",
    "GITHUB_REF_NAME": "topic",
    "GITHUB_REPOSITORY": "o/r",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_RUN_ID": "99",
    "GITHUB_RUN_NUMBER": "7",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_SHA": COMMIT,
    "GITHUB_WORKFLOW": "ci",
}
SUITE = """
import pytest

def test_ok():
    pass

def test_bad():
    assert 1 == 2

@pytest.mark.skip(reason="later")
def test_skip():
    pass
"""
RESULTS = {"test_ok": Outcome.PASSED, "test_bad": Outcome.FAILED, "test_skip": Outcome.SKIPPED}
TWIN = Path(__file__).resolve().parent.parent / "data" / "clients" / "twin.xml"


@dataclass(frozen=True)
class Clients:
    """Installed clients: where their commands are, and the folder that holds it all."""

    bin: Path
    folder: Path


@dataclass(frozen=True)
class Said:
    """How a client ended, and what it printed."""

    code: int
    text: str


def run(clients: Clients, folder: Path, *command: str, environ: Mapping[str, str]) -> Said:
    """Run a client in a folder with the suite and its report."""
    (folder / "test_sample.py").write_text(SUITE)
    (folder / "report.xml").write_bytes(TWIN.read_bytes())
    (folder / ".git").mkdir(exist_ok=True)  # some look for the root of the checkout
    done = subprocess.run(
        [str(clients.bin / command[0]), *command[1:]],
        cwd=folder,
        env={"HOME": str(folder), "PATH": f"{clients.bin}:/usr/local/bin:/usr/bin:/bin", **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=CLIENT_SECONDS,
        check=False,
    )
    return Said(done.returncode, done.stdout)


def recorded(shop: Shop, *, said: Said) -> Upload:
    """Wait until the project's only upload is recorded, and return it."""

    def is_done() -> Upload | None:
        return Upload.objects.filter(project=shop.project, state=UploadState.DONE).first()

    assert Upload.objects.filter(project=shop.project).count() == 1, said.text
    return wait_until(is_done, what="the upload") or Upload()


def outcomes(shop: Shop) -> dict[str, Outcome]:
    """Return the outcomes of the project's only run by the names of the tests."""
    names = dict(Test.objects.filter(project=shop.project).values_list("id", "name"))
    found = Result.objects.filter(project_id=shop.project.pk).values_list("test_id", "outcome")
    return {names[test_id]: Outcome(outcome) for test_id, outcome in found}
