"""What a report says of a test's layer beyond its path: the producer, the test's own name, its markers.

Knows the signs by which producers are told apart and the forms of names. Paths and titles are read by
`paths`; weights are in `conventions` and `producers`; adding up is left to `layers`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from analysis import conventions, producers
from analysis.votes import Facts, add
from analysis.words import is_hollow as says_nothing
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


# --- who wrote the report

_FINDING = re.compile(r"\.(?P<suffix>\w{1,5}):\d+(?::\d+)?$")
_MANIFEST = re.compile(r"^\w+@(?:[\w.-]+/)?v\d\w*$")
_KARMA = re.compile(
    r"^(?:Chrome|Headless ?Chrome|ChromeHeadless|Firefox|PhantomJS|Safari|Edge|jsdom)\b[^.]*\d+\.\d"
)
_WDIO = re.compile(
    r"(?:^CMD|^CucumberJUnitReport[.-])\W?(?:chrome|firefox|safari|edge|MicrosoftEdge)\b|^CMD\."
)
_SCRIPT = re.compile(r"\.(?:test|spec)\.[cm]?[jt]sx?$")

_SAID = {
    "cargo tests": "Cargo's tests directory",
    "cargo src": "module of a crate",
    "flutter integration test": "Flutter's integration_test, the whole app on a device",
    "finding": "names a line of a file",
    "task": "names a task in a file",
}


def traits(framework: str, suite: str, classname: str, title: str) -> tuple[str, ...]:
    """Tell the producer of a report and the ways in which its language lays tests out."""
    producer = framework.lower()
    if producer not in producers.FRAMEWORKS or producer == "generic":
        told = producers.SIGNS.get(suite) or producers.SIGNS.get(classname)
        is_unnamed = producer in ("", "generic")
        producer = told or (is_unnamed and _sign(suite, classname, title)) or producer
    if producer == "nextest":
        return (producer, "cargo tests" if "::" in suite else "cargo src")
    if producer in ("dart", "flutter") and "integration_test" in f"{suite} {classname}":
        return (producer, "flutter integration test")
    finding = _FINDING.search(classname) if classname[-1:].isdigit() and ":" in classname else None
    if finding:
        return (producer, "task" if finding["suffix"] in ("yml", "yaml") else "finding")
    return (producer,)


class Signs:
    """Finds, among the strings of a framework's reports, those that may tell another producer or layout."""

    def __init__(self, framework: str) -> None:
        producer = framework.lower()
        is_sure = producer in producers.FRAMEWORKS and producer != "generic"
        self._names = frozenset(
            sign for sign, told in producers.SIGNS.items() if not is_sure and told != producer
        )
        self._is_unnamed = producer in ("", "generic")
        self._part = {"nextest": "::", "dart": "integration_test", "flutter": "integration_test"}.get(
            producer
        )

    def tell(self, texts: Collection[str]) -> list[str]:
        """Return those of many strings."""
        found = [text for text in texts if text[-1:].isdigit() and ":" in text]
        found += self._names.intersection(texts)
        if self._is_unnamed:
            found += filter(_is_sign, texts)
        elif self._part:
            found += [text for text in texts if self._part in text]
        return list(dict.fromkeys(found))


@lru_cache(maxsize=1_000)
def producer_facts(told: tuple[str, ...]) -> Facts:
    """Say what a producer and its layouts vote for."""
    producer, *shapes = told
    facts: Facts = {}
    votes = producers.FRAMEWORKS.get(producer, ())
    add(facts, f"framework {producer}", EvidenceKind.FRAMEWORK, votes, f"produced by {producer}")
    for shape in shapes:
        add(facts, f"shape {shape}", EvidenceKind.PATH, conventions.SHAPES[shape], _SAID[shape])
    return facts


def _sign(suite: str, classname: str, title: str) -> str:
    if _KARMA.match(title or classname or suite):
        return "karma"
    if _WDIO.match(title or classname):
        return "webdriverio"
    if _MANIFEST.match(classname) and suite.endswith((".yaml", ".yml", ".json")):
        return "kubeconform"
    if suite.startswith("TestCafe Tests"):
        return "testcafe"
    if _SCRIPT.search(suite) and classname in (suite, ""):
        return "script"
    return ""


def _is_sign(text: str) -> bool:
    """True where `_sign` may see something, whatever the other strings are."""
    return (
        text.startswith("TestCafe Tests")
        or _KARMA.match(text) is not None
        or _WDIO.match(text) is not None
        or _MANIFEST.match(text) is not None
        or _SCRIPT.search(text) is not None
    )


# --- what a test says alone

_METHOD = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /")
_FILE = re.compile(r"^[\w@.~/\\-]*[/\\][\w@.~/\\-]+\.\w{1,5}$")
_NUMBERED = re.compile(r"^(?:test|case|testcase)[ _-]*\d+$", re.IGNORECASE)
_LOUD = frozenset(conventions.NAMES)


QUIET = " "  # of a name without a telling word
_MARK = "\0"
_HEARD = frozenset({*_LOUD, "encryption", _MARK}).__contains__


class Said(NamedTuple):
    """What a test's own name says, apart from its class: many names say the same."""

    words: frozenset[str]
    shape: str = ""
    is_numbered: bool = False
    is_hollow: bool = False


AT_ONCE = 200  # names: a few letters beyond ASCII make the whole string slower to look at


