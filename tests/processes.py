"""Starts what a server runs, gunicorn and a Celery worker, as real processes on a test's own database."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 20


@dataclass(frozen=True)
class LiveApp:
    """A running server: its address, and where its processes log."""

    url: str
    web_log: Path
    worker_log: Path


@contextlib.contextmanager
def process(
    command: list[str], *, environ: Mapping[str, str], log: Path, fd: int | None = None
) -> Iterator[int]:
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
            pass_fds=[] if fd is None else [fd],
        )
    try:
        yield child.pid
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
        app = LiveApp(url=url, web_log=folder / "web.log", worker_log=folder / "worker.log")
        values = {**os.environ, **environ, "BASE_URL": url, "PYTHONUNBUFFERED": "1"}
        web = [
            sys.executable,
            "-m",
            "gunicorn",
            "config.wsgi:application",
            "--bind",
            f"fd://{listener.fileno()}",
        ]
        web += ["--worker-class", "gthread", "--threads", "4", "--worker-tmp-dir", str(folder)]
        worker = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--concurrency", "1"]
        worker += ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        stack.enter_context(process(web, environ=values, log=app.web_log, fd=listener.fileno()))
        stack.enter_context(process(worker, environ=values, log=app.worker_log))
        try:
            wait_until(lambda: _answers(url), what="the web server")
            wait_until(lambda: " ready." in _text(app.worker_log), what="the Celery worker")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{_text(app.web_log)}\n{_text(app.worker_log)}") from None
        yield app


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""
