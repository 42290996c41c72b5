"""How evidence adds up: the layer it speaks for, how sure that is, and who overrules whom.

Knows log-odds and the median duration, which comes last. Where evidence comes from is not asked here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from math import exp
from operator import attrgetter
from typing import NamedTuple

from analysis import conventions
from analysis.votes import Evidence, Fact
from analysis.weights import Vote
from projects.vocabulary import EvidenceKind, Layer

ENOUGH = 0.40  # below, the best guess is wrong more often than not, and the layer is unknown


class Verdict(NamedTuple):
    """The layer of a test, the confidence in it (0..1) and all evidence, strongest first."""

    layer: Layer
    confidence: float
    evidence: tuple[Evidence, ...]
    tags: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Say the verdict: "integration, 93 %: path tests/integration (+3.1), median 240 ms (+0.4)"."""
        reasons = ", ".join(f"{one.words} ({_signed(one, self.layer)})" for one in self.evidence)
        return f"{self.layer.word}, {100 * self.confidence:.0f} %: {reasons or 'nothing tells'}"

    @property
    def is_told(self) -> bool:
        """True where a rule or the sender decided."""
        return any(one.kind in (EvidenceKind.RULE, EvidenceKind.SENT) for one in self.evidence)


def _signed(one: Evidence, layer: Layer) -> str:
    """Write a weight; a vote for another layer carries that layer's name."""
    number = f"{one.weight:+.1f}".replace("-", "\N{MINUS SIGN}")
    return number if one.layer is layer else f"{one.layer.word} {number}"


_LAYERS = tuple(Layer)
_PRIOR = [conventions.PRIOR[layer] for layer in _LAYERS]
_RANK = attrgetter("rank")
_CONTRACT = ("contract",)


def weigh(reasons: Iterable[Evidence]) -> Verdict:
    """Add votes up over the prior; the confidence is the share of the odds that the layer holds."""
    return add_up([Fact("", one) for one in reasons])


def add_up(facts: Iterable[Fact]) -> Verdict:
    """Weigh facts; new tests bring thousands of combinations, so this counts its steps."""
    ordered = sorted(facts, key=_RANK)
    scores = _PRIOR.copy()
    for fact in ordered:
        scores[fact.layer] += fact.weight
    top = max(scores)
    confidence = 1 / sum([exp(score - top) for score in scores])  # a list: six terms, and often
    evidence = tuple([fact.evidence for fact in ordered])
    if confidence < ENOUGH:
        return Verdict(Layer.UNKNOWN, confidence, evidence)
    layer = _LAYERS[scores.index(top)]
    if layer is Layer.INTEGRATION and True in [fact.is_contract for fact in ordered]:
        return Verdict(layer, confidence, evidence, _CONTRACT)
    return Verdict(layer, confidence, evidence)


def told(reason: Evidence, verdict: Verdict) -> Verdict:
    """Let a rule or the sender decide; what else was read stays visible."""
    reasons = (reason, *verdict.evidence)
    confidence = 1.0 if reason.kind is EvidenceKind.RULE else 0.99
    is_contract = reason.layer is Layer.INTEGRATION and any(Fact("", one).is_contract for one in reasons)
    return Verdict(reason.layer, confidence, reasons, _CONTRACT if is_contract else ())


# --- the median duration, last: it may tip a weak vote and never overrules a strong one

_DURATIONS = (
    # below (s), what it says: a unit test ends within milliseconds, and no browser starts in fifty
    (0.005, (Vote(Layer.UNIT, 0.5), Vote(Layer.E2E, -0.8))),
    (0.05, (Vote(Layer.UNIT, 0.2), Vote(Layer.E2E, -0.6))),
    (0.5, (Vote(Layer.INTEGRATION, 0.4),)),
    (3.0, (Vote(Layer.INTEGRATION, 0.6), Vote(Layer.E2E, 0.2))),
    (math.inf, (Vote(Layer.E2E, 0.7), Vote(Layer.INTEGRATION, 0.4))),
)
SETTLED = 0.75  # from here on a duration is shown and cannot change the layer


def with_duration(verdict: Verdict, median_s: float | None) -> Verdict:
    """Add the median duration to a verdict, in place of an earlier one; no string is read again."""
    if any(one.kind is EvidenceKind.DURATION for one in verdict.evidence):
        verdict = _without_duration(verdict)
    if median_s is None or not 0 < median_s < math.inf or verdict.is_told:
        return verdict
    votes = next(votes for limit, votes in _DURATIONS if median_s < limit)
    said = f"median {_spoken(median_s)}"
    added = [Evidence(EvidenceKind.DURATION, vote.layer, vote.weight, said) for vote in votes]
    after = weigh([*verdict.evidence, *added])
    if verdict.confidence < SETTLED or after.layer is verdict.layer:
        return after
    return Verdict(verdict.layer, verdict.confidence, after.evidence, verdict.tags)


def said_of(median_s: float | None) -> str:
    """Return what tells apart the verdicts that medians lead to: equal words, equal verdict. Empty where none counts."""
    if median_s is None or not 0 < median_s < math.inf:
        return ""
    step = next(step for step, (limit, _) in enumerate(_DURATIONS) if median_s < limit)
    return f"{step} {_spoken(median_s)}"


def _without_duration(verdict: Verdict) -> Verdict:
    reasons = tuple(one for one in verdict.evidence if one.kind is not EvidenceKind.DURATION)
    return verdict if verdict.is_told else weigh(reasons)


def _spoken(seconds: float) -> str:
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
