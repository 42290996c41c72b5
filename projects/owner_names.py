"""Reads the owners of a test out of one text: "@shop/checkout @ada", "ada@shop.example; bob@shop.example", "Team Cart".

Pure. Names are told apart without regard to case, as code hosts do.
"""

from __future__ import annotations

import re


def names_of(text: str) -> tuple[str, ...]:
    """Return the owners that a text names, as it spells them and each once; a name without "@" may have spaces."""
    found: dict[str, str] = {}
    for part in re.split(r"[,;\n]", text):
        words = part.split()
        names = words if all("@" in word for word in words) else [" ".join(words)]
        for name in names:
            found.setdefault(key_of(name), name)
    return tuple(name for key, name in found.items() if key)


def key_of(name: str) -> str:
    """Return what two spellings of one owner have in common."""
    return " ".join(name.split()).casefold()
