"""How fast an upload becomes rows, beside what the same machine can do at best and with the ORM.

Rates are cases per second of CPU, the worker's and its PostgreSQL backend's together, so that they hold on a busy machine too.
`raw` is expat's attributes, an id cache and binary COPY of finished rows into a table with the columns and indexes of Result;
`bulk_create` is what Django offers. The product does all of its work: identities, layers, buckets, flakes and rollups.
"""

from __future__ import annotations

import io
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

import pytest
from django.db import connection, models
from django.utils import timezone

from ingest.accept import Delivery, accept
from ingest.bodies_in import SentFile
from ingest.record import record
from ingest.stored import files
from ingest.tasks import limits
from ingest.wishes import fields
from projects import access
from projects.models import Project, Result
from tests.factories import a_person

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]

N_CASES = 100_000
N_STEADY = 5
WORDS = (
    "cart",
    "order",
    "refund",
    "invoice",
    "session",
    "stock",
    "token",
    "search",
    "export",
    "webhook",
    "ledger",
    "audit",
)
VERBS = (
    "creates",
    "rejects",
    "updates",
    "retries",
    "renders",
    "parses",
    "merges",
    "expires",
    "locks",
    "sorts",
    "rounds",
)
A_CLASS = 12  # tests in a class
# One test in two hundred fails: of 141 real runs of nine open projects the median has one in 700, all together one in 110.
# The same tests fail and are skipped day after day: were they drawn anew for each run, every test would be a flake before
# long, and the engine would be measured instead of the path.
BROKEN, WAVERING, SKIPPED = 0.003, 0.004, 0.03


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds of the client and of its PostgreSQL backend, and how long it took."""

    client_s: float
    server_s: float
    wall_s: float

    def line(self, name: str, n: int, best: float) -> str:
        """Say the rate, and what share of the best rate it is."""
        rate = n / (self.client_s + self.server_s)
        share = f"{rate / best:5.2f} of raw" if best else ""
        return (
            f"{name:34} {rate:9,.0f} cases/CPU-s  client {self.client_s / n * 1e6:5.1f} us"
            f"  server {self.server_s / n * 1e6:5.1f} us  {n / self.wall_s:9,.0f} cases/s  {share}"
        )


def report(n_cases: int, *, run: int, is_green: bool = False) -> bytes:
    """Write a pytest report: the same tests in each run, at other times, and a few that waver unless all is green."""
    chance, character = random.Random(run), random.Random("suite")
    out = io.StringIO()
    out.write('<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">')
    for number in range(n_cases):
        home, place = divmod(number, A_CLASS)
        module = f"tests.{WORDS[home % 12]}.test_{WORDS[home // 12 % 12]}_{home}"
        name = f"test_{VERBS[place % 11]}_{WORDS[(home + place) % 12]}_{place}[{place % 3}-case]"
        out.write(f'<testcase classname="{module}.Test{WORDS[home % 7].title()}" name={quoteattr(name)}')
        usual_s = character.lognormvariate(-4, 1.5)  # some 20 ms; a few take seconds
        out.write(f' time="{usual_s * chance.lognormvariate(0, 0.2):.3f}"')
        kind = 1.0 if is_green else character.random()
        if kind < BROKEN or (kind < BROKEN + WAVERING and chance.random() < 0.5):
            trace = "\n".join(
                f"src/{WORDS[k % 12]}.py:{k}: in {VERBS[k % 11]}\n    result = call({k})" for k in range(12)
            )
            message = f"AssertionError: assert {chance.randint(0, 500)} == {chance.randint(0, 500)}"
            out.write(
                f"><failure message={quoteattr(message)}>{escape(trace)}\nE   {message}</failure></testcase>"
            )
        elif BROKEN + WAVERING <= kind < BROKEN + WAVERING + SKIPPED:
            out.write('><skipped type="pytest.skip" message="requires network"/></testcase>')
        else:
            out.write("/>")
    out.write("</testsuite></testsuites>")
    return out.getvalue().encode()


def measured(work: Callable[[], Any]) -> Spent:
    """Run the work and return what it took of this process and of its backend."""
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    wall, client, server = time.perf_counter(), time.process_time(), _backend_s(pid)
    work()
    return Spent(time.process_time() - client, _backend_s(pid) - server, time.perf_counter() - wall)


def _backend_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def attributes(body: bytes) -> list[tuple[str, str, float, int]]:
    """Return (classname, name, seconds, outcome) of each case: the least that reading a report can mean."""
    rows: list[tuple[str, str, float, int]] = []
    outcome = 1
    case: dict[str, str] = {}

    def start(tag: str, attrs: dict[str, str]) -> None:
        nonlocal case, outcome
        if tag == "testcase":
            case, outcome = attrs, 1
        elif tag == "failure":
            outcome = 2
        elif tag == "skipped":
            outcome = 4

    def end(tag: str) -> None:
        if tag == "testcase":
            rows.append((case["classname"], case["name"], float(case["time"]), outcome))

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(body, True)  # noqa: FBT003 - it takes no names
    return rows


RAW_TABLES = """
DROP TABLE IF EXISTS raw_test, raw_result;
CREATE TABLE raw_test (id int PRIMARY KEY, classname text, name text);
CREATE TABLE raw_result (LIKE projects_result);
CREATE INDEX ON raw_result (project_id, test_id);
CREATE INDEX ON raw_result USING brin (project_id, run_number);
"""


class Raw:
    """The best a client can do: ids from a dictionary, finished rows by binary COPY in the order of their ids."""

    def __init__(self) -> None:
        self.ids: dict[tuple[str, str], int] = {}
        with connection.cursor() as cursor:
            cursor.execute(RAW_TABLES)

    def store(self, body: bytes, *, run: int) -> None:
        """Read and store one report."""
        rows = attributes(body)
        new = list(dict.fromkeys((row[0], row[1]) for row in rows if (row[0], row[1]) not in self.ids))
        first = len(self.ids) + 1
        self.ids.update((key, first + n) for n, key in enumerate(new))
        day = timezone.now().date()
        done = sorted((self.ids[row[0], row[1]], row[2], row[3]) for row in rows)
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            if new:
                with cursor.copy("COPY raw_test FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(["int4", "text", "text"])
                    for n, key in enumerate(new, first):
                        copy.write_row((n, *key))
            with cursor.copy("COPY raw_result FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["int4", "int4", "int4", "date", "float4", "int2", "int2"])
                for test_id, seconds, outcome in done:
                    copy.write_row((1, test_id, run, day, seconds, outcome, 1))
            cursor.execute("COMMIT")


class BulkTest(models.Model):
    """A test as the ORM would keep it."""

    classname = models.TextField()
    name = models.TextField()
    objects: models.Manager[BulkTest] = models.Manager()

    class Meta:
        app_label = "bench"
        constraints = [models.UniqueConstraint(fields=["classname", "name"], name="bulk_one_test")]

    def __str__(self) -> str:
        return self.name


class BulkResult(models.Model):
    """A result as the ORM would keep it."""

    test = models.ForeignKey(BulkTest, models.CASCADE)
    run = models.IntegerField()
    seconds = models.FloatField()
    outcome = models.SmallIntegerField()
    objects: models.Manager[BulkResult] = models.Manager()

    class Meta:
        app_label = "bench"

    def __str__(self) -> str:
        return str(self.pk)


def bulk_create(body: bytes, *, run: int) -> None:
    """Store one report the ORM's way, a thousand at a time."""
    rows = attributes(body)
    for start in range(0, len(rows), 1_000):
        part = rows[start : start + 1_000]
        BulkTest.objects.bulk_create(
            [BulkTest(classname=c, name=n) for c, n, _, _ in part], ignore_conflicts=True
        )
        found = BulkTest.objects.filter(classname__in={row[0] for row in part})
        ids = {(test.classname, test.name): test.pk for test in found}
        BulkResult.objects.bulk_create(
            [BulkResult(test_id=ids[c, n], run=run, seconds=s, outcome=o) for c, n, s, o in part]
        )


