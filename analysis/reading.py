"""Identities read many at once: what their strings say, and the verdict that follows.

Knows how to read each string once and each combination of what strings say once: a new test costs the splitting of
its strings and some look-ups. What strings say is in `evidence` and `paths`, how it adds up in `weighing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from analysis import evidence
from analysis.evidence import Identity
from analysis.paths import Paths, Piece, layout_of
from analysis.producers import FRAMEWORKS, SIGNS
from analysis.votes import Evidence, Facts
from analysis.weighing import Verdict, add_up, told
from projects.vocabulary import EvidenceKind, Layer

SENT_WEIGHT = 7.0  # the sender knows better than names do, and a rule of the project better still
TELLING = 3.0  # a producer that votes so makes even an empty class plain
MOST_MET = (
    10_000  # suites, classes and files remembered as they are; reports bring those of one kind together
)
MOST_SHARED = 20_000  # directories, outlines of names and verdicts remembered; with the other some 15 MB
MOST_TURNS = 2  # of a producer in a batch, from which its tests are taken out and read together
HEARD_SHARE = 8  # words heard are remembered as a look-up, which takes so much less room than a verdict

Said = tuple[Piece | None, ...]  # by a test's file, class and suite


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


_ASK = Piece((), is_hollow=False)  # stands for what a string says that may tell another producer


class _Producer:
    """The strings met in the reports of one producer, and what tests share whose strings say the same."""

    def __init__(self, framework: str, paths: Paths) -> None:
        self._framework = framework
        self._paths = paths
        self._told = evidence.traits(framework, "", "", "")
        self._signs = evidence.Signs(framework)
        self._alike: dict[Said, _Base] = {}
        self._otherwise: dict[tuple[tuple[str, ...], Said], _Base] = {}  # where another producer is told
        self.forget()

    def forget(self) -> None:
        """Forget the strings met."""
        self._met: dict[str, Piece | None] = {
            "": None,
            self._framework: None,
            **dict.fromkeys(SIGNS),
        }
        self._asked: dict[str, Piece | None] = {}  # what the strings say that may tell another producer
        self._bases: dict[tuple[str, str, str], _Base] = {}  # and by file, class and suite what follows
        self._ask(self._signs.tell(self._met))

    @property
    def n_met(self) -> int:
        """Count the strings remembered."""
        return len(self._met) + len(self._bases)

    @property
    def n_alike(self) -> int:
        """Count what tests share that is remembered."""
        return len(self._alike) + len(self._otherwise)

    def bases(self, files: Sequence[str], classnames: Sequence[str], suites: Sequence[str]) -> list[_Base]:
        """Return what tests share with others, by their strings."""
        if " " in "".join(classnames):
            telling = frozenset(self._signs.tell({text for text in classnames if " " in text}))
            classnames = ["" if " " in text and text not in telling else text for text in classnames]
        self._meet(dict.fromkeys(chain(files, classnames, suites)))
        piece = self._met.__getitem__
        said = list(zip(map(piece, files), map(piece, classnames), map(piece, suites), strict=True))
        found = list(map(self._alike.get, said))
        if None in found:
            for place in [place for place, base in enumerate(found) if base is None]:
                found[place] = self._base(said[place], files[place], classnames[place], suites[place])
        return found  # type: ignore[return-value]

    def _meet(self, texts: Iterable[str]) -> None:
        """Read the strings that were not met before."""
        met = self._met
        new = [text for text in texts if text not in met]  # in their order, as they lie in memory
        if new:
            self._met.update(self._paths.read(new))
            self._ask(self._signs.tell(new))

    def _ask(self, telling: Iterable[str]) -> None:
        for text in telling:
            self._asked[text], self._met[text] = self._met[text], _ASK

    def _base(self, said: Said, file: str, classname: str, suite: str) -> _Base:
        base = self._alike.get(said)
        if base is None:
            if _ASK in said:
                return self._asked_base(said, file, classname, suite)
            base = self._alike[said] = _joined(self._told, said)
        return base

    def _asked_base(self, said: Said, *texts: str) -> _Base:
        """Return what tests share whose strings may tell another producer."""
        file, classname, suite = texts
        base = self._bases.get((file, classname, suite))
        if base is None:
            title = ""
            if " " in classname:
                title, classname = classname, ""
            traits = evidence.traits(self._framework, suite, classname, title)
            true = tuple(
                self._asked[text] if piece is _ASK else piece for piece, text in zip(said, texts, strict=True)
            )
            if title:
                true = true[0], None, true[2]
            base = self._otherwise.get((traits, true))
            if base is None:
                base = self._otherwise[traits, true] = _joined(traits, true)
            self._bases[texts] = base  # type: ignore[index]
        return base


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
        bases = self._bases_of(frameworks, files, classnames, suites)
        heard = evidence.heard(_titled(names, classnames))
        verdicts = list(map(dict.get, [base.heard for base in bases], heard))
        if None in verdicts:
            for place in [place for place, verdict in enumerate(verdicts) if verdict is None]:
                verdicts[place] = self._hear(bases[place], identities[place], heard[place])
        speaking = evidence.formed(names, suites), _speaking(variants, markers, properties)
        for place in chain(*speaking):
            verdicts[place] = self._listen(bases[place], identities[place], heard[place])
        if sent.count(None) == len(sent):
            return verdicts  # type: ignore[return-value]
        return list(map(self._sent, sent, verdicts))  # type: ignore[arg-type]

    def facts(self, identity: Identity) -> dict[str, Evidence]:
        """Return every vote on one test, by the convention that casts it."""
        suite, classname, name, file, framework, *_ = identity
        (base,) = self._bases_of([framework], [file], [classname], [suite])
        (heard,) = evidence.heard(_titled([name], [classname]))
        facts = {**base.facts, **_own_facts(_alone(identity, heard, is_hollow=base.is_hollow))}
        return {key: fact.evidence for key, fact in facts.items()}

    def _hear(self, base: _Base, identity: Identity, heard: str) -> Verdict:
        """Weigh the words of a test's name together with what its class says."""
        if base.is_hollow:
            return self._listen(base, identity, heard)
        verdict = base.heard.get(heard)
        if verdict is not None:
            return verdict
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

    def _bases_of(self, frameworks: Sequence[str], *texts: Sequence[str]) -> list[_Base]:
        """Return what tests share with others, by their files, classes and suites."""
        runs = [(framework, len(list(run))) for framework, run in groupby(frameworks)]
        if len(runs) > MOST_TURNS * len(set(frameworks)):
            return self._bases_in_turns(frameworks, texts)
        found: list[_Base] = []
        for framework, n in runs:
            part = slice(len(found), len(found) + n)
            found += self._producer(framework).bases(*[column[part] for column in texts])
        return found

    def _bases_in_turns(self, frameworks: Sequence[str], texts: Iterable[Sequence[str]]) -> list[_Base]:
        """Return the same where producers take turns: each reads its tests at once."""
        places: dict[str, list[int]] = {}
        for place, framework in enumerate(frameworks):
            places.setdefault(framework, []).append(place)
        found: dict[int, _Base] = {}
        for framework, own in places.items():
            columns = [[column[place] for place in own] for column in texts]
            found.update(zip(own, self._producer(framework).bases(*columns), strict=True))
        return list(map(found.__getitem__, range(len(frameworks))))

    def _producer(self, framework: str) -> _Producer:
        producer = self._producers.get(framework)
        if producer is None:
            layout = layout_of(framework)
            if layout not in self._paths:
                self._paths[layout] = Paths(layout)
            producer = self._producers[framework] = _Producer(framework, self._paths[layout])
        return producer

    # --- bounds

    def _make_room(self) -> None:
        producers = self._producers.values()
        n_shared = self._n_spoken + self._n_heard // HEARD_SHARE + sum([one.n_alike for one in producers])
        n_shared += len(self._told) + len(producers)
        if n_shared + sum([paths.n_read for paths in self._paths.values()]) > MOST_SHARED:
            self._forget()
        elif sum([one.n_met for one in producers]) > MOST_MET + len(producers) * len(SIGNS):
            for producer in producers:
                producer.forget()

    def _forget(self) -> None:
        self._n_spoken = self._n_heard = 0
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
    browser = evidence.browser_in(variant) if variant and framework not in FRAMEWORKS else ""
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


def _joined(traits: tuple[str, ...], pieces: Iterable[Piece | None]) -> _Base:
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
