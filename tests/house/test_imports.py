"""Imports point down, and the code keeps to the words and ways of the house."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("config", "projects", "analysis", "ingest", "dashboard", "reports")
VAGUE_NAMES = {"utils", "util", "helpers", "services", "common", "misc", "signals"}


def sources() -> Iterator[Path]:
    """Yield every Python file of the product."""
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_the_contracts_of_the_imports_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def early_starts(node: ast.AST) -> Iterator[int]:
    """Yield the lines that start a task outside a function that waits for the commit."""
    if isinstance(node, ast.FunctionDef) and "on_commit(" in ast.unparse(node):
        return
    if isinstance(node, ast.Attribute) and node.attr in ("delay", "apply_async"):
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from early_starts(child)


def test_tasks_start_only_when_their_rows_are_committed() -> None:
    early = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        for line in early_starts(ast.parse(path.read_text()))
    ]

    assert early == []


def test_no_module_is_named_for_nothing() -> None:
    assert [str(path.relative_to(ROOT)) for path in sources() if path.stem in VAGUE_NAMES] == []


def test_every_module_says_what_it_knows() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text().strip()
        and "migrations" not in path.parts
        and not path.read_text().lstrip().startswith('"""')
    ]

    assert silent == []


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    words = StringIO()

    call_command("makemigrations", check=True, dry_run=True, stdout=words)

    assert "No changes detected" in words.getvalue()
