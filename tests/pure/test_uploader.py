"""The uploader's pure parts: where the tests ran, which files, how they are packed, what is forgiven, what is lacking."""

from __future__ import annotations

import ast
import gzip
import io
import json
import os
import re
import tarfile
import time
import urllib.error
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from uploader import trophycase

SCRIPT = Path(trophycase.__file__)
DATA = Path(__file__).resolve().parent.parent / "data"
SHA = "8f14e45fceea167a5a36dedd4bea2543abcdef01"

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": SHA,
    "GITHUB_RUN_ID": "99",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_JOB": "test",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "o/r",
}


def no_git(*_: str) -> str:
    """Answer as a folder without git does."""
    return ""


def fields(environ: dict[str, str]) -> dict[str, str]:
    """Return what the uploader reads out of these variables."""
    return trophycase.origin_of(environ, git=no_git).fields


# --- where the tests ran


def test_github_tells_branch_commit_run_attempt_job_and_url() -> None:
    assert fields(GITHUB) == {
        "branch": "main",
        "commit": SHA,
        "run": "github-99",
        "attempt": "1",
        "job": "test",
        "url": "https://github.example/o/r/actions/runs/99",
    }


def test_a_github_pull_request_is_its_head_branch_and_number() -> None:
    told = fields({**GITHUB, "GITHUB_HEAD_REF": "topic", "GITHUB_REF": "refs/pull/12/merge"})

    assert (told["branch"], told["pull_request"]) == ("topic", "12")


def test_a_github_rerun_is_another_attempt_of_the_same_run() -> None:
    again = fields({**GITHUB, "GITHUB_RUN_ATTEMPT": "2"})

    assert again["run"] == fields(GITHUB)["run"]
    assert again["attempt"] == "2"


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ({"shard": 2, "shard_total": 4}, {"shard": "2", "shard_total": "4"}),
        ({"shard": "2/4", "python": 3.12}, {"shard": "2", "shard_total": "4", "environment": "3.12"}),
        ({"os": "windows-latest", "python": "3.12"}, {"environment": "windows-latest 3.12"}),
        ({"shardIndex": 1, "shardTotal": [4]}, {"shard": "1", "shard_total": "1"}),
        ({"include": {"deep": 1}}, {}),
        (None, {}),
    ],
)
def test_a_github_matrix_gives_shard_and_environment(matrix: Any, expected: dict[str, str]) -> None:
    told = fields({**GITHUB, "TROPHYCASE_MATRIX": json.dumps(matrix)})

    assert {key: told[key] for key in ("shard", "shard_total", "environment") if key in told} == expected


