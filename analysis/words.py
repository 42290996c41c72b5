"""The words of a name: how a path, a class or a title falls into words, and which of them mean something.

Knows spelling and vocabulary. What a word says where it stands is left to `paths`; what words weigh is in
`conventions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import NamedTuple

from analysis import conventions
from analysis.weights import words as word_set

TESTING = word_set("test tests testing spec specs suite suites case cases testcase testcases tester")
# Words that mean a layer wherever tests are kept; the others need a directory of tests above them.
PLAIN = word_set(
    "integration integ itest e2e endtoend acceptance functional unit unittest unittests utest atest uat "
    "smoke benchmark benchmarks bench benches cypress loadtest loadtests flake8 mypy codestyle codequality "
    "lint"
)
_JOINED = word_set("system ui component contract performance perf stress regression android api browser")
# Words that make another word of the one that follows: a file system, a numerical integration.
COMPOUNDS = {
    "system": word_set(
        "file operating coordinate design particle type unit module event build plugin entity sub"
    ),
    "integration": word_set("numerical time org organization"),
    "unit": word_set("j n x php cpp q py h o db ms"),
}
AFFIXES = frozenset(word for word, place in conventions.PLACES.items() if place.affix) | {"end"}
SUBJECTS = frozenset(conventions.SUBJECTS)
_STRENGTHS = {word: max(abs(vote.weight) for vote in votes) for word, votes in conventions.SUBJECTS.items()}
# How telling a subject is, the strongest first: of a name's subjects few are heard.
STRONGEST = sorted(SUBJECTS, key=lambda word: (-_STRENGTHS[word], word))

_LOCALE = re.compile(r"^[a-z]{2}_[A-Z]{2}$")  # it_IT is a language, not Maven's IT
_LEVEL = re.compile(r"L([0-3])(?:Tests?)?$")
_SPLIT = re.compile(r"[eE]2[eE]|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SPLIT_LINES = re.compile(rf"{_SPLIT.pattern}|\n")
split = _SPLIT.findall


class Segment(NamedTuple):
    """One directory, package or class: its words, and what is left without those for testing."""

    text: str
    words: tuple[str, ...]
    core: str
    has_test: bool
    endings: tuple[str, ...]
    is_hollow: bool


def _spellings(words: Iterable[str]) -> frozenset[str]:
    return frozenset(form for word in words for form in (word, word.capitalize(), word.upper()))


# `integrationtests` and `e2etest` show no border.
GLUED = {f"{word}{ending}": (word, ending) for word in PLAIN | _JOINED for ending in ("test", "tests")}
# Any of these words makes a name worth a second look; most names have none. Keys of several words begin with
# a known one, and capitals are what the endings *IT, *ITest and *L0 are read by.
KNOWN = _spellings(
    {
        *conventions.PLACES,
        *conventions.SUBJECTS,
        *GLUED,
        *["end", "code", "load", "acceptance", "android", "e2e"],
    }
) | {"IT", "I", "L"}
# Words that decide how a known one beside them is read.
_TELLING = KNOWN | _spellings(
    {
        *TESTING,
        *(word for words in COMPOUNDS.values() for word in words),
        *["to", "encryption", "style", "quality"],
        *(word for pair in conventions.PAIRS for word in split(pair)),
        "javascript",
    }
)
# Words that may be read by those beside them; all others are subjects at most, wherever they stand.
_BESIDE = _spellings({*AFFIXES, *GLUED, "e2e"}) | {"IT", "I", "L"}
_BESIDE_ALONE = _spellings({*GLUED, "e2e", "end"}) | {"IT", "I", "L"}
_TESTING_SPELT = _spellings(TESTING)
_RANKS = {form: rank for rank, word in enumerate(STRONGEST) for form in _spellings({word})}
_HOLLOW = _spellings(conventions.HOLLOW)
MOST_SUBJECTS = 2  # a long class name is about one thing, not about each of its words


def ranks(words: Iterable[str]) -> frozenset[int]:
    """Return the places of words among the subjects, the most telling first."""
    return frozenset(_RANKS[word] for word in words if word in _RANKS)


def strongest(ranks: Sequence[int], heard: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Return the first few of sorted ranks that were not heard."""
    if not heard.isdisjoint(ranks):
        ranks = [rank for rank in ranks if rank not in heard]
    return tuple(ranks[:MOST_SUBJECTS])


# --- one name


