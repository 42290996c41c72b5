"""How the fault tests break things: processes held at a known statement and killed, servers stopped and started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.db import connection
from django.utils import timezone

from analysis import rebuilding
from analysis.tasks import follow_paces
from config import embedded
from ingest.tasks import process_upload
from projects.models import Result, ResultBatch, Run, Upload
from projects.vocabulary import UploadState
from tests.processes import ROOT
from tests.rows.test_record import sums
from tests.waiting import wait_until

SWEEP = "import django; django.setup(); from ingest.tasks import sweep_uploads; sweep_uploads()"
# A backend that waits for what the test holds; the test's own are told by their names.
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND application_name = 'faults'
"""


def sweep(*, environ: Mapping[str, str]) -> None:
    """Do what beat has done every five minutes."""
    values = {**os.environ, **environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    subprocess.run([sys.executable, "-c", SWEEP], cwd=ROOT, env=values, check=True)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children as the kernel does when memory is short: nothing of them gets a last word."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def held(statement: str, *, environ: Mapping[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """Hold the locks of a statement while the block lasts."""
    with psycopg.connect(environ["DATABASE_URL"]) as connection:
        connection.execute(statement)
        yield connection
        connection.rollback()


def wait_for_waiters(n: int, *, environ: Mapping[str, str]) -> None:
    """Wait until so many statements wait for a lock."""
    _wait_for_count(WAITING, lambda count: count >= n, environ, what=f"{n} statements that wait for a lock")


def wait_for_silence(*, environ: Mapping[str, str]) -> None:
    """Wait until PostgreSQL has noticed that the killed workers are gone."""
    _wait_for_count(OTHERS, lambda count: count == 0, environ, what="the end of the dead worker's backend")


def _wait_for_count(statement: str, is_right: Any, environ: Mapping[str, str], *, what: str) -> None:
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as connection:

        def is_reached() -> bool:
            row = connection.execute(statement).fetchone()
            return row is not None and is_right(row[0])

        wait_until(is_reached, what=what, seconds=60)


def age_claims(project_id: int) -> None:
    """Let the claims of the project look as old as those that the sweep takes for abandoned."""
    Upload.objects.filter(project_id=project_id).update(claimed_at=timezone.now() - timedelta(hours=1))


def try_again(project_id: int, upload_id: object) -> Upload:
    """Do what a worker does after the sweep's bell; return the upload as it ended."""
    age_claims(project_id)
    process_upload(project_id=project_id, upload_id=str(upload_id))
    return Upload.objects.get(project_id=project_id, id=uuid.UUID(str(upload_id)))


def assert_exactly_once(project_id: int, *, n_uploads: int, n_results: int) -> None:
    """Assert that so many uploads are recorded, none of them twice or half, and that every sum equals a rebuild."""
    done = Upload.objects.filter(project_id=project_id, state=UploadState.DONE)
    rows = list(Result.objects.filter(project_id=project_id).values_list("test_id", "run_number"))
    assert done.count() == n_uploads == Upload.objects.filter(project_id=project_id).count()
    assert sum(Run.objects.filter(project_id=project_id).values_list("n_uploads", flat=True)) == n_uploads
    assert len(rows) == len(set(rows)) == n_results
    follow_paces()  # beat's, every minute
    assert not ResultBatch.objects.filter(project_id=project_id).exists()
    before = sums(project_id)
    rebuilding.rebuild(project_id)
    assert sums(project_id) == before


@dataclass(frozen=True)
class SmallDisk:
    """A disk that is too small for a delivery, until it grows."""

    folder: Path

    def grow(self) -> None:
        """Make room."""
        subprocess.run(["mount", "-o", "remount,size=64m", str(self.folder)], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, *, owner: Path) -> Iterator[SmallDisk | None]:
    """Mount a disk for whoever owns the other folder while the block lasts; None where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(mount, check=False).returncode:
        yield None
        return
    os.chown(folder, owner.stat().st_uid, owner.stat().st_gid)
    folder.chmod(0o700)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL and a Redis to be stopped at will."""

    home: Path
    services: embedded.Services
    secret_key: str

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment of a process that uses them."""
        return {
            "DATABASE_URL": self.services.database_url,
            "REDIS_URL": self.services.redis_url,
            "SECRET_KEY": self.secret_key,
            "TROPHYCASE_HOME": str(self.home),
            "TROPHYCASE_COLLECTED_STATIC": "0",
        }

    def crash_postgres(self) -> None:
        """End PostgreSQL at once, without a checkpoint; its next start replays the log."""
        pid = int((self.home / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: not embedded.is_postgres_up(self.home), what="the end of PostgreSQL")
        # Its socket's lock may outlive its pid file by a moment, and would keep the next server from starting.
        socket = Path(connection.settings_dict["HOST"])
        files = [self.home / "postgres" / "postmaster.pid", *socket.glob(".s.PGSQL.*.lock")]
        wait_until(lambda: not any(file.exists() for file in files), what="the end of its pid file and lock")

    def flush_redis(self) -> None:
        """Throw away everything that Redis holds."""
        with redis.Redis.from_url(self.services.redis_url) as client:
            client.flushall()

    def stop_redis(self) -> None:
        """End Redis without a word to the disk."""
        with redis.Redis.from_url(self.services.redis_url) as client:
            client.shutdown(nosave=True)
        wait_until(lambda: not embedded.is_redis_up(self.home), what="the end of Redis")

    def start(self) -> None:
        """Start what does not run."""
        embedded.ensure(self.home, environ={}, is_durable=True)
