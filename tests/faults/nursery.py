"""Workers to be killed, forked from a process that has imported everything, as Celery forks its own from their parent.

Run as a program it is that parent: it takes a line for each order, and answers with a line. It connects to nothing itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.processes import ROOT

LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Worker:
    """A process that does one task."""

    pid: int
    nursery: Nursery

    def wait(self, seconds: float) -> int:
        """Return how it ended; raise TimeoutExpired if it has not after so many seconds."""
        until = time.monotonic() + seconds
        while (ended := self.nursery.ask({"ended": self.pid})) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"worker {self.pid}", seconds)
            time.sleep(LOOK_SECONDS)
        return int(ended)

    def kill(self) -> None:
        """End it and its children as the kernel does when memory is short: nothing of them gets a last word."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(10)


@dataclass(frozen=True)
class Nursery:
    """The parent of the workers of a test process."""

    process: subprocess.Popen[str]

    def process_upload(self, project_id: int, upload_id: object) -> Worker:
        """Start what a worker does with one upload."""
        return self._start("ingest.tasks.process_upload", project_id=project_id, upload_id=str(upload_id))

    def end_project(self, project_id: int) -> Worker:
        """Start what a worker does with a project that is to be deleted."""
        return self._start("projects.tasks.end_project", project_id=project_id)

    def _start(self, task: str, **values: object) -> Worker:
        return Worker(int(self.ask({"start": task, "values": values})), self)

    def ask(self, order: dict[str, Any]) -> Any:
        """Return the answer to an order."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def a_nursery(environ: Mapping[str, str]) -> Iterator[Nursery]:
    """Run the parent of workers while the block lasts; their connections are told by the name "faults"."""
    values = {**os.environ, **environ, "DJANGO_SETTINGS_MODULE": "config.settings", "PGAPPNAME": "faults"}
    command = [sys.executable, "-m", "tests.faults.nursery"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=values, stdin=pipe, stdout=pipe, text=True) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    import django

    django.setup()
    ended: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        answer = _look(order["ended"], ended) if "ended" in order else _fork(order["start"], order["values"])
        print(json.dumps(answer), flush=True)


def _look(pid: int, ended: dict[int, int]) -> int | None:
    """Return how a worker ended, None while it runs."""
    if pid not in ended:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended.get(pid)


def _fork(task: str, values: dict[str, Any]) -> int:
    """Return the number of a new process, in a group of its own, that does the task and ends."""
    from django.utils.module_loading import import_string

    do = import_string(task)
    if pid := os.fork():
        os.setpgid(pid, pid)
        return pid
    code = 1
    try:
        os.dup2(2, 1)  # the parent's answers are its own
        do(**values)
        code = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