def test_a_workflow_that_sends_for_another_speaks_for_the_other(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    run = {
        "id": 77,
        "run_attempt": 3,
        "head_branch": "main",
        "head_sha": SHA,
        "html_url": "https://github.example/o/r/actions/runs/77",
        "pull_requests": [],
        "head_repository": {"full_name": "fork/r", "owner": {"login": "fork"}},
    }
    event.write_text(json.dumps({"workflow_run": run, "repository": {"full_name": "o/r"}}))

    told = fields({**GITHUB, "GITHUB_EVENT_NAME": "workflow_run", "GITHUB_EVENT_PATH": str(event)})

    assert (told["run"], told["attempt"], told["commit"]) == ("github-77", "3", SHA)
    assert told["pull_request"] == "fork:main"  # so that a fork's main never counts for ours


CASES: list[tuple[str, dict[str, str], dict[str, str]]] = [
    (
        "GitLab",
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_REF_NAME": "topic",
            "CI_COMMIT_SHA": SHA,
            "CI_PIPELINE_ID": "7",
            "CI_JOB_NAME": "rspec 2/4",
            "CI_NODE_INDEX": "2",
            "CI_NODE_TOTAL": "4",
            "CI_PIPELINE_URL": "https://gitlab.example/p/7",
            "CI_MERGE_REQUEST_IID": "3",
            "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic",
        },
        {
            "branch": "topic",
            "commit": SHA,
            "run": "gitlab-7",
            "job": "rspec",
            "shard": "2",
            "shard_total": "4",
            "url": "https://gitlab.example/p/7",
            "pull_request": "3",
        },
    ),
    (
        "GitLab",
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SHA": SHA,
            "CI_PIPELINE_ID": "7",
            "CI_JOB_NAME": "test: [3.12, linux]",
            "CI_NODE_INDEX": "1",
            "CI_NODE_TOTAL": "2",
        },
        {
            "branch": "main",
            "commit": SHA,
            "run": "gitlab-7",
            "job": "test",
            "environment": "3.12 linux",
        },
    ),
    (
        "Jenkins",
        {
            "JENKINS_URL": "https://jenkins.example/",
            "BRANCH_NAME": "PR-4",
            "CHANGE_BRANCH": "topic",
            "CHANGE_ID": "4",
            "GIT_COMMIT": SHA,
            "BUILD_TAG": "jenkins-shop-PR-4-11",
            "JOB_NAME": "team/shop/PR-4",
            "BUILD_URL": "https://jenkins.example/job/11/",
        },
        {
            "branch": "topic",
            "commit": SHA,
            "run": "jenkins-shop-PR-4-11",
            "job": "team/shop",
            "url": "https://jenkins.example/job/11/",
            "pull_request": "4",
        },
    ),
    (
        "Jenkins",
        {
            "JENKINS_URL": "https://jenkins.example/",
            "GIT_BRANCH": "origin/main",
            "GIT_COMMIT": SHA,
            "JOB_NAME": "shop",
            "BUILD_NUMBER": "5",
        },
        {"branch": "main", "commit": SHA, "run": "jenkins-shop-5", "job": "shop"},
    ),
    (
        "CircleCI",
        {
            "CIRCLECI": "true",
            "CIRCLE_BRANCH": "pull/8",
            "CIRCLE_SHA1": SHA,
            "CIRCLE_WORKFLOW_ID": "w2",
            "CIRCLE_WORKFLOW_WORKSPACE_ID": "w1",
            "CIRCLE_NODE_INDEX": "0",
            "CIRCLE_NODE_TOTAL": "2",
            "CIRCLE_JOB": "test",
            "CIRCLE_BUILD_URL": "https://circle.example/1",
            "CIRCLE_PR_NUMBER": "8",
        },
        {
            "branch": "pull/8",
            "commit": SHA,
            "run": "circleci-w1",
            "attempt": "2",
            "shard": "1",
            "shard_total": "2",
            "job": "test",
            "url": "https://circle.example/1",
            "pull_request": "8",
        },
    ),
    (
        "Buildkite",
        {
            "BUILDKITE": "true",
            "BUILDKITE_BRANCH": "main",
            "BUILDKITE_COMMIT": SHA,
            "BUILDKITE_BUILD_ID": "b1",
            "BUILDKITE_RETRY_COUNT": "1",
            "BUILDKITE_PARALLEL_JOB": "0",
            "BUILDKITE_PARALLEL_JOB_COUNT": "3",
            "BUILDKITE_LABEL": "tests 1/3",
            "BUILDKITE_BUILD_URL": "https://bk.example/1",
            "BUILDKITE_PULL_REQUEST": "false",
        },
        {
            "branch": "main",
            "commit": SHA,
            "run": "buildkite-b1",
            "attempt": "2",
            "shard": "1",
            "shard_total": "3",
            "job": "tests",
            "url": "https://bk.example/1",
        },
    ),
    (
        "Azure Pipelines",
        {
            "TF_BUILD": "True",
            "BUILD_BUILDID": "31",
            "BUILD_SOURCEBRANCH": "refs/pull/5/merge",
            "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/topic",
            "SYSTEM_PULLREQUEST_PULLREQUESTID": "5",
            "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "$(System.PullRequest.PullRequestNumber)",
            "BUILD_SOURCEVERSION": SHA,
            "SYSTEM_JOBATTEMPT": "2",
            "SYSTEM_PHASENAME": "test",
            "SYSTEM_JOBNAME": "linux_312",
            "SYSTEM_TOTALJOBSINPHASE": "3",
            "SYSTEM_JOBPOSITIONINPHASE": "1",
            "SYSTEM_COLLECTIONURI": "https://dev.azure.example/org/",
            "SYSTEM_TEAMPROJECT": "My shop",
        },
        {
            "branch": "topic",
            "commit": SHA,
            "run": "azure-31",
            "attempt": "2",
            "job": "test",
            "environment": "linux_312",
            "url": "https://dev.azure.example/org/My%20shop/_build/results?buildId=31",
            "pull_request": "5",
        },
    ),
    (
        "Bitbucket",
        {
            "BITBUCKET_BUILD_NUMBER": "9",
            "BITBUCKET_BRANCH": "topic",
            "BITBUCKET_COMMIT": SHA,
            "BITBUCKET_PIPELINE_UUID": "{a-b}",
            "BITBUCKET_STEP_RUN_NUMBER": "2",
            "BITBUCKET_REPO_FULL_NAME": "o/r",
            "BITBUCKET_PARALLEL_STEP": "1",
            "BITBUCKET_PARALLEL_STEP_COUNT": "2",
            "BITBUCKET_PR_ID": "6",
        },
        {
            "branch": "topic",
            "commit": SHA,
            "run": "bitbucket-a-b",
            "attempt": "2",
            "shard": "2",
            "shard_total": "2",
            "url": "https://bitbucket.org/o/r/pipelines/results/9",
            "pull_request": "6",
        },
    ),
    (
        "Travis",
        {
            "TRAVIS": "true",
            "TRAVIS_BRANCH": "main",
            "TRAVIS_PULL_REQUEST": "false",
            "TRAVIS_COMMIT": SHA,
            "TRAVIS_BUILD_ID": "5",
            "TRAVIS_JOB_NUMBER": "12.3",
        },
        {"branch": "main", "commit": SHA, "run": "travis-5", "shard": "3"},
    ),
    (
        "Drone",
        {
            "CI": "true",
            "DRONE": "true",
            "DRONE_BRANCH": "main",
            "DRONE_SOURCE_BRANCH": "topic",
            "DRONE_COMMIT_SHA": SHA,
            "DRONE_REPO": "o/r",
            "DRONE_BUILD_NUMBER": "4",
            "DRONE_STAGE_NAME": "default",
            "DRONE_STEP_NAME": "test",
            "DRONE_PULL_REQUEST": "2",
        },
        {
            "branch": "topic",
            "commit": SHA,
            "run": "drone-o/r-4",
            "job": "default test",
            "pull_request": "2",
        },
    ),
    (
        "Woodpecker",
        {
            "CI": "woodpecker",
            "CI_COMMIT_BRANCH": "main",
            "CI_COMMIT_SHA": SHA,
            "CI_REPO": "o/r",
            "CI_PIPELINE_NUMBER": "4",
            "CI_WORKFLOW_NAME": "ci",
        },
        {"branch": "main", "commit": SHA, "run": "woodpecker-o/r-4", "job": "ci"},
    ),
]