def segment(text: str) -> Segment:
    """Split a name into words, and see how its capitals end."""
    return segment_of(text, split(text.partition("(")[0] if "(" in text else text))


def segment_of(text: str, found: Sequence[str]) -> Segment:
    """See what the words found in a name are."""
    words = " ".join(found).lower().split()
    if not GLUED.keys().isdisjoint(words):
        words = [part for word in words for part in GLUED.get(word, (word,))]
    rest = [word for word in words if word not in TESTING]
    core, has_test = "".join(rest), len(rest) < len(words)
    return Segment(text, tuple(words), core, has_test, _endings(found, text), says_nothing(found))


def _endings(found: Sequence[str], text: str) -> tuple[str, ...]:
    level = _LEVEL.search(text.partition("(")[0]) if "L" in found else None
    last = found[-1] if found else ""
    if level is None and last not in ("IT", "Case", "Test") and "IT" not in found[:1]:
        return ()  # as with nearly all names
    if not found or _LOCALE.match(text):
        return ()
    ends = []
    if last == "IT" or found[0] == "IT" or found[-2:] == ["IT", "Case"]:
        ends.append("*IT")
    elif found[-2:] == ["I", "Test"]:
        ends.append("*ITest")
    if level:
        ends.append(f"*L{level[1]}")
    return tuple(ends)


def is_hollow(text: str) -> bool:
    """True when no word of a text says anything."""
    return says_nothing(split(text))


def says_nothing(found: Iterable[str]) -> bool:
    """True when no word says anything."""
    return not [word for word in found if word not in _HOLLOW and not word.isdigit()]


class Outline:
    """What all names of an outline have in common.

    `ranks` are the subjects of a name whose words say the same in any order; of any other, `order` says what stands
    beside what. A name that `is_own` is read by more than its outline shows.
    """

    __slots__ = ("is_hollow", "is_own", "is_silent", "order", "ranks")

    def __init__(self, name: str, outline: str) -> None:
        found = split(telling_part(name))
        self.is_own = "L" in found or "e2E" in found  # L0 and L1 differ by their digit
        self.is_silent = KNOWN.isdisjoint(found)
        self.is_hollow = _UNKNOWN not in outline and says_nothing(found)  # of a number, see has_long_number
        self.ranks: tuple[int, ...] | None = None
        self.order: tuple[str, ...] = ()
        if (
            self.is_own
            or _TELLING.issuperset(found)
            or not (_BESIDE.isdisjoint(found) or _stand_apart(found))
        ):
            self.order = tuple([word if word in _TELLING else "" for word in found])
        else:
            self.ranks = tuple(sorted({_RANKS[word] for word in found if word in _RANKS}))


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


# --- many names at once

# What stands for a word in an outline: nothing hollow is told from another, nor anything unknown. `known` words begin
# with a blank. Capitals stay where *IT, *ITest, *ITCase and *L0 are read by them.
_AS_SPELT = frozenset({"IT", "I", "L", "Test", "Case"})
_NUMBERS = frozenset(str(number) for number in range(1_000))
_OUTLINE = {
    **dict.fromkeys(_HOLLOW | _NUMBERS, "_"),
    **{
        word: (" " if word in KNOWN else ",") + (word if word in _AS_SPELT else word.lower())
        for word in _TELLING
    },
    "e2E": ",e2E",  # known beside other words alone
    "\n": "\n",
}
_UNKNOWN = "."
_LONG_NUMBER = re.compile(r"\d{4}")


def outlines(names: Sequence[str]) -> list[str]:
    """Return of each name what may mean something, words in order: names of one outline are read alike.

    Numbers of four digits and more look like unknown words in an outline; see `has_long_number`.
    """
    joined = "\n".join(names)
    if "(" in joined or "_IT" in joined or joined.count("\n") >= len(names):
        joined = "\n".join(map(telling_part, names))
    outline = "".join(map(_OUTLINE.get, _SPLIT_LINES.findall(joined), repeat(_UNKNOWN)))
    return outline.replace("...", ".").replace("..", ".").replace("..", ".").split("\n")


def telling_part(name: str) -> str:
    """Return the part of a name that its outline is made of."""
    part = name.lower() if len(name) < 7 and _LOCALE.match(name) else name.partition("(")[0]
    return part.replace("\n", " ")


def has_long_number(name: str) -> bool:
    """True for a name with a number that its outline takes for a word."""
    return _LONG_NUMBER.search(name) is not None
