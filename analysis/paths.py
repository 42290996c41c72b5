"""What the words of a path, a package, a class or a title say about a layer.

Knows where in a path a word counts as a layer and where it is a word of the product. Directories that say nothing
are taken together with what is above them; of a last name only its outline is looked at, and what such an outline
says below such a directory is read once. How names fall into words is in `words`, what words weigh in `conventions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache

from analysis import conventions, words
from analysis.votes import Fact, Facts, add, said
from analysis.weights import Vote
from analysis.weights import words as word_set
from analysis.words import AFFIXES, PLAIN, SUBJECTS, TESTING, Segment, segment, split
from projects.vocabulary import EvidenceKind

_ROOTS = word_set("test tests spec specs testing testsuite tst t src qa javatests tests_ __tests__")
_SUFFIXES = word_set(
    "py js jsx ts tsx mjs cjs php rb java kt go dart feature dll cs swift exs bats yml yaml sql phpt cc cpp "
    "rs scala robot groovy"
)
_TELLING_SUFFIXES = word_set("feature phpt bats")
_AMBIGUOUS_CLASS = {"unit": 0.25}  # UnitTest1 is what the template of Visual Studio is called
_DOTTED = tuple(key for key in conventions.ENDINGS if not key.startswith("*"))
_ENDINGS = re.compile(
    f"(?=({'|'.join(re.escape(one) + ('' if one.endswith('.') else '$') for one in _DOTTED)}))"
)
_DOTTED_PARTS = frozenset(key.strip(".") for key in _DOTTED)
_PAIR_STARTS = frozenset(pair.partition("/")[0] for pair in conventions.PAIRS)
_MEANT_BELOW = _ROOTS | _PAIR_STARTS | {"github"}  # directories that make something else of the next name
_BORDERS = str.maketrans(dict.fromkeys("\\.:", "/"))
_ABOUT = {
    word: said(f"subject {word}", EvidenceKind.NAME, votes, f"about “{word}”")
    for word, votes in conventions.SUBJECTS.items()
}


def layout_of(framework: str) -> str:
    """Return what a producer's paths are read by: those of most are read alike."""
    return framework if framework == "go" or f"app.tests {framework}" in conventions.SHAPES else ""


class Piece:
    """What one string says, and whether its words say nothing at all; the only one that says so."""

    __slots__ = ("facts", "is_hollow")

    def __init__(self, facts: tuple[Fact, ...], *, is_hollow: bool) -> None:
        self.facts = facts
        self.is_hollow = is_hollow


NOTHING = Piece((), is_hollow=False)

_SPEAKING = _MEANT_BELOW | AFFIXES | SUBJECTS | conventions.PLACES.keys() | words.GLUED.keys()


@lru_cache(maxsize=10_000)
def silent(name: str) -> bool | None:
    """Tell of a directory or package that says nothing, whatever is above, whether it is hollow; None if it speaks."""
    if name.islower() and name.isalpha() and name.isascii():  # one word: most are
        return None if name in _SPEAKING else words.is_hollow(name)
    one = segment(name)
    says = (
        one.core in conventions.PLACES
        or one.endings
        or name.lower().strip("_") in _MEANT_BELOW
        or not (AFFIXES.isdisjoint(one.words) and SUBJECTS.isdisjoint(one.words))
    )
    return None if says else one.is_hollow


class _Folder:
    """Where a path has come to, and what it says down to there; paths that say the same meet in one."""

    __slots__ = (
        "before",
        "below",
        "facts",
        "has_tests",
        "heard",
        "is_class",
        "is_hollow",
        "is_top",
        "named",
        "outlined",
        "piece",
        "silent",
        "words",
    )

    def __init__(self, above: _Folder | None = None, *, is_hollow: bool = True) -> None:
        self.before = ""  # the directory's name, where the next one is read by it
        self.words: tuple[str, ...] = ()
        self.below: dict[
            str | tuple[str, str], _Folder
        ] = {}  # a name that speaks is shown with the one before
        self.silent: dict[bool, _Folder] = {}
        self.facts: Facts = above.facts if above else {}
        self.heard: frozenset[int] = above.heard if above else frozenset()
        self.has_tests: bool = above is not None and above.has_tests  # a directory of tests is here or above
        self.is_hollow: bool = is_hollow and (above is None or above.is_hollow)
        self.is_class: bool = above is None or above.is_class  # what a last name below it is, not a package
        self.is_top = above is None
        self.piece = NOTHING  # for a last name that adds nothing
        self.named: dict[object, Piece] = {}  # last names by what they mean
        self.outlined: dict[object, Piece] = {}  # and by their outlines


