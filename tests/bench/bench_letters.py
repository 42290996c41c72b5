"""What a thousand due letters cost: time, queries a project, and memory that does not grow with the projects.

Each project has twenty readers, three layers, fifty tests and two weeks of runs; in a tenth as many, ten of the readers have
a version of their own. The letters are built, kept, claimed and handed over as the tasks do it; the mail server is left out.
TROPHYCASE_BENCH_PROJECTS says another number.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django import Settings

from projects.models import (
    Flake,
    LayerDay,
    LetterDelivery,
    Membership,
    OwnerReader,
    Project,
    Run,
    RunLayer,
    Test,
)
from projects.partitions import ensure_months
from projects.vocabulary import FlakeStatus, Layer
from reports import delivery, weekly

N_PROJECTS = int(os.environ.get("TROPHYCASE_BENCH_PROJECTS", "1000"))
N_READERS = 20
N_TESTS = 50
MOST_QUERIES = (
    30  # a project, besides one for each reader: a letter is noted as sent before the next one goes
)
N_VERSIONS = 10
MOST_GROWTH_KB = 60_000
WARM_UP = 20  # projects after which every module and template is loaded
MONDAY = datetime(2026, 11, 23, 9, 1, tzinfo=UTC)

FIRST = date(2026, 11, 9)
DAYS = [FIRST + timedelta(days=n) for n in range(14)]
LAYERS = (Layer.UNIT, Layer.INTEGRATION, Layer.E2E)

# Partitioned by hand, and by far the most rows.
TEST_DAYS = """
INSERT INTO projects_testday (project_id, on_default, day, test_id, n_passed, n_failed, n_flaky, seconds)
SELECT p.id, true, d, t, 1, (t = 1)::int, (t <= 5)::int, t * 0.1
FROM projects_project p, unnest(%(days)s::date[]) d, generate_series(1, %(n_tests)s) t
"""


def suite_of(project: Project) -> Iterator[Test]:
    """Yield the tests of a project, the first five of them flaky."""
    for n in range(1, N_TESTS + 1):
        fingerprint = hashlib.md5(str(n).encode()).digest()
        yield Test(
            project=project,
            id=n,
            fingerprint=fingerprint,
            base=fingerprint,
            classname="shop.Cart",
            name=f"test_{n}",
            owner=f"@shop/team{n % N_VERSIONS}",
            layer=LAYERS[n % 3],
            first_seen_on=FIRST,
            last_seen_on=DAYS[-1],
            first_main_on=FIRST,
            last_main_on=DAYS[-1],
            first_run=1,
            flake_status=FlakeStatus.FLAKY if n <= 5 else FlakeStatus.HEALTHY,
        )


def runs_of(project: Project) -> Iterator[Run]:
    """Yield a run a day."""
    for n, day in enumerate(DAYS, 1):
        yield Run(
            project=project,
            number=n,
            key=f"run-{n}",
            branch="main",
            is_default_branch=True,
            started_at=datetime.combine(day, clock(12), tzinfo=UTC),
            day=day,
            n_tests=N_TESTS,
            n_passed=N_TESTS - 1,
            n_failed=1,
            seconds=100 + n,
        )


def make_rows(n_projects: int) -> None:
    """Make the projects, their readers and two weeks of results."""
    projects = Project.objects.bulk_create(
        Project(slug=f"p{n}", name=f"Project {n}", n_runs=14, n_tests=N_TESTS) for n in range(n_projects)
    )
    users = User.objects.bulk_create(
        User(username=f"u{n}", email=f"u{n}@example.org") for n in range(N_READERS)
    )
    Membership.objects.bulk_create(
        (Membership(project=project, user=user) for project in projects for user in users), batch_size=5_000
    )
    ensure_months(set(DAYS))
    for project in projects:
        Test.objects.bulk_create(suite_of(project))
        Run.objects.bulk_create(runs_of(project))
        RunLayer.objects.bulk_create(
            RunLayer(project=project, run_number=n, layer=layer, n_tests=16, seconds=40)
            for n in range(1, 15)
            for layer in LAYERS
        )
        LayerDay.objects.bulk_create(
            LayerDay(
                project=project, on_default=True, day=day, layer=layer, n_passed=16, n_failed=1, seconds=40
            )
            for day in DAYS
            for layer in LAYERS
        )
        Flake.objects.bulk_create(
            Flake(project=project, test_id=n, status=FlakeStatus.FLAKY, since_on=DAYS[8], n_flakes=7)
            for n in range(1, 6)
        )
    with connection.cursor() as cursor:
        cursor.execute(TEST_DAYS, {"n_tests": N_TESTS, "days": DAYS})
        cursor.execute("ANALYZE")


def give_owners() -> None:
    """Give ten of each project's readers a team, and so a version of the letter."""
    readers = Membership.objects.filter(user__username__in=[f"u{n}" for n in range(N_VERSIONS)])
    rows = readers.values_list("project_id", "id", "user__username").order_by("id")
    OwnerReader.objects.bulk_create(
        OwnerReader(project_id=project_id, membership_id=pk, owner=f"@shop/team{name.removeprefix('u')}")
        for project_id, pk, name in rows
    )


def resident_kb() -> int:
    """Return the memory in use now (Linux): a peak would be that of making the rows."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


class Counter:
    """Counts statements, and nothing of them."""

    n = 0

    def __call__(self, execute: Callable[..., Any], *rest: Any) -> Any:
        """Count one and let it through."""
        self.n += 1
        return execute(*rest)


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.django_db
@pytest.mark.parametrize(("n_projects", "is_owned"), [(N_PROJECTS, False), (N_PROJECTS // 10, True)])
def test_a_thousand_letters_in_bounded_memory(settings: Settings, n_projects: int, is_owned: bool) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    make_rows(n_projects)
    if is_owned:
        give_owners()
    counter, most, warm_kb = Counter(), 0, 0
    began = time.process_time()

    with connection.execute_wrapper(counter):
        for place, project in enumerate(Project.objects.order_by("id").iterator(chunk_size=100)):
            before = counter.n
            letter = weekly.due_letter(project, now=MONDAY)
            assert letter is not None
            delivery.send(delivery.claim(letter.pk, now=MONDAY), now=MONDAY)
            most = max(most, counter.n - before)
            if place == min(WARM_UP, n_projects - 1):
                warm_kb = resident_kb()

    took = time.process_time() - began
    now_kb = resident_kb()
    n_sent = LetterDelivery.objects.filter(sent_at=MONDAY).count()
    print(
        f"\n{n_projects} letters{' in versions' if is_owned else ''} to {n_sent} readers: {took:.0f} s of CPU,"
        f" {1000 * took / n_projects:.0f} ms a project, PostgreSQL's besides; at most {most} queries a project;"
        f" {now_kb / 1000:.0f} MB resident, {(now_kb - warm_kb) / 1000:.1f} MB more than after the first {WARM_UP}"
    )
    assert n_sent == n_projects * N_READERS
    assert most <= MOST_QUERIES + N_READERS
    assert now_kb - warm_kb <= MOST_GROWTH_KB
