"""What a report says of a test's layer beyond its path: the producer, the test's own name, its markers.

Knows the signs by which producers are told apart and the forms of names. Paths and titles are read by
`paths`; weights are in `conventions` and `producers`; adding up is left to `layers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from analysis import conventions, producers
from analysis.paths import is_hollow as says_nothing
from analysis.votes import Facts, add
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
    finding = _FINDING.search(classname) if classname[-1:].isdigit() else None
    if finding:
        return (producer, "task" if finding["suffix"] in ("yml", "yaml") else "finding")
    return (producer,)


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


# --- what a test says alone

_SCRIPT = re.compile(r"\.(?:test|spec)\.[cm]?[jt]sx?$")
_METHOD = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /")
_FILE = re.compile(r"^[\w@.~/\\-]*[/\\][\w@.~/\\-]+\.\w{1,5}$")
_NUMBERED = re.compile(r"^(?:test|case|testcase)[ _-]*\d+$", re.IGNORECASE)
_LOUD = frozenset(conventions.NAMES)


def is_quiet(name: str) -> bool:
    """True when a test's own name says nothing: the case of most names, so it is asked first."""
    last = name[-1:]
    if last.isdigit() or "/" in name or name.startswith(("org.", "[build", "[setup")):
        return False
    return _LOUD.isdisjoint(_spoken(name))


def _spoken(text: str) -> list[str]:
    return text.lower().replace("_", " ").replace("::", " ").split()


def name_facts(identity: Identity, title: str, *, is_hollow: bool) -> Facts:
    """Read a test's own name, and the title that its class is."""
    facts: Facts = {}
    spoken = _spoken(f"{title} {identity.name}")
    heard = _LOUD.intersection(spoken)
    if "end-to-end" in heard and "encryption" in spoken:
        heard -= {"end-to-end"}
    for word in sorted(heard):
        add(facts, f"name {word}", EvidenceKind.NAME, conventions.NAMES[word], f"name says “{word}”")
    name = identity.name
    shape = _shape_of_name(name, identity.suite)
    if shape:
        add(facts, f"shape {shape}", EvidenceKind.NAME, conventions.SHAPES[shape], f"name is a {shape}")
    if _NUMBERED.match(name):
        add(
            facts,
            "shape numbered name",
            EvidenceKind.NAME,
            conventions.SHAPES["numbered name"],
            "name is a number",
        )
    if is_hollow and says_nothing(f"{title} {name}"):
        add(
            facts,
            "shape hollow name",
            EvidenceKind.NAME,
            conventions.SHAPES["hollow name"],
            "a name that tells nothing",
        )
    return facts


_BROWSER = re.compile(
    r"\b(?:chrom(?:e|ium)|firefox|webkit|safari|ms-?edge|microsoft edge|electron)\b", re.IGNORECASE
)


@lru_cache(maxsize=1_000)
def browser_in(variant: str) -> str:
    """Return the browser that a variant names, else an empty string."""
    found = _BROWSER.search(variant)
    return found[0].lower() if found else ""


def add_browser(facts: Facts, variant: str) -> None:
    """Read the browser that a test ran in."""
    browser = browser_in(variant)
    if browser:
        add(
            facts,
            "shape in browser",
            EvidenceKind.PROPERTY,
            conventions.SHAPES["in browser"],
            f"ran in {browser}",
        )


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


def add_markers(facts: Facts, markers: Iterable[str], properties: Iterable[tuple[str, str]]) -> None:
    """Read markers, and properties whose key is about layers: category=integration."""
    for marker in markers:
        _add_marker(facts, marker, EvidenceKind.MARKER, f"marker {marker}")
    for key, value in properties:
        if key.lower().rpartition(":")[2].lstrip("@") in conventions.LAYER_KEYS:
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
