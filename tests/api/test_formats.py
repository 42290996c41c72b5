"""Reports in other formats go the way of JUnit XML, from the request to the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from projects.models import Problem
from projects.vocabulary import UploadState
from tests.factories import a_shop, record, run_of

pytestmark = pytest.mark.django_db

REPORTS = Path(__file__).resolve().parent.parent / "data" / "formats"


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("pytest.json", "pytest.xml"),
        ("playwright.json", "playwright.xml"),
        ("go.json", "go.xml"),
        ("dotnet.trx", "dotnet.xml"),
    ],
)
def test_a_run_sent_in_either_format_is_the_same_run(name: str, twin: str) -> None:
    mine, theirs = (run_of(record(a_shop(), (REPORTS / file).read_bytes())) for file in (name, twin))

    assert (mine.n_tests, mine.n_passed, mine.n_failed, mine.n_error, mine.n_skipped) == (
        theirs.n_tests,
        theirs.n_passed,
        theirs.n_failed,
        theirs.n_error,
        theirs.n_skipped,
    )


def test_two_formats_of_one_upload_are_read_each_by_its_own() -> None:
    upload = record(a_shop(), (REPORTS / "go.json").read_bytes(), (REPORTS / "dotnet.xml").read_bytes())

    assert (upload.state, upload.n_tests) == (UploadState.DONE, 8)


def test_json_that_is_no_report_is_rejected() -> None:
    upload = record(a_shop(), b'{"name": "package"}')

    assert upload.state == UploadState.REJECTED
    assert [problem.code for problem in Problem.objects.filter(upload_id=upload.id)] == ["not-xml"]
