"""Bodies that clients of other services sent, kept as they came: what they become, and how they are refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from projects import care
from projects.models import Upload
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, skipped
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


# --- Datadog


EVENT = {
    "metadata": {
        "git.branch": "main",
        "git.commit.sha": COMMIT,
        "ci.job.name": "test",
        "ci.job.id": "4711",
        "ci.pipeline.id": "99",
        "ci.pipeline.url": "https://github.com/o/r/actions/runs/99/attempts/2",
        "ci.provider.name": "github",
    },
    "tags": {"environment": "py3.12"},
    "session": {"tags": {}, "metrics": {}},
    "_dd.report_name": "junit-a",
}


def datadog(shop: Shop, parts: Iterable[tuple[str, bytes]]) -> Any:
    """Send a form as datadog-ci does."""
    names = {"event.json": "event"}
    sent = {names.get(name, "junit_xml_report_file"): files((name, content)) for name, content in parts}
    return Client().post("/api/v2/cireport", sent, headers={"DD-API-KEY": shop.token})


def test_a_datadog_report_is_taken_with_its_event() -> None:
    shop = a_shop()

    answer = datadog(shop, [("event.json", json.dumps(EVENT).encode()), ("0d0b.xml.gz", gzip.compress(TWIN))])

    assert answer.status_code == 202, answer.content
    upload = the_upload(shop)
    assert its_build(upload) == ("github-99", "main", COMMIT, 2)
    assert (upload.job, upload.shard, upload.environment) == ("test", "4711", "py3.12")
    assert the_results(shop) == RESULTS


def test_a_datadog_report_under_another_file_name_is_the_same() -> None:
    shop = a_shop()
    packed, event = gzip.compress(TWIN, mtime=0), json.dumps(EVENT).encode()

    first, second = (
        datadog(shop, [("event.json", event), (name, packed)]) for name in ("a.xml.gz", "b.xml.gz")
    )

    assert first.json()["id"] == second.json()["id"]


def test_datadog_without_an_event_is_refused() -> None:
    answer = datadog(a_shop(), [("a.xml.gz", gzip.compress(TWIN))])

    assert answer.status_code == 400
    assert "event" in answer.json()["errors"][0]


def test_datadog_hears_that_every_commit_is_known() -> None:
    sent = {"meta": {"repository_url": "u"}, "data": [{"id": "a", "type": "commit"}]}

    answer = Client().post(
        "/api/v2/git/repository/search_commits",
        json.dumps(sent),
        content_type="application/json",
        headers={"DD-API-KEY": a_shop().token},
    )

    assert answer.json() == {"data": [{"id": "a", "type": "commit"}]}


# --- flaky-detector, jux, Mergify, Launchable


def test_a_flaky_detector_report_is_taken_once() -> None:
    shop = a_shop()
    fields = {
        "run_id": "99",
        "run_attempt": "2",
        "job_name": "py3.12",
        "commit_sha": "abc",
        "branch": "7/merge",
    }

    first, second = (
        Client().post(
            "/api/ingest/",
            {**fields, "report": files(("report.xml", TWIN))},
            headers={"authorization": f"Bearer {shop.token}"},
        )
        for _ in range(2)
    )

    assert (first.json()["created"], first.json()["tests_in_report"]) == (True, 3)
    assert (second.status_code, second.json()["created"]) == (200, False)
    upload = the_upload(shop)
    assert (*its_build(upload), upload.job, upload.pull_request) == (
        *("github-99", "pull/7", "abc", 2),
        *("py3.12", "7"),
    )


def test_a_bare_report_tells_its_build_by_properties() -> None:
    shop = a_shop()
    lines = (
        '<property name="git:branch" value="topic"/><property name="git:commit" value="abc"/>'
        '<property name="ci:provider" value="github"/><property name="ci:build_id" value="99"/>'
        '<property name="ci:build_url" value="https://github.com/o/r/actions/runs/99?a=1&amp;b=2"/>'
    )
    content = TWIN.replace(b"<testcase", f"<properties>{lines}</properties><testcase".encode(), 1)

    answer = Client().post(
        "/api/v1/junit/submit?job=backend",
        content,
        content_type="application/xml",
        headers={"authorization": f"Bearer {shop.token}"},
    )

    counts = ("test_count", "failure_count", "error_count", "skipped_count")
    assert [answer.json()[name] for name in counts] == [3, 1, 0, 1]
    upload = the_upload(shop)
    assert (*its_build(upload), upload.job) == ("github-99", "topic", "abc", 1, "backend")
    assert upload.url.endswith("?a=1&b=2")


def mergify(shop: Shop, content: bytes) -> Any:
    """Send traces as Mergify's client does."""
    return Client().post(
        "/v1/ci/o/repositories/r/traces",
        content,
        content_type="application/x-protobuf",
        headers={"authorization": f"Bearer {shop.token}", "content-encoding": "gzip"},
    )


