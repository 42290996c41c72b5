"""What a page costs in a large project: server time, statements and weight, page by page.

20,000 tests, 5,000 runs and 10 million results are made by SQL, which takes some minutes; TROPHYCASE_BENCH_RUNS makes fewer runs
(2,000 results each). The bench fails where a page asks too much, weighs too much or reads results without a bound; the times
are printed, and fail only where they are beyond any doubt.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from projects import access
from tests.bench.large_project import fill
from tests.factories import a_person

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

N_TESTS = 20_000
N_RUNS = int(os.environ.get("TROPHYCASE_BENCH_RUNS", "5000"))
N_TIMES = 12  # each page is asked for
MOST_STATEMENTS = 12
MOST_BYTES = 150_000
GOAL_S = 0.1
BEYOND_DOUBT_S = 2.0  # what a page takes that reads all results
PAGES = (
    "",
    "shape",
    "tests",
    "tests?sort=-p95",
    "tests?q=number_77",
    "tests/400",
    "flaky",
    "failures",
    "slow",
    "runs",
    "runs/4990",
    "runs/compare",
    "uploads",
    "settings/rules",
)


def test_pages_of_a_large_project() -> None:
    owner = a_person()
    project = access.create_project(name="Large", owner=owner)
    began = time.perf_counter()
    n_results = fill(project, n_tests=N_TESTS, n_runs=N_RUNS, last=timezone.now().date())
    print(
        f"\n{N_TESTS:,} tests, {N_RUNS:,} runs, {n_results:,} results, made in {time.perf_counter() - began:.0f} s"
    )
    browser = Client()
    browser.force_login(owner)

    measured = [
        _measure(browser, f"/p/{project.slug}/{place.replace('4990', str(N_RUNS - 10))}") for place in PAGES
    ]

    for name, p50, p95, n_statements, n_bytes in measured:
        goal = "" if p95 <= GOAL_S else "  over the goal"
        times = f"p50 {p50 * 1e3:6.0f} ms  p95 {p95 * 1e3:6.0f} ms"
        print(f"{name:32} {times}  {n_statements:3} statements  {n_bytes / 1e3:5.0f} kB{goal}")
    assert [name for name, _, p95, *_ in measured if p95 > BEYOND_DOUBT_S] == []
    assert [name for name, *_, n, _ in measured if n > MOST_STATEMENTS] == []
    assert [name for name, *_, size in measured if size > MOST_BYTES] == []


def _measure(browser: Client, path: str) -> tuple[str, float, float, int, int]:
    with CaptureQueriesContext(connection) as asked:
        response = browser.get(path)
    assert response.status_code == 200, path
    times = sorted(_timed(partial(browser.get, path)) for _ in range(N_TIMES))
    return path, times[N_TIMES // 2], times[int(N_TIMES * 0.95)], len(asked), len(response.content)


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
