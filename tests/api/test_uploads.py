"""The upload API: what it takes, what it answers, and how it refuses."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
import zstandard
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from ingest.tasks import process_upload
from projects.models import Token, Upload, UploadFile
from projects.vocabulary import UploadState
from tests.factories import Shop, a_shop, passed, record, report, run_of, send

pytestmark = pytest.mark.django_db

BODY = report(passed("a"), passed("b", file="tests/shop/cart/test_cart_adds_what_the_customer_wants.py"))


def post(
    shop: Shop, body: bytes, *, content_type: str = "application/xml", query: str = "", **headers: str
) -> Any:
    """Send a raw body."""
    return Client().generic(
        "POST",
        f"/api/v1/uploads{query}",
        body,
        content_type=content_type,
        headers={"authorization": f"Bearer {shop.token}", **headers},
    )


def test_an_upload_is_durable_before_it_is_acknowledged() -> None:
    shop = a_shop()

    answer = send(shop, BODY, commit="abc1234", branch="refs/heads/main", run="r1")

    upload = Upload.objects.get()
    assert answer["id"] == str(upload.id)
    assert answer["state"] == "received"
    assert str(answer["status_url"]).endswith(f"/api/v1/uploads/{upload.id}")
    assert upload.branch == "main"
    assert zstandard.decompress(bytes(UploadFile.objects.get().content)) == BODY


def test_the_status_tells_counts_and_run_once_it_is_done() -> None:
    shop = a_shop()
    upload = record(shop, BODY, run="r1")

    answer = (
        Client().get(f"/api/v1/uploads/{upload.id}", headers={"authorization": f"Bearer {shop.token}"}).json()
    )

    assert answer["state"] == "done"
    assert answer["counts"] == {"tests": 2, "passed": 2, "failed": 0, "error": 0, "skipped": 0}
    assert answer["run"]["number"] == 1
    assert answer["problems"] == []


def test_a_problem_is_told_with_its_place() -> None:
    shop = a_shop()
    upload = record(shop, b"<testsuite>\n<testcase name='a'></testsuite>", run="r1")

    answer = (
        Client().get(f"/api/v1/uploads/{upload.id}", headers={"authorization": f"Bearer {shop.token}"}).json()
    )

    problem = answer["problems"][0]
    assert answer["state"] == "rejected"
    assert (problem["level"], problem["line"]) == ("error", 2)
    assert problem["column"] > 0
    assert problem["file"] == "report-1.xml"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (gzip.compress(BODY), {"content-encoding": "gzip"}),
        (zstandard.compress(BODY), {"content-encoding": "zstd"}),
        (gzip.compress(BODY), {}),
    ],
    ids=["plain", "gzip", "zstd", "gzip without saying so"],
)
def test_a_raw_body_is_a_report(body: bytes, headers: dict[str, str]) -> None:
    shop = a_shop()

    response = post(shop, body, query="?run=r1&branch=topic", **headers)

    process_upload(project_id=shop.project.pk, upload_id=response.json()["id"])
    upload = Upload.objects.get()
    assert response.status_code == 202
    assert (upload.state, upload.n_tests, upload.branch) == (UploadState.DONE, 2, "topic")


def test_a_multipart_body_may_be_gzipped_as_a_whole() -> None:
    shop = a_shop()
    plain = encode_multipart(BOUNDARY, {"run": "r1", "file": SimpleUploadedFile("r.xml", BODY)})

    response = post(
        shop, gzip.compress(plain), content_type=MULTIPART_CONTENT, **{"content-encoding": "gzip"}
    )

    assert response.status_code == 202
    assert Upload.objects.get().run_key == "r1"


def test_an_archive_of_reports_is_one_upload() -> None:
    shop = a_shop()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("one.xml", BODY)
        archive.writestr("deep/two.xml", report(passed("c")))

    upload = record(shop, buffer.getvalue(), run="r1")

    assert run_of(upload).n_tests == 3


def test_the_same_bytes_for_the_same_run_answer_with_the_first_upload() -> None:
    shop = a_shop()
    first = send(shop, BODY, run="r1")

    response = post(shop, BODY, query="?run=r1")

    assert response.status_code == 200
    assert response.json()["id"] == first["id"]
    assert Upload.objects.count() == 1


def test_the_same_bytes_for_another_run_shard_or_attempt_are_another_upload() -> None:
    shop = a_shop()

    for fields in ({"run": "r1"}, {"run": "r2"}, {"run": "r1", "shard": "2"}, {"run": "r1", "attempt": "2"}):
        send(shop, BODY, **fields)

    assert Upload.objects.count() == 4


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"attempt": "none"}, "bad_attempt"),
        ({"attempt": "0"}, "bad_attempt"),
        ({"shard_total": "-1"}, "bad_shard_total"),
        ({"layer": "smoke"}, "bad_layer"),
        ({"started_at": "yesterday"}, "bad_started_at"),
        ({"started_at": "1999-12-31T00:00:00Z"}, "bad_started_at"),
        ({"started_at": "2026-13-01T00:00:00Z"}, "bad_started_at"),
        ({"commit": "not a hash"}, "bad_commit"),
        ({"url": "javascript:alert(1)"}, "bad_url"),
        ({"branch": "b" * 201}, "bad_branch"),
        ({"brunch": "main"}, "unknown_field"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_name(fields: dict[str, str], code: str) -> None:
    shop = a_shop()

    response = Client().post(
        "/api/v1/uploads",
        {"file": SimpleUploadedFile("r.xml", BODY), **fields},
        headers={"authorization": f"Bearer {shop.token}"},
    )

    answer = response.json()
    assert response.status_code == 422
    assert answer["error"] == code
    assert answer["field"] == next(iter(fields))
    assert Upload.objects.count() == 0


def test_a_request_without_a_report_is_refused() -> None:
    shop = a_shop()

    response = post(shop, b"")

    assert response.status_code == 422
    assert response.json()["error"] == "no_file"


def test_too_large_a_body_is_refused_with_the_limit(settings: Any) -> None:
    shop = a_shop()
    settings.TROPHYCASE_MAX_UPLOAD_BYTES = 100

    response = post(shop, BODY)

    assert response.status_code == 413
    assert response.json()["error"] == "too_large"


def test_a_gzipped_form_that_expands_over_the_limit_is_refused(settings: Any) -> None:
    shop = a_shop()
    settings.TROPHYCASE_MAX_UPLOAD_BYTES = 100_000
    bomb = gzip.compress(b"a" * 10_000_000)

    response = post(shop, bomb, content_type=MULTIPART_CONTENT, **{"content-encoding": "gzip"})

    assert response.status_code == 413


def test_a_full_queue_is_refused_with_a_time_to_come_back(settings: Any) -> None:
    shop = a_shop()
    send(shop, BODY, run="r1")
    settings.TROPHYCASE_MAX_WAITING_UPLOADS = 0

    response = post(shop, BODY, query="?run=r2")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert response.json()["error"] == "busy"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer tc_wrong", "Basic YWRhOmFkYQ=="])
def test_a_request_without_a_known_token_is_refused(header: str) -> None:
    response = Client().post(
        "/api/v1/uploads", BODY, content_type="application/xml", headers={"authorization": header}
    )

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert Upload.objects.count() == 0


def test_a_revoked_token_opens_nothing() -> None:
    shop = a_shop()
    Token.objects.get().revoke(now=timezone.now())

    assert post(shop, BODY).status_code == 401


def test_a_token_opens_only_its_own_projects_uploads() -> None:
    mine, theirs = a_shop("Mine"), a_shop("Theirs")
    upload = record(theirs, BODY, run="r1")

    response = Client().get(f"/api/v1/uploads/{upload.id}", headers={"authorization": f"Bearer {mine.token}"})

    assert response.status_code == 404
    assert response.json()["error"] == "unknown_upload"


def test_a_tokens_use_is_noted_once_a_minute() -> None:
    shop = a_shop()
    long_ago = timezone.now() - timedelta(days=3)
    Token.objects.update(last_used_at=long_ago)

    send(shop, BODY, run="r1")
    noted = Token.objects.get().last_used_at
    send(shop, BODY, run="r2")

    assert noted is not None
    assert noted > long_ago
    assert Token.objects.get().last_used_at == noted


def test_the_api_is_documented() -> None:
    answer = Client().get("/api/v1/openapi.json").json()

    fields = answer["paths"]["/api/v1/uploads"]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    assert {"file", "run", "shard", "attempt", "started_at"} <= fields["properties"].keys()


def test_accepting_an_upload_takes_few_statements(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    shop = a_shop()

    with django_assert_max_num_queries(9, connection=connection):
        send(shop, BODY, run="r1")