def test_mergify_traces_become_the_results_of_their_report() -> None:
    shop, twin = a_shop("Traces"), a_shop("Report")
    record(twin, TWIN)

    answer = mergify(shop, body("mergify-traces.gz"))

    assert answer.status_code == 200, answer.content
    upload = the_upload(shop)
    assert (*its_build(upload), upload.job, upload.pull_request) == (
        *("github-99", "main", COMMIT, 2),
        *("test", ""),
    )
    assert the_results(shop) == the_results(twin) == RESULTS
    assert fingerprints(shop) == fingerprints(twin)


@pytest.mark.parametrize("content", [b"\x0a\xff\xff", b"\x0f", b"<html>"])
def test_what_is_no_trace_is_refused(content: bytes) -> None:
    answer = mergify(a_shop(), gzip.compress(content))

    assert answer.status_code == 400
    assert "OTLP" in answer.json()["detail"]


def mergify_states(shop: Shop, state: str = "quarantined") -> Any:
    """Ask for the tests in a state, as Mergify's client does."""
    return (
        Client()
        .get(
            f"/v1/ci/o/repositories/r/test-states?state={state}&branch_name=main&per_page=100",
            headers={"authorization": f"Bearer {shop.token}"},
        )
        .json()["test_states"]
    )


def test_mergify_hears_which_tests_are_muted() -> None:
    shop, other = a_shop("Mine"), a_shop("Theirs")
    record(shop, report(failed("a"), failed("b", classname="")))
    record(other, report(failed("c")))
    mute(shop, "a")
    mute(shop, "b")
    mute(other, "c")

    names = [one["test_name"] for one in mergify_states(shop)]

    assert sorted(names) == ["b", "shop.Cart.a"]
    assert mergify_states(shop, "healthy") == []


def test_mergify_hears_of_no_muted_test_while_there_is_none() -> None:
    assert mergify_states(a_shop()) == []


def mute(shop: Shop, name: str) -> None:
    """Mute a test for two weeks."""
    test_id = a_test_named(shop, name).id
    care.mute(shop.project, test_id, reason="sandbox", n_days=14, by=shop.owner, now=timezone.now())


def launchable(shop: Shop, content: bytes, session: str = "nameless/test_sessions/0") -> Any:
    """Send events as Launchable's client does."""
    return Client().post(
        f"/intake/organizations/o/workspaces/w/builds/{session}/events",
        content,
        content_type="application/json",
        headers={"authorization": f"Bearer v1:o/w:{shop.token}", "content-encoding": "gzip"},
    )


def test_launchable_events_become_the_results_of_their_report() -> None:
    shop, twin = a_shop("Events"), a_shop("Report")
    record(twin, TWIN)

    answer = launchable(shop, body("launchable-events.gz"))

    build, number = answer.json()["build"]["build"], answer.json()["testSession"]["id"]
    assert the_upload(shop).run_key == f"launchable-{build}" == f"launchable-nobuild-{number}"
    assert the_results(shop) == the_results(twin) == RESULTS
    assert fingerprints(shop) == fingerprints(twin)


def test_launchable_chunks_are_one_run() -> None:
    shop = a_shop()
    first = launchable(shop, body("launchable-events.gz")).json()
    event = {"testPath": [{"type": "class", "name": "a.B"}, {"type": "testcase", "name": "c"}], "status": 1}

    place = f"{first['build']['build']}/test_sessions/{first['testSession']['id']}"
    launchable(shop, gzip.compress(json.dumps({"events": [event]}).encode()), place)

    keys = Upload.objects.filter(project=shop.project).values_list("run_key", flat=True)
    assert (len(keys), len(set(keys))) == (2, 1)