class Paths:
    """Reads the paths of reports whose producers lay tests out alike; lives as long as a batch."""

    def __init__(self, layout: str) -> None:
        self._layout = f"app.tests {layout}"  # a layout in which tests lie inside a package of the product
        self._kept: dict[tuple[object, ...], Piece] = {}
        self._titles: dict[str, Piece] = {}
        self._named_by_kind: dict[tuple[object, ...], tuple[dict[object, Piece], dict[object, Piece]]] = {}
        self._roots = {border: _Folder() for border in ("/", "\\", "::", ".")}
        self.n_read = 0  # directories, outlines and meanings that are remembered
        for root in self._roots.values():
            root.is_class = layout != "go"
            root.named, root.outlined = self._named_below(root)
        self._folders = {border: {"": root} for border, root in self._roots.items()}

    def read(self, texts: Collection[str]) -> list[Piece]:
        """Read paths, packages, qualified classes and titles, each as it would be read alone."""
        titles = [text for text in texts if " " in text]
        if not titles:
            return self._read(texts)
        plain = [text for text in texts if " " not in text]
        read = dict(zip(plain, self._read(plain), strict=True)) if plain else {}
        read.update(zip(titles, self._read_titles(titles), strict=True))
        return [read[text] for text in texts]

    def _read(self, texts: Collection[str]) -> list[Piece]:
        folders, tails, endings = [], [], []
        places = self._folders
        for text in texts:
            border, head, tail, suffix = _parted(text)
            folders.append(places[border].get(head) or self._folder(head, border))
            tails.append(tail)
            endings.append(_dotted(text) if "." in tail or suffix in _TELLING_SUFFIXES else ())
        pieces = []
        for text, folder, tail, dotted, outline in zip(
            texts, folders, tails, endings, words.outlines(tails), strict=True
        ):
            piece = folder.outlined.get((outline, dotted) if dotted else outline)
            if piece is None or (folder.is_hollow and "." in outline and words.has_long_number(tail)):
                piece = self._tail(folder, tail, text, dotted, outline)
            pieces.append(piece)
        return pieces

    def _tail(self, folder: _Folder, tail: str, text: str, dotted: tuple[str, ...], outline: str) -> Piece:
        """Read a last name of a new outline; remember what holds for all names of that outline."""
        found = split(words.telling_part(tail))
        is_own = "L" in found or "e2E" in found  # read by more than their words: L0 and L1 by their digit
        if folder.is_hollow and words.says_nothing(found):
            piece, is_shown = self._named(folder, tail, text, found)
            is_own = is_own or is_shown or words.has_long_number(tail)
        elif not dotted and words.KNOWN.isdisjoint(found):
            piece = folder.piece
        else:
            key = (dotted, words.meaning(found, folder.heard))
            known = None if is_own else folder.named.get(key)
            if known is None:
                piece, is_shown = self._named(folder, tail, text, found)
                is_own = is_own or is_shown
                if not is_own:
                    folder.named[key] = piece
            else:
                piece = known
        if not is_own:
            folder.outlined[(outline, dotted) if dotted else outline] = piece
            self.n_read += 1
        return piece

    def _read_titles(self, titles: Sequence[str]) -> list[Piece]:
        """Read suites or classes that are sentences."""
        pieces = []
        for title, outline in zip(titles, words.outlines(titles), strict=True):
            piece = self._titles.get(outline)
            if piece is None or "(" in title or ("." in outline and words.has_long_number(title)):
                piece = self._title(title)
                if not ("(" in title or words.has_long_number(title)):
                    self._titles[outline] = piece
                    self.n_read += 1
            pieces.append(piece)
        return pieces

    def _title(self, text: str) -> Piece:
        """Read a sentence: a layer counts beside a word for testing."""
        facts: Facts = {}
        found = split(text)
        if not words.KNOWN.isdisjoint(found):
            _add_affixes(facts, segment(text))
        return self._one(facts, is_hollow=words.says_nothing(found))

    def _one(self, facts: Facts, *, is_hollow: bool) -> Piece:
        """Return the one piece that says so."""
        key = (is_hollow, *facts.values())
        piece = self._kept.get(key)
        if piece is None:
            piece = self._kept[key] = Piece(tuple(facts.values()), is_hollow=is_hollow)
        return piece

    # --- directories

    def _folder(self, head: str, border: str) -> _Folder:
        """Walk down the directories, and read those that are new."""
        folder, before = self._roots[border], ""
        for name in _directories(head):
            if name:
                below = folder.below.get(name) or folder.below.get((before, name))
                folder = below or self._below(folder, name, before, border)
                before = name
        self._folders[border][head] = folder
        return folder

    def _below(self, above: _Folder, name: str, before: str, border: str) -> _Folder:
        self.n_read += 1
        is_hollow = silent(name)
        if is_hollow is not None and above.before not in _PAIR_STARTS and before != "github":
            folder = above.below[name] = self._silent_below(above, is_hollow=is_hollow and above.is_hollow)
            return folder
        one = segment(name)
        folder = above.below[before, name] = _Folder(above, is_hollow=one.is_hollow)
        folder.before = name.lower().strip("_")
        folder.words = one.words
        folder.is_class = above.is_class and not (before == "github" and name == "com" and border == "/")
        facts: Facts = {}
        _add_segment(
            facts,
            one,
            above=above.before,
            shown=lambda: _joined(before, border, name),
            is_rooted=above.before in _ROOTS or one.has_test or (above.is_top and one.core in PLAIN),
        )
        folder.has_tests = above.has_tests or name in ("tests", "test")
        if (
            folder.has_tests
            and not above.has_tests
            and not above.is_top
            and self._layout in conventions.SHAPES
        ):
            votes, shown = conventions.SHAPES[self._layout], f"tests inside the package {before}"
            add(facts, f"shape {self._layout}", EvidenceKind.PATH, votes, shown)
        if facts:
            folder.facts = {**facts, **above.facts}
            folder.heard = words.ranks(fact.subject for fact in folder.facts.values())
        about = dict(folder.facts)
        _add_subjects(about, one.words)
        folder.piece = self._one(about, is_hollow=False)
        folder.named, folder.outlined = self._named_below(folder)
        return folder

    def _silent_below(self, above: _Folder, *, is_hollow: bool) -> _Folder:
        """Return what all directories share that say no more than the one above them."""
        folder = above.silent.get(is_hollow)
        if folder is None:
            folder = above.silent[is_hollow] = _Folder(above, is_hollow=is_hollow)
            folder.silent[is_hollow] = folder
            folder.piece = self._one(folder.facts, is_hollow=False)
            folder.named, folder.outlined = self._named_below(folder)
        return folder

    def _named_below(self, folder: _Folder) -> tuple[dict[object, Piece], dict[object, Piece]]:
        """Return the last names read below directories that say the same to them."""
        says = self._one(folder.facts, is_hollow=False)
        before = folder.before if folder.before in _ROOTS or folder.before in _PAIR_STARTS else ""
        subjects = tuple([word for word in folder.words if word in SUBJECTS])
        kind = (says, before, subjects, folder.is_top, folder.is_class, folder.is_hollow)
        return self._named_by_kind.setdefault(kind, ({}, {}))

    def _named(self, folder: _Folder, tail: str, text: str, found: Sequence[str]) -> tuple[Piece, bool]:
        """Read a last name; also say whether it is shown itself, so that this holds for no other name."""
        one = words.segment_of(tail, found)
        facts = dict(folder.facts)
        for ending in _dotted(text):
            shown = f"file *{ending}*" if ending.endswith(".") else f"file *{ending}"
            add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], shown)
        is_plain = one.core in PLAIN and (folder.is_top or not folder.is_class)
        is_shown = _add_segment(
            facts,
            one,
            above=folder.before,
            shown=lambda: _shown(text, one.text),
            is_rooted=folder.before in _ROOTS or is_plain or (one.has_test and not folder.is_class),
            is_class=folder.is_class,
        )
        _add_subjects(facts, (*folder.words, *one.words) if folder.words else one.words)
        return self._one(facts, is_hollow=folder.is_hollow and one.is_hollow), is_shown


