"""How long a change of rules takes in a large project: 100,000 tests weighed again, and every sum by layer made anew."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from analysis import refresh
from projects.models import LayerRule, Project
from projects.vocabulary import Layer, RuleField
from tests.bench import large_project
from tests.factories import a_shop

N_TESTS, N_RUNS = 100_000, 60  # each run executes a tenth of the tests
MOST_SECONDS = 10


@pytest.mark.bench
@pytest.mark.django_db
@pytest.mark.timeout(600)
def test_a_change_of_rules_is_through_in_ten_seconds() -> None:
    project = a_shop("Large").project
    n_results = large_project.fill(project, n_tests=N_TESTS, n_runs=N_RUNS, last=timezone.now().date())
    print(f"\n{N_TESTS:,} tests, {n_results:,} results")

    first = _timed(project, "the first look")
    second = _timed(project, "a second look, which finds nothing to change")
    LayerRule.objects.create(
        project=project, position=1, field=RuleField.PATH, pattern="tests/integration/**", layer=Layer.E2E
    )
    changed = _timed(project, "after a rule that moves a fifth of the tests")

    assert max(first, second, changed) < MOST_SECONDS


def _timed(project: Project, words: str) -> float:
    """Reclassify the project, and print how long that took, here and in PostgreSQL."""
    began, cpu_began, server_began = time.perf_counter(), time.process_time(), _server_cpu()
    n_moved = refresh.reclassify(Project.objects.get(pk=project.pk), now=timezone.now())
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    server = _server_cpu() - server_began
    print(f"{seconds:.1f} s (CPU: worker {cpu:.1f} s, PostgreSQL {server:.1f} s), {n_moved:,} moved: {words}")
    return seconds


def _server_cpu() -> float:
    """Return the CPU seconds that this connection's server process has taken, NaN where it is on another machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return math.nan
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
