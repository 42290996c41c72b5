"""What a second worker brings: the same uploads of four projects, recorded by one process and by two, PostgreSQL beside them.

Seconds on the wall from the word to go until the last upload is recorded, so they hold on a quiet machine alone. How much of
the machine's CPU was in use, and by whom, says which resource is full.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.utils import timezone

from projects import access
from projects.models import Project, Upload
from projects.vocabulary import UploadState
from tests.bench.bench_ingest import report
from tests.bench.delivering import accepted
from tests.bench.scale import scaled
from tests.factories import a_person
from tests.faults.conftest import (
    environ as environ,
)  # a fixture of the fault tests: a process on this database
from tests.processes import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

GOAL = 1.6
N_PROJECTS, N_UPLOADS, N_CASES = 4, 4, 20_000
WORK = """
import sys, django
django.setup()
from ingest.tasks import process_upload
from projects.models import Project
Project.objects.exists()
print("ready", flush=True)
sys.stdin.readline()
for word in sys.argv[1:]:
    project_id, upload_id = word.split(":")
    process_upload(project_id=int(project_id), upload_id=upload_id)
"""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of a race, of its workers' CPU, and of the machine's CPU in use."""

    wall_s: float
    workers_s: float
    machine_s: float

    def line(self, n_workers: int, n_cases: int) -> str:
        """Say the rate and who was busy."""
        whole = self.wall_s * (os.cpu_count() or 1)
        return (
            f"{n_workers} worker{'s' if n_workers > 1 else ''}: {n_cases / self.wall_s:9,.0f} cases/s, CPU in use"
            f" {self.machine_s / whole:4.0%} of {os.cpu_count()} cores: workers {self.workers_s / whole:4.0%},"
            f" PostgreSQL and all else {(self.machine_s - self.workers_s) / whole:4.0%}"
        )


def test_two_workers_beside_one(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    n_cases = scaled(N_CASES, least=500)
    projects = [access.create_project(name=f"Bench {n}", owner=a_person()) for n in range(N_PROJECTS)]
    race(waiting(projects, n_cases, name="warm"), n_workers=1, environ=environ)
    one = race(waiting(projects, n_cases, name="one"), n_workers=1, environ=environ)
    two = race(waiting(projects, n_cases, name="two"), n_workers=2, environ=environ)

    n = n_cases * N_PROJECTS * N_UPLOADS
    with capsys.disabled():
        print(f"\n{one.line(1, n)}\n{two.line(2, n)}")
        print(f"two are {one.wall_s / two.wall_s:.2f} times as fast as one (goal {GOAL}); {full(two)}")


def full(two: Took) -> str:
    """Say which resource kept two workers from being faster."""
    in_use = two.machine_s / two.wall_s / (os.cpu_count() or 1)
    return (
        "the CPU is full"
        if in_use > 0.9
        else f"{1 - in_use:.0%} of the CPU was idle: they wait for the disk or a lock"
    )


def waiting(projects: list[Project], n_cases: int, *, name: str) -> list[list[str]]:
    """Accept the uploads of a race; return project and id of each, by project."""
    bodies = [report(n_cases, run=run) for run in range(N_UPLOADS)]
    return [
        [
            f"{project.pk}:{accepted(project, body, run=f'{name} {n}', started_at=timezone.now()).id}"
            for n, body in enumerate(bodies)
        ]
        for project in projects
    ]


def race(uploads: list[list[str]], *, n_workers: int, environ: dict[str, str]) -> Took:
    """Let so many workers record the uploads, each those of projects of its own; return what it took."""
    values = {**os.environ, **environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    shares = [[word for words in uploads[k::n_workers] for word in words] for k in range(n_workers)]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, *share],
            cwd=ROOT,
            env=values,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for share in shares
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    began, machine = time.perf_counter(), machine_s()
    used = sum(process_s(worker.pid) for worker in workers)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    children = os.times()
    for worker in workers:
        assert worker.wait(1_200) == 0
    after = os.times()
    took = Took(
        time.perf_counter() - began,
        after.children_user
        + after.children_system
        - children.children_user
        - children.children_system
        - used,
        machine_s() - machine,
    )
    for worker in workers:
        for pipe in (worker.stdin, worker.stdout):
            assert pipe is not None
            pipe.close()
    assert not Upload.objects.exclude(state=UploadState.DONE).exists()
    return took


def machine_s() -> float:
    """Return how many seconds the machine's cores were busy since it started."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def process_s(pid: int) -> float:
    """Return how many seconds of CPU a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
