"""How long a sender and a reader wait: from a POST to the page that shows its run, and for a POST while the worker is busy.

Both against a real server and worker over HTTP. These are seconds on the wall, so they hold on a quiet machine alone.
"""

from __future__ import annotations

import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from projects.models import Upload
from projects.vocabulary import UploadState
from tests import processes
from tests.bench import bench_ingest
from tests.bench.scale import scaled
from tests.factories import Shop, a_shop
from tests.waiting import wait_until

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

VISIBLE_CASES, VISIBLE_GOAL_S = 10_000, 1.0
POST_CASES, POST_GOAL_S = 7_400, 0.1  # a report of 1 MB
N_POSTS = 300
WAITING = [UploadState.RECEIVED, UploadState.PROCESSING]


@contextmanager
def drained() -> Iterator[None]:
    """Take what still waits away afterwards, so that nobody waits for it."""
    try:
        yield
    finally:
        Upload.objects.filter(state=UploadState.RECEIVED).delete()
        processing = Upload.objects.filter(state=UploadState.PROCESSING)
        wait_until(lambda: not processing.exists(), what="the upload under way", seconds=120)


def post(url: str, shop: Shop, body: bytes, *, run: str) -> float:
    """Send a report; return how long the answer took."""
    request = urllib.request.Request(f"{url}/api/v1/uploads?run={run}", body)
    request.add_header("Authorization", f"Bearer {shop.token}")
    request.add_header("Content-Type", "application/xml")
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=120) as response:
        assert response.status == 202
    return time.perf_counter() - began


def is_shown(url: str, shop: Shop, run: int, *, session: str, n_cases: int) -> bool:
    """True when the page of the run is there, with all of its tests."""
    page = urllib.request.Request(f"{url}/p/{shop.project.slug}/runs/{run}")
    page.add_header("Cookie", f"trophycase_session_{urlsplit(url).port}={session}")
    try:
        with urllib.request.urlopen(page, timeout=60) as response:
            assert response.url == page.full_url, f"sent on to {response.url}"
            return f"{n_cases:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") in response.read().decode()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 404:
            raise
        return False


def test_a_run_is_on_the_pages_soon(live_app: processes.LiveApp, capsys: pytest.CaptureFixture[str]) -> None:
    shop, n_cases = a_shop("Bench"), scaled(VISIBLE_CASES, least=100)
    session = shop.browser().cookies[settings.SESSION_COOKIE_NAME].value
    took = []
    for run in range(1, 8):
        body = bench_ingest.report(n_cases, run=run)
        began = time.perf_counter()
        post(live_app.url, shop, body, run=f"r{run}")
        while not is_shown(live_app.url, shop, run, session=session, n_cases=n_cases):
            assert time.perf_counter() - began < 120, "the run does not come"
        took.append(time.perf_counter() - began)
    with capsys.disabled():
        first, *later = took
        print(
            f"\nfrom the POST of {n_cases:,} cases to the page of their run: first {first:.2f} s, later"
            f" {min(later):.2f} to {max(later):.2f} s, median {statistics.median(later):.2f} s"
            f" (goal {VISIBLE_GOAL_S:.0f} s)"
        )


def test_a_post_is_answered_soon_while_the_worker_is_busy(
    live_app: processes.LiveApp, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, n_posts = a_shop("Bench"), scaled(N_POSTS, least=20)
    bodies = [bench_ingest.report(POST_CASES, run=run) for run in range(10)]
    with drained():
        for run in range(5):
            post(live_app.url, shop, bodies[run], run=f"before-{run}")
        took = []
        for run in range(n_posts):
            took.append(post(live_app.url, shop, bodies[run % 10], run=f"r{run}"))
            assert Upload.objects.filter(state__in=WAITING).count() > 1, "the worker has nothing to do"
    p50, p99 = (statistics.quantiles(took, n=100, method="inclusive")[n] for n in (49, 98))
    with capsys.disabled():
        print(
            f"\n{n_posts} POSTs of {len(bodies[0]) / 1e6:.2f} MB while the worker is busy: median {p50 * 1e3:.0f} ms,"
            f" p99 {p99 * 1e3:.0f} ms, longest {max(took) * 1e3:.0f} ms (goal: p99 {POST_GOAL_S * 1e3:.0f} ms)"
        )
