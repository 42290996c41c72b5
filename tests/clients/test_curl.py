"""curl, which is everywhere, in the words of Buildkite's own documentation and in those of its plugin's hook."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.clients.sending import COMMIT, RESULTS, Clients, outcomes, recorded, run
from tests.factories import a_shop
from tests.processes import LiveApp

FORM = (
    *("-X", "POST", "--fail-with-body", "-s"),
    *("-F", "data=@report.xml", "-F", "format=junit", "-F", "run_env[CI]=generic"),
    *("-F", "run_env[key]=b-1", "-F", "run_env[branch]=refs/heads/topic"),
)


@pytest.fixture
def curl() -> Clients:
    """Return curl; skip where the machine has none."""
    found = shutil.which("curl")
    if found is None:
        pytest.skip("No curl on PATH.")
    return Clients(bin=Path(found).parent, folder=Path(found).parent)


def test_curl_sends_a_form_to_buildkites_address(live_app: LiveApp, curl: Clients, tmp_path: Path) -> None:
    shop = a_shop()
    header = f'Authorization: Token token="{shop.token}"'

    said = run(curl, tmp_path, "curl", "-H", header, *FORM, f"{live_app.url}/v1/uploads", environ={})

    upload = recorded(shop, said=said)
    assert said.code == 0, said.text
    assert json.loads(said.text)["queued"] == 3
    assert (upload.run_key, upload.branch) == ("b-1", "topic")
    assert outcomes(shop) == RESULTS


def test_curl_prints_why_a_form_is_refused(live_app: LiveApp, curl: Clients, tmp_path: Path) -> None:
    header = 'Authorization: Token token="tc_wrong"'

    said = run(curl, tmp_path, "curl", "-H", header, *FORM, f"{live_app.url}/v1/uploads", environ={})

    assert said.code == 22
    assert "Create one under Settings, Tokens" in said.text


AGENT = """#!/bin/sh
cat > annotation.txt
"""
BUILDKITE = {
    "BUILDKITE": "true",
    "BUILDKITE_BRANCH": "topic",
    "BUILDKITE_BUILD_ID": "b1",
    "BUILDKITE_BUILD_NUMBER": "7",
    "BUILDKITE_BUILD_URL": "https://buildkite.com/o/p/builds/7",
    "BUILDKITE_COMMIT": COMMIT,
    "BUILDKITE_JOB_ID": "j1",
    "BUILDKITE_LABEL": "tests",
    "BUILDKITE_MESSAGE": 'fix "x"; y',
    "BUILDKITE_PLUGIN_TEST_COLLECTOR_ANNOTATION_LINK": "true",
    "BUILDKITE_PLUGIN_TEST_COLLECTOR_API_TOKEN_ENV_NAME": "TROPHYCASE_TOKEN",
    "BUILDKITE_PLUGIN_TEST_COLLECTOR_FILES": "report*.xml",
    "BUILDKITE_PLUGIN_TEST_COLLECTOR_FORMAT": "junit",
    "BUILDKITE_PLUGIN_TEST_COLLECTOR_TAGS_0": "job=backend",
    "BUILDKITE_PLUGIN_TEST_COLLECTOR_TAGS_1": "team=x",
}


def test_the_hook_of_buildkites_plugin_sends_its_files(
    live_app: LiveApp, plugin: Clients, tmp_path: Path
) -> None:
    shop = a_shop()
    agent = tmp_path / "bin" / "buildkite-agent"
    agent.parent.mkdir()
    agent.write_text(AGENT)
    agent.chmod(0o755)
    environ = {
        **BUILDKITE,
        "PATH": f"{agent.parent}:/usr/local/bin:/usr/bin:/bin",
        "TROPHYCASE_TOKEN": shop.token,
        "BUILDKITE_PLUGIN_TEST_COLLECTOR_API_URL": f"{live_app.url}/v1/uploads",
    }

    said = run(plugin, tmp_path, "pre-exit", environ=environ)

    upload = recorded(shop, said=said)
    assert said.code == 0, said.text
    assert (upload.run_key, upload.branch, upload.commit) == ("buildkite-b1", "topic", COMMIT)
    assert upload.job == "backend"
    assert outcomes(shop) == RESULTS
    assert f"/uploads/{upload.id}" in (tmp_path / "annotation.txt").read_text()


def test_the_hook_fails_no_build_where_the_token_is_wrong(
    live_app: LiveApp, plugin: Clients, tmp_path: Path
) -> None:
    environ = {
        **BUILDKITE,
        "BUILDKITE_PLUGIN_TEST_COLLECTOR_ANNOTATION_LINK": "false",
        "BUILDKITE_PLUGIN_TEST_COLLECTOR_API_URL": f"{live_app.url}/v1/uploads",
        "TROPHYCASE_TOKEN": "tc_wrong",
    }

    said = run(plugin, tmp_path, "pre-exit", environ=environ)

    assert said.code == 0
    assert "Unauthorized. This token is not known" in said.text
    assert "tc_wrong" not in said.text
