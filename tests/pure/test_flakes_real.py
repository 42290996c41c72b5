"""Real histories: what passed and failed at one version is suspected or flaky, with those runs as proof."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from analysis.engine import Engine, RunSeen, Tried
from analysis.flakes import FlakeVerdict, mark, verdict
from projects.vocabulary import FlakeStatus
from tests.shared import NEEDS_SHARED, SHARED

pytestmark = [pytest.mark.shared, NEEDS_SHARED]
CALLED = (FlakeStatus.SUSPECTED, FlakeStatus.FLAKY)


def outcomes(path: Path) -> dict[str, bool]:
    """Return whether each test of a file failed; reruns are not looked at."""
    failed: dict[str, bool] = {}
    for case in ElementTree.fromstring(gzip.decompress(path.read_bytes())).iter("testcase"):
        if case.find("skipped") is None:
            name = f"{case.get('classname')}::{case.get('name')}"
            is_bad = case.find("failure") is not None or case.find("error") is not None
            failed[name] = failed.get(name, False) or is_bad
    return failed


def replayed(package: str) -> tuple[dict[str, FlakeVerdict], set[str], dict[str, str]]:
    """Return the verdicts, the tests with both outcomes in one mode of one version, and every test's outcomes."""
    assert SHARED is not None
    folder = SHARED / "corpus" / "history" / package
    engine, n_pass, numbers = Engine(), Counter[str](), dict[str, int]()
    passed: dict[str, set[str]] = defaultdict(set)
    both: dict[tuple[str, str, str], set[bool]] = defaultdict(set)
    strips: dict[str, str] = defaultdict(str)
    before = at = 0.0
    lines = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    for run, line in enumerate(sorted(lines, key=lambda line: line["started_at"]), 1):
        at = datetime.fromisoformat(line["started_at"]).timestamp() / 86400
        found = outcomes(folder / line["file"])
        awake = set(engine.awake("ci", at=at))
        tried = {}
        for name, failed in found.items():
            test = numbers.setdefault(name, len(numbers))
            strips[name] += "F" if failed else "."
            both[name, line["version"], line["mode"]].add(failed)
            if failed or test in awake:
                seen_here = line["commit"] in passed[name]
                n = n_pass[name]
                suite = mark(name.split("::")[0])
                tried[test] = Tried(failed, n_pass=n, n_main_pass=n, passed_on_commit=seen_here, suite=suite)
            if not failed:
                n_pass[name] += 1
                passed[name].add(line["commit"])
        engine.record(
            RunSeen(
                run=run,
                environment="ci",
                branch="main",
                is_default_branch=True,
                commit=mark(line["commit"]),
                change=0,
                at=at,
                n_tests=len(found),
                tried=tried,
                gap_days=at - before if before else 0.0,
            )
        )
        before = at
    names = {number: name for name, number in numbers.items()}
    told = {names[test]: verdict(state, now_day=at) for test, state in engine.states["ci"].items()}
    return told, {name for (name, _, _), seen in both.items() if len(seen) == 2}, strips


@pytest.mark.parametrize("package", ["click", "fastify"])
def test_real_flakes_are_called_so_and_proved(package: str) -> None:
    told, flaky, _ = replayed(package)

    assert flaky
    assert {name for name in flaky if told[name].earned not in CALLED} == set()
    assert {name for name in flaky if not told[name].proofs} == set()


@pytest.mark.parametrize(
    "package", ["anyio", "flask", "httpx", "psycopg2-binary", "redis", "starlette", "werkzeug"]
)
def test_tests_that_always_fail_or_that_a_release_broke_are_not_flaky(package: str) -> None:
    told, flaky, strips = replayed(package)

    assert not flaky
    assert {name for name, shown in told.items() if shown.earned is FlakeStatus.FLAKY} == set()
    constant = {name for name, strip in strips.items() if set(strip) == {"F"}}
    assert {name for name in constant & told.keys() if told[name].earned in CALLED} == set()
