"""The evidence for a layer: one reason each, in words, and how reasons are collected."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from analysis.weights import Votes
from projects.vocabulary import EvidenceKind, Layer


class Evidence(NamedTuple):
    """One reason for a layer, or against it where the weight (log-odds) is negative."""

    kind: EvidenceKind
    layer: Layer
    weight: float
    words: str


_WORDS = tuple(layer.word for layer in Layer)
_CONTRACT = re.compile(r"\b(?:pacts?|schemathesis|contracts?|dredd)\b", re.IGNORECASE)


class Fact:
    """Evidence, the convention that gives it, and what adding up reads of it; told apart by where it lies in memory.

    `key` is the convention with the layer it speaks about, `subject` the word it is about, and `rank` sorts facts by
    strength.
    """

    __slots__ = ("evidence", "is_contract", "key", "layer", "rank", "subject", "weight")

    def __init__(self, key: str, evidence: Evidence) -> None:
        kind, layer, weight, words = evidence
        self.key = key
        self.evidence = evidence
        self.layer = int(layer)
        self.weight = weight
        self.rank = (kind is EvidenceKind.DURATION, -abs(weight), int(kind), words)
        self.subject = key.split()[1] if key else ""
        self.is_contract = weight >= 1 and layer is Layer.INTEGRATION and _CONTRACT.search(words) is not None


Facts = dict[str, Fact]  # by the convention that speaks, so that it speaks once

MOST_SAID = 20_000  # facts that stay the same objects however often they are read; some 10 MB


@lru_cache(maxsize=MOST_SAID)
def said(key: str, kind: EvidenceKind, votes: Votes, words: str) -> tuple[Fact, ...]:
    """Return what a convention votes."""
    return tuple(
        Fact(f"{key} {_WORDS[vote.layer]}", Evidence(kind, vote.layer, vote.weight, words))
        for vote in votes
        if vote.weight
    )


def add(facts: Facts, key: str, kind: EvidenceKind, votes: Votes, words: str) -> None:
    """Collect what a convention votes, unless it was heard before."""
    for fact in said(key, kind, votes, words):
        facts.setdefault(fact.key, fact)