@pytest.mark.parametrize(("name", "environ", "expected"), CASES)
def test_each_ci_tells_where_the_tests_ran(
    name: str, environ: dict[str, str], expected: dict[str, str]
) -> None:
    origin = trophycase.origin_of(environ, git=no_git)

    assert (origin.name, origin.fields) == (name, expected)


# Environments as these systems gave them to a job, in tests/data/ci.
RECORDED = {
    "teamcity": (
        "TeamCity",
        {"commit": "1ee546f280c093f1e24ecc149db4a0a100c8d609", "run": "teamcity-Build-5", "job": "Build"},
    ),
    "travis": (
        "Travis",
        {
            "branch": "test-travis-branch",
            "commit": "dc78d69a83b22190ba68b13bde0c1a2eaedd5f0a",
            "run": "travis-208715140",
            "shard": "1",
            "url": "https://travis-ci.com/OndraM/ci-detector/builds/208715140",
        },
    ),
    "drone": (
        "Drone",
        {
            "branch": "master",
            "commit": "9aa7fe62e5b5457f013f85cfcc13c2ec74d4071c",
            "run": "drone-root/123-7",
            "job": "default test_plugin",
            "url": "http://192.168.77.132/root/123/7",
        },
    ),
    # A restart of pipeline 23; the names of Drone are there too.
    "woodpecker": (
        "Woodpecker",
        {
            "branch": "main",
            "commit": "8826c98181353075bbeee8f99b400496488e3523",
            "run": "woodpecker-test/woodpecker-test-23",
            "attempt": "2",
            "job": "woodpecker",
            "url": "http://1.2.3.4:8000/repos/2/pipeline/24",
        },
    ),
}


@pytest.mark.parametrize("key", RECORDED)
def test_a_recorded_environment_tells_where_the_tests_ran(key: str) -> None:
    lines = (DATA / "ci" / f"{key}.env").read_text().splitlines()
    environ = dict(line.split("=", 1) for line in lines)

    origin = trophycase.origin_of(environ, git=no_git)

    assert (origin.name, origin.fields) == RECORDED[key]


def test_a_circleci_rerun_is_a_later_attempt_of_the_same_run() -> None:
    first = {"CIRCLECI": "true", "CIRCLE_WORKFLOW_ID": "w1", "CIRCLE_WORKFLOW_WORKSPACE_ID": "w1"}

    told = [
        fields(first),
        fields({**first, "CIRCLE_WORKFLOW_ID": "w2"}),
        fields({**first, "CIRCLE_WORKFLOW_ID": "w3"}),
    ]

    assert {one["run"] for one in told} == {"circleci-w1"}
    assert [one.get("attempt") for one in told] == [None, "2", "2"]


