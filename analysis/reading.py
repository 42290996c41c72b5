"""Identities read many at once: what their strings say, and the verdict that follows.

Knows how to read each string once and each combination of what strings say once: a new test costs the splitting of
its strings and some look-ups. What strings say is in `evidence` and `paths`, how it adds up in `weighing`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, compress
from typing import NamedTuple

from analysis import evidence, producers
from analysis.evidence import Identity
from analysis.paths import Paths, Piece, layout_of
from analysis.votes import Evidence, Facts
from analysis.weighing import Verdict, add_up, told
from projects.vocabulary import EvidenceKind, Layer

SENT_WEIGHT = 7.0  # the sender knows better than names do, and a rule of the project better still
TELLING = 3.0  # a producer that votes so makes even an empty class plain
MOST_MET = 10_000  # classes and files remembered as a whole; reports bring those of one kind together
MOST_SHARED = 40_000  # directories, outlines of names and verdicts remembered; with the other some 25 MB
HEARD_SHARE = 8  # words heard are remembered as a look-up, which takes so much less room than a verdict

Key = tuple[str, str, str, str]  # framework, suite, class, file


class _Alone(NamedTuple):
    """What a test says beyond its class, in a form that many tests share."""

    said: evidence.Said | None
    markers: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    browser: str = ""


class _Base:
    """What tests of one class and file share."""

    __slots__ = ("facts", "heard", "is_hollow", "spoken")

    def __init__(self, facts: Facts, *, is_hollow: bool) -> None:
        self.facts = facts
        self.is_hollow = is_hollow
        self.spoken: dict[_Alone, Verdict] = {}  # by what tests say beyond it
        self.heard: dict[str, Verdict] = {}  # and by the words heard, of tests that say no more


class _Producer:
    """The strings met in the reports of one producer, and what they say."""

    def __init__(self, framework: str, paths: Paths) -> None:
        self._framework = framework
        self._paths = paths
        self._told = evidence.traits(framework, "", "", "")
        self._signs = evidence.signs(framework)
        self.is_plain = self._signs is not None  # no title shows another producer
        self.forget()

    def forget(self) -> None:
        """Forget the strings met."""
        self.pieces: dict[str, Piece | None] = {
            "": None,
            self._framework: None,
            **dict.fromkeys(producers.SIGNS),
        }

    def meet(self, texts: Collection[str]) -> None:
        """Read the strings that were not met before."""
        new = [text for text in texts if text not in self.pieces]
        if new:
            self.pieces.update(zip(new, self._paths.read(new), strict=True))

    def traits(self, suite: str, classname: str, title: str) -> tuple[str, ...]:
        """Tell the producer itself and its layouts."""
        signs = self._signs
        if (
            signs is not None
            and suite not in signs
            and classname not in signs
            and not classname[-1:].isdigit()
        ):
            return self._told
        return evidence.traits(self._framework, suite, classname, title)


class Reader:
    """Reads identities and remembers what it met, within bounds; keep one as long as an upload or a batch."""

    def __init__(self) -> None:
        self._forget()

    def verdicts(self, identities: Sequence[Identity]) -> list[Verdict]:
        """Weigh everything but rules and durations, of some thousand tests at once."""
        if not identities:
            return []
        self._make_room()
        suites, classnames, names, files, frameworks, variants, markers, properties, sent = zip(
            *identities, strict=True
        )
        bases = self._bases_of(frameworks, suites, classnames, files)
        heard = evidence.heard(_titled(names, classnames))
        # In place of calls: this runs for every test there is.
        verdicts = [
            self._listen(base, identity, words)
            if base.is_hollow
            or ((name[-1:].isdigit() or name[:1] in "[o" or "/" in name) and evidence.has_form(name, suite))
            else base.heard.get(words) or self._hear(base, words)
            for base, words, name, suite, identity in zip(
                bases, heard, names, suites, identities, strict=True
            )
        ]
        for place in _speaking(variants, markers, properties):
            verdicts[place] = self._listen(bases[place], identities[place], heard[place])
        if sent.count(None) == len(sent):
            return verdicts
        return list(map(self._sent, sent, verdicts))

    def facts(self, identity: Identity) -> dict[str, Evidence]:
        """Return every vote on one test, by the convention that casts it."""
        suite, classname, name, file, framework, *_ = identity
        (base,) = self._bases_of([framework], [suite], [classname], [file])
        (heard,) = evidence.heard(_titled([name], [classname]))
        facts = {**base.facts, **_own_facts(_alone(identity, heard, is_hollow=base.is_hollow))}
        return {key: fact.evidence for key, fact in facts.items()}

    def _hear(self, base: _Base, heard: str) -> Verdict:
        """Weigh the words of a test's name together with what its class says."""
        self._n_heard += 1
        alone = self._heard.get(heard)
        if alone is None:
            words = evidence.words_of(heard.split())
            alone = self._heard[heard] = _Alone(evidence.Said(words)) if words else _NOTHING
        verdict = base.heard[heard] = self._weigh(base, alone)
        return verdict

    def _listen(self, base: _Base, identity: Identity, heard: str) -> Verdict:
        """Weigh everything that a test says together with what its class says."""
        return self._weigh(base, _alone(identity, heard, is_hollow=base.is_hollow))

    def _weigh(self, base: _Base, alone: _Alone) -> Verdict:
        verdict = base.spoken.get(alone)
        if verdict is None:
            self._n_spoken += 1
            facts = base.facts if alone is _NOTHING else {**base.facts, **_own_facts(alone)}
            verdict = base.spoken[alone] = add_up(facts.values())
        return verdict

    def _sent(self, sent: Layer | None, verdict: Verdict) -> Verdict:
        if sent is None:
            return verdict
        known = self._told.get((sent, id(verdict)))
        if known is None:
            one = Evidence(EvidenceKind.SENT, sent, SENT_WEIGHT, "sent with the upload")
            known = self._told[sent, id(verdict)] = verdict, told(one, verdict)  # kept, and so its id
        return known[1]

    # --- what tests share

    def _bases_of(
        self,
        frameworks: Sequence[str],
        suites: Sequence[str],
        classnames: Sequence[str],
        files: Sequence[str],
    ) -> list[_Base]:
        columns = frameworks, suites, self._classes(frameworks, classnames), files
        found = list(map(self._bases.get, zip(*columns, strict=True)))
        new: dict[str, dict[Key, None]] = {}
        for key in compress(zip(*columns, strict=True), [base is None for base in found]):
            new.setdefault(key[0], {})[key] = None
        if not new:
            return found  # type: ignore[return-value]
        for framework, keys in new.items():
            self._meet(self._producer(framework), keys)
        return list(map(self._bases.__getitem__, zip(*columns, strict=True)))

    def _classes(self, frameworks: Sequence[str], classnames: Sequence[str]) -> Sequence[str]:
        """Return the classes as far as they tell tests apart: a title counts where it may show the producer."""
        if " " not in "".join(classnames):
            return classnames
        is_plain = {framework: self._producer(framework).is_plain for framework in set(frameworks)}
        return [
            "" if " " in text and is_plain[framework] else text
            for framework, text in zip(frameworks, classnames, strict=True)
        ]

    def _producer(self, framework: str) -> _Producer:
        producer = self._producers.get(framework)
        if producer is None:
            layout = layout_of(framework)
            if layout not in self._paths:
                self._paths[layout] = Paths(layout)
            producer = self._producers[framework] = _Producer(framework, self._paths[layout])
        return producer

    def _meet(self, producer: _Producer, keys: Collection[Key]) -> None:
        """Learn what new classes and files share."""
        producer.meet(set(chain.from_iterable(keys)))
        pieces, alike = producer.pieces, self._alike
        for key in keys:
            _, suite, classname, file = key
            title = ""
            if " " in classname:
                title, classname = classname, ""
            says = producer.traits(suite, classname, title), pieces[file], pieces[classname], pieces[suite]
            base = alike.get(says)
            if base is None:
                base = alike[says] = _joined(*says)
            self._bases[key] = base

    # --- bounds

    def _make_room(self) -> None:
        n_shared = self._n_spoken + self._n_heard // HEARD_SHARE + len(self._alike)
        n_shared += len(self._told) + len(self._producers)
        if n_shared + sum([paths.n_read for paths in self._paths.values()]) > MOST_SHARED:
            self._forget()
        elif len(self._bases) > MOST_MET:
            self._bases.clear()
            for producer in self._producers.values():
                producer.forget()

    def _forget(self) -> None:
        self._n_spoken = self._n_heard = 0
        self._bases: dict[Key, _Base] = {}
        self._alike: dict[tuple[object, ...], _Base] = {}
        self._producers: dict[str, _Producer] = {}
        self._paths: dict[str, Paths] = {}
        self._heard: dict[str, _Alone] = {}
        self._told: dict[tuple[Layer, int], tuple[Verdict, Verdict]] = {}


