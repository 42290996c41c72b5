"""What a page costs in a large project: server time, statements, weight and results read; then first paint in Chromium.

20,000 tests, 5,000 runs and 10 million results are made by SQL, which takes some minutes; TROPHYCASE_BENCH_RUNS makes fewer runs
(2,000 results each), and TROPHYCASE_BENCH_HOME names a folder in which the project is kept for the next time; its pages are asked
for as of its last day, so that there is a day that no span holds. Which pages, tests.bench.places says.
The bench fails where a page asks too much, weighs too much, reads results without a bound or moves under
the reader; the times are printed, and fail only where they are beyond any doubt.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment, teardown_test_environment
from django.utils import timezone
from playwright.sync_api import Browser, Response
from pytest_django import DjangoDbBlocker

from analysis import spans
from config import collecting, commands, embedded
from projects import access
from projects.models import Membership, Project, Run, Upload
from tests import addresses, processes
from tests.bench import kept
from tests.bench.large_project import fill
from tests.bench.places import PAGES
from tests.factories import a_person

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

HOME = os.environ.get("TROPHYCASE_BENCH_HOME", "")
# pytest-django empties the database of a test that has this mark; a kept one stays as it is.
IN_A_DATABASE = pytest.mark.usefixtures("servers") if HOME else pytest.mark.django_db(transaction=True)

N_TESTS = 20_000
N_RUNS = int(os.environ.get("TROPHYCASE_BENCH_RUNS", "5000"))
N_TIMES = 20  # each page is asked for
MOST_STATEMENTS = 12
MOST_BYTES = 150_000
MOST_OF_A_BRANCH = 400_000  # the newest 200 runs of a branch that has no sums, and their neighbours in blocks
MOST_RESULTS = 20_000  # read for a page: two whole runs are 4,000, a page of history strips less
GOAL_S = 0.1
BEYOND_DOUBT_S = 0.2  # of CPU; a page takes more that adds up all days, or reads all results
PAINT_GOAL_MS = 500
PAINT_BEYOND_DOUBT_MS = 5_000  # on a machine with ten others' work
MOST_MOVED = 0.05  # of layout shift; 0.1 is what Chromium calls good
RUN = N_RUNS - 10
PAINTED = ("", "shape", "tests", "tests/400", "flaky", "failures", "slow", "budgets", "runs", f"runs/{RUN}")

# Rows that index and table scans fetched from the partitions of results, since the server began.
RESULTS_READ = """
SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_user_tables WHERE relname ~ '^projects_result_'
"""
WATCH = """
window.moved = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.moved += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
PAINTED_ONCE = "performance.getEntriesByName('first-contentful-paint').length > 0"
SEEN = """() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    moved: window.moved,
    charts: document.querySelectorAll("[data-chart]").length,
    plotly: performance.getEntriesByType("resource").filter((entry) => entry.name.includes("plotly"))
        .map((entry) => [entry.encodedBodySize, entry.decodedBodySize]),
})"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one page cost the server."""

    place: str
    p50_s: float
    p95_s: float
    cpu_s: float
    n_statements: int
    n_bytes: int
    n_results: int

    def __str__(self) -> str:
        goal = "" if self.p95_s <= GOAL_S else "  over the goal"
        times = (
            f"p50 {self.p50_s * 1e3:5.0f} ms  p95 {self.p95_s * 1e3:5.0f} ms  CPU {self.cpu_s * 1e3:4.0f} ms"
        )
        size = f"{self.n_statements:3} statements  {self.n_bytes / 1e3:4.0f} kB  {self.n_results:6,} results read"
        return f"{self.place:44} {times}  {size}{goal}"


