"""What a build is called, from what clients of other services say about it."""

from __future__ import annotations

import pytest

from ingest.clients import builds
from uploader import trophycase

GITHUB = "https://github.com/o/r/actions/runs/99"


@pytest.mark.parametrize(
    ("url", "system", "id", "run"),
    [
        (GITHUB, "github_actions", "__run_2-7-1", "github-99"),
        (f"{GITHUB}/attempts/2", "github", "99", "github-99"),
        ("", "github-actions", "99", "github-99"),
        ("https://gitlab.com/o/r/-/pipelines/5", "gitlab", "4711", "gitlab-5"),
        ("https://dev.azure.com/o/p/_build/results?buildId=5&view=x", "azurepipelines", "x", "azure-5"),
        ("https://buildkite.com/o/r/builds/3", "buildkite", "0190-b", "buildkite-0190-b"),
        (
            "https://circleci.com/gh/o/r/12",
            "circleci",
            "5034460f-c7c4-4c43-9457-de07e2029e7b-12",
            "circleci-5034460f-c7c4-4c43-9457-de07e2029e7b",
        ),
        ("", "bitbucket", "{0a1b}", "bitbucket-0a1b"),
        ("", "generic", "my-key", "my-key"),
        ("", "generic", "12", "12"),
        ("", "", "", ""),
    ],
)
def test_a_build_is_known_by_address_or_system(url: str, system: str, id: str, run: str) -> None:
    assert builds.build(url=url, system=system, id=id)["run"] == run


def test_a_number_that_repeats_gives_way_to_the_address() -> None:
    url = "https://jenkins.example/job/shop/12/"

    assert builds.build(url=url, system="jenkins", id="12", id_may_repeat=True) == {"run": url}
    assert builds.build(url=url, system="jenkins", id="jenkins-shop-12", id_may_repeat=True) == {
        "run": "jenkins-shop-12"
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "99"},
        {"GITLAB_CI": "true", "CI_PIPELINE_ID": "5"},
        {"BUILDKITE": "true", "BUILDKITE_BUILD_ID": "0190-b"},
        {"CIRCLECI": "true", "CIRCLE_WORKFLOW_ID": "5034"},
        {"JENKINS_URL": "https://j", "BUILD_TAG": "jenkins-shop-12"},
    ],
)
def test_a_run_is_called_as_the_uploader_calls_it(environ: dict[str, str]) -> None:
    origin = trophycase.origin_of(environ, git=lambda *_: "")

    assert builds.run_in(environ) == origin.fields["run"]


@pytest.mark.parametrize(
    ("name", "branch", "pull_request"),
    [
        ("main", "main", ""),
        ("refs/heads/feature/x", "feature/x", ""),
        ("mallory:main", "main", "mallory:main"),
        ("refs/pull/7/merge", "pull/7", "7"),
        ("7/merge", "pull/7", "7"),
        ("fix/7/merge-it", "fix/7/merge-it", ""),
        ("", "", ""),
    ],
)
def test_a_branch_gives_its_pull_request_away(name: str, branch: str, pull_request: str) -> None:
    said = builds.branch(name)

    assert (said["branch"], said.get("pull_request", "")) == (branch, pull_request)


def test_what_cannot_be_a_field_costs_no_report() -> None:
    sent = {
        "branch": "b\0" * 300,
        "commit": "not a hash",
        "url": "ftp://x",
        "attempt": "-1",
        "shard_total": "²",
        "layer": "Unit",
        "run": "r" * 300,
    }

    fitted = builds.fitting(sent)

    assert fitted.keys() == {"branch", "layer", "run"}
    assert (len(fitted["branch"]), len(fitted["run"]), fitted["layer"]) == (200, 200, "unit")
    assert fitted["run"] != builds.fitting({"run": "r" * 301})["run"]


def test_the_later_source_wins_where_it_says_something() -> None:
    assert builds.fitting({"job": "a", "run": "r"}, {"job": "b", "run": " "}) == {"job": "b", "run": "r"}
