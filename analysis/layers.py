"""Which layer a test belongs to, how sure that is, and every reason for it.

Knows how votes add up as log-odds, who overrules whom, and when nothing is known. How votes are read from a
report is in `evidence` and `paths`, what they weigh in `conventions` and `producers`, a project's own rules
in `rules`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from analysis import conventions, evidence, producers
from analysis.evidence import Identity
from analysis.paths import Paths, Piece
from analysis.rules import RuleSet
from analysis.votes import Evidence, Facts
from analysis.weights import Vote
from projects.vocabulary import EvidenceKind, Layer

__all__ = [
    "Classifier",
    "Evidence",
    "Identity",
    "Verdict",
    "Weigher",
    "classify",
    "classify_many",
    "heard",
    "weigh",
    "with_duration",
]

SENT_WEIGHT = 7.0  # the sender knows better than names do, and a rule of the project better still
RULE_WEIGHT = 9.0
ENOUGH = 0.40  # below, the best guess is wrong more often than not, and the layer is unknown


@dataclass(frozen=True, slots=True)
class Verdict:
    """The layer of a test, the confidence in it (0..1) and all evidence, strongest first."""

    layer: Layer
    confidence: float
    evidence: tuple[Evidence, ...]
    tags: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Say the verdict: "integration, 93 %: path tests/integration (+3.1), median 240 ms (+0.4)"."""
        reasons = ", ".join(f"{one.words} ({_signed(one, self.layer)})" for one in self.evidence)
        return f"{self.layer.word}, {100 * self.confidence:.0f} %: {reasons or 'nothing tells'}"


def _signed(one: Evidence, layer: Layer) -> str:
    """Write a weight; a vote for another layer carries that layer's name."""
    number = f"{one.weight:+.1f}".replace("-", "\N{MINUS SIGN}")
    return number if one.layer is layer else f"{one.layer.word} {number}"


def classify(identity: Identity, *, rules: RuleSet | None = None, median_s: float | None = None) -> Verdict:
    """Weigh all evidence about one test; a Classifier does many faster."""
    return with_duration(Classifier(rules).verdict(identity), median_s)


def classify_many(identities: Iterable[Identity], *, rules: RuleSet | None = None) -> Iterator[Verdict]:
    """Weigh the evidence about many tests, in order, reading what they share once."""
    return map(Classifier(rules).verdict, identities)


def heard(identity: Identity) -> Facts:
    """Return the votes on one test by the convention that casts them, for those who measure conventions."""
    return _Reader().facts(identity)


# --- adding up

_LAYERS = tuple(Layer)
_PRIOR = tuple(conventions.PRIOR[layer] for layer in _LAYERS)
_CONTRACT = re.compile(r"\b(?:pacts?|schemathesis|contracts?|dredd)\b", re.IGNORECASE)


def weigh(reasons: Iterable[Evidence]) -> Verdict:
    """Add votes up over the prior; the confidence is the share of the odds that the layer holds."""
    ordered = tuple(reasons)
    if len(ordered) > 1:
        ordered = tuple(sorted(ordered, key=_strongest_first))
    scores = list(_PRIOR)
    for one in ordered:
        scores[one.layer] += one.weight
    top = max(scores)
    layer = _LAYERS[scores.index(top)]
    confidence = 1 / sum([math.exp(score - top) for score in scores])  # a list: six terms, and often
    if confidence < ENOUGH:
        return Verdict(Layer.UNKNOWN, confidence, ordered)
    return Verdict(layer, confidence, ordered, _tags(layer, ordered))


def _strongest_first(one: Evidence) -> tuple[bool, float, int, str]:
    return (one.kind is EvidenceKind.DURATION, -abs(one.weight), one.kind, one.words)


def _tags(layer: Layer, reasons: Iterable[Evidence]) -> tuple[str, ...]:
    if layer is not Layer.INTEGRATION:
        return ()
    says = any(one.weight >= 1 and one.layer is layer and _CONTRACT.search(one.words) for one in reasons)
    return ("contract",) if says else ()