def _parted(text: str) -> tuple[str, str, str, str]:
    """Part a path into its border, the directories, the last name and a file's suffix."""
    border = "/" if "/" in text else "\\" if "\\" in text else "::" if "::" in text else "."
    head, _, tail = text.rpartition(border)
    if border == ".":
        if head and len(tail) < 8 and tail.lower() in _SUFFIXES:
            return border, *head.rpartition(".")[::2], tail
        return border, head, tail, tail
    if "." not in tail:
        return border, head, tail, ""
    stem, _, suffix = tail.rpartition(".")
    return border, head, stem if stem and suffix.lower() in _SUFFIXES else tail, suffix


def _shown(text: str, tail: str) -> str:
    """Return the last name of a path as evidence shows it, behind the directory it is in."""
    border, head, _, _ = _parted(text)
    names = [name for name in _directories(head) if name]
    return _joined(names[-1] if names else "", border, tail)


def _joined(before: str, border: str, name: str) -> str:
    before = before.lower().strip("_")
    return f"path {before}{border}{name}" if before else f"path {name}"


def _directories(head: str) -> list[str]:
    """Split what is before a last name at every kind of border; parts may be empty."""
    return head.removeprefix("file://").translate(_BORDERS).split("/")


def _dotted(text: str) -> tuple[str, ...]:
    """Return the endings of a file's name to which a tool gives a meaning."""
    if text.rpartition(".")[2].lower() not in _SUFFIXES:
        return ()
    name = text.lower().rpartition("/")[2]
    if _DOTTED_PARTS.isdisjoint(name.split(".")) or name.endswith(".dll"):
        return ()
    return tuple(dict.fromkeys(_ENDINGS.findall(name)))


