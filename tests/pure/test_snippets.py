"""What people copy into their CI must run there: YAML parses, commands are one command, and the fields are ours."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest
import yaml

from dashboard import snippets
from dashboard.snippets import SENDERS
from ingest.api import FIELDS

BASE_URL = "https://t.example"
KEYS = [sender.key for sender in SENDERS]
IN_YAML = ["github", "gitlab", "circleci", "azure", "bitbucket"]


def text(key: str) -> str:
    return snippets.sender(key, base_url=BASE_URL).text


def command_of(value: object) -> str:
    """Return the one string inside a parsed snippet that calls curl."""
    if isinstance(value, str):
        return value if value.startswith("curl") else ""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return next(filter(None, map(command_of, children)), "")


@pytest.mark.parametrize("key", KEYS)
def test_every_field_is_one_that_the_api_knows(key: str) -> None:
    fields = set(re.findall(r"-F (\w+)=", text(key)))

    assert fields - set(FIELDS) == {"file"}
    assert {"branch", "commit", "run"} <= fields


@pytest.mark.parametrize("key", KEYS)
def test_the_token_stays_a_secret_of_ci_and_the_address_is_this_server(key: str) -> None:
    assert "Bearer $TROPHYCASE_TOKEN" in text(key)
    assert f"{BASE_URL}/api/v1/uploads" in text(key)


@pytest.mark.parametrize("key", IN_YAML)
def test_a_snippet_in_yaml_holds_one_whole_command(key: str) -> None:
    command = command_of(yaml.safe_load(text(key)))

    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    assert words[-1] == f"{BASE_URL}/api/v1/uploads"
    assert "\\" not in words


@pytest.mark.parametrize("key", ["curl", "buildkite"])
def test_a_shell_snippet_is_read_by_a_shell(key: str) -> None:
    checked = subprocess.run(["sh", "-n"], input=text(key), text=True, capture_output=True, check=False)

    assert checked.returncode == 0, checked.stderr


def test_a_key_that_is_none_falls_back_to_the_first() -> None:
    assert snippets.producer("nonsense").key == "pytest"
    assert snippets.sender("nonsense", base_url=BASE_URL).key == "curl"


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
