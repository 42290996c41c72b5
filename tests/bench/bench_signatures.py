"""How well signatures merge and keep apart, and how well infrastructure is told from tests.

Measured on nodejs_ci_failures.jsonl.gz, 1,145 failures named by people with example messages; `python -m
tests.bench.bench_signatures FILE` reads another file of its kind.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from analysis.failures import are_alike, boundary, is_infrastructure, signature
from tests.shared import NEEDS_SHARED, SHARED

TEST = "JS_TEST_FAILURE"
MOST_KEYS = 600  # of 3,369 messages under 1,145 names; masking alone leaves some 1,950
MOST_TESTS_TAKEN_FOR_MACHINES = 0.06
LEAST_OF_GIT = 0.85


class Example(NamedTuple):
    """One message, what kind of failure people say it is, and the name they gave it."""

    kind: str
    name: str
    message: str


class Figures(NamedTuple):
    """Keys made of the messages, and how they meet the names people gave."""

    n_messages: int
    n_keys: int
    n_after_merge: int  # after the nightly merge of alike titles within one name
    n_mixed: int  # keys that hold test failures and infrastructure
    n_shared: int  # keys that span several names
    keys_by_name: dict[str, float]
    infrastructure: dict[str, float]
    microseconds: float


def read(path: Path) -> list[Example]:
    """Read the examples."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [Example(row["type"], row["signature"], message) for row in rows for message in row["messages"]]


def figures(examples: Sequence[Example]) -> Figures:
    """Measure the signatures of the examples."""
    began = time.perf_counter()
    titles = [signature(kind="", message=example.message, text="").title for example in examples]
    seconds = time.perf_counter() - began
    names: dict[str, set[tuple[str, str]]] = defaultdict(set)
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for example, title in zip(examples, titles, strict=True):
        names[title].add((example.kind, example.name))
        keys[example.kind, example.name].add(title)
    return Figures(
        n_messages=len(examples),
        n_keys=len(names),
        n_after_merge=len({title for found in keys.values() for title in merged(found)}),
        n_mixed=sum(len({kind == TEST for kind, _ in found}) > 1 for found in names.values()),
        n_shared=sum(len(found) > 1 for found in names.values()),
        keys_by_name=_means({name: float(len(found)) for name, found in keys.items()}),
        infrastructure=_infrastructure(examples),
        microseconds=seconds / max(1, len(examples)) * 1e6,
    )


def merged(titles: set[str]) -> list[str]:
    """Return the titles left when those a tenth apart become one."""
    kept: list[str] = []
    for title in sorted(titles):
        if not any(are_alike(title, other) for other in kept):
            kept.append(title)
    return kept


def _means(values: dict[tuple[str, str], float]) -> dict[str, float]:
    kinds = {kind for kind, _ in values}
    return {
        kind: sum(value for (of, _), value in values.items() if of == kind)
        / sum(of == kind for of, _ in values)
        for kind in sorted(kinds)
    }


def _infrastructure(examples: Sequence[Example]) -> dict[str, float]:
    """The share of each kind's messages that speak of infrastructure."""
    n = Counter(example.kind for example in examples)
    said = Counter(
        example.kind for example in examples if is_infrastructure(kind="", message=example.message, text="")
    )
    return {kind: said[kind] / n[kind] for kind in sorted(n)}


def _boundaries(examples: Sequence[Example]) -> Counter[str]:
    return Counter(boundary(kind="", message=example.message, text="").boundary.word for example in examples)


@NEEDS_SHARED
@pytest.mark.bench
def test_failures_that_people_name_alike_merge_and_machines_are_told_from_tests() -> None:
    assert SHARED is not None
    found = show(SHARED / "bench" / "flakiness" / "nodejs_ci_failures.jsonl.gz")

    assert found.n_keys <= MOST_KEYS
    assert found.n_mixed == 0
    assert found.infrastructure[TEST] <= MOST_TESTS_TAKEN_FOR_MACHINES
    assert found.infrastructure["GIT_FAILURE"] >= LEAST_OF_GIT


def show(path: Path) -> Figures:
    """Print the figures of a file, and return them."""
    examples = read(path)
    found = figures(examples)
    print(f"\n{found.n_messages} messages, {found.n_keys} signatures, {found.n_after_merge} after the merge")
    print(f"{found.n_mixed} mix tests with infrastructure, {found.n_shared} span several names")
    print("signatures per name:", {kind: round(mean, 2) for kind, mean in found.keys_by_name.items()})
    print("speak of infrastructure:", {kind: f"{share:.1%}" for kind, share in found.infrastructure.items()})
    print(f"{found.microseconds:.0f} us a signature")
    print("boundaries:", dict(_boundaries(examples)))
    return found


def main(arguments: Sequence[str]) -> None:
    """Print the figures."""
    for path in arguments:
        show(Path(path))


if __name__ == "__main__":
    main(sys.argv[1:])
