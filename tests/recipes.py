"""Takes the commands out of the documents' code blocks, as the CI that a block is written for would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
GROOVY_SCRIPT = re.compile(r"sh '''\n(.*?)'''", re.DOTALL)
KOTLIN_SCRIPT = re.compile(r'scriptContent = """(.*?)"""', re.DOTALL)
SENDS = ("upload.py", "/api/v1/uploads")


def sending_commands(page: Path) -> list[str]:
    """Return every shell script of the page that speaks to the server."""
    found = [
        script for language, text in BLOCK.findall(page.read_text()) for script in _scripts(language, text)
    ]
    return [script for script in found if any(word in script for word in SENDS)]


def _scripts(language: str, text: str) -> Iterator[str]:
    if language == "sh":
        yield text
    elif language == "groovy":
        yield from GROOVY_SCRIPT.findall(text)
    elif language == "kotlin":
        yield from (script.replace("${'$'}", "$") for script in KOTLIN_SCRIPT.findall(text))
    elif language == "yaml":
        yield from _joined(yaml.safe_load(text))


def _joined(value: Any) -> Iterator[str]:
    """Yield the scripts of a CI configuration: strings, and the lines of a script joined, as its runner joins them."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _joined(inner)
    elif isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        yield "\n".join(value)
    elif isinstance(value, list):
        for inner in value:
            yield from _joined(inner)
    elif isinstance(value, str):
        yield value
