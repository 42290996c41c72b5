"""Where the corpus of real reports is: the folder `shared` beside the checkout, or nowhere."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared"
SHARED: Path | None = _BESIDE if _BESIDE.is_dir() else None
CORPUS: Path | None = SHARED / "corpus" if SHARED else None
NEEDS_SHARED = pytest.mark.skipif(SHARED is None, reason="there is no folder `shared` beside the checkout")


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the corpus's tab-separated tables, or none without a corpus."""
    if CORPUS is None:
        return []
    with (CORPUS / "junit" / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
