"""How much memory a worker takes for a report of a million cases: it must not grow with the file.

A process of its own records uploads of growing size, as a worker does, and says what it held at most. The reports are written
while they are packed, so this process holds none of them either.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
import zstandard
from django.utils import timezone

from projects import access
from projects.models import Project, Result, Upload, UploadFile
from projects.vocabulary import UploadState
from tests.bench.scale import scaled
from tests.factories import a_person
from tests.faults.conftest import (
    environ as environ,
)  # a fixture of the fault tests: a process on this database
from tests.processes import ROOT

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

GOAL_MB = 150
N_CASES = 1_000_000
WORK = """
import re, sys
from config.celery import app
import django
django.setup()
from ingest.tasks import process_upload
app.loader.import_default_modules()
def most():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
print(most())
process_upload(project_id=int(sys.argv[1]), upload_id=sys.argv[2])
print(most())
"""
WORDS = ("cart", "order", "refund", "invoice", "session", "stock", "search", "export", "ledger", "audit")
TRACE = "\n".join(f"src/shop/{WORDS[k % 10]}.py:{k}: in step_{k}\n    result = call({k})" for k in range(60))


def report(n_cases: int) -> Iterator[bytes]:
    """Yield a report of some 250 bytes a case, a thousand cases at a time; one in a hundred fails with a long trace."""
    chance = random.Random(1)
    yield b'<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">'
    for start in range(0, n_cases, 1_000):
        yield "".join(case(number, chance) for number in range(start, min(start + 1_000, n_cases))).encode()
    yield b"</testsuite></testsuites>"


def case(number: int, chance: random.Random) -> str:
    """Write one case."""
    home = number // 20
    word = WORDS[home % 10]
    head = (
        f'<testcase classname="tests.integration.{word}.test_module_{home:06}.Test{word.title()}Behaviour"'
        f' name="test_handles_case_number_{number:07}_of_the_suite[variant-{number % 7}]"'
        f' file="tests/integration/{word}/test_module_{home:06}.py" line="{number % 900}"'
        f' time="{chance.lognormvariate(-4, 1.5):.3f}"'
    )
    if number % 100:
        return f"{head}/>"
    return (
        f'{head}><failure message="assert {number} == 7">{TRACE}\nE assert {number} == 7</failure></testcase>'
    )


def stored(project: Project, n_cases: int) -> tuple[Upload, int]:
    """Store an upload of so many cases as the API does, packed; return it and the size of its report."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    packed, n_bytes = [], 0
    for part in report(n_cases):
        n_bytes += len(part)
        packed.append(packer.compress(part))
    content = b"".join([*packed, packer.flush()])
    now = timezone.now()
    upload = Upload.objects.create(
        project=project,
        received_at=now,
        started_at=now,
        n_bytes=len(content),
        digest=uuid.uuid4().bytes * 2,
        run_key=uuid.uuid4().hex,
        branch="main",
    )
    UploadFile.objects.create(
        project=project, upload_id=upload.id, position=1, name="r.xml", encoding="zstd", content=content
    )
    return upload, n_bytes


def test_memory_does_not_grow_with_the_file(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    values = {**os.environ, **environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    found = []
    for n_cases in (1_000, N_CASES // 10, N_CASES):
        n_cases = scaled(n_cases, least=1_000)
        project = access.create_project(name=f"Bench {n_cases}", owner=a_person())
        upload, n_bytes = stored(project, n_cases)
        command = [sys.executable, "-c", WORK, str(project.pk), str(upload.id)]
        said = subprocess.run(command, cwd=ROOT, env=values, check=True, capture_output=True, text=True)
        before, most = map(int, said.stdout.split())
        upload.refresh_from_db()
        assert upload.state == UploadState.DONE
        assert Result.objects.filter(project_id=project.pk).count() == n_cases
        found.append(most)
        with capsys.disabled():
            print(
                f"\n{n_cases:9,} cases, {n_bytes / 1e6:4.0f} MB: worker {before} MB before, {most} MB at most"
                f" (goal {GOAL_MB})",
                end="",
            )

    assert max(found) <= 2 * GOAL_MB  # beyond any doubt; what is between the two is printed