def test_launchable_is_told_by_the_environment_that_it_was_asked_for() -> None:
    shop = a_shop()
    authorization = {"authorization": f"Bearer v1:o/w:{shop.token}"}
    asked = Client().get(
        "/intake/organizations/o/workspaces/w/slack/notification/key/list", headers=authorization
    )
    sent = json.loads(gzip.decompress(body("launchable-events.gz")))
    said = {"GITHUB_RUN_ID": "99", "GITHUB_REF": "refs/pull/7/merge", "GITHUB_RUN_ATTEMPT": "2"}

    launchable(shop, gzip.compress(json.dumps({**sent, "metadata": said}).encode()))

    upload = the_upload(shop)
    assert set(said) <= set(asked.json()["keys"])
    assert not [name for name in asked.json()["keys"] if "TOKEN" in name or "SECRET" in name]
    assert (upload.run_key, upload.pull_request, upload.attempt) == ("github-99", "7", 2)


def test_mergifys_plugin_for_pytest_gives_the_results_of_pytests_report() -> None:
    shop, twin = a_shop("Plugin"), a_shop("Report")
    classes = ("sub.test_other.TestCart", "test_sample.TestCart")
    modules = ("sub.test_other", "test_sample")
    cases = [
        *(passed("test_adds[1]", classname=name) for name in classes),
        *(failed("test_adds[2]", classname=name) for name in classes),
        *(passed("test_ok", classname=name) for name in modules),
        *(skipped("test_skip", classname=name) for name in modules),
    ]
    inner = report(*cases, suite="pytest").decode().partition("?>")[2]
    record(twin, f'<testsuites name="pytest tests">{inner}</testsuites>'.encode())

    answer = Client().post(
        "/v1/ci/o/repositories/r/traces",
        body("mergify-pytest.gz"),
        content_type="application/x-protobuf",
        headers={"authorization": f"Bearer {shop.token}", "content-encoding": "gzip"},
    )

    assert answer.status_code == 200
    assert its_build(the_upload(shop)) == ("github-99", "topic", COMMIT, 2)
    assert fingerprints(shop) == fingerprints(twin)


def test_a_muted_test_of_pytest_is_told_by_both_of_its_names() -> None:
    shop = a_shop()
    record(
        shop,
        b'<testsuites name="pytest tests">%b</testsuites>'
        % report(
            failed("test_adds[2]", classname="sub.test_other.TestCart"),
            failed("test_ok", classname="test_sample"),
            suite="pytest",
        ).partition(b"?>")[2],
    )
    for name in ("test_adds[2]", "test_ok"):
        mute(shop, name)

    answer = Client().get(
        "/v1/ci/o/repositories/r/test-states", headers={"authorization": f"Bearer {shop.token}"}
    )

    assert {one["test_name"] for one in answer.json()["test_states"]} == {
        "sub.test_other.TestCart.test_adds[2]",
        "sub/test_other.py::TestCart::test_adds[2]",
        "test_sample.test_ok",
        "test_sample.py::test_ok",
    }


# --- all


@pytest.mark.parametrize(
    "path",
    [
        "/v1/uploads",
        "/upload/test_results/v1",
        "/api/v2/cireport",
        "/api/ingest/",
        "/junit/submit",
        "/v1/ci/o/repositories/r/traces",
    ],
)
def test_a_post_is_never_redirected_and_needs_a_token(path: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(path, b"", content_type="application/xml")

    assert answer.status_code == 401
    assert "token" in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/ingest", "/api/v1"])
def test_an_address_without_its_slash_is_told_and_loses_no_body(path: str) -> None:
    answer = Client().post(path, b"<testsuite/>", content_type="application/xml")

    assert answer.status_code == 400
    assert f"Send this to {path}/: a redirect would lose" in answer.json()["message"]


def test_plain_http_is_told_and_loses_no_body(settings: LazySettings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = Client().post("/api/v1/uploads", b"<testsuite/>", content_type="application/xml")
    page = Client().get("/login")

    assert answer.status_code == 400
    assert "Send this to https://testserver/api/v1/uploads" in answer.json()["message"]
    assert page.status_code == 301
