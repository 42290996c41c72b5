"""`make run` from its first line to the last process that it stops."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config import commands, embedded
from ingest.management.commands.demo import Command
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
SENDING = "Sending the demo's history"


@pytest.fixture
def home() -> Iterator[Path]:
    """Return an empty data folder."""
    folder = Path(tempfile.mkdtemp(prefix="trophycase-run-"))
    yield folder
    embedded.stop(folder)
    shutil.rmtree(folder)


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """Return an environment without servers of its own."""
    unset = {"DATABASE_URL", "REDIS_URL", "BASE_URL", "PORT", "SECRET_KEY"}
    return {k: v for k, v in os.environ.items() if k not in unset} | {"TROPHYCASE_HOME": str(home)}


def start(environ: dict[str, str], *, log: Path) -> subprocess.Popen[bytes]:
    """Start the supervisor in a session of its own, as a terminal does."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "config.run"],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def processes_of(home: Path) -> list[str]:
    """Return the command lines of everything that runs on the data folder or was started for it."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            command = " ".join(process.cmdline())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if environment.get("TROPHYCASE_HOME") == str(home) or str(home) in command:
            found.append(command)
    return found


def wait_for(words: str, *, process: subprocess.Popen[bytes], log: Path) -> str:
    """Return what the supervisor has said, once it has said `words`."""

    def said() -> bool:
        assert process.poll() is None, log.read_text()
        return words in log.read_text()

    wait_until(said, what=words, seconds=60)
    return log.read_text()


@pytest.mark.timeout(180)
def test_everything_starts_and_ctrl_c_leaves_nothing_running(
    home: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    running = start(environ, log=log)
    wait_for(SENDING, process=running, log=log)
    url = (home / "run").read_text()

    with urllib.request.urlopen(f"{url}/healthz") as response:
        assert response.status == 200
    names = " ".join(processes_of(home))
    assert all(name in names for name in ("gunicorn", "worker", "beat", "postgres", "redis-server"))

    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0, log.read_text()
    wait_until(lambda: not processes_of(home), what="every process to be gone", seconds=5)


@pytest.mark.timeout(180)
def test_a_second_run_in_the_same_place_names_the_first(
    home: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    first_log, second_log = tmp_path / "first.log", tmp_path / "second.log"
    first = start(environ, log=first_log)
    wait_until((home / "run").exists, what="the first run")
    wait_until((home / "run").read_text, what="the first run's address")

    second = start(environ, log=second_log)

    assert second.wait(60) == 1
    assert re.search(r"Already running at http://127\.0\.0\.1:\d+", second_log.read_text())
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0, first_log.read_text()
    wait_until(lambda: not processes_of(home), what="every process to be gone", seconds=5)


def test_a_password_that_begins_with_a_dash_reaches_the_demo() -> None:
    command = commands.demo(url="http://127.0.0.1:8000", username="demo", password="-Z2jitJ")

    said = Command().create_parser(*command[:2]).parse_args(command[2:])

    assert (said.base_url, said.username, said.password) == ("http://127.0.0.1:8000", "demo", "-Z2jitJ")


def test_a_command_without_servers_says_how_to_start_them(environ: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "migrate"]
    asked = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert asked.returncode == 1
    assert "make run" in asked.stderr
    assert "Traceback" not in asked.stderr
