"""What the words of a path, a package, a class or a title say about a layer.

Knows where in a path a word counts as a layer and where it is a word of the product. Tests share directories
and packages, so what a directory says is kept and only the last name of a path is read anew. What words weigh
is in `conventions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from analysis import conventions
from analysis.votes import Evidence, Facts, add
from analysis.weights import Vote
from analysis.weights import words as word_set
from projects.vocabulary import EvidenceKind

_TESTING = word_set("test tests testing spec specs suite suites case cases testcase testcases tester")
_ROOTS = word_set("test tests spec specs testing testsuite tst t src qa javatests tests_ __tests__")
_SUFFIXES = word_set(
    "py js jsx ts tsx mjs cjs php rb java kt go dart feature dll cs swift exs bats yml yaml sql phpt cc cpp "
    "rs scala robot groovy"
)
_TELLING_SUFFIXES = word_set("feature phpt bats")
# Words that mean a layer wherever tests are kept; the others need a directory of tests above them.
_PLAIN = word_set(
    "integration integ itest e2e endtoend acceptance functional unit unittest unittests utest atest uat "
    "smoke benchmark benchmarks bench benches cypress loadtest loadtests flake8 mypy codestyle codequality "
    "lint"
)
_JOINED = word_set("system ui component contract performance perf stress regression android api browser")
_AMBIGUOUS_CLASS = {"unit": 0.25}  # UnitTest1 is what the template of Visual Studio is called
_LOCALE = re.compile(r"^[a-z]{2}_[A-Z]{2}$")  # it_IT is a language, not Maven's IT
# Words that make another word of the one that follows: a file system, a numerical integration.
_COMPOUNDS = {
    "system": word_set(
        "file operating coordinate design particle type unit module event build plugin entity sub"
    ),
    "integration": word_set("numerical time org organization"),
    "unit": word_set("j n x php cpp q py h o db ms"),
}
_DOTTED = tuple(key for key in conventions.ENDINGS if not key.startswith("*"))

_SPLIT = re.compile(r"[eE]2[eE]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_BORDERS = re.compile(r"[/\\.:]+")
MOST_SUBJECTS = 2  # a long class name is about one thing, not about each of its words


class Segment(NamedTuple):
    """One directory, package or class: its words, and what is left without those for testing."""

    text: str
    words: tuple[str, ...]
    core: str
    has_test: bool
    endings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one string says, and whether its words say nothing at all."""

    facts: tuple[tuple[str, Evidence], ...]
    is_hollow: bool


def _spellings(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in (word, word.capitalize(), word.upper()))


# Any of these words makes a name worth a second look; most names have none. Keys of several words begin with
# a known one, and capitals are what the endings *IT, *ITest and *L0 are read by.
_KNOWN = _spellings(
    {
        *conventions.PLACES,
        *conventions.SUBJECTS,
        *(f"{word}{ending}" for word in _PLAIN | _JOINED for ending in ("test", "tests")),
        *["end", "code", "load", "acceptance", "android", "e2e"],
    }
) | {"IT", "I", "L"}
# Words that decide how a known one beside them is read.
_TELLING = _KNOWN | _spellings(
    {
        *_TESTING,
        *(word for words in _COMPOUNDS.values() for word in words),
        *["to", "encryption", "style", "quality"],
    }
)
_HOLLOW = _spellings(conventions.HOLLOW)


@lru_cache(maxsize=50_000)
def segment(text: str) -> Segment:
    """Split a directory, package or class into words, and see how its capitals end."""
    found = _SPLIT.findall(text.partition("(")[0])
    words = tuple(part for word in found for part in _joined(word.lower()))
    rest = [word for word in words if word not in _TESTING]
    return Segment(text, words, "".join(rest), len(rest) < len(words), tuple(_endings(found, text)))


def _joined(word: str) -> tuple[str, ...]:
    """Split `integrationtests` and `e2etest`, which show no border."""
    for ending in ("tests", "test"):
        if word.endswith(ending) and word.removesuffix(ending) in _PLAIN | _JOINED:
            return (word.removesuffix(ending), ending)
    return (word,)