def _told(reason: Evidence, verdict: Verdict) -> Verdict:
    """Let a rule or the sender decide; what else was read stays visible."""
    reasons = (reason, *verdict.evidence)
    confidence = 1.0 if reason.kind is EvidenceKind.RULE else 0.99
    return Verdict(reason.layer, confidence, reasons, _tags(reason.layer, reasons))


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
    if median_s is None or not 0 < median_s < math.inf or _is_told(verdict):
        return verdict
    votes = next(votes for limit, votes in _DURATIONS if median_s < limit)
    said = f"median {_spoken(median_s)}"
    added = [Evidence(EvidenceKind.DURATION, vote.layer, vote.weight, said) for vote in votes]
    after = weigh([*verdict.evidence, *added])
    if verdict.confidence < SETTLED or after.layer is verdict.layer:
        return after
    return Verdict(verdict.layer, verdict.confidence, after.evidence, verdict.tags)


def _without_duration(verdict: Verdict) -> Verdict:
    reasons = tuple(one for one in verdict.evidence if one.kind is not EvidenceKind.DURATION)
    return verdict if _is_told(verdict) else weigh(reasons)


def _is_told(verdict: Verdict) -> bool:
    return any(one.kind in (EvidenceKind.RULE, EvidenceKind.SENT) for one in verdict.evidence)


def _spoken(seconds: float) -> str:
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


# --- reading many


TELLING = 3.0  # a producer that votes so makes even an empty class plain


class _Base:
    """What tests of one class and file share."""

    __slots__ = ("facts", "is_hollow", "spoken")

    def __init__(self, facts: Facts, *, is_hollow: bool) -> None:
        self.facts = facts
        self.is_hollow = is_hollow
        self.spoken: dict[_Alone | None, Verdict] = {}  # by what tests say beyond it

    def verdict(self, alone: _Alone | None) -> Verdict:
        """Weigh what a test says alone together with what its class says."""
        verdict = self.spoken.get(alone)
        if verdict is None:
            facts = {**self.facts, **_own_facts(alone)} if alone else self.facts
            verdict = self.spoken[alone] = weigh(facts.values())
        return verdict


class _Alone(NamedTuple):
    """What a test says beyond its class, in a form that many tests share."""

    said: evidence.Said | None
    markers: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    browser: str = ""


class _Producer:
    """The strings met in the reports of one producer, and what they say."""

    __slots__ = ("framework", "paths", "pieces", "signs", "told")

    def __init__(self, framework: str) -> None:
        self.framework = framework
        self.paths = Paths(framework)
        self.told = evidence.traits(framework, "", "", "")
        self.signs = evidence.signs(framework)
        self.pieces: dict[str, Piece | None] = {"": None, framework: None, **dict.fromkeys(producers.SIGNS)}

    def traits(self, suite: str, classname: str, title: str) -> tuple[str, ...]:
        """Tell the producer itself and its layouts."""
        signs = self.signs
        if (
            signs is not None
            and suite not in signs
            and classname not in signs
            and not classname[-1:].isdigit()
        ):
            return self.told
        return evidence.traits(self.framework, suite, classname, title)

    def piece(self, text: str) -> Piece | None:
        """Read a path, a class or a title that was not met before."""
        piece = self.paths.title(text) if " " in text else self.paths.read(text)
        self.pieces[text] = piece
        return piece


MOST_KNOWN = 10_000  # classes and files remembered, some 2 KB each; reports bring those of one kind together


