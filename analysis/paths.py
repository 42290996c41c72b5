"""What the words of a path, a package, a class or a title say about a layer.

Knows where in a path a word counts as a layer and where it is a word of the product. Directories are read once
each, as a tree; of a last name only the words that mean something are looked at, and what such words say below
such a directory is read once. What words weigh is in `conventions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
_ENDINGS = re.compile(
    f"(?=({'|'.join(re.escape(one) + ('' if one.endswith('.') else '$') for one in _DOTTED)}))"
)
_PAIR_STARTS = frozenset(pair.partition("/")[0] for pair in conventions.PAIRS)
_MEANT_BELOW = _ROOTS | _PAIR_STARTS  # directories that make something else of the next name
_AFFIXES = frozenset(word for word, place in conventions.PLACES.items() if place.affix) | {"end"}

_SPLIT = re.compile(r"[eE]2[eE]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_BORDERS = re.compile(r"[/\\.:]+")
_LEVEL = re.compile(r"L([0-3])(?:Tests?)?$")
_SUBJECTS = frozenset(conventions.SUBJECTS)
_STRENGTHS = {word: max(abs(vote.weight) for vote in votes) for word, votes in conventions.SUBJECTS.items()}
MOST_SUBJECTS = 2  # a long class name is about one thing, not about each of its words


class Segment(NamedTuple):
    """One directory, package or class: its words, and what is left without those for testing."""

    text: str
    words: tuple[str, ...]
    core: str
    has_test: bool
    endings: tuple[str, ...]
    is_hollow: bool


class Piece(NamedTuple):
    """What one string says, and whether its words say nothing at all."""

    facts: tuple[tuple[str, Evidence], ...]
    is_hollow: bool


NOTHING = Piece((), is_hollow=False)


def _spellings(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in (word, word.capitalize(), word.upper()))


# `integrationtests` and `e2etest` show no border.
_GLUED = {f"{word}{ending}": (word, ending) for word in _PLAIN | _JOINED for ending in ("test", "tests")}
# Any of these words makes a name worth a second look; most names have none. Keys of several words begin with
# a known one, and capitals are what the endings *IT, *ITest and *L0 are read by.
_KNOWN = _spellings(
    {
        *conventions.PLACES,
        *conventions.SUBJECTS,
        *_GLUED,
        *["end", "code", "load", "acceptance", "android", "e2e"],
    }
) | {"IT", "I", "L"}
# Words that decide how a known one beside them is read.
_TELLING = _KNOWN | _spellings(
    {
        *_TESTING,
        *(word for words in _COMPOUNDS.values() for word in words),
        *["to", "encryption", "style", "quality"],
        *(word for pair in conventions.PAIRS for word in _SPLIT.findall(pair)),
        "javascript",
    }
)
# Words that may be read by those beside them; all others are subjects at most, wherever they stand.
_BESIDE = _spellings({*_AFFIXES, *_GLUED, "e2e"}) | {"IT", "I", "L"}
_BESIDE_ALONE = _spellings({*_GLUED, "e2e", "end"}) | {"IT", "I", "L"}
_TESTING_SPELT = _spellings(_TESTING)
# How telling a subject is, the strongest first: of a name's subjects few are heard.
_RANKS = {
    form: rank
    for rank, word in enumerate(sorted(_SUBJECTS, key=lambda word: (-_STRENGTHS[word], word)))
    for form in (word, word.capitalize(), word.upper())
}
_HOLLOW = _spellings(conventions.HOLLOW)


@lru_cache(maxsize=10_000)
def directory(name: str) -> tuple[Segment, bool]:
    """Read a directory or package; the second is true when it says nothing, whatever is above: most do not."""
    one = segment(name)
    says = (
        one.core in conventions.PLACES
        or one.endings
        or name.lower().strip("_") in _MEANT_BELOW
        or not (_AFFIXES.isdisjoint(one.words) and _SUBJECTS.isdisjoint(one.words))
    )
    return one, not says


def segment(text: str) -> Segment:
    """Split a name into words, and see how its capitals end."""
    found = _SPLIT.findall(text.partition("(")[0] if "(" in text else text)
    words = " ".join(found).lower().split()
    if not _GLUED.keys().isdisjoint(words):
        words = [part for word in words for part in _GLUED.get(word, (word,))]
    rest = [word for word in words if word not in _TESTING]
    core, has_test = "".join(rest), len(rest) < len(words)
    return Segment(text, tuple(words), core, has_test, _endings(found, text), _says_nothing(found))


def _endings(found: Sequence[str], text: str) -> tuple[str, ...]:
    if not found or _LOCALE.match(text):
        return ()
    ends = []
    if found[-1] == "IT" or found[0] == "IT" or (found[-1] == "Case" and "ITCase" in text):
        ends.append("*IT")
    elif found[-2:] == ["I", "Test"]:
        ends.append("*ITest")
    match = _LEVEL.search(text) if "L" in text else None
    if match:
        ends.append(f"*L{match[1]}")
    return tuple(ends)


def is_hollow(text: str) -> bool:
    """True when no word of a text says anything."""
    return _says_nothing(_SPLIT.findall(text))


def _says_nothing(found: Sequence[str]) -> bool:
    return _HOLLOW.issuperset(found) or all(word in _HOLLOW or word.isdigit() for word in found)


Meaning = tuple[tuple[str, ...], tuple[str | int, ...]]  # what is looked at of a last name
Named = dict[Meaning, Piece]


def _meaning(found: Sequence[str], heard: frozenset[int]) -> tuple[str | int, ...]:
    """Return what of a name's words counts: the strongest subjects, or the order of words that are read together."""
    if _TELLING.issuperset(found) or not (_BESIDE.isdisjoint(found) or _stand_apart(found)):
        return tuple([word if word in _TELLING else "" for word in found])
    return tuple(sorted({_RANKS[word] for word in found if word in _RANKS} - heard)[:MOST_SUBJECTS])