def test_teamcity_tells_the_branch_in_its_properties_only(tmp_path: Path) -> None:
    configuration = tmp_path / "config.properties"
    configuration.write_text(
        "teamcity.build.branch=topic\nteamcity.serverUrl=https\\://tc.example\nteamcity.pullRequest.number=9\n"
    )
    build = tmp_path / "build.properties"
    build.write_text(
        f"# by TeamCity\nteamcity.build.id=55\nteamcity.configuration.properties.file={configuration}\n"
    )

    told = fields(
        {
            "TEAMCITY_VERSION": "2026.1",
            "TEAMCITY_BUILD_PROPERTIES_FILE": str(build),
            "BUILD_VCS_NUMBER": SHA,
            "TEAMCITY_BUILDCONF_NAME": "Tests",
        }
    )

    assert told == {
        "branch": "topic",
        "commit": SHA,
        "run": "teamcity-55",
        "job": "Tests",
        "url": "https://tc.example/build/55",
        "pull_request": "9",
    }


def test_without_a_ci_git_tells_branch_and_commit() -> None:
    told = {("rev-parse", "HEAD"): SHA, ("rev-parse", "--abbrev-ref", "HEAD"): "topic"}

    origin = trophycase.origin_of({}, git=lambda *words: told[words])

    assert origin == ("git", {"branch": "topic", "commit": SHA})


def test_a_detached_head_is_no_branch() -> None:
    origin = trophycase.origin_of({}, git=lambda *words: "HEAD" if "--abbrev-ref" in words else SHA)

    assert origin.fields == {"commit": SHA}


def test_what_the_person_says_wins_over_variables_and_ci() -> None:
    origin = trophycase.origin_of(GITHUB, git=no_git)

    told = trophycase.wishes(
        origin,
        {"branch": "refs/heads/mine", "job": ""},
        {"TROPHYCASE_LAYER": "e2e", "TROPHYCASE_BRANCH": "x"},
    )

    assert (told["branch"], told["layer"], told["job"]) == ("mine", "e2e", "test")


def test_the_servers_address_is_not_taken_for_the_builds() -> None:
    environ = {"TROPHYCASE_URL": "https://t.example", "TROPHYCASE_BUILD_URL": "https://ci.example/1"}

    told = trophycase.wishes(trophycase.Origin("", {}), {}, environ)

    assert told == {"url": "https://ci.example/1"}


def test_long_run_keys_stay_apart_when_they_are_cut() -> None:
    one, other = (
        trophycase.wishes(trophycase.Origin("", {"run": "r" * 300 + end}), {}, {})["run"] for end in "ab"
    )

    assert len(one) == len(other) == 200
    assert one != other


# --- which files