@pytest.fixture
def servers(
    request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[embedded.Services]:
    """Return the session's servers, with a database that is emptied afterwards, or those of the kept project."""
    if not HOME:
        yield request.getfixturevalue("services")
        return
    with django_db_blocker.unblock(), kept.database(Path(HOME)) as found:
        yield found


@IN_A_DATABASE
def test_pages_of_a_large_project(servers: embedded.Services, browser: Browser, tmp_path: Path) -> None:
    project = a_kept_project() or a_large_project(a_person())
    owner = Membership.objects.get(project=project).user
    if owner.memberships.count() == 1:  # who has one project is led past the page of projects
        access.create_project(name="Another", owner=owner)
    reader = Client(SERVER_NAME="localhost")
    reader.force_login(owner)

    with as_of_its_last_day(project), as_in_production():
        spans.keep_up(project, now=timezone.now())
        costs = [_cost(reader, path) for path in _places(project)]
    with a_server(servers, tmp_path) as url:
        seen = {place: _painted(browser, owner, url, f"/p/{project.slug}/{place}") for place in PAINTED}

    assert [cost.place for cost in costs if cost.cpu_s > BEYOND_DOUBT_S] == []
    assert [cost.place for cost in costs if cost.n_statements > MOST_STATEMENTS] == []
    assert [cost.place for cost in costs if cost.n_bytes > MOST_BYTES] == []
    assert [cost.place for cost in costs if cost.n_results > _most_results(cost.place)] == []
    assert [place for place, (paint, _) in seen.items() if paint > PAINT_BEYOND_DOUBT_MS] == []
    assert [complaint for _, complaints in seen.values() for complaint in complaints] == []


@pytest.mark.django_db(transaction=True)
def test_a_page_that_reads_all_results_is_found_out() -> None:
    project = a_large_project(a_person(), n_runs=50)

    with results_read() as n_read, connection.cursor() as cursor:
        cursor.execute("SELECT sum(seconds) FROM projects_result WHERE project_id = %s", [project.pk])
        cursor.fetchall()

    assert n_read() > MOST_RESULTS


def a_kept_project() -> Project | None:
    """Return the project that an earlier bench filled in this database, its spans those of today; None where none did."""
    project = Project.objects.first()
    if project is None:
        return None
    if not Upload.objects.filter(project=project).exists():  # they are filled in last
        pytest.fail(f"Remove {HOME}: the bench that filled it was cut off.")
    return project


@contextmanager
def as_of_its_last_day(project: Project) -> Iterator[None]:
    """Set the clock of Django back to the day of the project's last run, at the same time of day."""
    last = Run.objects.filter(project=project).latest("started_at").day
    real, behind = timezone.now, timezone.now().date() - last
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", lambda: real() - behind)
        yield


@contextmanager
def as_in_production() -> Iterator[None]:
    """Let Django render as it does where nobody tests, where it keeps no context of every part of a page, and collect seldom."""
    teardown_test_environment()
    before = gc.get_threshold()
    collecting.seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        setup_test_environment(debug=False)


def _places(project: Project) -> list[str]:
    """Return the addresses of all pages."""
    upload = Upload.objects.filter(project=project, run_number=RUN).latest("received_at")
    places = (place.format(run=RUN, before=RUN - 2, upload=upload.id) for place in PAGES)
    return [place if place.startswith("/") else f"/p/{project.slug}/{place}" for place in places]


def a_large_project(owner: User, *, n_runs: int = N_RUNS) -> Project:
    """Return a project with so many runs up to today, its spans made as the background does."""
    project = access.create_project(name="Large", owner=owner)
    began = time.perf_counter()
    n_results = fill(project, n_tests=N_TESTS, n_runs=n_runs, last=timezone.now().date())
    print(
        f"\n{N_TESTS:,} tests, {n_runs:,} runs, {n_results:,} results, made in {time.perf_counter() - began:.0f} s"
    )
    began = time.perf_counter()
    n_spans = spans.keep_up(project, now=timezone.now())
    print(f"{n_spans} spans, made in {time.perf_counter() - began:.0f} s")
    return project


def _most_results(place: str) -> int:
    return MOST_OF_A_BRANCH if "branch=" in place and "branch=*" not in place else MOST_RESULTS


def _cost(reader: Client, path: str) -> Cost:
    with CaptureQueriesContext(connection) as asked:
        response = reader.get(path)
    n_statements = len(asked)  # counted now: the next request empties the log
    assert response.status_code == 200, path
    with results_read() as n_read:
        reader.get(path)
    spent = [_timed(partial(reader.get, path)) for _ in range(N_TIMES)]
    times = sorted(took for took, _ in spent)
    p50, p95 = times[N_TIMES // 2], times[int(N_TIMES * 0.95) - 1]
    cpu = min(cpu for _, cpu in spent)
    cost = Cost(path, p50, p95, cpu, n_statements, len(response.content), n_read())
    print(cost)
    return cost


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds that the work took, and those of the CPU, which other work on the machine hardly changes."""
    began, cpu = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - began, _cpu() - cpu


def _cpu() -> float:
    """Return what this process and its PostgreSQL backend used of the CPU; this process alone where the system does not tell."""
    assert connection.connection is not None
    told = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    backend = int(told.read_text().split()[0]) / 1e9 if told.exists() else 0.0
    return time.process_time() + backend


@contextmanager
def results_read() -> Iterator[Callable[[], int]]:
    """Give how many rows of the results the block read, once it is over."""
    before = _n_read()
    after = before
    yield lambda: after - before
    after = _n_read()


def _n_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(RESULTS_READ)
        return int(cursor.fetchone()[0])


@contextmanager
def a_server(services: embedded.Services, folder: Path) -> Iterator[str]:
    """Run the web server as in production, with its static files collected; give its address."""
    environ = {
        "DATABASE_URL": addresses.database_named(
            services.database_url, name=str(connection.settings_dict["NAME"])
        ),
        "REDIS_URL": services.redis_url,
        "SECRET_KEY": settings.SECRET_KEY,
        "TROPHYCASE_HOME": str(folder),
        "STATIC_ROOT": str(folder / "static"),
        "TROPHYCASE_COLLECTED_STATIC": "1",
    }
    command = [sys.executable, *commands.COLLECTSTATIC]
    subprocess.run(
        command, env={**os.environ, **environ}, cwd=processes.ROOT, check=True, capture_output=True
    )
    with processes.web_server(environ, folder=folder) as (url, _):
        yield url


def _painted(browser: Browser, owner: User, url: str, path: str) -> tuple[float, list[str]]:
    """Open a page thrice with an empty cache; return the median of the first paints, and what was wrong."""
    session = Client()
    session.force_login(owner)
    value = session.cookies[settings.SESSION_COOKIE_NAME].value
    name = f"trophycase_session_{url.rpartition(':')[2]}"
    seen = [_seen(browser, f"{url}{path}", (name, value)) for _ in range(3)]
    paint = median(one["paint"] for one in seen)
    goal = "" if paint <= PAINT_GOAL_MS else "  over the goal"
    moved = max(one["moved"] for one in seen)
    print(f"{path:26} first paint {paint:5.0f} ms  moved {moved:.3f}  {seen[0]['charts']} charts{goal}")
    return paint, [f"{path}: {complaint}" for complaint in _complaints(seen[0], moved)]


def _seen(browser: Browser, address: str, session: tuple[str, str]) -> dict[str, Any]:
    """Open a page with an empty cache; return what SEEN tells of it, and how long plotly may be kept."""
    caches: list[str] = []

    def note(answer: Response) -> None:
        if "plotly" in answer.url:
            caches.append(answer.headers.get("cache-control", ""))

    with browser.new_context() as context:
        context.add_cookies([{"name": session[0], "value": session[1], "url": address}])
        page = context.new_page()
        page.add_init_script(WATCH)
        page.on("response", note)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_function(PAINTED_ONCE)  # a busy machine may paint after the last answer
        found: dict[str, Any] = page.evaluate(SEEN)
    return found | {"caches": caches}


def _complaints(seen: dict[str, Any], moved: float) -> Iterator[str]:
    """Say what is not as it should be: charts without plotly or plotly without charts, large, forgotten, or moving."""
    if moved > MOST_MOVED:
        yield f"moved by {moved:.3f}"
    if bool(seen["charts"]) != bool(seen["plotly"]):
        yield f"{seen['charts']} charts, plotly fetched {len(seen['plotly'])} times"
    for packed, whole in seen["plotly"]:
        if packed > whole / 2:
            yield f"plotly came as {packed:,} of {whole:,} bytes"
    for cache in seen["caches"]:
        if "immutable" not in cache:
            yield f"plotly is kept {cache!r}"
