"""Uploads without a token: a CI that signs for its jobs, an issuer with real keys, and rules of the project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.conf import LazySettings
from django.conf import settings as kept
from django.db import connections
from django.test import Client

from ingest import issuers
from projects.models import Trust, Upload
from tests import addresses
from tests.factories import Shop, a_shop, passed, report
from tests.issuer import GITLAB, JOB_SECRET, PULL, SHA, Issuer, an_issuer
from tests.processes import web_server
from uploader import trophycase

SCRIPT = Path(trophycase.__file__).resolve()
HERE = "https://t.example"


@pytest.fixture
def issuer(settings: LazySettings) -> Iterator[Issuer]:
    """Return an issuer that the server takes."""
    issuers.forget()
    with an_issuer() as running:
        settings.TROPHYCASE_ID_TOKEN_ISSUERS = [running.url]
        settings.TROPHYCASE_PRIVATE_ISSUERS = True
        settings.BASE_URL = HERE
        yield running
    issuers.forget()


@pytest.fixture
def shop(db: None) -> Shop:
    """Return a project."""
    return a_shop()


def trusting(shop: Shop, issuer: Issuer, **rules: Any) -> Trust:
    """Let the project trust the repository that the issuer signs for."""
    repository = rules.pop("repository", "acme/shop")
    return Trust.objects.create(project=shop.project, issuer=issuer.url, repository=repository, **rules)


def send(token: str, *, project: str = "", **fields: str) -> Any:
    """Send a report with an ID token; return the answer."""
    headers = {"authorization": f"Bearer {token}", **({"trophycase-project": project} if project else {})}
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    return Client().post(
        f"/api/v1/uploads?{query}", report(passed()), content_type="application/xml", headers=headers
    )


# --- what a genuine token opens


@pytest.mark.parametrize("key", ["rsa-1", "ec-1"])
def test_a_trusted_job_uploads_without_a_token(shop: Shop, issuer: Issuer, key: str) -> None:
    trusting(shop, issuer)
    issuer.renew(key)

    answer = send(issuer.sign(HERE, key=key))

    upload = Upload.objects.get()
    assert answer.status_code == 202, answer.content
    assert (upload.project, upload.token) == (shop.project, None)
    assert (upload.branch, upload.commit, upload.run_key, upload.attempt) == ("main", SHA, "github-99", 2)
    assert upload.repository == "acme/shop"
    assert upload.pull_request == ""


def test_what_the_issuer_signed_stands_whatever_the_job_says(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)

    send(
        issuer.sign(HERE, ref="refs/heads/topic"),
        branch="main",
        run="build-1",
        commit="ffff",
        attempt="9",
        pull_request="3",
        job="unit",
        shard="2",
    )

    upload = Upload.objects.get()
    assert (upload.branch, upload.commit, upload.run_key, upload.attempt) == ("topic", SHA, "github-99", 2)
    assert (upload.pull_request, upload.job, upload.shard) == ("", "unit", "2")


def test_a_pull_request_never_counts_for_the_default_branch(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)

    send(issuer.sign(HERE, **PULL), branch="main", run="github-98", pull_request="")

    upload = Upload.objects.get()
    assert (upload.branch, upload.pull_request, upload.run_key) == ("main", "7", "github-99")


@pytest.mark.parametrize("event", ["pull_request_target", "issue_comment", "something_new"])
def test_events_in_which_strangers_have_a_say_count_for_a_pull_request(
    shop: Shop, issuer: Issuer, event: str
) -> None:
    trusting(shop, issuer, events=event)

    send(issuer.sign(HERE, event_name=event), branch="main", commit="ffff")

    upload = Upload.objects.get()
    assert (upload.pull_request, upload.commit) == ("main", "")


def test_a_workflow_that_sends_for_another_speaks_for_it(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)

    send(
        issuer.sign(HERE, event_name="workflow_run"),
        branch="main",
        run="github-77",
        pull_request="fork:main",
        commit="ffff",
    )

    upload = Upload.objects.get()
    assert (upload.run_key, upload.pull_request, upload.commit) == ("github-77", "fork:main", "ffff")


def test_gitlab_is_understood_as_well(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer, repository="acme/web/shop")
    issuer.claims = GITLAB

    send(issuer.sign(HERE), branch="other", attempt="2")

    upload = Upload.objects.get()
    assert (upload.branch, upload.commit, upload.run_key) == ("main", SHA, "gitlab-574")
    assert (upload.pull_request, upload.attempt) == ("", 2)
    assert upload.url == f"{issuer.url}/acme/web/shop/-/pipelines/574"


@pytest.mark.parametrize(
    ("claims", "pull_request"),
    [
        ({"pipeline_source": "merge_request_event"}, "12"),
        ({"pipeline_source": "parent_pipeline", "ref_protected": "false"}, "12"),
        ({"pipeline_source": "parent_pipeline"}, ""),
        ({"ref_path": "refs/merge-requests/8/head"}, "8"),
    ],
    ids=["merge request", "child of who knows what", "child on a protected branch", "by its reference"],
)
def test_merge_requests_of_gitlab_never_count_for_the_default_branch(
    shop: Shop, issuer: Issuer, claims: dict[str, str], pull_request: str
) -> None:
    trusting(shop, issuer, repository="acme/web/shop")
    issuer.claims = GITLAB

    send(issuer.sign(HERE, **claims), pull_request="12")

    assert Upload.objects.get().pull_request == pull_request


def test_the_codecov_action_may_use_the_same(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    asked = {"commit": "ffff", "slug": "acme::::shop", "branch": "other", "report_payload_bytes": 500}
    headers = {"authorization": f"token {issuer.sign(HERE)}"}

    answer = Client().post(
        "/upload/test_results/v1", json.dumps(asked), content_type="application/json", headers=headers
    )
    place = answer.json()["raw_upload_location"].removeprefix(HERE)
    file = {"filename": "a.xml", "data": "PHRlc3RzdWl0ZT48dGVzdGNhc2UgbmFtZT0iYSIvPjwvdGVzdHN1aXRlPg=="}
    Client().put(place, json.dumps({"test_results_files": [file]}), content_type="application/json")

    upload = Upload.objects.get()
    assert (upload.branch, upload.commit, upload.run_key) == ("main", SHA, "github-99")
    assert upload.repository == "acme/shop"


def test_the_pages_name_the_repository_whose_job_sent_an_upload(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    upload_id = send(issuer.sign(HERE)).json()["id"]

    listed = shop.browser().get(f"/p/{shop.project.slug}/uploads", {"q": "acme/shop"})
    alone = shop.browser().get(f"/p/{shop.project.slug}/uploads/{upload_id}")

    assert ">acme/shop<" in listed.content.decode()
    assert ">acme/shop<" in alone.content.decode()


# --- tokens that do not hold


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "https://other.example"}, "Ask for the audience https://t.example"),
        ({"exp": 1_700_000_000, "iat": 1_699_999_000, "nbf": None}, "no longer valid"),
        ({"iat": 4_000_000_000, "exp": 4_000_000_300, "nbf": None}, "from the future"),
        ({"nbf": 4_000_000_000}, "from the future"),
        ({"exp": None}, "exp"),
        ({"aud": None}, "aud"),
        ({"sub": None}, "sub"),
        ({"repository": None}, "names no repository"),
        ({"iss": "https://issuer.example"}, "are not taken here"),
    ],
)
def test_a_token_that_does_not_hold_opens_nothing(
    shop: Shop, issuer: Issuer, claims: dict[str, Any], words: str
) -> None:
    trusting(shop, issuer)

    answer = send(issuer.sign(HERE, **claims))

    assert answer.status_code == 401
    assert words in answer.json()["message"]
    assert not Upload.objects.exists()


def test_a_clock_that_is_a_little_off_does_no_harm(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    now = int(time.time())

    late = send(issuer.sign(HERE, exp=now - 30))
    early = send(issuer.sign(HERE, nbf=now + 30, iat=now + 30, exp=now + 300))

    assert (late.status_code, early.status_code) == (202, 200)


def test_another_key_under_the_same_name_does_not_hold(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    send(issuer.sign(HERE))
    issuer.renew("rsa-1")

    answer = send(issuer.sign(HERE))

    assert answer.status_code == 401
    assert "does not hold" in answer.json()["message"]


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS384", "PS256"])
def test_other_algorithms_are_refused(shop: Shop, issuer: Issuer, algorithm: str) -> None:
    trusting(shop, issuer)
    claims = {"iss": issuer.url, "aud": HERE, "sub": "x", "iat": 1, "exp": 4_000_000_000}
    if algorithm in ("HS256", "none"):
        secret = "" if algorithm == "none" else "a secret that is long enough to be one"
        token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": "rsa-1"})
    else:
        token = issuer.sign(HERE, algorithm=algorithm)

    answer = send(token if not token.endswith(".") else f"{token}eHh4")

    assert answer.status_code == 401
    assert "must be signed with RS256 or ES256" in answer.json()["message"]


def test_what_only_looks_like_an_id_token_is_refused(shop: Shop, issuer: Issuer) -> None:
    assert send("eyJhbGciOiJSUzI1NiJ9.e30x.aaaa").json()["error"] == "bad_id_token"
    assert send("eyJ" + "a" * 9_000 + ".b.c").json()["error"] == "bad_id_token"
    assert send("eyJ.x").json()["error"] == "unknown_token"


# --- keys


def test_keys_are_asked_for_once_and_again_when_one_is_new(
    shop: Shop, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting(shop, issuer)
    send(issuer.sign(HERE))
    send(issuer.sign(HERE))
    asked = list(issuer.asked)
    issuer.renew("rsa-2")

    too_soon = send(issuer.sign(HERE, key="rsa-2"))
    monkeypatch.setattr(issuers, "NOT_SOONER", issuers.NOT_SOONER * 0)
    answer = send(issuer.sign(HERE, key="rsa-2"))

    assert asked == ["/.well-known/openid-configuration", "/keys"]
    assert (too_soon.status_code, answer.status_code) == (401, 200)
    assert issuer.asked == asked * 2


def test_an_issuer_that_is_away_keeps_the_sender_waiting(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    token = issuer.sign(HERE)
    issuer.documents["/keys"] = b"busy"

    first, second = send(token), send(token)

    assert (first.status_code, second.status_code) == (503, 503)
    assert first.headers["Retry-After"] == "30"
    assert issuer.asked.count("/keys") == 1


def test_an_issuer_that_is_away_for_a_while_is_believed_on(
    shop: Shop, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting(shop, issuer)
    send(issuer.sign(HERE))
    issuer.documents["/keys"] = b"busy"
    for name in ("FRESH", "NOT_SOONER"):
        monkeypatch.setattr(issuers, name, issuers.FRESH * 0)

    answer = send(issuer.sign(HERE))

    assert answer.status_code == 200
    assert issuer.asked.count("/keys") == 2


@pytest.mark.parametrize(
    ("path", "document", "words"),
    [
        ("/.well-known/openid-configuration", b'{"issuer": "https://other.example"}', "another"),
        ("/keys", b'{"keys": []}', "no key that can be used"),
        ("/keys", b'{"keys": [{"kty": "oct", "k": "AA", "kid": "rsa-1"}]}', "no key that can be used"),
        ("/keys", b" " * 300_000 + b"{}", "no JSON, or too long"),
    ],
    ids=["describes another", "no keys", "a shared secret", "too long"],
)
def test_odd_documents_of_an_issuer_are_told_and_not_believed(
    shop: Shop, issuer: Issuer, path: str, document: bytes, words: str
) -> None:
    trusting(shop, issuer)
    issuer.documents[path] = document

    answer = send(issuer.sign(HERE))

    assert answer.status_code == 503
    assert words in answer.json()["message"]


def test_keys_at_another_host_are_not_fetched(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    with an_issuer() as other:
        elsewhere = {"issuer": issuer.url, "jwks_uri": f"{other.url}/keys"}
        issuer.documents["/.well-known/openid-configuration"] = json.dumps(elsewhere).encode()

        answer = send(issuer.sign(HERE))

        assert other.asked == []
    assert "another host" in answer.json()["message"]


def test_an_issuer_inside_the_network_needs_a_setting(
    shop: Shop, issuer: Issuer, settings: LazySettings
) -> None:
    settings.TROPHYCASE_PRIVATE_ISSUERS = False
    inside = issuer.url.replace("http://", "https://")
    settings.TROPHYCASE_ID_TOKEN_ISSUERS = [issuer.url, inside]

    plain, private = send(issuer.sign(HERE)), send(issuer.sign(HERE, iss=inside))

    assert "begins with https://" in plain.json()["message"]
    assert "TROPHYCASE_PRIVATE_ISSUERS=1" in private.json()["message"]
    assert issuer.asked == []


# --- the project's rules


def test_a_repository_that_nobody_trusts_is_told_what_to_do(shop: Shop, issuer: Issuer) -> None:
    answer = send(issuer.sign(HERE))

    assert answer.status_code == 403
    assert "No project here takes uploads of acme/shop without a token." in answer.json()["message"]


@pytest.mark.parametrize(
    ("rules", "claims", "code"),
    [
        ({"branches": "main release/*"}, {}, ""),
        ({"branches": "main release/*"}, {"ref": "refs/heads/release/1"}, ""),
        ({"branches": "main release/*"}, {"ref": "refs/heads/topic"}, "unwanted_branch"),
        ({"branches": "main"}, PULL, ""),
        ({"takes_pulls": False}, PULL, "unwanted_event"),
        ({"events": "schedule"}, {}, "unwanted_event"),
        ({"events": "schedule push"}, {}, ""),
        ({}, {"event_name": "issue_comment"}, "unwanted_event"),
        ({"owner_id": "65"}, {}, ""),
        ({"owner_id": "66"}, {}, "other_owner"),
        ({"repository": "Acme/Shop"}, {}, ""),
        ({"repository": "acme/shop2"}, {}, "untrusted_repository"),
    ],
)
def test_a_project_says_which_jobs_it_takes(
    shop: Shop, issuer: Issuer, rules: dict[str, Any], claims: dict[str, str], code: str
) -> None:
    trusting(shop, issuer, **rules)

    answer = send(issuer.sign(HERE, **claims))

    assert answer.json().get("error", "") == code
    assert answer.status_code == (403 if code else 202)


def test_the_owners_number_of_the_first_upload_is_kept(shop: Shop, issuer: Issuer) -> None:
    kept = trusting(shop, issuer)
    send(issuer.sign(HERE))

    answer = send(issuer.sign(HERE, repository_owner_id="66"))

    kept.refresh_from_db()
    assert (kept.owner_id, answer.json()["error"]) == ("65", "other_owner")
    assert kept.last_used_at is not None


def test_a_repository_of_several_projects_names_one(shop: Shop, issuer: Issuer) -> None:
    other = a_shop("Web")
    for one in (shop, other):
        trusting(one, issuer)

    unnamed = send(issuer.sign(HERE))
    named = send(issuer.sign(HERE), project="web")
    strange = send(issuer.sign(HERE), project="elsewhere")

    assert unnamed.json()["error"] == "several_projects"
    assert named.status_code == 202
    assert Upload.objects.get().project == other.project
    assert strange.status_code == 403


def test_a_job_may_ask_for_what_became_of_its_upload(shop: Shop, issuer: Issuer) -> None:
    trusting(shop, issuer)
    token = issuer.sign(HERE)
    place = send(token).json()["status_url"].removeprefix(HERE)

    answer = Client().get(place, headers={"authorization": f"Bearer {token}"})

    assert answer.json()["state"] == "received"


# --- with the uploader


@pytest.fixture
def served(services: Any, transactional_db: None, tmp_path: Path) -> Iterator[tuple[str, Issuer]]:
    """Return the address of a web server, and an issuer that it takes."""
    with an_issuer() as running:
        database = str(connections["default"].settings_dict["NAME"])
        environ = {
            "DATABASE_URL": addresses.database_named(services.database_url, name=database),
            "REDIS_URL": services.redis_url,
            "SECRET_KEY": kept.SECRET_KEY,
            "TROPHYCASE_HOME": str(tmp_path),
            "TROPHYCASE_COLLECTED_STATIC": "0",
            "TROPHYCASE_ID_TOKEN_ISSUERS": running.url,
            "TROPHYCASE_PRIVATE_ISSUERS": "1",
        }
        with web_server(environ, folder=tmp_path) as (url, _):
            yield url, running


def call(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the uploader as a job does."""
    (folder / "a.xml").write_bytes(report(passed()))
    return subprocess.run(
        [sys.executable, "-E", "-W", "error", str(SCRIPT), "upload", "a.xml", "--strict", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_uploader_asks_github_to_sign(served: tuple[str, Issuer], tmp_path: Path) -> None:
    url, running = served
    shop = a_shop()
    trusting(shop, running)
    running.claims |= PULL
    job = {
        "TROPHYCASE_URL": url,
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "99",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_JOB": "unit",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{running.url}/mint?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_SECRET,
    }

    called = call(tmp_path, **job)
    refused = call(tmp_path, **{**job, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "another"})
    running.claims |= {"repository": "acme/other"}
    untrusted = call(tmp_path, **job)

    upload = Upload.objects.get()
    assert called.returncode == 0, called.stdout + called.stderr
    assert (upload.run_key, upload.pull_request, upload.job) == ("github-99", "7", "unit")
    assert "Does the job have `permissions: id-token: write`?" in refused.stdout
    assert "takes uploads of acme/other without a token" in untrusted.stdout
    everything = called.stdout + refused.stdout + untrusted.stdout
    assert "eyJ" not in everything
    assert JOB_SECRET not in everything


def test_the_uploader_takes_gitlabs_word(served: tuple[str, Issuer], tmp_path: Path) -> None:
    url, running = served
    trusting(a_shop(), running, repository="acme/web/shop")
    running.claims = GITLAB

    called = call(
        tmp_path,
        TROPHYCASE_URL=url,
        TROPHYCASE_ID_TOKEN=running.sign(url),
        GITLAB_CI="true",
        CI_PIPELINE_ID="574",
        CI_JOB_NAME="test 2/4",
        CI_NODE_INDEX="2",
        CI_NODE_TOTAL="4",
    )

    upload = Upload.objects.get()
    assert called.returncode == 0, called.stdout + called.stderr
    assert (upload.run_key, upload.job, upload.shard) == ("gitlab-574", "test", "2")
