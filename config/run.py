"""`make run`: starts everything a team's server has, on this machine, and stops all of it on Ctrl-C.

Knows the order of things and who is alive. How the two servers are run is config.embedded's; what the demo
project holds is the `demo` command's. What is kept (rows, key, password, logs) lies in the data folder.
"""

from __future__ import annotations

import ctypes
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

import django
from django.conf import settings

from config import commands, embedded

if TYPE_CHECKING:
    from config.first_steps import FirstSteps

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_PORT, LAST_PORT = 8000, 8099
READY_SECONDS = 60  # for the first healthy answer of the web server
HISTORY_SECONDS = 50  # from the start; then the address is shown even if the demo is still being sent
STOP_SECONDS = 10  # a worker ends its upload in this time or gives it back: the row stays and is swept
WATCH_SECONDS = 0.5
SERVICES_SECONDS = 5  # how often the two servers are asked whether they are there
QUICK_DEATH_SECONDS = 10  # a part that dies sooner than this, and again, will not get better by itself
N_QUICK_DEATHS = 3
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1  # from linux/prctl.h


class Stopped(Exception):
    """Somebody asked everything to stop."""


class NotReady(Exception):
    """A part did not start; the sentence says which and where its log is."""


@dataclass
class Part:
    """One process of the server: how it is started, where it logs, and how it has fared."""

    name: str
    command: list[str]
    log: Path | None = None  # None: its words go to the terminal
    fds: list[int] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    n_quick_deaths: int = 0

    @property
    def is_dead(self) -> bool:
        """True once the process has ended."""
        return self.process is not None and self.process.poll() is not None

    def start(self) -> None:
        """Start the process in a group of its own, so that Ctrl-C reaches the supervisor alone."""
        with ExitStack() as files:
            output = files.enter_context(self.log.open("ab")) if self.log else None
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=self.fds,
                preexec_fn=_die_with_parent,
            )
        self.started_at = time.monotonic()

    def stop(self) -> None:
        """Ask the process to end, then end its whole group."""
        if self.process is None:
            return
        if not self.is_dead:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"{self.name} did not stop in {STOP_SECONDS} s and was ended.")
        try:
            # What it left behind, such as the children of a worker that was killed.
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()


def main() -> int:
    """Run until Ctrl-C; return the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    for number in SIGNALS:
        signal.signal(number, _raise_stopped)
    home = settings.HOME
    try:
        with _only_run(home) as state, ExitStack() as running:
            _serve(home, state=state, running=running)
    except Stopped:
        say(f"Stopped. The data stays in {_shown(home)}; `make run` continues with it.")
    except (NotReady, embedded.ServiceProblem) as problem:
        say(str(problem))
        return 1
    return 0


def _serve(home: Path, *, state: TextIO, running: ExitStack) -> None:
    """Start everything in order, say where it is, watch over it; `running` stops it in the opposite order."""
    began_at = time.monotonic()
    listener = running.enter_context(_listener())
    port = listener.getsockname()[1]
    # The supervisor itself makes no link, so it is early enough to say this to the processes it starts.
    os.environ.setdefault("BASE_URL", f"http://127.0.0.1:{port}")
    state.write(os.environ["BASE_URL"])
    state.flush()
    say("Starting PostgreSQL and Redis.")
    running.callback(embedded.stop, home)
    embedded.ensure(home, environ=os.environ)
    say("Making tables and collecting static files.")
    _together(running, commands.MIGRATE, commands.COLLECTSTATIC)
    say("Starting web, worker and beat.")
    parts = _parts(home, listener=listener)
    for part in parts:
        running.callback(part.stop)
        part.start()
    steps = _first_steps(home)
    _wait_until_ready(parts[-1], port=port)
    watch = _watch(parts, home=home)
    demo = _start_demo(steps, url=f"http://127.0.0.1:{port}", running=running)
    while not demo.is_dead and time.monotonic() - began_at < HISTORY_SECONDS:
        next(watch)
    is_complete = demo.process is not None and demo.process.poll() == 0
    say(_welcome(home, steps=steps, is_complete=is_complete))
    while True:
        next(watch)


def _first_steps(home: Path) -> FirstSteps:
    django.setup()
    # Here, because the rows can be imported only now.
    from config import first_steps

    return first_steps.prepare(home)


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    print(sentence, flush=True)


# What is kept between runs


def _shown(path: Path) -> str:
    """Return a path as short as it can be typed from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