def names(answer: trophycase.Found) -> list[str]:
    """Return the found files by name."""
    return [path.as_posix() for path in answer.files]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of reports and other files, which is the current one."""
    for name in ("a.xml", "deep/er/b.xml", "other/c.xml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<testsuite/>")
    (tmp_path / "pom.xml").write_text('<?xml version="1.0"?>\n<!-- built --><project xmlns="m"/>')
    (tmp_path / "empty.xml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_patterns_find_files_in_any_folder_once(folder: Path) -> None:
    answer = trophycase.found(["**/*.xml", "a.xml", "deep/*/b.xml"])

    assert names(answer) == ["a.xml", "deep/er/b.xml", "other/c.xml"]


def test_wide_patterns_leave_out_what_is_no_report(folder: Path) -> None:
    answer = trophycase.found(["*.xml"])

    assert [line.partition(":")[0] for line in answer.left_out] == ["empty.xml", "pom.xml"]


def test_a_file_named_by_itself_is_sent_whatever_it_is(folder: Path) -> None:
    assert names(trophycase.found(["pom.xml"])) == ["pom.xml"]


def test_patterns_come_on_lines_with_choices_and_exceptions(folder: Path) -> None:
    assert names(trophycase.found(["{deep,other}/**/*.xml\n!other/**"])) == ["deep/er/b.xml"]


def test_a_folder_stands_for_all_its_xml(folder: Path) -> None:
    assert names(trophycase.found(["deep"])) == ["deep/er/b.xml"]


def test_a_pattern_that_names_nothing_is_told(folder: Path) -> None:
    assert trophycase.found(["nothing/*.xml"]).unmatched == ["nothing/*.xml"]


def test_reports_of_an_earlier_run_are_left_out_when_asked(folder: Path) -> None:
    os.utime(folder / "a.xml", (1, 1))

    assert names(trophycase.found(["a.xml", "other"], newer_than=time.time() - 3600)) == ["other/c.xml"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a", ["a"]),
        ("{a,b}", ["a", "b"]),
        ("x{a,b}y{1,2}", ["xay1", "xay2", "xby1", "xby2"]),
        ("{a}", ["{a}"]),
    ],
)
def test_braces_stand_for_each_of_their_words(pattern: str, expected: list[str]) -> None:
    assert trophycase.braces(pattern) == expected


# --- packing


def test_the_same_files_give_the_same_bytes(folder: Path) -> None:
    files = [Path("a.xml"), Path("deep/er/b.xml")]
    first = trophycase.packed(files, {"run": "r1"})
    os.utime("a.xml", (1, 1))

    assert trophycase.packed(files, {"run": "r1"}) == first


def test_an_archive_keeps_folders_and_forgets_owners(folder: Path) -> None:
    packed = trophycase.archive([Path("a.xml"), Path("deep/er/b.xml")])

    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["a.xml", "deep/er/b.xml"]
    assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}


def test_what_is_not_xml_goes_as_a_part_of_its_own(folder: Path) -> None:
    (folder / "report.json").write_text("{}" * 500)

    parcel = trophycase.packed([Path("a.xml"), Path("report.json")], {"run": "r1", "branch": "bücher"})

    assert parcel.body.count(b'name="file"') == 2
    assert b'filename="report.json"' in parcel.body
    assert "bücher".encode() in parcel.body


def test_many_or_large_files_are_shared_out(folder: Path) -> None:
    files = [Path("a.xml"), Path("deep/er/b.xml"), Path("other/c.xml")]

    assert [len(batch) for batch in trophycase.batches(files, most_files=2)] == [2, 1]
    assert [len(batch) for batch in trophycase.batches(files, most_bytes=25)] == [2, 1]
    assert [len(batch) for batch in trophycase.batches(files, most_bytes=1)] == [1, 1, 1]


# --- what is kept


def test_a_kept_parcel_goes_only_to_the_server_and_token_it_was_for(tmp_path: Path) -> None:
    shelf = trophycase.Shelf(tmp_path / "kept")
    parcel = trophycase.Parcel({"run": "r1"}, ("a.xml",), "multipart/form-data; boundary=b", b"body\nof it")

    shelf.keep(parcel, mark="mine")

    assert list(shelf.parcels(mark="other")) == []
    ((_, kept),) = shelf.parcels(mark="mine")
    assert (kept.body, kept.names) == (parcel.body, parcel.names)
    assert kept.fields["started_at"]


def test_the_shelf_holds_so_many_and_drops_the_oldest(tmp_path: Path) -> None:
    shelf = trophycase.Shelf(tmp_path)
    for number in range(trophycase.MOST_KEPT + 3):
        shelf.keep(trophycase.Parcel({"run": str(number)}, ("a.xml",), "b", b"body"), mark="mine")

    assert len(list(shelf.parcels(mark="mine"))) == trophycase.MOST_KEPT


# --- answers and refusals


def refused(status: int, body: bytes = b"", **headers: str) -> trophycase.Trouble:
    """Return what the uploader makes of an HTTP status."""
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    error = urllib.error.HTTPError("https://t.example/x", status, "", message, io.BytesIO(body))
    return trophycase.refusal(error, url="https://t.example")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    trouble = refused(status, Retry_After="17")

    assert (trouble.is_passing, trouble.retry_after_s) == (True, 17.0)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "TROPHYCASE_TOKEN"), (404, "TROPHYCASE_URL"), (413, "limit")]
)
def test_a_refusal_says_what_to_do(status: int, words: str) -> None:
    trouble = refused(status)

    assert words in str(trouble)
    assert not trouble.is_passing


def test_the_servers_own_words_are_passed_on() -> None:
    trouble = refused(422, b'{"error": "bad_layer", "message": "layer is x: send one of unit."}')

    assert (trouble.code, str(trouble)) == ("bad_layer", "layer is x: send one of unit.")


def test_a_redirect_names_the_address_to_set() -> None:
    trouble = refused(301, Location="https://tests.example/api/v1/uploads")

    assert "Set TROPHYCASE_URL to https://tests.example " in str(trouble)


def test_a_redirect_to_a_login_is_told_as_one() -> None:
    assert "login" in str(refused(302, Location="https://sso.example/login?next=x"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("https://t.example/", "https://t.example"),
        (" 'http://t.example:8000' ", "http://t.example:8000"),
        ("https://t.example/api/v1/uploads", "https://t.example"),
    ],
)
def test_an_address_is_read_with_patience(said: str, expected: str) -> None:
    assert trophycase.address(said) == expected


@pytest.mark.parametrize("said", ["", "t.example", "ftp://t.example", "https://ada:pw@t.example"])
def test_what_is_no_address_is_refused_without_repeating_secrets(said: str) -> None:
    with pytest.raises(trophycase.Trouble) as refusal:
        trophycase.address(said)

    assert "pw" not in str(refusal.value)


@pytest.mark.parametrize("said", ["", "  ", "tc_ab cd", "tc_ab\ncd", "tc_ü"])
def test_what_can_be_no_token_is_refused_without_repeating_it(said: str) -> None:
    with pytest.raises(trophycase.Trouble) as refusal:
        trophycase.secret(said, {})

    assert "tc_" not in str(refusal.value)


ID_TOKENS = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://g.example/x?a=1",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret",
}


def ticket_of(said: str, environ: dict[str, str]) -> trophycase.Ticket:
    """Return what lets a job in."""
    voice = trophycase.Voice(environ={})
    return trophycase.ticket(said, environ, url="https://t.example", voice=voice)


def test_a_token_that_is_given_comes_before_what_the_ci_signs() -> None:
    assert ticket_of("tc_mine", {**GITHUB, **ID_TOKENS}).token() == "tc_mine"
    assert ticket_of("", {**GITHUB, "TROPHYCASE_ID_TOKEN": "eyJ.a.b"}).token() == "eyJ.a.b"


def test_reports_of_a_signed_job_wait_for_jobs_of_the_same_run_and_attempt() -> None:
    mine = ticket_of("", {**GITHUB, **ID_TOKENS}).name

    assert ticket_of("", {**GITHUB, **ID_TOKENS, "GITHUB_JOB": "other"}).name == mine
    assert ticket_of("", {**GITHUB, **ID_TOKENS, "GITHUB_RUN_ATTEMPT": "2"}).name != mine
    assert ticket_of("", {**GITHUB, **ID_TOKENS, "GITHUB_RUN_ID": "100"}).name != mine


def test_without_token_and_signature_github_jobs_are_told_of_both() -> None:
    with pytest.raises(trophycase.Trouble) as trouble:
        ticket_of("", GITHUB)

    assert "TROPHYCASE_TOKEN is empty" in str(trouble.value)
    assert "Settings, Trusted jobs" in str(trouble.value)


def test_no_output_holds_the_token_or_commands_for_the_ci() -> None:
    voice = trophycase.Voice(environ={}, secrets=["tc_secret"])

    assert voice.clean("x tc_secret\n::error::\x1b[31m ##vso[task]") == "x *** ::error:: [31m ## vso[task]"


# --- the gate


def failure(p_flaky: float | None) -> dict[str, Any]:
    """Return a failure as the server tells it."""
    return {
        "title": "Cart › adds | a <b>",
        "sentence": "Known.",
        "layer": "unit",
        "url": "https://t.example/1",
        "p_flaky": p_flaky,
    }


def verdicts(*ps: float | None, **more: Any) -> dict[str, Any]:
    """Return a run's verdicts as the server tells them."""
    return {
        "url": "https://t.example/r/1",
        "n_failures": len(ps),
        "is_incomplete": False,
        "failures": [failure(p) for p in ps],
        **more,
    }


