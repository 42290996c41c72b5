"""Starts what a server runs, gunicorn and a Celery worker, as real processes on a test's own database."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from config import commands
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90  # on a machine that has much else to do
STOP_SECONDS = 20


@dataclass(frozen=True)
class LiveApp:
    """A running server: its address, where its processes log, and the worker, which can be held still."""

    url: str
    web_log: Path
    worker_log: Path
    worker_group: int

    def pause(self) -> None:
        """Hold the worker still, so that it hears no doorbell of tests that want none."""
        os.killpg(self.worker_group, signal.SIGSTOP)

    def resume(self) -> None:
        """Let the worker go on."""
        os.killpg(self.worker_group, signal.SIGCONT)


@contextlib.contextmanager
def process(
    command: list[str], *, environ: Mapping[str, str], log: Path, fds: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in a process group of its own while the block lasts."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=fds,
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@contextlib.contextmanager
def live_app(environ: Mapping[str, str], *, folder: Path) -> Iterator[LiveApp]:
    """Run the web server and one worker while the block lasts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        web_log, worker_log = folder / "web.log", folder / "worker.log"
        values = {**os.environ, **environ, "BASE_URL": url, "PYTHONUNBUFFERED": "1"}
        module = [sys.executable, "-m"]
        # One process of each is enough for one test at a time; of two values the later counts.
        web = [*module, *commands.WEB, "--workers", "1", "--bind", f"fd://{listener.fileno()}"]
        worker = [*module, *commands.WORKER, "--concurrency", "1"]
        fds = (listener.fileno(),)
        web_process = stack.enter_context(process(web, environ=values, log=web_log, fds=fds))
        worker_process = stack.enter_context(process(worker, environ=values, log=worker_log))
        _wait_for(web_process, log=web_log, is_ready=lambda _: _answers(url))
        _wait_for(worker_process, log=worker_log, is_ready=lambda words: " ready." in words)
        app = LiveApp(url, web_log, worker_log, worker_group=worker_process.pid)
        yield app
        app.resume()


@contextlib.contextmanager
def web_server(environ: Mapping[str, str], *, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the web server alone while the block lasts; give its address and its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url, log, fds = (
            f"http://127.0.0.1:{listener.getsockname()[1]}",
            folder / "web.log",
            (listener.fileno(),),
        )
        values = {**os.environ, **environ, "BASE_URL": url, "PYTHONUNBUFFERED": "1"}
        command = [
            sys.executable,
            "-m",
            *commands.WEB,
            "--workers",
            "1",
            "--bind",
            f"fd://{listener.fileno()}",
        ]
        with process(command, environ=values, log=log, fds=fds) as server:
            _wait_for(server, log=log, is_ready=lambda _: _answers(url))
            yield url, server


def _wait_for(child: subprocess.Popen[bytes], *, log: Path, is_ready: Callable[[str], bool]) -> None:
    """Wait until a process is ready; fail with its log as soon as it ends instead."""

    def is_ready_or_dead() -> bool:
        return is_ready(log.read_text(errors="replace")) or child.poll() is not None

    try:
        wait_until(is_ready_or_dead, what=f"the process of {log}", seconds=START_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{_last_words(log)}") from None
    assert child.poll() is None, _last_words(log)


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