def heard(titled: Sequence[str]) -> list[str]:
    """Return of each name, behind the title its class may be, the words that may speak: QUIET for most."""
    found: list[str] = []
    for start in range(0, len(titled), AT_ONCE):
        found += _heard_at_once(titled[start : start + AT_ONCE])
    return found


def _heard_at_once(titled: Sequence[str]) -> list[str]:
    # One string of many names, since a call for each takes longer than looking at its words.
    text = f"{_MARK} {f' {_MARK} '.join(titled)} {_MARK}"
    marked = " ".join(filter(_HEARD, _spoken(text))).split(_MARK)
    if len(marked) != len(titled) + 2:
        return heard([name.replace(_MARK, "?") for name in titled])
    return marked[1:-1]


def _spoken(text: str) -> list[str]:
    return text.lower().replace("_", " ").replace("::", " ").split()


def said(name: str, suite: str, heard: str, *, text: str, is_hollow: bool) -> Said | None:
    """Read a test's own name and what was heard of it; None is the case of most: they say nothing.

    `text` is the name behind the title that its class may be.
    """
    words = words_of(heard.split())
    if not words and not is_hollow and not has_form(name, suite):
        return None
    shape = _shape_of_name(name, suite)
    is_numbered = name[-1:].isdigit() and _NUMBERED.match(name) is not None
    says_little = is_hollow and says_nothing(text)
    if not (words or shape or is_numbered or says_little):
        return None
    return Said(words, shape, is_numbered, says_little)


def formed(names: Sequence[str], suites: Sequence[str]) -> list[int]:
    """Return the places of names whose form may say something."""
    return [
        place
        for place, name in enumerate(names)
        if (name[-1:].isdigit() or name[:1] in "[o" or "/" in name) and has_form(name, suites[place])
    ]


def has_form(name: str, suite: str) -> bool:
    """True for a name whose form may say something, whatever its words: few are."""
    if name[-1:].isdigit() and (":" in name or name == suite or _NUMBERED.match(name)):
        return True
    return " /" in name or name.startswith(("[", "org.")) or (name == suite and "/" in name)


def words_of(spoken: Sequence[str]) -> frozenset[str]:
    """Return the words of a name that say something."""
    heard = _LOUD.intersection(spoken)
    return heard - {"end-to-end"} if "end-to-end" in heard and "encryption" in spoken else heard


@lru_cache(maxsize=1_000)
def name_facts(one: Said) -> Facts:
    """Return what a name votes for."""
    facts: Facts = {}
    for word in sorted(one.words):
        add(facts, f"name {word}", EvidenceKind.NAME, conventions.NAMES[word], f"name says “{word}”")
    shapes = (
        (one.shape, f"name is a {one.shape}"),
        ("numbered name" if one.is_numbered else "", "name is a number"),
        ("hollow name" if one.is_hollow else "", "a name that tells nothing"),
    )
    for shape, words in shapes:
        if shape:
            add(facts, f"shape {shape}", EvidenceKind.NAME, conventions.SHAPES[shape], words)
    return facts


_BROWSER = re.compile(
    r"\b(?:chrom(?:e|ium)|firefox|webkit|safari|ms-?edge|microsoft edge|electron)\b", re.IGNORECASE
)


@lru_cache(maxsize=1_000)
def browser_in(variant: str) -> str:
    """Return the browser that a variant names, else an empty string."""
    found = _BROWSER.search(variant)
    return found[0].lower() if found else ""


def add_browser(facts: Facts, browser: str) -> None:
    """Collect what the browser says that a test ran in."""
    if browser:
        votes, words = conventions.SHAPES["in browser"], f"ran in {browser}"
        add(facts, "shape in browser", EvidenceKind.PROPERTY, votes, words)


def _shape_of_name(name: str, suite: str) -> str:
    if name.startswith(("org.biome.", "org.ruff.", "org.eslint.", "org.flake8.")) or _FINDING.search(name):
        return "finding"
    if name == suite and _FILE.match(name):
        return "checked file"
    if name.startswith("[") and name in ("[build failed]", "[setup failed]"):
        return "failed build"
    if _METHOD.match(name):
        return "method and path"
    return ""


def about_layers(properties: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the properties whose key is about layers: category=integration."""
    if not properties:
        return ()
    return tuple(
        [one for one in properties if one[0].lower().rpartition(":")[2].lstrip("@") in conventions.LAYER_KEYS]
    )


def add_markers(facts: Facts, markers: Iterable[str], properties: Iterable[tuple[str, str]]) -> None:
    """Read markers, and properties that are about layers."""
    for marker in markers:
        _add_marker(facts, marker, EvidenceKind.MARKER, f"marker {marker}")
    for key, value in properties:
        _add_marker(facts, value, EvidenceKind.PROPERTY, f"property {key}={value}")


def _add_marker(facts: Facts, marker: str, kind: EvidenceKind, words: str) -> None:
    lower = marker.lower().lstrip("@")
    for word in (lower, lower.replace("-", "").replace("_", "").replace(" ", ""), lower.rpartition(":")[2]):
        if word in conventions.MARKERS:
            add(facts, f"marker {word}", kind, conventions.MARKERS[word], words)
            return


def add_hollow_place(facts: Facts) -> None:
    """Say that neither path nor class tells anything."""
    votes = conventions.SHAPES["hollow place"]
    add(facts, "shape hollow place", EvidenceKind.PATH, votes, "no path or class that tells")
