"""Every line of the documents that sends reports, taken from its page and run against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from projects.models import Upload
from projects.vocabulary import Layer, UploadState
from tests.factories import Shop, a_shop, passed, report
from tests.processes import LiveApp
from tests.recipes import sending_commands
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "ci").glob("*.md")) + sorted((ROOT / "docs" / "runners").glob("*.md"))
COMMANDS = [
    pytest.param(page, script, id=f"{page.parent.name}/{page.stem}-{number}")
    for page in [*PAGES, ROOT / "docs" / "uploader.md"]
    for number, script in enumerate(sending_commands(page), 1)
]
SHA = "8f14e45fceea167a5a36dedd4bea2543abcdef01"

# What each CI tells its jobs, as far as the uploader reads it.
JOBS: dict[str, dict[str, str]] = {
    "github-actions": {
        "GITHUB_ACTIONS": "true",
        "GITHUB_RUN_ID": "7",
        "GITHUB_REF": "refs/heads/topic",
        "GITHUB_SHA": SHA,
    },
    "gitlab": {
        "GITLAB_CI": "true",
        "CI_PIPELINE_ID": "7",
        "CI_COMMIT_BRANCH": "topic",
        "CI_COMMIT_SHA": SHA,
    },
    "jenkins": {
        "JENKINS_URL": "https://j.example",
        "BUILD_TAG": "jenkins-7",
        "BRANCH_NAME": "topic",
        "GIT_COMMIT": SHA,
    },
    "circleci": {
        "CIRCLECI": "true",
        "CIRCLE_WORKFLOW_ID": "7",
        "CIRCLE_BRANCH": "topic",
        "CIRCLE_SHA1": SHA,
    },
    "buildkite": {
        "BUILDKITE": "true",
        "BUILDKITE_BUILD_ID": "7",
        "BUILDKITE_BRANCH": "topic",
        "BUILDKITE_COMMIT": SHA,
    },
    "azure": {
        "TF_BUILD": "True",
        "BUILD_BUILDID": "7",
        "BUILD_SOURCEBRANCH": "refs/heads/topic",
        "BUILD_SOURCEVERSION": SHA,
    },
    "bitbucket": {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_BRANCH": "topic", "BITBUCKET_COMMIT": SHA},
    "teamcity": {
        "TEAMCITY_VERSION": "2026.1",
        "BUILD_NUMBER": "7",
        "GIT_BRANCH": "refs/heads/topic",
        "BUILD_VCS_NUMBER": SHA,
    },
    "travis": {
        "TRAVIS": "true",
        "TRAVIS_BUILD_ID": "7",
        "TRAVIS_BRANCH": "topic",
        "TRAVIS_COMMIT": SHA,
    },
    "drone": {
        "CI": "true",
        "DRONE": "true",
        "DRONE_REPO": "o/r",
        "DRONE_BUILD_NUMBER": "7",
        "DRONE_BRANCH": "topic",
        "DRONE_COMMIT_SHA": SHA,
    },
    "woodpecker": {
        "CI": "woodpecker",
        "CI_REPO": "o/r",
        "CI_PIPELINE_NUMBER": "7",
        "CI_COMMIT_BRANCH": "topic",
        "CI_COMMIT_SHA": SHA,
    },
}
RUN_KEYS = {
    "github-actions": "github-7",
    "jenkins": "jenkins-7",
    "curl": "build-7",
    "drone": "drone-o/r-7",
    "woodpecker": "woodpecker-o/r-7",
}

# Where the runners of the pages write, and where CI jobs do.
REPORTS = (
    "report.xml",
    "reports/junit.xml",
    "results/report-1.xml",
    "target/nextest/ci/report.xml",
    "core/build/test-results/test/TEST-a.xml",
    "core/target/surefire-reports/TEST-a.xml",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a checkout after its tests have run."""
    for name in REPORTS:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(report(passed(path.stem)))
    (tmp_path / "test_cart.py").write_text("def test_adds():\n    assert True\n")
    (tmp_path / "Makefile").write_text(
        "test:\n\t@echo '<testsuite><testcase name=\"a\"/></testsuite>' > reports/m.xml\n"
    )
    commit = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "--allow-empty"]
    for command in (["git", "init", "-q"], [*commit, "-m", "first"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


def run(
    script: str, folder: Path, live_app: LiveApp, shop: Shop, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a script as a CI job does, with nothing of this process's environment but the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={
            "PATH": path,
            "HOME": str(folder),
            "TROPHYCASE_URL": live_app.url,
            "TROPHYCASE_TOKEN": shop.token,
            "BUILD_NUMBER": "7",
            "RUNNER_TEMP": str(folder),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def the_upload() -> Upload:
    """Return the only upload, once the worker is done with it."""
    wait_until(
        lambda: Upload.objects.filter(state=UploadState.DONE).exists(), what="the upload to be worked off"
    )
    return Upload.objects.get()


def test_every_page_sends_something() -> None:
    assert [page.name for page in PAGES if not sending_commands(page)] == []
    assert len(PAGES) == 24


@pytest.mark.parametrize(("page", "script"), COMMANDS)
def test_the_line_of_the_page_sends_a_report(
    page: Path, script: str, folder: Path, live_app: LiveApp
) -> None:
    shop = a_shop()

    called = run(script, folder, live_app, shop, **JOBS.get(page.stem, {}))

    upload = the_upload()
    assert called.returncode == 0, called.stdout + called.stderr
    assert upload.n_tests >= 1
    if page.stem in JOBS:
        assert (upload.branch, upload.commit) == ("topic", SHA)
        assert upload.run_key == RUN_KEYS.get(page.stem, f"{page.stem}-7")
    if page.stem in RUN_KEYS:
        assert upload.run_key == RUN_KEYS[page.stem]
    if page.stem in ("playwright", "cypress"):
        assert upload.layer == Layer.E2E


def test_the_action_sends_what_its_inputs_name(folder: Path, live_app: LiveApp) -> None:
    shop = a_shop()
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = action["runs"]["steps"]
    inputs = {name: given.get("default", "") for name, given in action["inputs"].items()}
    inputs |= {
        "files": "reports/*.xml\nresults/*.xml",
        "url": live_app.url,
        "token": shop.token,
        "matrix": json.dumps({"shard": 2, "python": "3.12"}),
    }
    environ = {name: _filled(words, inputs) for name, words in step["env"].items()}

    called = run(
        step["run"], folder, live_app, shop, **JOBS["github-actions"], **environ, GITHUB_ACTION_PATH=str(ROOT)
    )

    upload = the_upload()
    assert "Taken: 2 tests" in called.stdout, called.stdout + called.stderr
    assert (upload.run_key, upload.shard, upload.environment) == ("github-7", "2", "3.12")


def _filled(words: str, inputs: dict[str, str]) -> str:
    """Replace `${{ inputs.name }}` as GitHub does."""
    name = words.removeprefix("${{ inputs.").removesuffix(" }}")
    return inputs[name]


def test_gitlabs_include_sends_what_its_variables_name(folder: Path, live_app: LiveApp) -> None:
    shop = a_shop()
    with urllib.request.urlopen(f"{live_app.url}/gitlab.yml", timeout=10) as answer:
        job = yaml.safe_load(answer.read())[".trophycase"]
    assert job["id_tokens"]["TROPHYCASE_ID_TOKEN"]["aud"] == "$TROPHYCASE_URL"
    environ = {**JOBS["gitlab"], **job["variables"], "TROPHYCASE_FILES": "reports/*.xml"}

    called = run("\n".join(job["after_script"]), folder, live_app, shop, **environ)

    upload = the_upload()
    assert "Taken: 1 test" in called.stdout, called.stdout + called.stderr
    assert (upload.run_key, upload.branch) == ("gitlab-7", "topic")


def test_the_action_names_every_input_that_its_step_reads() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (step,) = action["runs"]["steps"]

    read = {words.removeprefix("${{ inputs.").removesuffix(" }}") for words in step["env"].values()}

    assert read == action["inputs"].keys()