def product(project: Project, body: bytes, *, run: int) -> None:
    """Accept and record one report as the web server and the worker do."""
    now = timezone.now()
    started = (now - timedelta(hours=1) + timedelta(minutes=run)).isoformat()
    asked = fields(
        {"run": f"r{run}", "commit": f"c{run}", "started_at": started}, default_branch="main", now=now
    )
    upload = accept(project, None, Delivery(asked, (SentFile("r.xml", "", body),)), now=now).upload
    assert upload.claim(now=now, stale_before=now)
    record(upload, files=files(upload), limits=limits(), now=now)


@pytest.mark.parametrize("is_green", [False, True], ids=["ordinary", "green"])
def test_ingest_is_measured(capsys: pytest.CaptureFixture[str], *, is_green: bool) -> None:
    bodies = [report(N_CASES, run=run, is_green=is_green) for run in range(1 + N_STEADY)]
    with capsys.disabled():
        kind = "all passed" if is_green else "0.5 % fail, 3 % are skipped"
        print(f"\n{N_CASES:,} cases an upload, {len(bodies[0]) / 1e6:.0f} MB, {kind}")
        raw = _raw(bodies)
        _print_bulk(bodies, raw)
        _print_product(bodies, raw)


def _raw(bodies: list[bytes]) -> tuple[float, float]:
    raw = Raw()
    first = measured(lambda: raw.store(bodies[0], run=0))
    steady = _fastest([measured(lambda b=b, n=n: raw.store(b, run=n)) for n, b in enumerate(bodies[1:], 1)])  # type: ignore[misc]
    print(first.line("raw, first", N_CASES, 0))
    print(steady.line("raw, steady", N_CASES, 0))
    return _rate(first), _rate(steady)


def _print_bulk(bodies: list[bytes], raw: tuple[float, float]) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(BulkTest)
        editor.create_model(BulkResult)
    print(measured(lambda: bulk_create(bodies[0], run=0)).line("bulk_create, first", N_CASES, raw[0]))
    print(measured(lambda: bulk_create(bodies[1], run=1)).line("bulk_create, steady", N_CASES, raw[1]))
    with connection.schema_editor() as editor:
        editor.delete_model(BulkResult)
        editor.delete_model(BulkTest)


def _print_product(bodies: list[bytes], raw: tuple[float, float]) -> None:
    project = access.create_project(name="Bench", owner=a_person())
    first = measured(lambda: product(project, bodies[0], run=0))
    print(first.line("Trophycase, first", N_CASES, raw[0]))
    for n, body in enumerate(bodies[1:], 1):
        steady = measured(lambda b=body, k=n: product(project, b, run=k))  # type: ignore[misc]
        print(steady.line(f"Trophycase, steady {n}", N_CASES, raw[1]))
    assert Result.objects.filter(project_id=project.pk).count() == N_CASES * len(bodies)
    print(
        f"worker's peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, reports included"
    )


def _fastest(spent: list[Spent]) -> Spent:
    return min(spent, key=lambda one: one.client_s + one.server_s)


def _rate(spent: Spent) -> float:
    return N_CASES / (spent.client_s + spent.server_s)
