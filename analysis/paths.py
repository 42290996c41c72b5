"""What the words of a path, a package, a class or a title say about a layer.

Knows where in a path a word counts as a layer and where it is a word of the product. Directories that say nothing
are taken together with what is above them; of a last name only its outline is looked at, and what such an outline
says below such a directory is read once. How names fall into words is in `words`, what words weigh in `conventions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, repeat

from analysis import conventions, spelling, words
from analysis.votes import Fact, Facts, add, said
from analysis.weights import Vote
from analysis.weights import words as word_set
from analysis.words import AFFIXES, PLAIN, SUBJECTS, TESTING, Segment, segment, split
from projects.vocabulary import EvidenceKind

_ROOTS = word_set("test tests spec specs testing testsuite tst t src qa javatests tests_ __tests__")
_AMBIGUOUS_CLASS = {"unit": 0.25}  # UnitTest1 is what the template of Visual Studio is called
_MEANT_BELOW = (
    _ROOTS | spelling.PAIR_STARTS | {"github"}
)  # directories that make something else of the next name
_ABOUT = [  # by the rank of the subject
    said(f"subject {word}", EvidenceKind.NAME, conventions.SUBJECTS[word], f"about “{word}”")
    for word in words.STRONGEST
]


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
def directory(name: str) -> Segment | bool:
    """Read a directory or package; of one that says nothing, whatever is above, return whether it is hollow."""
    if name.islower() and name.isalpha() and name.isascii():  # one word: most are
        return segment(name) if name in _SPEAKING else words.is_hollow(name)
    one = segment(name)
    says = (
        one.core in conventions.PLACES
        or one.endings
        or name.lower().strip("_") in _MEANT_BELOW
        or not (AFFIXES.isdisjoint(one.words) and SUBJECTS.isdisjoint(one.words))
    )
    return one if says else one.is_hollow


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
        "ranks",
        "says",
        "silent",
        "words",
    )

    def __init__(self, above: _Folder | None = None, *, is_hollow: bool = True) -> None:
        self.before = ""  # the directory's name, where the next one is read by it
        self.words: tuple[str, ...] = ()
        self.ranks: tuple[int, ...] = ()  # of its words that are subjects no fact is about
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
        self.says: Piece = above.says if above else NOTHING
        self.named: dict[object, Piece] = {}  # last names by what they mean
        self.outlined: dict[object, Piece] = {}  # and by their outlines


class Paths:
    """Reads the paths of reports whose producers lay tests out alike; lives as long as a batch."""

    def __init__(self, layout: str) -> None:
        self._layout = f"app.tests {layout}"  # a layout in which tests lie inside a package of the product
        self._kept: dict[tuple[bool, *tuple[Fact, ...]], Piece] = {}
        self._titles: dict[str, Piece] = {}
        self._outlines: dict[str, words.Outline] = {}
        self._named_by_kind: dict[tuple[object, ...], tuple[dict[object, Piece], dict[object, Piece]]] = {}
        self._roots = {border: _Folder() for border in ("/", "\\", "::", ".")}
        self.n_read = 0  # directories, outlines and meanings that are remembered
        for root in self._roots.values():
            root.is_class = layout != "go"
            root.named, root.outlined = self._named_below(root)
        self._folders = {border: {"": root} for border, root in self._roots.items()}

    def read(self, texts: Iterable[str]) -> dict[str, Piece]:
        """Read paths, packages, qualified classes and titles, each as it would be read alone."""
        titles: list[str] = []
        paths: dict[str, list[str]] = {"/": [], "\\": [], "::": [], ".": []}
        slashed, dotted = paths["/"].append, paths["."].append
        for text in texts:
            if " " in text:
                titles.append(text)
            elif "/" in text:
                slashed(text)
            elif ":" in text or "\\" in text:
                paths[spelling.parted(text)[0]].append(text)
            else:
                dotted(text)
        read = dict(zip(titles, self._read_titles(titles), strict=True)) if titles else {}
        for border, found in paths.items():
            if found:
                pieces = self._classes(found) if border == "." else self._files(found)
                read.update(zip(found, pieces, strict=True))
        return read

    def _classes(self, texts: Sequence[str]) -> list[Piece]:
        """Read packages and qualified classes, or words alone, many at once."""
        heads, _, tails = zip(*map(str.rpartition, texts, repeat(".")), strict=True)
        if not spelling.SUFFIXES.isdisjoint("\n".join(tails).lower().split("\n")):  # files in no directory
            return self._files(texts)
        return self._tails(".", texts, heads, tails, ())

    def _files(self, texts: Sequence[str]) -> list[Piece]:
        """Read paths with the same border between their names."""
        borders, heads, tails, suffixes = zip(*map(spelling.parted, texts), strict=True)
        endings = [
            spelling.dotted(text) if "." in tail or suffix in spelling.TELLING_SUFFIXES else ()
            for text, tail, suffix in zip(texts, tails, suffixes, strict=True)
        ]
        return self._tails(borders[0], texts, heads, tails, endings if any(endings) else ())

    def _tails(
        self,
        border: str,
        texts: Sequence[str],
        heads: Sequence[str],
        tails: Sequence[str],
        endings: Sequence[tuple[str, ...]],
    ) -> list[Piece]:
        """Read last names below their directories."""
        met = list(map(self._folders[border].get, heads))
        folders = [folder or self._folder(head, border) for folder, head in zip(met, heads, strict=True)]
        outlines = words.outlines(tails)
        keys: Sequence[object] = outlines
        if endings:
            keys = [key if key[1] else key[0] for key in zip(outlines, endings, strict=True)]
        pieces = list(map(dict.get, [folder.outlined for folder in folders], keys))
        for place in _unsettled(pieces, folders, outlines, tails):
            pieces[place] = self._tail(
                folders[place],
                tails[place],
                texts[place],
                endings[place] if endings else (),
                outlines[place],
            )
        return pieces  # type: ignore[return-value]

    def _tail(self, folder: _Folder, tail: str, text: str, dotted: tuple[str, ...], outline: str) -> Piece:
        """Read a last name of an outline that is new below such a folder; remember what holds for all of that outline."""
        one = self._outlines.get(outline)
        if one is None:
            one = self._outlines[outline] = words.Outline(tail, outline)
            self.n_read += 1
        is_own = one.is_own
        if folder.is_hollow and (
            one.is_hollow or ("." in outline and words.is_hollow(words.telling_part(tail)))
        ):
            piece, is_shown = self._named(folder, tail, text)
            is_own = is_own or is_shown or not one.is_hollow
        elif one.is_silent and not dotted:
            piece = self._about(folder, ())
        elif one.ranks is not None and not dotted:
            piece = self._about(folder, one.ranks)
        else:
            key = (dotted, one.ranks and words.strongest(one.ranks, folder.heard), one.order)
            known = None if is_own else folder.named.get(key)
            if known is None:
                piece, is_shown = self._named(folder, tail, text)
                is_own = is_own or is_shown
                if not is_own:
                    folder.named[key] = piece
            else:
                piece = known
        if not is_own:
            folder.outlined[(outline, dotted) if dotted else outline] = piece
            self.n_read += 1
        return piece

    def _about(self, folder: _Folder, ranks: tuple[int, ...]) -> Piece:
        """Return what a last name says that has subjects and nothing else to say."""
        ranks = words.strongest(ranks, folder.heard)
        piece = folder.named.get(ranks)
        if piece is None:
            top = words.strongest(sorted({*ranks, *folder.ranks})) if folder.ranks else ranks
            facts = chain(folder.facts.values(), *[_ABOUT[rank] for rank in top])
            piece = folder.named[ranks] = self._of((False, *facts))
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
        return self._of((is_hollow, *facts.values()))

    def _of(self, says: tuple[bool, *tuple[Fact, ...]]) -> Piece:
        """Return the one piece that is hollow or not and says these facts."""
        piece = self._kept.get(says)
        if piece is None:
            piece = self._kept[says] = Piece(says[1:], is_hollow=says[0])
        return piece

    # --- directories

    def _folder(self, head: str, border: str) -> _Folder:
        """Walk down the directories, and read those that are new."""
        folder, before = self._roots[border], ""
        for name in spelling.directories(head):
            if name:
                below = folder.below.get(name) or folder.below.get((before, name))
                folder = below or self._below(folder, name, before, border)
                before = name
        self._folders[border][head] = folder
        return folder

    def _below(self, above: _Folder, name: str, before: str, border: str) -> _Folder:
        self.n_read += 1
        one = directory(name)
        if isinstance(one, bool):
            if before != "github" and spelling.pair(above.before, name) not in conventions.PAIRS:
                folder = above.below[name] = self._silent_below(above, is_hollow=one and above.is_hollow)
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
            shown=lambda: spelling.joined(before, border, name),
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
            folder.says = self._one(folder.facts, is_hollow=False)
            folder.heard = words.ranks(fact.subject for fact in folder.facts.values())
        folder.ranks = tuple(sorted(words.ranks(folder.words) - folder.heard))
        folder.named, folder.outlined = self._named_below(folder)
        return folder

    def _silent_below(self, above: _Folder, *, is_hollow: bool) -> _Folder:
        """Return what all directories share that say no more than the one above them."""
        folder = above.silent.get(is_hollow)
        if folder is None:
            folder = above.silent[is_hollow] = _Folder(above, is_hollow=is_hollow)
            folder.silent[is_hollow] = folder
            folder.named, folder.outlined = self._named_below(folder)
        return folder

    def _named_below(self, folder: _Folder) -> tuple[dict[object, Piece], dict[object, Piece]]:
        """Return the last names read below directories that say the same to them."""
        before = folder.before if folder.before in _ROOTS or folder.before in spelling.PAIR_STARTS else ""
        kind = (folder.says, before, folder.ranks, folder.is_top, folder.is_class, folder.is_hollow)
        return self._named_by_kind.setdefault(kind, ({}, {}))

    def _named(self, folder: _Folder, tail: str, text: str) -> tuple[Piece, bool]:
        """Read a last name; also say whether it is shown itself, so that this holds for no other name."""
        one = words.segment_of(tail, split(words.telling_part(tail)))
        facts = dict(folder.facts)
        for ending in spelling.dotted(text):
            shown = f"file *{ending}*" if ending.endswith(".") else f"file *{ending}"
            add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], shown)
        is_plain = one.core in PLAIN and (folder.is_top or not folder.is_class)
        is_shown = _add_segment(
            facts,
            one,
            above=folder.before,
            shown=lambda: spelling.shown(text, one.text),
            is_rooted=folder.before in _ROOTS or is_plain or (one.has_test and not folder.is_class),
            is_class=folder.is_class,
        )
        _add_subjects(facts, (*folder.words, *one.words) if folder.words else one.words)
        return self._one(facts, is_hollow=folder.is_hollow and one.is_hollow), is_shown


def _unsettled(
    pieces: Sequence[Piece | None], folders: Sequence[_Folder], outlines: Sequence[str], tails: Sequence[str]
) -> Iterator[int]:
    """Yield the places of last names that are new, or read by more than their outline."""
    for place, piece in enumerate(pieces):
        if piece is None or (
            folders[place].is_hollow and "." in outlines[place] and words.has_long_number(tails[place])
        ):
            yield place


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
    pair = spelling.pair(above, one.text)
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
    for rank in words.strongest(sorted(words.ranks(subjects - heard))):
        for fact in _ABOUT[rank]:
            facts.setdefault(fact.key, fact)
