"""The documents keep up with the code."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from config.celery import app
from ingest import wishes
from projects.locks import Lock
from tests.settings_names import environment_names
from uploader import trophycase

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PICTURES = ROOT / "docs" / "pictures"  # made from a running server; a checkout may lack them

LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
CONSTANT = re.compile(r"^\| `((?:analysis|dashboard|reports|ingest)\.[\w.]+)` \| ([\d.,]+) \|", re.MULTILINE)
# Who makes a refusal or a problem, and at which place its code stands.
MAKERS = {
    "Refusal": 0,
    "refusal": 0,
    "warning": 0,
    "_refusal": 0,
    "_warning": 0,
    "Problem": 1,
    "ReportProblem": 1,
}


def text(*parts: str) -> str:
    """Return a document."""
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


# --- settings and packages


@pytest.mark.parametrize("name", sorted(environment_names()))
def test_a_setting_is_described(name: str) -> None:
    assert f"`{name}`" in text("docs", "self-hosting.md")


def test_contributing_names_every_package() -> None:
    contributing = text("CONTRIBUTING.md")
    packages = [path.parent.name for path in ROOT.glob("*/apps.py")]

    assert [name for name in packages if f"{name}/" not in contributing] == []


# --- the uploader


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options of a command line and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)
        yield from (option for option in action.option_strings if option.startswith("--"))


@pytest.mark.parametrize("option", sorted(set(options(trophycase.parser())) - {"--help", "--version"}))
def test_an_option_of_the_uploader_is_described(option: str) -> None:
    assert re.search(rf"{option}(?![\w-])", text("docs", "uploader.md"))


# --- the upload API


def codes() -> Iterator[str]:
    """Yield the code of every refusal and every problem that the source of ingest makes."""
    for path in sorted((ROOT / "ingest").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and (place := MAKERS.get(_called(call))) is not None:
                yield from _codes_of(call.args[place : place + 1], tree)
    yield from (f"bad_{field}" for field in wishes.KNOWN)


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", "") or getattr(call.func, "attr", "")


def _codes_of(found: list[ast.expr], tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a literal, or of what is assigned to a variable of that name; the others are wishes' own."""
    for node in found:
        if isinstance(node, ast.Name):
            assigned = [
                a.value for a in ast.walk(tree) if isinstance(a, ast.Assign) and _names(a) == [node.id]
            ]
            yield from (part for value in assigned for part in _texts(value))
        elif isinstance(node, ast.Constant):
            yield from _texts(node)


def _names(assign: ast.Assign) -> list[str]:
    return [target.id for target in assign.targets if isinstance(target, ast.Name)]


def _texts(value: ast.expr) -> Iterator[str]:
    for part in ast.walk(value):
        # Spelt otherwise, it is the sentence of a log's warning.
        if isinstance(part, ast.Constant) and re.fullmatch(r"[a-z_-]+", found := str(part.value)):
            yield found


def test_the_source_is_searched_for_codes() -> None:
    assert {"no_token", "busy", "bad_attempt", "truncated", "malformed", "too-large", "internal"} <= set(
        codes()
    )


@pytest.mark.parametrize("code", sorted(set(codes())))
def test_a_refusal_or_problem_is_explained(code: str) -> None:
    assert f"\n| `{code}` |" in text("docs", "upload-api.md")


@pytest.mark.parametrize("field", sorted(wishes.KNOWN))
def test_a_field_is_explained_with_its_limit(field: str) -> None:
    line = next(
        line for line in text("docs", "upload-api.md").splitlines() if line.startswith(f"| `{field}` |")
    )

    assert f"{wishes.LENGTHS.get(field, 0):,}" in line or field not in wishes.LENGTHS


# --- definitions


def anchors(document: Path) -> set[str]:
    """Return the anchors that headings make on the page of a document."""
    return {_anchor(heading) for heading in HEADING.findall(document.read_text(encoding="utf-8"))}


def _anchor(heading: str) -> str:
    plain = re.sub(r"[`*]", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def test_the_page_and_the_document_define_the_same() -> None:
    page = set(re.findall(r'<h2 id="([\w-]+)"', text("templates", "definitions.html")))

    assert page
    assert page - anchors(ROOT / "docs" / "definitions.md") == set()


def test_every_question_mark_leads_to_a_definition() -> None:
    page = set(re.findall(r'<h2 id="([\w-]+)"', text("templates", "definitions.html")))
    asked = {
        anchor
        for path in (ROOT / "templates").rglob("*.html")
        for anchor in re.findall(r'anchor="([\w-]+)"', path.read_text(encoding="utf-8"))
    }

    assert asked
    assert asked - page == set()


@pytest.mark.parametrize(("name", "value"), CONSTANT.findall(text("docs", "definitions.md")))
def test_a_constant_is_what_the_document_says(name: str, value: str) -> None:
    assert float(constant(name)) == float(value.replace(",", ""))


def constant(name: str) -> Any:
    """Return the value of a dotted name: a module's, or that of something in it."""
    parts = name.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            found: Any = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"there is no {name}")


# --- rows, tasks and locks


def test_the_table_of_rows_has_every_model() -> None:
    rows = text("docs", "architecture.md").partition("## The rows")[2].partition("\n- **Result**")[0]
    told = {
        name for row in re.findall(r"^\| ([A-Z][\w, ]+) \|", rows, re.MULTILINE) for name in row.split(", ")
    }

    assert told == {model.__name__ for model in apps.get_app_config("projects").get_models()}


def test_the_table_of_tasks_has_each() -> None:
    tasks = text("docs", "architecture.md").partition("## Tasks")[2].partition("\n## ")[0]
    told = {name for row in re.findall(r"^\| (`.+?`) \|", tasks, re.MULTILINE) for name in row.split(", ")}
    app.loader.import_default_modules()

    ours = {f"`{name.rpartition('.')[2]}`" for name in app.tasks if not name.startswith("celery.")}
    assert told == ours


def test_the_table_of_locks_has_each_by_its_number() -> None:
    told = re.findall(r"^\| advisory \(?(\d+)", text("docs", "architecture.md"), re.MULTILINE)

    assert sorted(map(int, told)) == sorted(Lock)


# --- links


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = [
        link for link in LINK.findall(document.read_text(encoding="utf-8")) if not _leads(document, link)
    ]

    assert broken == []


def _leads(document: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    target = (document.parent / place).resolve() if place else document
    if PICTURES in target.parents:
        return True
    return target.is_file() and (not anchor or anchor in anchors(target))
