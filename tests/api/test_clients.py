"""Bodies that clients of other services sent, kept as they came: what they become, and how they are refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ingest.clients import codecov
from ingest.tasks import process_upload
from projects import care
from projects.models import Result, Run, Test, Token, Upload
from projects.vocabulary import Outcome, UploadState
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report, skipped

pytestmark = pytest.mark.django_db

BODIES = Path(__file__).resolve().parent.parent / "data" / "clients"
TWIN = (BODIES / "twin.xml").read_bytes()
COMMIT = "abcdefabcdefabcdefabcdefabcdefabcdefabcd"
RESULTS = {"test_ok": Outcome.PASSED, "test_bad": Outcome.FAILED, "test_skip": Outcome.SKIPPED}


def body(name: str) -> bytes:
    """Return a recorded body."""
    return (BODIES / name).read_bytes()


def the_upload(shop: Shop) -> Upload:
    """Record the project's uploads and return the only one."""
    for upload in Upload.objects.filter(project=shop.project, state=UploadState.RECEIVED):
        process_upload(project_id=shop.project.pk, upload_id=str(upload.id))
    return Upload.objects.get(project=shop.project)


def the_results(shop: Shop) -> dict[str, Outcome]:
    """Return the outcomes of the project's only run by the names of the tests."""
    names = dict(Test.objects.filter(project=shop.project).values_list("id", "name"))
    found = Result.objects.filter(project_id=shop.project.pk).values_list("test_id", "outcome")
    return {names[test_id]: Outcome(outcome) for test_id, outcome in found}


def its_build(upload: Upload) -> tuple[str, str, str, int]:
    """Return what joins an upload to a build."""
    return upload.run_key, upload.branch, upload.commit, upload.attempt


def files(*sent: tuple[str, bytes]) -> list[SimpleUploadedFile]:
    """Return parts of a form."""
    return [SimpleUploadedFile(name, content) for name, content in sent]


# --- Buildkite Test Engine


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


def fingerprints(shop: Shop) -> set[bytes]:
    """Return what makes the project's tests the same tests elsewhere."""
    found = Test.objects.filter(project=shop.project).values_list("fingerprint", flat=True)
    return {bytes(fingerprint) for fingerprint in found}


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


# --- Codecov


def ask(shop: Shop, *, prefix: str = "", **changes: object) -> Any:
    """Ask for a place as the CLI does."""
    sent = {**json.loads(body("codecov-ask.json")), **changes}
    return Client().post(
        f"{prefix}/upload/test_results/v1",
        json.dumps(sent),
        content_type="application/json",
        headers={"authorization": f"token {shop.token}"},
    )


def place_of(answer: Any) -> str:
    """Return the path of the place that was given."""
    assert answer.status_code == 201, answer.content
    location = str(answer.json()["raw_upload_location"])
    return location.removeprefix("http://127.0.0.1:8000")


def put(place: str, content: bytes = body("codecov-put.json")) -> Any:
    """Put the reports there: no token, no type."""
    return Client().put(place, content, content_type="")


@pytest.mark.parametrize("prefix", ["", "/codecov"])
def test_codecov_reports_are_put_where_they_were_asked_for(prefix: str) -> None:
    shop = a_shop()

    answer = put(place_of(ask(shop, prefix=prefix)))

    assert answer.status_code == 200, answer.content
    upload = the_upload(shop)
    assert its_build(upload) == ("github-99", "main", COMMIT, 1)
    assert (upload.layer, upload.environment, upload.url) == (2, "", "https://github.com/o/r/actions/runs/99")
    assert the_results(shop) == RESULTS


def test_the_codecov_client_may_tell_job_and_attempt() -> None:
    shop = a_shop()

    put(place_of(ask(shop, env={"GITHUB_JOB": "test", "GITHUB_RUN_ATTEMPT": "3"}, flags=["py3.12", "linux"])))

    upload = the_upload(shop)
    assert (upload.job, upload.attempt, upload.environment) == ("test", 3, "linux py3.12")


def test_a_forks_branch_counts_for_its_pull_request() -> None:
    shop = a_shop()

    put(place_of(ask(shop, branch="mallory:main")))

    upload = the_upload(shop)
    assert (upload.branch, upload.pull_request) == ("main", "mallory:main")
    assert not Run.objects.get(project=shop.project).is_default_branch


def test_a_build_without_a_ci_is_known_by_its_commit() -> None:
    shop = a_shop()

    put(place_of(ask(shop, ci_url=None, ci_service="local", cli_args={}, slug="g:::s::::r")))

    assert the_upload(shop).run_key == f"codecov-g/s/r-{COMMIT}"


def test_a_codecov_place_takes_one_upload() -> None:
    shop = a_shop()
    place = place_of(ask(shop))

    first, again = put(place), put(place)
    file = {"filename": "b.xml", "data": "PHRlc3RzdWl0ZS8+"}
    second = put(place, json.dumps({"test_results_files": [file]}).encode())

    assert (first.status_code, again.status_code, second.status_code) == (200, 200, 403)
    assert first.json()["id"] == again.json()["id"]
    assert Upload.objects.filter(project=shop.project).count() == 1


def test_a_codecov_place_takes_no_more_than_was_announced() -> None:
    answer = put(place_of(ask(a_shop(), report_payload_bytes=10)))

    assert answer.status_code == 413
    assert "10 were announced" in answer.json()["message"]


def test_a_codecov_place_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of(ask(a_shop()))
    monkeypatch.setattr(codecov, "VALID_S", -1)

    assert put(place).status_code == 403


def test_a_codecov_place_cannot_be_made_up() -> None:
    place = place_of(ask(a_shop()))

    assert put(f"{place[:-1]}{'a' if place[-1] != 'a' else 'b'}").status_code == 403


def test_a_revoked_token_closes_its_codecov_places() -> None:
    shop = a_shop()
    place = place_of(ask(shop))
    Token.objects.get(project=shop.project).revoke(now=timezone.now())

    assert put(place).status_code == 403


def test_codecov_without_files_is_no_upload() -> None:
    shop = a_shop()

    answer = ask(shop, file_not_found=True)

    assert answer.status_code == 201
    assert not Upload.objects.filter(project=shop.project).exists()


def test_codecov_is_asked_to_come_back_when_the_server_is_busy(settings: Any) -> None:
    shop = a_shop()
    place = place_of(ask(shop))
    settings.TROPHYCASE_MAX_WAITING_UPLOADS = -1

    answer = put(place)

    assert (answer.status_code, answer["Retry-After"]) == (503, "30")


def test_a_codecov_commit_is_noted_with_a_token_only() -> None:
    path = "/codecov/upload/github/g:::s::::r/commits"

    known = Client().post(
        path, b"{}", content_type="application/json", headers={"authorization": f"token {a_shop().token}"}
    )
    unknown = Client().post(path, b"{}", content_type="application/json")

    assert (known.status_code, known.json()["repository"]) == (201, "g/s/r")
    assert unknown.status_code == 401


def test_codecov_data_that_is_no_base64_is_refused() -> None:
    sent = json.dumps({"test_results_files": [{"filename": "a.xml", "data": "?"}]}).encode()

    answer = put(place_of(ask(a_shop())), sent)

    assert answer.status_code == 400
    assert "a.xml" in answer.json()["message"]


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


# --- flaky-detector, jux, Mergify


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
        test_id = a_test_named(shop, name).id
        care.mute(shop.project, test_id, reason="sandbox", n_days=14, by=shop.owner, now=timezone.now())

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