def _endings(found: Sequence[str], text: str) -> Iterator[str]:
    if not found or _LOCALE.match(text):
        return
    if found[-1] == "IT" or found[0] == "IT" or (found[-1] == "Case" and "ITCase" in text):
        yield "*IT"
    elif found[-2:] == ["I", "Test"]:
        yield "*ITest"
    match = re.search(r"L([0-3])(?:Tests?)?$", text)
    if match:
        yield f"*L{match[1]}"


def is_hollow(text: str) -> bool:
    """True when no word of a text says anything."""
    found = _SPLIT.findall(text)
    return _HOLLOW.issuperset(found) or all(word in _HOLLOW or word.isdigit() for word in found)


class _Folder:
    """What the part of a path before its last name says."""

    __slots__ = ("before", "facts", "is_empty", "is_hollow", "named", "piece", "words")

    def __init__(self, segments: list[Segment], facts: Facts, *, piece: Piece, hollow: bool) -> None:
        last = segments[-1] if segments else None
        self.before = last.text.lower().strip("_") if last else ""
        self.words = last.words if last else ()
        self.facts = facts
        self.is_empty = last is None
        self.is_hollow = hollow
        self.piece = piece  # for a last name that adds nothing
        self.named: dict[
            tuple[str, ...], Piece
        ] = {}  # for last names that differ in words without meaning alone


class Paths:
    """Reads the paths of one producer's reports; lives as long as a batch."""

    def __init__(self, framework: str) -> None:
        self._framework = framework
        self._folders: dict[tuple[str, str], _Folder] = {}

    def read(self, text: str) -> Piece:
        """Read a path, a package or a qualified class."""
        border = "/" if "/" in text else "\\" if "\\" in text else "::" if "::" in text else "."
        head, _, tail = text.rpartition(border)
        suffix = ""
        if "." in tail or border == ".":
            stem, _, suffix = tail.rpartition(".") if border != "." else (head, "", tail)
            if suffix.lower() in _SUFFIXES and stem:
                head, tail = (head, stem) if border != "." else stem.rpartition(".")[::2]
        folder = self._folders.get((head, border))
        if folder is None:
            folder = self._folders[head, border] = self._folder(head, border)
        found = _SPLIT.findall(tail)
        if (
            "." in tail.removesuffix(".test").removesuffix(".spec")
            or suffix in _TELLING_SUFFIXES
            or (folder.is_hollow and is_hollow(tail))
        ):
            return self._named(folder, tail, text, border)
        if _KNOWN.isdisjoint(found):
            return folder.piece
        if "L" in found:  # L0 and L1 are read by their digit, which is no word
            return self._named(folder, tail, text, border)
        telling = tuple([word if word in _TELLING else "" for word in found])
        piece = folder.named.get(telling)
        if piece is None:
            piece = folder.named[telling] = self._named(folder, tail, text, border)
        return piece

    def _folder(self, head: str, border: str) -> _Folder:
        names = [name for name in _BORDERS.split(head.removeprefix("file://")) if name]
        segments = [segment(name) for name in names]
        facts: Facts = {}
        before = ""
        for place, one in enumerate(segments):
            is_rooted = before in _ROOTS or one.has_test or (place == 0 and one.core in _PLAIN)
            _add_segment(facts, one, before=before, is_rooted=is_rooted, border=border)
            before = one.text.lower().strip("_")
        self._add_layout(facts, names)
        hollow = all(is_hollow(name) for name in names)
        about = dict(facts)
        _add_subjects(about, segments[-1].words if segments else ())
        return _Folder(segments, facts, piece=Piece(tuple(about.items()), is_hollow=False), hollow=hollow)

    def _add_layout(self, facts: Facts, names: Sequence[str]) -> None:
        """Tests inside a package of the product: Django's layout, and not only Django's."""
        shape = f"app.tests {self._framework}"
        if shape not in conventions.SHAPES:
            return
        inside = next((place for place, name in enumerate(names) if name in ("tests", "test")), 0)
        if inside:
            words = f"tests inside the package {names[inside - 1]}"
            add(facts, f"shape {shape}", EvidenceKind.PATH, conventions.SHAPES[shape], words)

    def _named(self, folder: _Folder, tail: str, text: str, border: str) -> Piece:
        one = segment(tail)
        facts = dict(folder.facts)
        is_class = not (self._framework == "go" or text.startswith("github.com/"))
        is_plain = one.core in _PLAIN and (folder.is_empty or not is_class)
        is_rooted = folder.before in _ROOTS or is_plain or (one.has_test and not is_class)
        _add_dotted(facts, text)
        _add_segment(facts, one, before=folder.before, is_rooted=is_rooted, border=border, is_class=is_class)
        _add_subjects(facts, (*folder.words, *one.words))
        return Piece(tuple(facts.items()), folder.is_hollow and is_hollow(tail))


