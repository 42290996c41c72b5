"""Real histories: runs of nine packages' own suites over their releases, recorded in order and judged.

The corpus's README lists which tests really passed and failed on one version under the same options; those must be seen, with
the runs of that version as proof, and tests that a release broke or removed must not be called flaky.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from projects.models import Failure, Flake, Project, Run, Test, Upload
from projects.vocabulary import FlakeStatus, UploadState
from tests.factories import Shop, a_shop, record
from tests.shared import CORPUS, NEEDS_SHARED

pytestmark = [pytest.mark.shared, NEEDS_SHARED, pytest.mark.django_db, pytest.mark.timeout(300)]

PACKAGES = (
    "anyio",
    "click",
    "fastify",
    "flask",
    "httpx",
    "psycopg2-binary",
    "redis",
    "starlette",
    "werkzeug",
)
WITH_FLAKES = ("click", "fastify")
SEEN = (FlakeStatus.SUSPECTED, FlakeStatus.FLAKY)
FLAKY_LINE = re.compile(r"- (?P<version>\S+) `(?P<test>.+)` p=\d+ f=\d+ (?P<mode>same mode|across modes)")


def runs_of(package: str) -> list[dict[str, Any]]:
    """Return the runs of a package in order, as its runs.jsonl describes them."""
    assert CORPUS is not None
    lines = (CORPUS / "history" / package / "runs.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def record_run(shop: Shop, package: str, run: dict[str, Any]) -> Upload:
    """Record one run with the fields that the corpus gives."""
    assert CORPUS is not None
    body = (Path(CORPUS) / "history" / package / run["file"]).read_bytes()
    return record(
        shop,
        body,
        run=run["file"],
        branch=run["branch"],
        commit=run["commit"],
        started_at=run["started_at"],
        job=run["mode"],
    )


def really_flaky() -> dict[str, set[str]]:
    """Return, by version of click, the tests that passed and failed on it under the same options."""
    assert CORPUS is not None
    readme = (CORPUS / "history" / "README.md").read_text()
    section = readme.split("### click", 1)[1].split("###", 1)[0]
    found: dict[str, set[str]] = defaultdict(set)
    for line in section.splitlines():
        match = FLAKY_LINE.match(line)
        if match and match["mode"] == "same mode":
            found[match["version"]].add(match["test"].split("::", 1)[1])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_real_history_is_recorded_with_its_counts_and_constant_failures_are_not_called_flaky(
    package: str,
) -> None:
    shop = a_shop(package)

    for run in runs_of(package):
        upload = record_run(shop, package, run)

        assert upload.run_number is not None
        n_failed = Failure.objects.filter(run_number=upload.run_number, is_final=True).count()
        assert upload.state == UploadState.DONE
        assert upload.n_failed + upload.n_error == n_failed
        # Two cases of one identity (a failed call and its failed teardown, a repeated name) are one test.
        assert upload.n_failed + upload.n_error <= run["failed"] + run["errored"]
        assert upload.n_tests <= run["testcases"]

    assert Project.objects.get().n_runs == len(runs_of(package))
    if package not in WITH_FLAKES:
        assert not Test.objects.filter(flake_status=FlakeStatus.FLAKY).exists()


def test_clicks_pager_tests_are_flaky_where_they_were_and_gone_afterwards() -> None:
    shop = a_shop("click")
    expected = really_flaky()
    versions: dict[str, list[int]] = defaultdict(list)
    verdicts: dict[str, dict[str, FlakeStatus]] = {}

    for run in runs_of("click"):
        upload = record_run(shop, "click", run)
        assert upload.run_number is not None
        versions[run["version"]].append(upload.run_number)
        verdicts[run["version"]] = {
            test.name: FlakeStatus(test.flake_status)
            for test in Test.objects.exclude(flake_status=FlakeStatus.HEALTHY)
        }

    assert set(expected) == {"8.2.1", "8.3.0"}
    for version, names in expected.items():
        missed = {name for name in names if verdicts[version].get(name) not in SEEN}
        assert missed == set(), version
        for name in names:
            test = Test.objects.get(name=name, classname="tests.test_utils")
            proofs = Flake.objects.get(test_id=test.id).proof_runs
            assert set(proofs) & set(versions[version]), (version, name)
    others = {name for found in verdicts.values() for name, status in found.items() if status in SEEN}
    assert {name.split("[")[0] for name in others} == {"test_echo_via_pager"}
    last_failure = max(
        Failure.objects.filter(test_id__in=Flake.objects.values("test_id")).values_list(
            "run_number", flat=True
        )
    )
    assert Run.objects.get(number=last_failure).number <= max(versions["8.3.0"])
