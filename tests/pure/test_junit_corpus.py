"""The reader against every file of the corpus of real reports: counts, verdicts, salvage, histories.

The corpus lies beside the checkout. Where this reader differs from the plain count of elements on purpose,
the file is in one of the tables below with the reason.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, BinaryIO, cast
from xml.etree import ElementTree

import pytest

from ingest.junit import Case, Folded, Problem, Reading, Refused, fold, names_repeat, read
from projects.vocabulary import Outcome
from tests.shared import CORPUS, NEEDS_SHARED, table

pytestmark = [pytest.mark.shared, NEEDS_SHARED]

COUNTED = {
    "passed": Outcome.PASSED,
    "failed": Outcome.FAILED,
    "errored": Outcome.ERROR,
    "skipped": Outcome.SKIPPED,
}
SUITE_LEVEL = "a suite's own error, which no case of it shows, is a case named for the suite"
# tests, passed, failed, errored, skipped
OTHER_COUNTS: dict[str, tuple[str, tuple[int, int, int, int, int]]] = {
    "ant-junit/TEST-No.Such.Class.xml": (SUITE_LEVEL, (1, 0, 0, 1, 0)),
    "ant-junit/__TESTS-TestSuites.xml": (SUITE_LEVEL, (7, 1, 1, 3, 2)),
    "edge-jenkins/junit-report-nested-testsuites.xml": (SUITE_LEVEL, (3, 2, 0, 1, 0)),
    "edge-junit2html/junit-report-6700.xml": (SUITE_LEVEL, (1, 0, 0, 1, 0)),
    "handmade-odd/o40-suite-level-error.xml": (SUITE_LEVEL, (3, 1, 1, 1, 0)),
    "perl-tap-junit/sample.xml": (SUITE_LEVEL, (6, 4, 1, 1, 0)),
    "handmade-odd/o30-skip-attrs.xml": ("other spellings of skipped keep their meaning", (5, 0, 0, 0, 5)),
}
REFUSED_FOR_A_DTD = {
    "handmade-hostile/h03-xxe-file.xml",
    "handmade-hostile/h04-external-dtd.xml",
    "handmade-hostile/h05-parameter-entity-oob.xml",
    "handmade-hostile/h18-attlist-default.xml",
    "handmade-odd/o36-doctype-internal-entity.xml",
}
# Files that are not well-formed and are read all the same: the warning, its line and column, and the counts.
SALVAGED: dict[str, tuple[str, int, int, tuple[int, int, int, int, int]]] = {
    "handmade-malformed/m04-truncated-in-cdata.xml": ("truncated", 2, 85, (1, 1, 0, 0, 0)),
    "handmade-malformed/m05-truncated-between-cases.xml": ("truncated", 3, 0, (2, 2, 0, 0, 0)),
    "pytest/corrupt-xml.xml": ("truncated", 11, 21, (1, 1, 0, 0, 0)),
    "handmade-malformed/m16-two-roots.xml": ("malformed", 3, 0, (2, 1, 1, 0, 0)),
    "handmade-malformed/m06-invalid-utf8-text.xml": ("undecodable-bytes", 2, 42, (1, 0, 1, 0, 0)),
    "handmade-malformed/m30-surrogate-cesu8.xml": ("undecodable-bytes", 2, 27, (1, 1, 0, 0, 0)),
    "handmade-malformed/m31-overlong-utf8.xml": ("undecodable-bytes", 2, 27, (1, 1, 0, 0, 0)),
    "handmade-malformed/m29-utf8-decl-utf16-bytes.xml": ("encoding-mismatch", 1, 0, (2, 1, 1, 0, 0)),
    "handmade-malformed/m08-nul-byte.xml": ("forbidden-characters", 2, 43, (1, 1, 0, 0, 0)),
    "handmade-malformed/m09-raw-esc.xml": ("forbidden-characters", 2, 39, (1, 0, 1, 0, 0)),
    "handmade-malformed/m11-charref-1b.xml": ("forbidden-characters", 2, 48, (1, 0, 1, 0, 0)),
    "handmade-malformed/m12-charref-ffff.xml": ("forbidden-characters", 2, 28, (1, 1, 0, 0, 0)),
    "jest-junit/addfile.xml": ("forbidden-characters", 6, 47, (10, 5, 3, 1, 1)),
    "jest-junit/suitename.xml": ("forbidden-characters", 6, 72, (8, 5, 2, 0, 1)),
    "mocha-xunit/sample.xml": ("forbidden-characters", 15, 15, (6, 2, 2, 0, 2)),
}


def _read(path: Path) -> tuple[Reading, list[Case]]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        reading = read(cast(BinaryIO, stream), file_name=path.name)
        return reading, list(reading.cases())


def _path(name: str) -> Path:
    assert CORPUS is not None
    return CORPUS / "junit" / name


def _counts(cases: list[Case]) -> tuple[int, int, int, int, int]:
    n = Counter(case.outcome for case in cases)
    return len(cases), n[Outcome.PASSED], n[Outcome.FAILED], n[Outcome.ERROR], n[Outcome.SKIPPED]


def _refusal(name: str) -> Problem:
    with pytest.raises(Refused) as caught:
        _read(_path(name))
    return caught.value.problem


def _folded(path: Path) -> dict[bytes, Folded]:
    groups: dict[bytes, list[Case]] = defaultdict(list)
    for case in _read(path)[1]:
        groups[case.fingerprint].append(case)
    repeat = names_repeat(groups.values())
    return {fingerprint: fold(cases, names_repeat=repeat) for fingerprint, cases in groups.items()}


def _rows(status: str) -> list[dict[str, str]]:
    return [row for row in table("expected.tsv") if row["status"] == status]


WELL_FORMED = [row for row in _rows("ok") if row["file"] not in REFUSED_FOR_A_DTD]


@pytest.mark.parametrize("row", WELL_FORMED, ids=lambda row: row["file"])
def test_a_well_formed_report_counts_as_expected(row: dict[str, str]) -> None:
    expected = tuple(int(row[key]) for key in ("tests", *COUNTED))

    reading, cases = _read(_path(row["file"]))

    _, counts = OTHER_COUNTS.get(row["file"], ("", expected))
    assert _counts(cases) == counts
    assert not reading.is_incomplete
    assert {problem.code for problem in reading.problems} <= ({"no-cases"} if not cases else set())


@pytest.mark.parametrize("row", WELL_FORMED, ids=lambda row: row["file"])
def test_the_times_of_a_report_add_up(row: dict[str, str]) -> None:
    _, cases = _read(_path(row["file"]))

    total = sum(case.seconds or 0.0 for case in cases)
    if row["file"] == "handmade-odd/o46-duration-attr.xml":  # duration stands in for a missing time
        assert total == 2.5
    elif not int(row["time_negative"]):  # negative ones are untimed here
        assert total == pytest.approx(float(row["time_lenient"]), abs=1e-5, rel=1e-9)


@pytest.mark.parametrize("name", sorted(REFUSED_FOR_A_DTD))
def test_a_dtd_is_refused_before_anything_is_read(name: str) -> None:
    problem = _refusal(name)

    assert problem.code == "dtd"
    assert problem.line == 1


@pytest.mark.parametrize("name", sorted(SALVAGED))
def test_what_is_safe_to_salvage_is_kept_with_a_warning(name: str) -> None:
    code, line, column, counts = SALVAGED[name]

    reading, cases = _read(_path(name))

    assert [(found.code, found.line, found.column) for found in reading.problems] == [(code, line, column)]
    assert _counts(cases) == counts
    assert reading.is_incomplete == (code in {"truncated", "malformed"})


@pytest.mark.parametrize(
    "row", [row for row in table("salvage.tsv") if row["tests"]], ids=lambda row: row["file"]
)
def test_salvage_counts_as_expected(row: dict[str, str]) -> None:
    _, cases = _read(_path(row["file"]))

    assert _counts(cases) == tuple(int(row[key]) for key in ("tests", *COUNTED))


@pytest.mark.parametrize(
    "row", [row for row in _rows("malformed") if row["file"] not in SALVAGED], ids=lambda row: row["file"]
)
def test_a_malformed_report_without_a_case_before_the_break_is_refused_with_the_place(
    row: dict[str, str],
) -> None:
    problem = _refusal(row["file"])

    assert problem.code in {"malformed", "not-xml", "empty", "foreign-root"}
    if problem.code == "malformed":
        assert f"line {problem.line}, column {problem.column}" in row["reason"]
    assert problem.line is not None
    assert problem.column is not None


@pytest.mark.parametrize("row", _rows("foreign"), ids=lambda row: row["file"])
def test_a_foreign_root_is_named(row: dict[str, str]) -> None:
    problem = _refusal(row["file"])

    assert problem.code == "foreign-root"
    assert f"<{row['root']}>" in problem.sentence


def test_an_encoding_that_expat_lacks_is_read() -> None:
    _, cases = _read(_path("handmade-odd/o06-shift-jis.xml"))

    assert _counts(cases) == (2, 1, 1, 0, 0)


def test_every_file_of_the_corpus_has_a_verdict() -> None:
    statuses = {row["status"] for row in table("expected.tsv")}

    assert statuses == {"ok", "malformed", "refuse", "encoding", "foreign"}
    assert {row["file"] for row in _rows("refuse")} <= REFUSED_FOR_A_DTD


def _runs() -> list[dict[str, Any]]:
    found = []
    for lines in sorted((CORPUS / "history").glob("*/runs.jsonl")) if CORPUS else []:
        found += [
            {"package": lines.parent.name, **json.loads(line)} for line in lines.read_text().splitlines()
        ]
    return found


PACKAGES = sorted({run["package"] for run in _runs()})


@pytest.mark.parametrize("package", PACKAGES)
def test_a_history_counts_as_its_runs_did(package: str) -> None:
    assert CORPUS is not None
    for run in (run for run in _runs() if run["package"] == package):
        _, cases = _read(CORPUS / "history" / package / run["file"])

        assert _counts(cases)[2:] == (run["failed"], run["errored"], run["skipped"]), run["file"]
        assert len(cases) == run["testcases"]


@pytest.mark.parametrize("package", PACKAGES)
def test_identities_are_the_same_in_every_run_of_one_version(package: str) -> None:
    assert CORPUS is not None
    versions: dict[str, list[set[bytes]]] = defaultdict(list)
    for run in (run for run in _runs() if run["package"] == package):
        path = CORPUS / "history" / package / run["file"]
        versions[run["version"]].append({case.fingerprint for case in _read(path)[1]})

    assert [version for version, runs in versions.items() if any(run != runs[0] for run in runs)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_masks_merge_no_tests_of_a_history(package: str) -> None:
    assert CORPUS is not None
    for path in sorted((CORPUS / "history" / package).glob("*.xml.gz")):
        _, cases = _read(path)

        with gzip.open(path, "rb") as stream:
            tree = ElementTree.parse(stream)
        named = {(case.get("classname"), case.get("name")) for case in tree.iter("testcase")}
        assert len({case.fingerprint for case in cases}) >= len(named), path.name


@pytest.mark.parametrize(
    "run", [run for run in _runs() if "console_reruns" in run], ids=lambda run: run["file"]
)
def test_reruns_that_pytest_hides_are_counted_as_attempts(run: dict[str, Any]) -> None:
    assert CORPUS is not None

    folded = _folded(CORPUS / "history" / run["package"] / run["file"])

    reruns = [result for result in folded.values() if result.is_retry]
    assert sum(result.n_attempts - 1 for result in reruns) == int(run["console_reruns"])
    # An attempt without a child reads as a pass, so nothing is proved by one.
    assert not [result for result in reruns if result.outcome is Outcome.PASSED and result.n_failed_attempts]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_history_proves_a_flake_by_a_retry(package: str) -> None:
    assert CORPUS is not None
    for path in sorted((CORPUS / "history" / package).glob("*.xml.gz")):
        flakes = [
            result
            for result in _folded(path).values()
            if result.is_retry and result.n_failed_attempts and result.outcome is Outcome.PASSED
        ]
        assert flakes == [], path.name


def test_names_that_a_load_test_repeats_are_one_test_and_no_flake() -> None:
    path = _path("jmeter-junit/TEST-JUnitResults-relative-thrashould.xml").parent

    repeated = [result for file in path.iterdir() for result in _folded(file).values() if result.is_repeated]

    assert max(result.n_attempts for result in repeated) == 200
    assert not [result for result in repeated if result.is_retry]
