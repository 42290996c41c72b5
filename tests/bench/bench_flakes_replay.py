"""What the flake engine takes of recording: a made history of 10.75 million results through the upload path.

CPU of the worker and of its PostgreSQL backend, together and inside of the engine's part, so that it holds on a busy machine.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from xml.sax.saxutils import quoteattr

import pytest

from analysis import flaking
from analysis.flaking import Told
from projects import access
from projects.models import Flake, Result
from projects.vocabulary import FlakeStatus
from tests.bench.bench_flakes_bars import made
from tests.bench.bench_flakes_histories import BenchRun, History
from tests.bench.bench_ingest import Spent, measured
from tests.bench.delivering import sent
from tests.bench.scale import scaled
from tests.factories import a_person
from tests.shared import NEEDS_SHARED

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

SEED = 424242
N_RUNS = 2_688  # all of them
MOST_SHARE = 0.20


@NEEDS_SHARED
def test_the_engine_takes_a_fifth_of_an_upload_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    history = made(tmp_path, SEED)
    names = _names(tmp_path / f"seed {SEED}")
    project = access.create_project(name="Replayed", owner=a_person())
    inside: list[Spent] = []
    monkeypatch.setattr(flaking, "after_upload", _timed(flaking.after_upload, inside))
    runs = history.runs[: scaled(N_RUNS, least=20)]
    began = datetime.now(UTC) - timedelta(days=runs[-1].at - runs[0].at + 1)

    uploads = []
    for run in runs:
        body = _report(history, names, run)
        asked = {
            "run": str(run.run),
            "branch": run.branch,
            "commit": run.commit,
            "environment": run.environment,
            "started_at": (began + timedelta(days=run.at - runs[0].at)).isoformat(),
            **({} if run.is_main else {"pull_request": run.branch.removeprefix("pull/")}),
        }
        uploads.append(measured(lambda b=body, a=asked: sent(project, b, **a)))  # type: ignore[misc]

    n_results = len(runs) * len(history.suites)
    assert Result.objects.filter(project_id=project.pk).count() == n_results
    whole, engine = _cpu(uploads), _cpu(inside)
    n_flaky = Flake.objects.filter(project=project, status=FlakeStatus.FLAKY).count()
    with capsys.disabled():
        print(
            f"\n{len(runs):,} uploads, {n_results:,} results, {whole:.0f} s of CPU, {n_results / whole:,.0f} results a second;"
            f" the engine took {engine:.1f} s, {engine / whole:.1%}, {1000 * engine / len(runs):.1f} ms an upload"
            f" (median {1000 * median(one.client_s + one.server_s for one in inside):.1f}); {n_flaky} are flaky now"
        )
    assert engine <= MOST_SHARE * whole


def _timed(work: Callable[..., Told], inside: list[Spent]) -> Callable[..., Told]:
    def timed(*arguments: object, **named: object) -> Told:
        told: list[Told] = []
        inside.append(measured(lambda: told.append(work(*arguments, **named))))
        return told[0]

    return timed


def _cpu(spent: list[Spent]) -> float:
    return sum(one.client_s + one.server_s for one in spent)


def _names(folder: Path) -> list[tuple[str, str]]:
    """Return class and name of each test, as recorded."""
    with gzip.open(folder / "ci_bench_tests.csv.gz", "rt", newline="") as lines:
        names = [row["name"].partition("#") for row in csv.DictReader(lines)]
    return [(home, name or "runs") for home, _, name in names]


def _report(history: History, names: list[tuple[str, str]], run: BenchRun) -> bytes:
    """Write the run as its suite would, with a trace for each failure."""
    chance = random.Random(run.run)
    cases = []
    for test, (home, name) in enumerate(names):
        start = f"<testcase classname={quoteattr(home)} name={quoteattr(f'{name}-{test}')} time="
        start += f'"{chance.random():.3f}"'
        tries = run.failures.get(test)
        if tries is None:
            cases.append(f"{start}/>")
            continue
        words = ["failure", *["rerunFailure"] * (len(tries.failed) - 1)]
        if False in tries.failed:
            words = ["flakyFailure"] * sum(tries.failed)
        trace = f"at {home}.{name}({home.rpartition('.')[2]}.java:{test % 300})\n" * 12
        inner = "".join(
            f'<{word} type="AssertionError" message="expected {chance.randrange(9)}">{trace}</{word}>'
            for word in words
        )
        cases.append(f"{start}>{inner}</testcase>")
    return f'<testsuite name="all">{"".join(cases)}</testsuite>'.encode()
