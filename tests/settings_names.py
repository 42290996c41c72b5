"""Reads which environment variables the settings ask for, from their source."""

from __future__ import annotations

import ast
from pathlib import Path

CONFIG = Path(__file__).resolve().parent.parent / "config"
PARSERS = {"text", "number", "flag", "mapping"}


def environment_names() -> set[str]:
    """Return every name that config/settings.py reads with a parser of config/env.py."""
    tree = ast.parse((CONFIG / "settings.py").read_text())
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in PARSERS
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