def _stand_apart(found: Sequence[str]) -> bool:
    """True when no word for a layer stands beside one for testing."""
    if not _BESIDE_ALONE.isdisjoint(found):
        return False
    before = ""
    for word in found:
        if (word in _TESTING_SPELT and before in _BESIDE) or (word in _BESIDE and before in _TESTING_SPELT):
            return False
        before = word
    return True


class _Folder:
    """A directory below others, and what they say together."""

    __slots__ = (
        "before",
        "below",
        "facts",
        "has_tests",
        "heard",
        "is_class",
        "is_hollow",
        "name",
        "named",
        "piece",
        "silent",
        "words",
    )

    def __init__(self, name: str, one: Segment | None = None, above: _Folder | None = None) -> None:
        self.name = name
        self.before = name.lower().strip("_")
        self.words = one.words if one else ()
        self.below: dict[str, _Folder] = {}
        self.facts: Facts = above.facts if above else {}
        self.heard: frozenset[int] = above.heard if above else frozenset()
        self.has_tests: bool = above is not None and above.has_tests  # a directory of tests is here or above
        self.is_hollow: bool = (above is None or above.is_hollow) and (one is None or one.is_hollow)
        self.is_class = True  # what a last name below it is, not a package
        self.piece = NOTHING  # for a last name that adds nothing
        self.named: Named = {}  # for last names that differ in words without meaning alone
        self.silent: dict[bool, tuple[Piece, Named]] = {}  # for directories below that say no more

    def say(self, facts: Facts) -> None:
        """Keep what is said down to here."""
        self.facts = facts
        self.heard = frozenset(_RANKS[word] for key in facts if (word := key.split()[1]) in _RANKS)