@pytest.mark.parametrize(
    ("answer", "n_own_bad", "is_forgiven"),
    [
        (verdicts(0.95), 1, True),
        (verdicts(0.9, 0.99), 2, True),
        (verdicts(0.95, 0.2), 2, False),
        (verdicts(0.95, None), 2, False),
        (verdicts(), 0, False),
        (verdicts(0.95), 2, False),
        (verdicts(0.95, n_failures=700), 1, False),
        (verdicts(0.95, is_incomplete=True, is_truncated=True), 1, False),
        (verdicts(0.95, is_incomplete=True, is_truncated=False), 1, True),
    ],
    ids=[
        "one known",
        "all known",
        "one likely theirs",
        "one without verdict",
        "no failure in the report",
        "more failed here than the server knows",
        "more than the server lists",
        "a report broke off",
        "other shards are still to come",
    ],
)
def test_only_a_whole_run_of_known_flakes_is_forgiven(
    answer: dict[str, Any], n_own_bad: int, is_forgiven: bool
) -> None:
    assert trophycase.ruling(answer, p=0.9, n_own_bad=n_own_bad).is_forgiven is is_forgiven


@pytest.mark.parametrize(
    ("exit_code", "command", "expected"),
    [
        (1, ["pytest"], True),
        (2, ["python", "-m", "pytest"], False),
        (100, ["cargo", "nextest", "run"], True),
        (127, ["mvn"], False),
        (139, ["go"], False),
    ],
)
def test_a_crash_is_never_taken_for_failed_tests(exit_code: int, command: list[str], expected: bool) -> None:
    assert trophycase.may_be_tests(exit_code, command) is expected


