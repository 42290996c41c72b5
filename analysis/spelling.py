"""How paths, packages and classes are spelt: their borders, their last names and the suffixes of files.

Knows characters alone; what words mean is in `words`, and where they count in `paths`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from analysis import conventions
from analysis.weights import words as word_set

SUFFIXES = word_set(
    "py js jsx ts tsx mjs cjs php rb java kt go dart feature dll cs swift exs bats yml yaml sql phpt cc cpp "
    "rs scala robot groovy"
)
TELLING_SUFFIXES = word_set("feature phpt bats")
_DOTTED = tuple(key for key in conventions.ENDINGS if not key.startswith("*"))
_ENDINGS = re.compile(
    f"(?=({'|'.join(re.escape(one) + ('' if one.endswith('.') else '$') for one in _DOTTED)}))"
)
_DOTTED_PARTS = frozenset(key.strip(".") for key in _DOTTED)
PAIR_STARTS = frozenset(pair.partition("/")[0] for pair in conventions.PAIRS)
_BORDERS = str.maketrans(dict.fromkeys("\\.:", "/"))


def parted(text: str) -> tuple[str, str, str, str]:
    """Part a path into its border, the directories, the last name and a file's suffix."""
    border = "/" if "/" in text else "\\" if "\\" in text else "::" if "::" in text else "."
    head, _, tail = text.rpartition(border)
    if border == ".":
        if head and len(tail) < 8 and tail.lower() in SUFFIXES:
            return border, *head.rpartition(".")[::2], tail
        return border, head, tail, tail
    if "." not in tail:
        return border, head, tail, ""
    stem, _, suffix = tail.rpartition(".")
    return border, head, stem if stem and suffix.lower() in SUFFIXES else tail, suffix


def shown(text: str, tail: str) -> str:
    """Return the last name of a path as evidence shows it, behind the directory it is in."""
    border, head, _, _ = parted(text)
    names = [name for name in directories(head) if name]
    return joined(names[-1] if names else "", border, tail)


def joined(before: str, border: str, name: str) -> str:
    """Return a directory as evidence shows it, behind the one it is in."""
    before = before.lower().strip("_")
    return f"path {before}{border}{name}" if before else f"path {name}"


def directories(head: str) -> list[str]:
    """Split what is before a last name at every kind of border; parts may be empty."""
    return head.removeprefix("file://").translate(_BORDERS).split("/")


def dotted(text: str) -> tuple[str, ...]:
    """Return the endings of a file's name to which a tool gives a meaning."""
    return endings_in(text.rpartition("/")[2].partition(".")[2])


@lru_cache(maxsize=1_000)
def endings_in(suffixes: str) -> tuple[str, ...]:
    """Return the endings in what stands behind the first dot of a file's name, as in `e2e-spec.ts`."""
    *parts, last = suffixes.lower().split(".")
    if last not in SUFFIXES or last == "dll" or _DOTTED_PARTS.isdisjoint((*parts, last)):
        return ()
    return tuple(dict.fromkeys(_ENDINGS.findall(f".{suffixes.lower()}")))


def pair(above: str, name: str) -> str:
    """Spell two directories as pairs that mean something are spelt."""
    return f"{above}/{name.lower().replace('-', '').replace('_', '')}" if above in PAIR_STARTS else ""
