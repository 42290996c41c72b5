"""Every real report of the corpus, sent over HTTP to a running server and recorded by a real worker.

tests/data/folded.tsv lists the files whose counts differ from the plain count of elements, since cases that share one
identity are attempts or repetitions of one test; test_junit_corpus says where the reader itself differs.
"""

from __future__ import annotations

import csv
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from projects.models import Upload
from projects.vocabulary import UploadState
from tests.factories import Shop, a_shop
from tests.processes import LiveApp
from tests.pure.test_junit_corpus import OTHER_COUNTS, REFUSED_FOR_A_DTD, SALVAGED
from tests.shared import CORPUS, NEEDS_SHARED, table
from tests.waiting import wait_until

pytestmark = [pytest.mark.shared, NEEDS_SHARED]

ENDED = (UploadState.DONE, UploadState.REJECTED, UploadState.FAILED)
FOLDED = Path(__file__).parents[1] / "data" / "folded.tsv"
SENDERS = 4


def folded() -> dict[str, tuple[int, ...]]:
    """Return the counts of the files in which cases share an identity."""
    with FOLDED.open(encoding="utf-8", newline="") as lines:
        return {row[0]: tuple(map(int, row[1:])) for row in csv.reader(lines, delimiter="\t")}


def send_all(app: LiveApp, shop: Shop, names: list[str]) -> dict[str, int]:
    """Send each file as a run of its own; return the HTTP status of each."""

    def send_some(part: list[str]) -> Iterator[tuple[str, int]]:
        connection = http.client.HTTPConnection(urlsplit(app.url).netloc, timeout=60)
        for name in part:
            assert CORPUS is not None
            body = (CORPUS / "junit" / name).read_bytes()
            headers = {"Authorization": f"Bearer {shop.token}", "Content-Type": "application/xml"}
            connection.request("POST", "/api/v1/uploads?" + urlencode({"run": name}), body, headers)
            response = connection.getresponse()
            json.loads(response.read())
            yield name, response.status
        connection.close()

    with ThreadPoolExecutor(SENDERS) as pool:
        parts = pool.map(lambda n: list(send_some(names[n::SENDERS])), range(SENDERS))
        return dict(pair for part in parts for pair in part)


@pytest.mark.timeout(300)
def test_every_real_report_is_recorded_with_its_counts_or_refused_with_a_reason(live_app: LiveApp) -> None:
    shop = a_shop()
    rows = {row["file"]: row for row in table("expected.tsv")}
    names = [name for name, row in rows.items() if int(row["bytes"] or 0) > 0]

    statuses = send_all(live_app, shop, names)
    wait_until(
        lambda: not Upload.objects.exclude(state__in=ENDED).exists(), what="all uploads to end", seconds=240
    )

    assert set(statuses.values()) == {202}
    uploads = {upload.run_key: upload for upload in Upload.objects.all()}
    assert [name for name, upload in uploads.items() if upload.state == UploadState.FAILED] == []
    known = folded()
    wrong = {}
    for name in names:
        counts = expected_counts(rows[name], known)
        if counts is not None and found_counts(uploads[name]) != counts:
            wrong[name] = (found_counts(uploads[name]), counts)
    assert wrong == {}


def expected_counts(row: dict[str, str], known: dict[str, tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return what the file should count; None where the file is no report, () where it must be rejected."""
    name = row["file"]
    if name in known:
        return known[name]
    if name in OTHER_COUNTS:
        return OTHER_COUNTS[name][1]
    if name in SALVAGED:
        return SALVAGED[name][3]
    if name in REFUSED_FOR_A_DTD or row["status"] in ("malformed", "refuse", "foreign"):
        return ()
    if row["status"] != "ok":
        return None
    counts = tuple(int(row[key]) for key in ("tests", "passed", "failed", "errored", "skipped"))
    return counts if counts[0] else ()


def found_counts(upload: Upload) -> tuple[int, ...]:
    """Return what the upload counted; () for a rejected one."""
    if upload.state != UploadState.DONE:
        return ()
    return upload.n_tests, upload.n_passed, upload.n_failed, upload.n_error, upload.n_skipped