def _speaking(
    variants: Sequence[str], markers: Sequence[object], properties: Sequence[object]
) -> Iterable[int]:
    """Return the places of tests that say something beside their names."""
    browsers = set(filter(evidence.browser_in, set(variants)))
    if not (browsers or any(markers) or any(properties)):
        return ()
    columns = enumerate(zip(variants, markers, properties, strict=True))
    return [place for place, (variant, marks, pairs) in columns if marks or pairs or variant in browsers]


def _titled(names: Sequence[str], classnames: Sequence[str]) -> Sequence[str]:
    """Put a class that is a sentence before the name."""
    if " " not in "".join(classnames):
        return names
    return [f"{text} {name}" if " " in text else name for text, name in zip(classnames, names, strict=True)]


_NOTHING = _Alone(None)


def _alone(identity: Identity, heard: str, *, is_hollow: bool) -> _Alone:
    suite, classname, name, _, framework, variant, markers, properties, _ = identity
    text = f"{classname} {name}" if " " in classname else name
    said = evidence.said(name, suite, heard, text=text, is_hollow=is_hollow)
    if not (variant or markers or properties):
        return _NOTHING if said is None else _Alone(said)
    browser = evidence.browser_in(variant) if variant and framework not in producers.FRAMEWORKS else ""
    return _Alone(said, markers, evidence.about_layers(properties), browser)


def _own_facts(alone: _Alone) -> Facts:
    said, markers, properties, browser = alone
    facts = evidence.name_facts(said) if said else {}
    if not (markers or properties or browser):
        return facts
    facts = dict(facts)
    evidence.add_markers(facts, markers, properties)
    evidence.add_browser(facts, browser)
    return facts


def _joined(traits: tuple[str, ...], *pieces: Piece | None) -> _Base:
    maker = evidence.producer_facts(traits)
    facts = dict(maker)
    is_hollow = not any(fact.weight >= TELLING for fact in maker.values())
    for piece in pieces:
        if piece is not None:
            is_hollow = is_hollow and piece.is_hollow
            for fact in piece.facts:
                facts.setdefault(fact.key, fact)
    if is_hollow:
        evidence.add_hollow_place(facts)
    return _Base(facts, is_hollow=is_hollow)