@contextmanager
def _only_run(home: Path) -> Iterator[TextIO]:
    """Hold the data folder for this run; a second run learns where the first one is."""
    with (home / "run").open("a+") as state:
        try:
            fcntl.flock(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state.seek(0)
            raise NotReady(f"Already running at {state.read()}") from None
        state.truncate(0)
        yield state
        state.truncate(0)


# Starting


@contextmanager
def _listener() -> Iterator[socket.socket]:
    """Take the port of `PORT`, else the first free one; holding it here leaves nobody time to take it."""
    wanted = os.environ.get("PORT")
    ports = [int(wanted)] if wanted else list(range(FIRST_PORT, LAST_PORT + 1))
    for port in ports:
        try:
            listener = socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
        with listener:
            yield listener
        return
    taken = f"Port {wanted} is taken" if wanted else f"No port from {FIRST_PORT} to {LAST_PORT} is free"
    raise NotReady(f"{taken}: name another, such as PORT=9000 make run.")


def _together(running: ExitStack, *chores: list[str]) -> None:
    """Run management commands side by side; the first that fails is the problem."""
    quiet = ["--verbosity", "0"]
    parts = [Part(name=" ".join(chore), command=[sys.executable, *chore, *quiet]) for chore in chores]
    for part in parts:
        running.callback(part.stop)
        part.start()
    for part in parts:
        if part.process and part.process.wait():
            raise NotReady(f"{part.name} did not work; its words are above.")


def _parts(home: Path, *, listener: socket.socket) -> list[Part]:
    """Return the processes in the order of their start; they stop in the opposite one."""
    logs = home / "logs"
    module = [sys.executable, "-m"]
    beat = [*module, *commands.BEAT, "--schedule", str(home / "beat")]
    web = [*module, *commands.WEB, "--bind", f"fd://{listener.fileno()}"]
    logs.mkdir(parents=True, exist_ok=True)
    for log in logs.glob("*.log"):
        log.unlink()
    return [
        Part(name="worker", command=[*module, *commands.WORKER], log=logs / "worker.log"),
        Part(name="beat", command=beat, log=logs / "beat.log"),
        Part(name="web", command=web, log=logs / "web.log", fds=[listener.fileno()]),
    ]


def _wait_until_ready(web: Part, *, port: int) -> None:
    """Wait for the first healthy answer of the web server."""
    deadline = time.monotonic() + READY_SECONDS
    while not _is_healthy(port):
        if web.is_dead or time.monotonic() > deadline:
            raise NotReady(f"The web server did not start.\n{_tail(web.log)}")
        time.sleep(0.1)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _start_demo(steps: FirstSteps, *, url: str, running: ExitStack) -> Part:
    """Send the demo's history through the upload API; it tells the terminal how far it is."""
    say("Sending the demo's history through the upload API.")
    command = commands.demo(url=url, username=steps.username, password=steps.password)
    demo = Part("demo", [sys.executable, *command])
    running.callback(demo.stop)
    demo.start()
    return demo


def _welcome(home: Path, *, steps: FirstSteps, is_complete: bool) -> str:
    """Return what the person at the terminal needs: address, login, and a line that uploads a report."""
    url = os.environ["BASE_URL"]
    password = steps.password if steps.is_password_ours else "(the password you gave it)"
    state = "" if is_complete else "\n  The demo's history is not complete yet; reload to see it grow."
    return f"""
  Trophycase  {url}
  Login       {steps.username}  {password}
  Upload      curl -H "Authorization: Bearer {steps.token}" -F file=@reports.xml -F branch=main \\
                -F commit=$(git rev-parse HEAD) {url}/api/v1/uploads
  Logs        {_shown(home / "logs")}
{state}
  Ctrl-C stops everything.
"""


# Watching and stopping


def _watch(parts: list[Part], *, home: Path) -> Iterator[None]:
    """Start again what has died, look after look; give up on a part that keeps dying."""
    asked_at = time.monotonic()
    while True:
        time.sleep(WATCH_SECONDS)
        for part in parts:
            if part.is_dead:
                _revive(part)
        if time.monotonic() - asked_at > SERVICES_SECONDS:
            embedded.ensure(home, environ=os.environ)
            asked_at = time.monotonic()
        yield


def _revive(part: Part) -> None:
    """Show how a part ended and start it again."""
    code = part.process.returncode if part.process else None
    part.stop()
    is_quick = time.monotonic() - part.started_at < QUICK_DEATH_SECONDS
    part.n_quick_deaths = part.n_quick_deaths + 1 if is_quick else 0
    if part.n_quick_deaths >= N_QUICK_DEATHS:
        raise NotReady(f"{part.name} ended {N_QUICK_DEATHS} times in a row.\n{_tail(part.log)}")
    say(f"{part.name} ended with code {code} and is started again. Its last words:\n{_tail(part.log)}")
    part.start()


def _tail(log: Path | None, *, n_lines: int = 12) -> str:
    if log is None:
        return ""
    lines = log.read_text(errors="replace").splitlines()[-n_lines:]
    return "\n".join(f"    {line}" for line in lines)


def _raise_stopped(_number: int, _frame: FrameType | None) -> None:
    """Stop everything, once: each step of that has a time limit, and no second Ctrl-C may cut it short."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def _die_with_parent() -> None:
    """Have Linux end this child with the supervisor, even when that is killed."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
