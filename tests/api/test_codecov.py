"""What Codecov's clients sent, kept as it came: what it becomes, and how it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingest.clients import codecov
from projects.models import Run, Token, Upload
from tests.factories import Shop, a_shop
from tests.received import COMMIT, RESULTS, body, its_build, the_results, the_upload

pytestmark = pytest.mark.django_db


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