def _add_segment(
    facts: Facts,
    one: Segment,
    *,
    above: str,
    shown: Callable[[], str],
    is_rooted: bool,
    is_class: bool = False,
) -> bool:
    """Read one name below another; return whether the evidence shows it."""
    is_shown = False
    if above in _PAIR_STARTS:
        pair = f"{above}/{one.text.lower().replace('-', '').replace('_', '')}"
        if pair in conventions.PAIRS:
            is_shown = True
            add(facts, f"pair {pair}", EvidenceKind.PATH, conventions.PAIRS[pair], shown())
    place = conventions.PLACES.get(one.core)
    if place is None or (is_class and one.has_test):
        _add_affixes(facts, one)
    else:
        is_shown = True
        mode, weight = ("rooted", place.rooted) if is_rooted else ("bare", place.bare)
        add(facts, f"place {one.core} {mode}", EvidenceKind.PATH, (Vote(place.layer, weight),), shown())
    for ending in one.endings:
        add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], f"class {ending}")
    return is_shown


def _add_affixes(facts: Facts, one: Segment) -> None:
    """A layer's word inside a longer name counts beside a word for testing: OrderIntegrationTest."""
    found = one.words
    if AFFIXES.isdisjoint(found):
        return
    for place, word in enumerate(found):
        known = conventions.PLACES.get(word)
        if known is None or not known.affix or (place and found[place - 1] in words.COMPOUNDS.get(word, ())):
            continue
        leads = word in PLAIN and word != "unit" and found[max(0, place - 1)] in TESTING
        if word == "e2e" or leads or not TESTING.isdisjoint(found[place + 1 : place + 2]):
            votes = (Vote(known.layer, known.affix * _AMBIGUOUS_CLASS.get(one.core, 1.0)),)
            add(facts, f"place {word} affix", EvidenceKind.PATH, votes, f"named {word} test")
    if "end" in found and "end to end" in " ".join(found) and "encryption" not in found:
        known = conventions.PLACES["e2e"]
        votes = (Vote(known.layer, known.affix),)
        add(facts, "place e2e affix", EvidenceKind.PATH, votes, "named end to end test")


def _add_subjects(facts: Facts, found: Iterable[str]) -> None:
    subjects = SUBJECTS.intersection(found)
    if not subjects:
        return
    heard = {fact.subject for fact in facts.values()}
    for word in words.by_strength(subjects - heard)[: words.MOST_SUBJECTS]:
        for fact in _ABOUT[word]:
            facts.setdefault(fact.key, fact)
