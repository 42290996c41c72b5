"""The documents keep up with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings_names import environment_names

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", sorted(environment_names()))
def test_a_setting_is_described(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "self-hosting.md").read_text()


def test_contributing_names_every_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    packages = [path.parent.name for path in ROOT.glob("*/apps.py")]

    assert [name for name in packages if f"{name}/" not in text] == []
