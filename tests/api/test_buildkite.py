"""What Buildkite's collectors and forms sent, kept as it came: what it becomes, and how it is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.test import Client

from ingest.tasks import process_upload
from projects.models import Run, Upload
from projects.vocabulary import Outcome
from tests.factories import Shop, a_shop, failed, passed, record, report
from tests.received import (
    COMMIT,
    RESULTS,
    TWIN,
    body,
    files,
    fingerprints,
    its_build,
    the_results,
    the_upload,
)

pytestmark = pytest.mark.django_db


def buildkite(shop: Shop, content: bytes, **headers: str) -> Any:
    """Send JSON as a test collector does."""
    token = {"authorization": f'Token token="{shop.token}"'}
    return Client().post(
        "/v1/uploads", content, content_type="application/json", headers={**token, **headers}
    )


def buildkite_form(shop: Shop, content: bytes = TWIN, path: str = "/v1/uploads", **fields: str) -> Any:
    """Send a form as curl does; `run_env__key` stands for `run_env[key]`."""
    sent = {f"{name.replace('__', '[')}]" if "__" in name else name: value for name, value in fields.items()}
    return Client().post(
        path,
        {"format": "junit", **sent, "data": files(("junit.xml", content))},
        headers={"authorization": f'Token token="{shop.token}"'},
    )


def test_results_of_a_buildkite_collector_become_those_of_their_report() -> None:
    shop, twin = a_shop("Collector"), a_shop("Report")
    record(twin, TWIN)

    answer = buildkite(shop, body("buildkite-pytest.json"))

    assert (answer.status_code, answer.json()["queued"], answer.json()["errors"]) == (202, 3, [])
    assert its_build(the_upload(shop)) == ("github-99", "main", COMMIT, 2)
    assert the_results(shop) == the_results(twin) == RESULTS
    assert fingerprints(shop) == fingerprints(twin)


RSPEC = {
    "Cart adds": Outcome.PASSED,
    "Cart pays": Outcome.FAILED,
    "Cart when empty refuses": Outcome.PASSED,  # it says nothing of examples that were skipped
}


def test_rspecs_collector_gives_the_results_of_its_report() -> None:
    shop, twin = a_shop("Collector"), a_shop("Report")
    cases = [
        passed("Cart adds", classname="shop_spec", file="./shop_spec.rb"),
        failed("Cart pays", classname="shop_spec", file="./shop_spec.rb"),
        passed("Cart when empty refuses", classname="shop_spec", file="./shop_spec.rb"),
    ]
    record(twin, report(*cases, suite="rspec"))

    answer = buildkite(shop, body("buildkite-rspec.gz"), content_encoding="gzip")

    assert (answer.status_code, answer.json()["queued"]) == (202, 3)
    assert its_build(the_upload(shop)) == ("github-99", "topic", COMMIT, 2)
    assert the_results(shop) == RSPEC
    assert fingerprints(shop) == fingerprints(twin)


def test_minitests_collector_is_taken_as_it_comes() -> None:
    shop = a_shop()

    answer = buildkite(shop, body("buildkite-minitest.gz"), content_encoding="gzip")

    assert (answer.status_code, answer.json()["queued"]) == (202, 3)
    the_upload(shop)
    assert the_results(shop) == {
        "test_adds": Outcome.PASSED,
        "test_pays": Outcome.FAILED,
        "test_ships": Outcome.SKIPPED,
    }


def test_a_gzipped_buildkite_body_is_taken() -> None:
    shop = a_shop()

    answer = buildkite(shop, gzip.compress(body("buildkite-pytest.json")), content_encoding="gzip")

    assert answer.status_code == 202
    assert the_upload(shop).n_tests == 3


def test_a_buildkite_form_is_taken_with_what_its_fields_say() -> None:
    shop = a_shop()

    answer = buildkite_form(
        shop,
        run_env__key="b-1",
        run_env__CI="buildkite",
        run_env__branch="topic",
        run_env__commit_sha="abc",
        tags__job="backend",
        tags__attempt="2",
        tags__team="x",
    )

    upload = the_upload(shop)
    assert (answer.status_code, answer.json()["queued"]) == (202, 3)
    assert answer.json()["run_url"].endswith(f"/p/shop/uploads/{upload.id}")
    assert its_build(upload) == ("buildkite-b-1", "topic", "abc", 2)
    assert upload.job == "backend"


def test_a_buildkite_form_of_json_is_the_same_as_the_document() -> None:
    shop = a_shop()
    data = json.dumps(json.loads(body("buildkite-pytest.json"))["data"]).encode()

    answer = buildkite_form(shop, data, format="json", run_env__key="k", run_env__test_runner="pytest")

    assert answer.status_code == 202
    the_upload(shop)
    assert the_results(shop) == RESULTS


def test_the_same_buildkite_form_twice_is_one_upload() -> None:
    shop = a_shop()
    first = buildkite_form(shop, run_env__key="k").json()

    second = buildkite_form(shop, run_env__key="k", path="/buildkite/v1/uploads").json()

    assert (second["id"], second["queued"], second["skipped"]) == (first["id"], 0, 3)


def test_the_attempts_of_a_github_build_are_one_run() -> None:
    shop = a_shop()
    url = "https://github.com/o/r/actions/runs/99"
    common = {"run_env__CI": "github_actions", "run_env__url": url}

    buildkite_form(shop, report(failed("a")), **common, run_env__key="__run_3-7-1")
    buildkite_form(shop, report(passed("a")), **common, run_env__key="__run_3-7-2")
    for upload in Upload.objects.filter(project=shop.project).order_by("attempt"):
        process_upload(project_id=shop.project.pk, upload_id=str(upload.id))

    run = Run.objects.get(project=shop.project)
    assert (run.n_attempts, run.n_passed, run.n_failed, run.n_flaky) == (2, 1, 0, 1)


def test_an_unknown_result_of_buildkite_is_no_failure() -> None:
    shop = a_shop()
    data = [{"scope": "s", "name": "none"}, {"scope": "s", "name": "odd", "result": "unknown"}]

    buildkite(shop, json.dumps({"format": "json", "run_env": {"key": "k"}, "data": data}).encode())

    the_upload(shop)
    assert set(the_results(shop).values()) == {Outcome.SKIPPED}


def test_an_empty_buildkite_batch_is_no_trouble() -> None:
    shop = a_shop()

    answer = buildkite(shop, b'{"format":"json","run_env":{"key":"k"},"data":[]}')

    assert (answer.status_code, answer.json()["queued"]) == (202, 0)


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b'{"format":"json","run_env":{},"data":[]}', 422, "run_env[key] is required"),
        (b'{"format":"tap","run_env":{"key":"k"},"data":[]}', 422, "format is 'tap'"),
        (b"[]", 422, "no JSON object"),
        (b"{", 400, "not JSON"),
    ],
)
def test_buildkite_is_told_what_is_wrong(sent: bytes, status: int, says: str) -> None:
    answer = buildkite(a_shop(), sent)

    assert answer.status_code == status
    assert says in answer.json()["errors"][0]


@pytest.mark.parametrize("header", ["", 'Token token="tc_wrong"', "Basic abc"])
def test_buildkite_is_told_of_a_wrong_token(header: str) -> None:
    answer = Client().post(
        "/v1/uploads", b"{}", content_type="application/json", headers={"authorization": header}
    )

    assert answer.status_code == 401
    assert answer.json()["message"].startswith("Unauthorized")