class Paths:
    """Reads the paths of one producer's reports; lives as long as a batch."""

    def __init__(self, framework: str) -> None:
        self._layout = f"app.tests {framework}"  # a layout in which tests lie inside a package of the product
        self._kept: dict[Piece, Piece] = {}
        self._named_by_kind: dict[tuple[object, ...], Named] = {}
        self._roots = {border: _Folder("") for border in ("/", "\\", "::", ".")}
        self._folders = {border: {"": root} for border, root in self._roots.items()}
        for root in self._roots.values():
            root.is_class = framework != "go"
            root.named = self._named_below(root)

    def read(self, text: str) -> Piece:
        """Read a path, a package or a qualified class."""
        border, head, tail, suffix = _parted(text)
        endings: tuple[str, ...] = ()
        if suffix in _TELLING_SUFFIXES or "." in tail:
            endings = tuple(_ENDINGS.findall(text.lower().rpartition("/")[2]))
        folder = self._folders[border].get(head)
        if folder is None:
            folder = self._folders[border][head] = self._folder(head, border)
        found = _SPLIT.findall(tail.partition("(")[0] if "(" in tail else tail)
        if folder.is_hollow and _says_nothing(found):
            return self._named(folder, tail, text, border)[0]
        if not endings and _KNOWN.isdisjoint(found):
            return folder.piece
        if "L" in found:  # L0 and L1 are read by their digit, which is no word
            return self._named(folder, tail, text, border)[0]
        meaning = (endings, _meaning(found, folder.heard))
        piece = folder.named.get(meaning)
        if piece is None:
            piece, is_shown = self._named(folder, tail, text, border)
            if not is_shown:
                folder.named[meaning] = piece
        return piece

    def title(self, text: str) -> Piece:
        """Read a suite or class that is a sentence: a layer counts beside a word for testing."""
        facts: Facts = {}
        found = _SPLIT.findall(text)
        if not _KNOWN.isdisjoint(found):
            _add_affixes(facts, segment(text))
        return self._one(facts, is_hollow=_says_nothing(found))

    def _one(self, facts: Facts, *, is_hollow: bool) -> Piece:
        """Return the one piece that says so: its id stands for what it says."""
        piece = Piece(tuple(facts.items()), is_hollow)
        return self._kept.setdefault(piece, piece)

    def _folder(self, head: str, border: str) -> _Folder:
        """Walk down the tree of directories, and read those that are new."""
        folder = self._roots[border]
        for name in _BORDERS.split(head.removeprefix("file://")):
            if name:
                below = folder.below.get(name)
                if below is None:
                    below = folder.below[name] = self._below(folder, name, border)
                folder = below
        return folder

    def _below(self, above: _Folder, name: str, border: str) -> _Folder:
        (one, is_silent), is_top = directory(name), not above.name
        folder = _Folder(name, one, above)
        folder.is_class = above.is_class and not (above.name == "github" and name == "com" and border == "/")
        if (
            is_silent
            and not is_top
            and above.before not in _PAIR_STARTS
            and folder.is_class is above.is_class
        ):
            folder.piece, folder.named = self._silent_below(above, folder)
            return folder
        is_rooted = above.before in _ROOTS or one.has_test or (is_top and one.core in _PLAIN)
        facts: Facts = {}
        _add_segment(facts, one, before=above.before, is_rooted=is_rooted, border=border)
        folder.has_tests = above.has_tests or name in ("tests", "test")
        if folder.has_tests and not above.has_tests and not is_top and self._layout in conventions.SHAPES:
            votes, words = conventions.SHAPES[self._layout], f"tests inside the package {above.name}"
            add(facts, f"shape {self._layout}", EvidenceKind.PATH, votes, words)
        if facts:
            folder.say({**facts, **above.facts})
        about = dict(folder.facts)
        _add_subjects(about, one.words)
        folder.piece = self._one(about, is_hollow=False)
        folder.named = self._named_below(folder)
        return folder

    def _silent_below(self, above: _Folder, folder: _Folder) -> tuple[Piece, Named]:
        """Return what all directories share that say no more than the one above them."""
        shared = above.silent.get(folder.is_hollow)
        if shared is None:
            piece = self._one(folder.facts, is_hollow=False)
            shared = above.silent[folder.is_hollow] = piece, self._named_below(folder)
        return shared

    def _named_below(self, folder: _Folder) -> Named:
        """Return the last names read below directories that say the same to them."""
        says = id(self._one(folder.facts, is_hollow=False))
        before = folder.before if folder.before in _ROOTS or folder.before in _PAIR_STARTS else ""
        subjects = tuple([word for word in folder.words if word in conventions.SUBJECTS])
        kind = (says, before, subjects, not folder.name, folder.is_class, folder.is_hollow)
        return self._named_by_kind.setdefault(kind, {})

    def _named(self, folder: _Folder, tail: str, text: str, border: str) -> tuple[Piece, bool]:
        """Read a last name; also say whether it is shown itself, so that this holds for no other name."""
        one = segment(tail)
        facts = dict(folder.facts)
        is_class = folder.is_class
        is_plain = one.core in _PLAIN and (not folder.name or not is_class)
        is_rooted = folder.before in _ROOTS or is_plain or (one.has_test and not is_class)
        _add_dotted(facts, text)
        is_shown = _add_segment(
            facts, one, before=folder.before, is_rooted=is_rooted, border=border, is_class=is_class
        )
        _add_subjects(facts, (*folder.words, *one.words))
        return self._one(facts, is_hollow=folder.is_hollow and one.is_hollow), is_shown


