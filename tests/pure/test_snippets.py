"""What people copy into their CI must run there: YAML parses, commands are one command, and the fields are ours."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
import yaml

from dashboard import snippets
from dashboard.snippets import SENDERS, Snippet
from ingest.api import FIELDS

BASE_URL = "https://t.example"
KEYS = [sender.key for sender in SENDERS if sender.key != "curl"]
IN_YAML = ["github", "gitlab", "circleci", "azure", "bitbucket", "travis", "drone", "woodpecker"]
SEND = f"curl -fsS {BASE_URL}/upload.py | python3 - upload --wait"


def text(key: str, **more: str) -> str:
    return snippets.sender(key, base_url=BASE_URL, **more).text


def commands_in(value: object) -> list[str]:
    """Return the strings inside a parsed snippet that call curl."""
    if isinstance(value, str):
        return [value] if value.startswith("curl") else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [command for child in children for command in commands_in(child)]


@pytest.mark.parametrize("key", KEYS)
def test_every_ci_sends_with_the_uploader_of_this_server(key: str) -> None:
    assert f"{SEND} report.xml" in text(key)


@pytest.mark.parametrize("key", IN_YAML)
@pytest.mark.parametrize("producer", snippets.PRODUCERS, ids=lambda producer: producer.key)
def test_a_snippet_in_yaml_holds_one_whole_command_with_the_runners_files(
    key: str, producer: Snippet
) -> None:
    (command,) = commands_in(yaml.safe_load(text(key, files=producer.files)))

    words = shlex.split(command)
    assert words[:2] == ["curl", "-fsS"]
    assert producer.files in words


def test_curl_alone_names_the_run_in_fields_that_the_api_knows() -> None:
    fields = set(re.findall(r"-F (\w+)=", text("curl")))

    assert fields - set(FIELDS) == {"file"}
    assert {"branch", "commit", "run"} <= fields
    assert "Bearer $TROPHYCASE_TOKEN" in text("curl")
    assert f"{BASE_URL}/api/v1/uploads" in text("curl")


@pytest.mark.parametrize("key", ["shell", "buildkite", "teamcity", "curl"])
@pytest.mark.parametrize("producer", snippets.PRODUCERS, ids=lambda producer: producer.key)
def test_a_shell_snippet_is_read_by_a_shell(key: str, producer: Snippet) -> None:
    told = text(key, files=producer.files)

    checked = subprocess.run(["sh", "-n"], input=told, text=True, capture_output=True, check=False)

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("key", KEYS)
def test_a_pattern_is_kept_from_the_shell(key: str) -> None:
    assert f"{SEND} '**/build/test-results/**/*.xml'" in text(key, files=snippets.producer("gradle").files)


def test_a_key_that_is_none_falls_back_to_the_first() -> None:
    assert snippets.producer("nonsense").key == "pytest"
    assert snippets.sender("nonsense", base_url=BASE_URL).key == "shell"


def test_every_runner_has_its_own_key_and_text() -> None:
    assert len({snippet.key for snippet in snippets.PRODUCERS}) == len(snippets.PRODUCERS)
    assert all(snippet.text for snippet in snippets.PRODUCERS)


CLIENTS = [client.key for client in snippets.CLIENTS]


@pytest.mark.parametrize("key", CLIENTS)
def test_a_client_is_told_this_server_and_where_the_token_is(key: str) -> None:
    found = snippets.client(key, base_url=BASE_URL)

    assert found is not None
    assert "t.example" in found.text
    assert "{" not in found.text.replace("${{", "").replace("{{", "")
    assert snippets.SECRET in found.text


@pytest.mark.parametrize("key", ["buildkite-plugin", "codecov-action"])
def test_a_clients_yaml_is_yaml(key: str) -> None:
    found = snippets.client(key, base_url=BASE_URL)

    assert found is not None
    assert yaml.safe_load(found.text)


@pytest.mark.parametrize("key", ["buildkite-curl", "codecov-cli"])
def test_a_clients_command_is_read_by_a_shell(key: str) -> None:
    found = snippets.client(key, base_url=BASE_URL)

    assert found is not None
    checked = subprocess.run(["sh", "-n"], input=found.text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_no_client_is_chosen_at_first() -> None:
    assert snippets.client("", base_url=BASE_URL) is None
