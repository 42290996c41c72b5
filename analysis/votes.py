"""The evidence for a layer: one reason each, in words, and how reasons are collected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from analysis.weights import Vote
from projects.vocabulary import EvidenceKind, Layer


class Evidence(NamedTuple):
    """One reason for a layer, or against it where the weight (log-odds) is negative."""

    kind: EvidenceKind
    layer: Layer
    weight: float
    words: str


_WORDS = tuple(layer.word for layer in Layer)

Facts = dict[str, Evidence]  # by the convention that speaks, so that it speaks once


def add(facts: Facts, key: str, kind: EvidenceKind, votes: Iterable[Vote], words: str) -> None:
    """Collect what a convention votes, unless it was heard before."""
    for vote in votes:
        if vote.weight:
            said = f"{key} {_WORDS[vote.layer]}"
            if said not in facts:
                facts[said] = Evidence(kind, vote.layer, vote.weight, words)