def _parted(text: str) -> tuple[str, str, str, str]:
    """Part a path into its border, the directories, the last name and a file's suffix."""
    border = "/" if "/" in text else "\\" if "\\" in text else "::" if "::" in text else "."
    head, _, tail = text.rpartition(border)
    if border == ".":
        if head and tail.lower() in _SUFFIXES:
            return border, *head.rpartition(".")[::2], tail
        return border, head, tail, tail
    if "." not in tail:
        return border, head, tail, ""
    stem, _, suffix = tail.rpartition(".")
    return border, head, stem if stem and suffix.lower() in _SUFFIXES else tail, suffix


def _add_dotted(facts: Facts, text: str) -> None:
    name = text.lower().rpartition("/")[2]
    if name.rpartition(".")[2] not in _SUFFIXES or name.endswith(".dll"):
        return
    for ending in dict.fromkeys(_ENDINGS.findall(name)):
        shown = f"file *{ending}*" if ending.endswith(".") else f"file *{ending}"
        add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], shown)


def _add_segment(
    facts: Facts, one: Segment, *, before: str, is_rooted: bool, border: str, is_class: bool = False
) -> bool:
    """Read one name below another; return whether the evidence shows it."""
    is_shown = False
    shown = f"{before}{border}{one.text}" if before else one.text
    pair = f"{before}/{one.text.lower().replace('-', '').replace('_', '')}" if before in _PAIR_STARTS else ""
    if pair in conventions.PAIRS:
        is_shown = True
        add(facts, f"pair {pair}", EvidenceKind.PATH, conventions.PAIRS[pair], f"path {shown}")
    place = conventions.PLACES.get(one.core)
    if place is None or (is_class and one.has_test):
        _add_affixes(facts, one)
    else:
        is_shown = True
        mode, weight = ("rooted", place.rooted) if is_rooted else ("bare", place.bare)
        votes = (Vote(place.layer, weight),)
        add(facts, f"place {one.core} {mode}", EvidenceKind.PATH, votes, f"path {shown}")
    for ending in one.endings:
        add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], f"class {ending}")
    return is_shown


def _add_affixes(facts: Facts, one: Segment) -> None:
    """A layer's word inside a longer name counts beside a word for testing: OrderIntegrationTest."""
    words = one.words
    if _AFFIXES.isdisjoint(words):
        return
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
    found = _SUBJECTS.intersection(words)
    if not found:
        return
    heard = {key.split()[1] for key in facts}
    for word in sorted(found - heard, key=_strongest_first)[:MOST_SUBJECTS]:
        add(facts, f"subject {word}", EvidenceKind.NAME, conventions.SUBJECTS[word], f"about “{word}”")


def _strongest_first(word: str) -> tuple[float, str]:
    return -_STRENGTHS[word], word
