"""The CI jobs that the tests of the uploader send from."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.factories import Shop, a_shop
from tests.jobs import Job
from tests.processes import LiveApp

NOWHERE = "http://127.0.0.1:9"  # nothing listens at the port that discards


@pytest.fixture
def watched(live_app: LiveApp) -> Shop:
    """Return a project of the running server."""
    return a_shop()


@pytest.fixture
def job(live_app: LiveApp, watched: Shop, tmp_path: Path) -> Job:
    """Return a CI job with address and token of the running server."""
    return Job(
        tmp_path,
        {"TROPHYCASE_URL": live_app.url, "TROPHYCASE_TOKEN": watched.token, "PYTHONIOENCODING": "utf-8"},
    )


@pytest.fixture
def lone_job(tmp_path: Path) -> Job:
    """Return a CI job whose server is not there, unless the test names another."""
    return Job(
        tmp_path, {"TROPHYCASE_URL": NOWHERE, "TROPHYCASE_TOKEN": "tc_any", "PYTHONIOENCODING": "utf-8"}
    )


@pytest.fixture
def free_port() -> int:
    """Return a port at which nothing listens yet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
