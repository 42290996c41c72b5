"""The clients themselves, installed once into `.clients/` beside the checkout; their tests are skipped where that cannot be."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.sending import HERE, Clients

# As recorded: a newer client may speak otherwise, and then this list and the adapter change together.
PYTHON_PACKAGES = (
    *("pytest", "buildkite-test-collector==1.9.0", "codecov-cli==11.3.1", "mergify-cli==2026.10.9"),
    *("flaky-detector-cli==0.1.1", "pytest-jux==0.6.3", "launchable==1.125.3", "pytest-mergify==2026.10.9"),
    "pytest-json-report==1.5.0",
)
NODE_PACKAGES = {
    "jest": "29",
    "vitest": "3.2.7",
    "buildkite-test-collector": "1.12.0",
    "@playwright/test": "1.55.1",
    "jest-ctrf-json-reporter": "0.0.11",
    "jest-junit": "17.0.0",
    "@datadog/datadog-ci": "5.25.0",
    "@datadog/datadog-ci-plugin-junit": "5.25.0",
}
# The hook of Buildkite's plugin, which agents fetch from its repository.
PLUGIN = ("https://github.com/buildkite-plugins/test-collector-buildkite-plugin.git", "v1.11.0")
INSTALL_SECONDS = 400


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one test process install at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _installed(name: str, packages: object, install: Callable[[Path], list[list[str]]]) -> Path:
    """Return a folder with these packages; skip where they cannot be had."""
    digest = hashlib.sha256(json.dumps(packages).encode()).hexdigest()[:10]
    folder = HERE / f"{name}-{digest}"
    with _locked(HERE):
        if (folder / "installed").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for command in install(folder):
            _run(command, folder=folder)
        (folder / "installed").touch()
    return folder


def _run(command: list[str], *, folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} did not end within {INSTALL_SECONDS} s")
    if done.returncode:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        pytest.skip(f"The clients cannot be installed: {last[:200]}")


@pytest.fixture(scope="session")
def python_clients() -> Clients:
    """Return the clients that are Python packages."""

    def install(folder: Path) -> list[list[str]]:
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        return [[sys.executable, "-m", "venv", str(folder)], [*pip, "install", *PYTHON_PACKAGES]]

    folder = _installed("python", PYTHON_PACKAGES, install)
    return Clients(bin=folder / "bin", folder=folder)


@pytest.fixture(scope="session")
def node_clients() -> Clients:
    """Return the clients that are Node packages."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("No npm on PATH: install Node.js to run the clients that need it.")

    def install(folder: Path) -> list[list[str]]:
        (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": NODE_PACKAGES}))
        return [[npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]]

    folder = _installed("node", NODE_PACKAGES, install)
    return Clients(bin=folder / "node_modules" / ".bin", folder=folder)


@pytest.fixture(scope="session")
def plugin() -> Clients:
    """Return Buildkite's plugin, as an agent has it."""
    for needed in ("git", "bash", "curl"):
        if shutil.which(needed) is None:
            pytest.skip(f"No {needed} on PATH, which the plugin needs.")

    def install(folder: Path) -> list[list[str]]:
        address, tag = PLUGIN
        return [["git", "clone", "--quiet", "--depth", "1", "--branch", tag, address, str(folder / "plugin")]]

    folder = _installed("plugin", PLUGIN, install)
    return Clients(bin=folder / "plugin" / "hooks", folder=folder)