def test_a_muted_failure_is_forgiven_whatever_its_probability() -> None:
    muted = {**failure(0.1), "quarantine": {"reason": "sandbox is down", "until_on": "2026-12-01"}}
    both = verdicts(0.95, n_failures=2) | {"failures": [failure(0.95), muted]}

    alone = trophycase.ruling(verdicts(n_failures=1) | {"failures": [muted]}, p=0.9, n_own_bad=1)
    together = trophycase.ruling(both, p=0.9, n_own_bad=2)

    assert (alone.is_forgiven, alone.why) == (True, "1 failure, muted")
    assert together.why == "2 failures, known to be flaky (P at least 0.90) or muted (1)"


def test_a_muted_failure_forgives_no_other() -> None:
    muted = {**failure(None), "quarantine": {"reason": "r", "until_on": "2026-12-01"}}
    answer = verdicts(n_failures=2) | {"failures": [muted, failure(0.2)]}

    assert not trophycase.ruling(answer, p=0.9).is_forgiven


def test_the_summary_is_markdown_that_test_names_cannot_break() -> None:
    told = trophycase.ruling(verdicts(0.95), p=0.9)

    text = trophycase.summary(told, p=0.9, exit_code=1)

    assert "the build goes on" in text
    assert "| forgiven | [Cart › adds \\| a &lt;b>](https://t.example/1) | unit | Known. |" in text


