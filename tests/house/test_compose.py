"""docker-compose.yml starts what the tests start, and says nothing that the settings do not hear."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import commands
from tests.settings_names import environment_names

ROOT = Path(__file__).resolve().parent.parent.parent
OWN_SERVICES = {
    "web": commands.WEB,
    "worker": commands.WORKER,
    "beat": commands.BEAT,
    "migrate": ["python", *commands.MIGRATE],
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the parsed file."""
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return parsed


def test_a_server_has_all_its_services(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"db", "redis", "migrate", "web", "worker", "beat", "mail"}


@pytest.mark.parametrize("name", OWN_SERVICES)
def test_a_service_runs_the_command_that_the_tests_run(compose: dict[str, Any], name: str) -> None:
    words = shlex.split(compose["services"][name]["command"])

    assert words[: len(OWN_SERVICES[name])] == OWN_SERVICES[name]


@pytest.mark.parametrize("name", OWN_SERVICES)
def test_the_settings_know_every_name_of_the_environment(compose: dict[str, Any], name: str) -> None:
    assert set(compose["services"][name]["environment"]) <= environment_names()


def test_what_keeps_running_is_watched(compose: dict[str, Any]) -> None:
    unwatched = [name for name, service in compose["services"].items() if "healthcheck" not in service]

    assert unwatched == ["migrate"]


def test_every_volume_is_declared(compose: dict[str, Any]) -> None:
    used = {
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    }

    assert used == set(compose["volumes"])


def test_nothing_but_the_web_server_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    open_ports = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }

    assert set(open_ports) == {"web", "mail"}
    assert all("127.0.0.1" in port for ports in open_ports.values() for port in ports)


def test_secrets_have_no_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()

    for name in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        assert set(re.findall(rf"\$\{{{name}(:.)", text)) == {":?"}


def test_the_image_serves_the_web_command_as_its_own_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    command = yaml.safe_load(lines[-1].removeprefix("CMD "))

    assert command[: len(commands.WEB)] != []
    assert set(commands.WEB) <= set(command)
    assert "USER trophycase" in lines