def read_title(text: str) -> Piece:
    """Read a suite or class that is a sentence: a layer counts beside a word for testing."""
    facts: Facts = {}
    if not _KNOWN.isdisjoint(_SPLIT.findall(text)):
        _add_affixes(facts, segment(text))
    return Piece(tuple(facts.items()), is_hollow(text))


def _add_dotted(facts: Facts, text: str) -> None:
    name = text.lower().rpartition("/")[2]
    if name.rpartition(".")[2] not in _SUFFIXES or name.endswith(".dll"):
        return
    for ending in _DOTTED:
        if (ending in name) if ending.endswith(".") else name.endswith(ending):
            votes = conventions.ENDINGS[ending]
            add(
                facts,
                f"ending {ending}",
                EvidenceKind.PATH,
                votes,
                f"file *{ending}*" if ending.endswith(".") else f"file *{ending}",
            )


def _add_segment(
    facts: Facts, one: Segment, *, before: str, is_rooted: bool, border: str, is_class: bool = False
) -> None:
    shown = f"{before}{border}{one.text}" if before else one.text
    pair = _pair(before, one.text)
    if pair in conventions.PAIRS:
        add(facts, f"pair {pair}", EvidenceKind.PATH, conventions.PAIRS[pair], f"path {shown}")
    place = conventions.PLACES.get(one.core)
    if place is None or (is_class and one.has_test):
        _add_affixes(facts, one)
    else:
        mode, weight = ("rooted", place.rooted) if is_rooted else ("bare", place.bare)
        votes = (Vote(place.layer, weight),)
        add(facts, f"place {one.core} {mode}", EvidenceKind.PATH, votes, f"path {shown}")
    for ending in one.endings:
        add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], f"class {ending}")


def _pair(before: str, name: str) -> str:
    return f"{before.replace('-', '').replace('_', '')}/{name.lower().replace('-', '').replace('_', '')}"


def _add_affixes(facts: Facts, one: Segment) -> None:
    """A layer's word inside a longer name counts beside a word for testing: OrderIntegrationTest."""
    words = one.words
    for place, word in enumerate(words):
        known = conventions.PLACES.get(word)
        if known is None or not known.affix or (place and words[place - 1] in _COMPOUNDS.get(word, ())):
            continue
        leads = word in _PLAIN and word != "unit" and words[max(0, place - 1)] in _TESTING
        if word == "e2e" or leads or not _TESTING.isdisjoint(words[place + 1 : place + 2]):
            votes = (Vote(known.layer, known.affix * _AMBIGUOUS_CLASS.get(one.core, 1.0)),)
            add(facts, f"place {word} affix", EvidenceKind.PATH, votes, f"named {word} test")
    if "end" in words and "end to end" in " ".join(words) and "encryption" not in words:
        known = conventions.PLACES["e2e"]
        votes = (Vote(known.layer, known.affix),)
        add(facts, "place e2e affix", EvidenceKind.PATH, votes, "named end to end test")


def _add_subjects(facts: Facts, words: Iterable[str]) -> None:
    found = {word: conventions.SUBJECTS[word] for word in words if word in conventions.SUBJECTS}
    strongest = sorted(found, key=lambda word: (-max(abs(vote.weight) for vote in found[word]), word))
    heard = {key.split()[1] for key in facts}
    for word in [word for word in strongest if word not in heard][:MOST_SUBJECTS]:
        add(facts, f"subject {word}", EvidenceKind.NAME, found[word], f"about “{word}”")
