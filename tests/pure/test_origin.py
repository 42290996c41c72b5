"""Where the tests ran: what the uploader reads of each CI, of git, and of what the person says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uploader import trophycase

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
