"""The uploader as a package: built from the repository, installed where there is nothing else, and called by its name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interpreters import oldest
from uploader import trophycase

pytestmark = pytest.mark.timeout(600)
FOLDER = Path(trophycase.__file__).resolve().parent


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built package; skip where its builder cannot be had."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(
        FOLDER, folder / "uploader", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    )
    run(sys.executable, "-m", "venv", "builder", folder=folder)
    pip = [str(folder / "builder" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    built = run(*pip, "wheel", "--no-deps", "--wheel-dir", "dist", "./uploader", folder=folder)
    found = list((folder / "dist").glob("*.whl"))
    if built.returncode and "setuptools" in built.stderr:
        pytest.skip("The builder of packages cannot be had.")
    assert found, built.stderr
    return found[0]


@pytest.mark.parametrize("python", sorted({sys.executable, oldest()}))
def test_the_package_brings_the_command_and_nothing_else(wheel: Path, tmp_path: Path, python: str) -> None:
    run(python, "-m", "venv", "fresh", folder=tmp_path)
    fresh = tmp_path / "fresh" / "bin"
    installed = run(str(fresh / "python"), "-m", "pip", "install", "--no-index", str(wheel), folder=tmp_path)
    (tmp_path / "a.xml").write_text('<testsuite name="s"><testcase name="a" time="1"/></testsuite>')

    version = run(str(fresh / "trophycase"), "--version", folder=tmp_path)
    planned = subprocess.run(
        [str(fresh / "trophycase"), "upload", "a.xml", "--dry-run"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "CI": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert installed.returncode == 0, installed.stderr
    assert version.stdout == f"trophycase {trophycase.VERSION}\n"
    assert '"a.xml"' in planned.stdout, planned.stderr
