"""curl, which is everywhere, in the words of Buildkite's own documentation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.clients.sending import RESULTS, Clients, outcomes, recorded, run
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