class _Reader:
    """Reads identities and remembers the strings it has met; lives as long as a batch."""

    def __init__(self) -> None:
        self._bases: dict[tuple[str, str, str, str], _Base] = {}
        self._alike: dict[tuple[object, ...], _Base] = {}
        self._producers: dict[str, _Producer] = {}
        self._told: dict[tuple[Layer, int], Verdict] = {}

    def verdict(self, identity: Identity) -> Verdict:
        """Weigh everything but rules and the duration."""
        suite, classname, name, file, framework, variant, markers, properties, sent = identity
        title = ""
        if " " in classname:
            title, classname = classname, ""
        key = (framework, suite, classname, file)
        base = self._bases.get(key)
        if base is None:
            if len(self._bases) >= MOST_KNOWN:
                self._forget()
            base = self._bases[key] = self._base(framework, suite, classname, file, title)
        said = evidence.said(name, title, suite, is_hollow=base.is_hollow)
        is_quiet = said is None and not markers and not properties and not variant
        verdict = base.verdict(None if is_quiet else _alone(identity, said))
        return verdict if sent is None else self._sent(sent, verdict)

    def _sent(self, sent: Layer, verdict: Verdict) -> Verdict:
        told = self._told.get((sent, id(verdict)))
        if told is None:
            one = Evidence(EvidenceKind.SENT, sent, SENT_WEIGHT, "sent with the upload")
            told = self._told[sent, id(verdict)] = _told(one, verdict)
        return told

    def _forget(self) -> None:
        # All of it, since what is remembered is told apart by where the pieces lie in memory.
        self._bases.clear()
        self._alike.clear()
        self._producers.clear()

    def facts(self, identity: Identity) -> Facts:
        """Return every vote on one test, by the convention that casts it."""
        title, classname = (
            ("", identity.classname) if " " not in identity.classname else (identity.classname, "")
        )
        base = self._base(identity.framework, identity.suite, classname, identity.file, title)
        said = evidence.said(identity.name, title, identity.suite, is_hollow=base.is_hollow)
        return {**base.facts, **_own_facts(_alone(identity, said))}

    def _base(self, framework: str, suite: str, classname: str, file: str, title: str) -> _Base:
        producer = self._producers.get(framework)
        if producer is None:
            producer = self._producers[framework] = _Producer(framework)
        known, read = producer.pieces, producer.piece
        pieces = (
            known[file] if file in known else read(file),
            known[classname] if classname in known else read(classname),
            known[suite] if suite in known else read(suite),
        )
        told = producer.traits(suite, classname, title)
        key = (told, *map(id, pieces))  # a piece is the only one that says so
        base = self._alike.get(key)
        if base is None:
            read_pieces = [piece for piece in dict.fromkeys(pieces) if piece is not None]
            base = self._alike[key] = _joined(evidence.producer_facts(told), read_pieces)
        return base


class Classifier:
    """Weighs tests one by one and reads what they share once; keep one as long as an upload or a batch."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        read = _Reader().verdict
        self.verdict: Callable[[Identity], Verdict] = (
            _ruled(read, rules) if rules is not None and len(rules) else read
        )
        """Weigh everything but the duration."""


def _ruled(read: Callable[[Identity], Verdict], rules: RuleSet) -> Callable[[Identity], Verdict]:
    told: dict[tuple[int, int], Verdict] = {}

    def verdict(identity: Identity) -> Verdict:
        rule, said = rules.match(identity), read(identity)
        if rule is None:
            return said
        key = (rule.position, id(said))  # the reader keeps what it says, and so its id
        if key not in told:
            told[key] = _told(Evidence(EvidenceKind.RULE, rule.layer, RULE_WEIGHT, rule.words()), said)
        return told[key]

    return verdict


class Weigher:
    """A Classifier that adds medians too; what is said alike of many tests is one and the same Verdict."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        self._read = Classifier(rules).verdict
        self._timed: dict[tuple[int, int, str], Verdict] = {}

    def verdict(self, identity: Identity, median_s: float | None) -> Verdict:
        """Weigh everything about a test."""
        verdict = self._read(identity)
        if median_s is None or not 0 < median_s < math.inf:
            return verdict
        step = next(step for step, (limit, _) in enumerate(_DURATIONS) if median_s < limit)
        key = (id(verdict), step, _spoken(median_s))
        timed = self._timed.get(key)
        if timed is None:
            timed = self._timed[key] = with_duration(verdict, median_s)
        return timed


def _alone(identity: Identity, said: evidence.Said | None) -> _Alone:
    variant = identity.variant
    browser = (
        evidence.browser_in(variant) if variant and identity.framework not in producers.FRAMEWORKS else ""
    )
    return _Alone(said, identity.markers, evidence.about_layers(identity.properties), browser)


def _own_facts(alone: _Alone) -> Facts:
    facts = evidence.name_facts(alone.said) if alone.said else {}
    evidence.add_markers(facts, alone.markers, alone.properties)
    evidence.add_browser(facts, alone.browser)
    return facts


def _joined(maker: Facts, pieces: Sequence[Piece]) -> _Base:
    facts = dict(maker)
    for piece in pieces:
        for key, one in piece.facts:
            facts.setdefault(key, one)
    tells = any(one.weight >= TELLING for one in maker.values())
    is_hollow = not tells and all(piece.is_hollow for piece in pieces)
    if is_hollow:
        evidence.add_hollow_place(facts)
    return _Base(facts, is_hollow=is_hollow)