def published(folder: Path, environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    """Publish a summary, and return what was printed for the CI."""
    told = trophycase.ruling(verdicts(0.95), p=0.9)
    text = trophycase.summary(told, p=0.9, exit_code=1)
    voice = trophycase.Voice(environ=environ)
    trophycase.publish(text, headline=f"Trophycase: [{told.why}]", environ=environ, voice=voice)
    return capsys.readouterr().out


def test_azure_is_told_of_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = published(tmp_path, {"TF_BUILD": "True", "AGENT_TEMPDIRECTORY": str(tmp_path)}, capsys)

    page = tmp_path / "trophycase.md"
    assert printed == f"##vso[task.uploadsummary]{page}\n"
    assert "the build goes on" in page.read_text()


def test_buildkite_gets_the_summary_as_an_annotation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = tmp_path / "buildkite-agent"
    agent.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\ncat > {tmp_path}/text\n')
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    published(tmp_path, {"BUILDKITE_AGENT_ACCESS_TOKEN": "x"}, capsys)

    assert (tmp_path / "words").read_text() == "annotate --context trophycase --style info\n"
    assert "the build goes on" in (tmp_path / "text").read_text()


def test_teamcity_shows_the_ruling_beside_the_builds_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = published(tmp_path, {"TEAMCITY_VERSION": "2026.1"}, capsys)

    assert printed == (
        "##teamcity[buildStatus text='{build.status.text}; "
        "Trophycase: |[1 failure, known to be flaky (P at least 0.90)|]']\n"
    )


def test_any_other_ci_gets_the_summary_as_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "gate.md"

    printed = published(tmp_path, {"TROPHYCASE_SUMMARY": str(page)}, capsys)

    assert printed == ""
    assert "the build goes on" in page.read_text()


def test_a_summary_that_cannot_be_written_fails_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = published(tmp_path, {"GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "page.md")}, capsys)

    assert "summary could not be written" in printed


def test_pytest_is_asked_for_a_report_unless_it_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert trophycase.with_report(["uv", "run", "pytest", "-q"], "r.xml") == (
        ["uv", "run", "pytest", "--junit-xml=r.xml", "-q"],
        ["r.xml"],
    )
    assert trophycase.with_report(["pytest", "--junitxml", "own.xml"], "r.xml")[1] == ["own.xml"]
    assert trophycase.with_report(["go", "test"], "r.xml") == (["go", "test"], [])
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --junit-xml=mine.xml\n")
    assert trophycase.with_report(["pytest"], "r.xml") == (["pytest"], [])


# --- the doctor


def examined(tmp_path: Path, text: str, *, name: str = "r.xml") -> trophycase.Chart:
    """Return what the doctor finds in this report."""
    path = tmp_path / name
    path.write_text(text)
    return trophycase.examine(path)


def test_the_doctor_names_the_setting_that_mends_a_report(tmp_path: Path) -> None:
    chart = examined(
        tmp_path,
        '<testsuites name="pytest tests"><testsuite name="pytest" timestamp="2026-01-01T00:00:00">'
        '<testcase classname="tests.test_cart" name="test_adds" time="0.1"/></testsuite></testsuites>',
    )

    assert (chart.producer, chart.findings()) == ("pytest", ["file"])
    assert "junit_family=xunit1" in "\n".join(trophycase.advice(chart))


def test_the_doctor_finds_nothing_where_nothing_is_missing(tmp_path: Path) -> None:
    chart = examined(
        tmp_path,
        '<testsuite name="s" timestamp="2026-01-01T00:00:00">'
        '<testcase classname="c" name="n" file="tests/a.py" time="0.1"><failure>no</failure></testcase></testsuite>',
    )

    assert chart.findings() == []
    assert "Nothing is missing" in trophycase.advice(chart)[0]


def test_the_doctor_counts_everything_that_is_missing(tmp_path: Path) -> None:
    case = '<testcase name="n" file="/home/ci/a.py"><failure/></testcase>'
    chart = examined(tmp_path, f"<testsuite>{case * 4}</testsuite>")

    assert chart.findings() == ["time", "classname", "message", "repeated", "suite", "timestamp", "absolute"]
    assert len(trophycase.advice(chart)) == 8


def test_the_doctor_says_where_a_report_breaks(tmp_path: Path) -> None:
    chart = examined(tmp_path, '<testsuite name="s">\n<testcase name="n"></testsuite>')

    assert re.search(r"r\.xml:2:\d+: not XML from here on", trophycase.advice(chart)[0])


def test_the_doctor_reads_gzip(tmp_path: Path) -> None:
    path = tmp_path / "r.xml.gz"
    path.write_bytes(gzip.compress(b'<testsuite name="s"><testcase name="n"/></testsuite>'))

    assert trophycase.examine(path).n_cases == 1


@pytest.mark.parametrize(
    ("text", "producer"),
    [
        (
            '<testsuite name="A" tests="1" skipped="0" failures="0" errors="0" timestamp="t" hostname="h" time="1">'
            '<testcase name="a" classname="A" time="1"/></testsuite>',
            "gradle",
        ),
        (
            '<testsuites><testsuite errors="0" failures="0" hostname="h" name="A" tests="1" time="1" timestamp="t">'
            '<testcase classname="A" name="a" status="run" time="1"/></testsuite></testsuites>',
            "catch2",
        ),
        (
            '<testsuite name="A"><properties><property name="ant.home" value="/"/></properties>'
            '<testcase name="a"/></testsuite>',
            "ant",
        ),
        ('<testsuite name="a.bats"><testcase name="a"/></testsuite>', "bats"),
        ('<testsuite name="A"><testcase name="a"/></testsuite>', ""),
    ],
)
def test_the_doctor_tells_the_writer_by_what_it_writes(tmp_path: Path, text: str, producer: str) -> None:
    assert examined(tmp_path, text).producer == producer


def test_the_doctor_gives_one_piece_of_advice_for_reports_that_lack_the_same(tmp_path: Path) -> None:
    text = '<testsuite name="a.bats"><testcase name="a" classname="c.py" time="1"/></testsuite>'
    same = [examined(tmp_path, text, name=f"{n}.xml") for n in range(3)]
    broken = examined(tmp_path, "<testsuite>", name="broken.xml")

    joined = trophycase.together([*same, broken])

    assert [chart.n_cases for chart in joined] == [3, 0]
    assert trophycase.advice(joined[0])[0].endswith("0.xml and 2 more: 3 tests, written by bats:")
    assert "no timestamp in 3 suites" in trophycase.advice(joined[0])[1]


@pytest.mark.parametrize(
    "text", ['{"results": {}}', "TAP version 13\nok 1\n", "<?xml version='1.0'?><TestRun/>"]
)
def test_the_doctor_leaves_other_formats_to_the_server(tmp_path: Path, text: str) -> None:
    chart = examined(tmp_path, text)

    assert (chart.is_other, chart.broken) == (True, "")
    assert "The server reads it as it is" in trophycase.advice(chart)[0]


# --- the file itself


def test_the_script_is_python_3_8_and_needs_only_the_standard_library() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))

    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {str(node.module).partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(__import__("sys").stdlib_module_names)


def test_the_script_has_one_line_for_the_servers_address() -> None:
    assert SCRIPT.read_text(encoding="utf-8").count('SERVED_BY = ""') == 1
