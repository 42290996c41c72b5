"""What a report says about a test's layer: identities in, votes with their words out.

Knows where the words of paths, packages, classes, titles and markers stand, and what is read of strings
that tests share. What the words weigh is in `conventions` and `producers`; adding up is left to `layers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from analysis import conventions, producers
from analysis.weights import Vote
from analysis.weights import words as word_set
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


class Evidence(NamedTuple):
    """One reason for a layer, or against it where the weight (log-odds) is negative."""

    kind: EvidenceKind
    layer: Layer
    weight: float
    words: str


Facts = dict[str, Evidence]  # by the convention that speaks, so that it speaks once


class Piece(NamedTuple):
    """What one string says, and whether its words say nothing at all."""

    facts: tuple[tuple[str, Evidence], ...]
    is_hollow: bool


class Segment(NamedTuple):
    """One directory, package or class: its words, and what is left without those for testing."""

    text: str
    words: tuple[str, ...]
    core: str
    has_test: bool
    endings: tuple[str, ...]


_WORDS = re.compile(r"[eE]2[eE]|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_BORDERS = re.compile(r"[/\\.:]+")
_TESTING = word_set("test tests testing spec specs suite suites case cases testcase testcases tester")
_ROOTS = word_set("test tests spec specs testing testsuite tst t src qa javatests tests_ __tests__")
_SUFFIXES = word_set(
    "py js jsx ts tsx mjs cjs php rb java kt go dart feature dll cs swift exs bats yml yaml sql phpt cc cpp "
    "rs scala robot groovy"
)
_FILE_NAME = re.compile(r"[^.]\.(?:[cm]?[jt]sx?|feature|phpt|bats|py|rb|go|exs)$")
# Words that mean a layer wherever tests are kept; the others need a directory of tests above them.
_PLAIN = word_set(
    "integration integ itest e2e endtoend acceptance functional unit unittest unittests utest atest uat smoke "
    "benchmark benchmarks bench benches cypress loadtest loadtests flake8 mypy codestyle codequality lint"
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


# --- strings that many tests share


@lru_cache(maxsize=50_000)
def segment(text: str) -> Segment:
    """Split a directory, package or class into words, and see how its capitals end."""
    found = _WORDS.findall(text.partition("(")[0])
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


def path_piece(text: str, framework: str) -> Piece:
    """Read a path, a package or a qualified class."""
    text = text.removeprefix("file://")
    names = [name for name in _BORDERS.split(text) if name]
    if len(names) > 1 and names[-1].lower() in _SUFFIXES:
        names.pop()
    segments = [segment(name) for name in names]
    facts: Facts = {}
    _add_dotted(facts, text)
    is_go = framework == "go" or text.startswith("github.com/")
    before = ""
    for place, one in enumerate(segments):
        is_last = place == len(segments) - 1
        is_class = is_last and not is_go
        is_rooted = (
            before in _ROOTS
            or (one.has_test and not is_class)
            or (one.core in _PLAIN and ((is_go and is_last) or place == 0))
        )
        _add_segment(
            facts,
            one,
            before=before,
            is_rooted=is_rooted,
            is_class=is_class,
            border="/" if "/" in text else ".",
        )
        before = one.text.lower().strip("_")
    _add_subjects(facts, segments[-2:])
    return Piece(tuple(facts.items()), all(map(_is_hollow, segments)))


def title_piece(text: str) -> Piece:
    """Read a suite or class that is a sentence: a layer counts beside a word for testing."""
    one = segment(text)
    facts: Facts = {}
    _add_affixes(facts, one, shown=text if len(text) < 40 else f"{text[:39]}…")
    return Piece(tuple(facts.items()), _is_hollow(one))


def _add_dotted(facts: Facts, text: str) -> None:
    lower = text.lower().rpartition("/")[2]
    if not _FILE_NAME.search(lower):
        return
    for ending in _DOTTED:
        if ending in lower if ending.endswith(".") else lower.endswith(ending):
            _add(
                facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], f"file *{ending}*"
            )


def _add_segment(
    facts: Facts, one: Segment, *, before: str, is_rooted: bool, is_class: bool, border: str
) -> None:
    shown = f"{before}{border}{one.text}" if before else one.text
    pair = f"{re.sub('[^a-z0-9]', '', before)}/{re.sub('[^a-z0-9]', '', one.text.lower())}"
    if pair in conventions.PAIRS:
        _add(facts, f"pair {pair}", EvidenceKind.PATH, conventions.PAIRS[pair], f"path {shown}")
    place = conventions.PLACES.get(one.core)
    if place is None or (is_class and one.has_test):
        _add_affixes(facts, one, shown=one.text)
    else:
        mode, weight = ("rooted", place.rooted) if is_rooted else ("bare", place.bare)
        _add(
            facts,
            f"place {one.core} {mode}",
            EvidenceKind.PATH,
            (Vote(place.layer, weight),),
            f"path {shown}",
        )
    for ending in one.endings:
        _add(facts, f"ending {ending}", EvidenceKind.PATH, conventions.ENDINGS[ending], f"class {one.text}")


def _add_affixes(facts: Facts, one: Segment, *, shown: str) -> None:
    """A layer's word inside a longer name counts beside a word for testing: OrderIntegrationTest."""
    words = one.words
    for place, word in enumerate(words):
        known = conventions.PLACES.get(word)
        if known is None or not known.affix:
            continue
        after = words[place + 1 : place + 2]
        leads = word in _PLAIN and word != "unit" and words[max(0, place - 1)] in _TESTING
        if word == "e2e" or leads or not _TESTING.isdisjoint(after):
            if place and words[place - 1] in _COMPOUNDS.get(word, ()):
                continue
            vote = (Vote(known.layer, known.affix * (_AMBIGUOUS_CLASS.get(one.core, 1.0))),)
            _add(facts, f"place {word} affix", EvidenceKind.PATH, vote, f"class {shown}")
    if "end" in words and "end to end" in " ".join(words) and "encryption" not in words:
        known = conventions.PLACES["e2e"]
        _add(facts, "place e2e affix", EvidenceKind.PATH, (Vote(known.layer, known.affix),), f"class {shown}")


MOST_SUBJECTS = 2  # a long class name is about one thing, not about each of its words


def _add_subjects(facts: Facts, segments: Iterable[Segment]) -> None:
    found = {
        word: conventions.SUBJECTS[word]
        for one in segments
        for word in one.words
        if word in conventions.SUBJECTS
    }
    strongest = sorted(found, key=lambda word: (-max(abs(vote.weight) for vote in found[word]), word))
    heard = {key.split()[1] for key in facts}
    for word in [word for word in strongest if word not in heard][:MOST_SUBJECTS]:
        _add(facts, f"subject {word}", EvidenceKind.NAME, found[word], f"about “{word}”")


def _is_hollow(one: Segment) -> bool:
    return all(word in conventions.HOLLOW or word.isdigit() for word in one.words)


def _add(facts: Facts, key: str, kind: EvidenceKind, votes: Iterable[Vote], words: str) -> None:
    for vote in votes:
        if vote.weight:
            facts.setdefault(f"{key} {vote.layer.word}", Evidence(kind, vote.layer, vote.weight, words))


# --- who wrote the report

_FINDING = re.compile(r"\.(?P<suffix>\w{1,5}):\d+(?::\d+)?$")
_MANIFEST = re.compile(r"^\w+@(?:[\w.-]+/)?v\d\w*$")
_KARMA = re.compile(
    r"^(?:Chrome|Headless ?Chrome|ChromeHeadless|Firefox|PhantomJS|Safari|Edge|jsdom)\b[^.]*\d+\.\d"
)
_WDIO = re.compile(
    r"(?:^CMD|^CucumberJUnitReport[.-])\W?(?:chrome|firefox|safari|edge|MicrosoftEdge)\b|^CMD\."
)


def producer_facts(framework: str, suite: str, classname: str, title: str) -> Facts:
    """Say what the producer of a report is for, told by the report or by names that only it writes."""
    producer = framework.lower()
    if producer not in producers.FRAMEWORKS or producer == "generic":
        producer = _sign(suite, classname, title) or producer
    facts: Facts = {}
    _add(
        facts,
        f"framework {producer}",
        EvidenceKind.FRAMEWORK,
        producers.FRAMEWORKS.get(producer, ()),
        f"produced by {producer}",
    )
    for shape, words in _shapes(producer, suite, classname):
        _add(facts, f"shape {shape}", EvidenceKind.PATH, conventions.SHAPES[shape], words)
    return facts


def _sign(suite: str, classname: str, title: str) -> str:
    told = producers.SIGNS.get(suite) or producers.SIGNS.get(classname)
    if told:
        return told
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


def _shapes(producer: str, suite: str, classname: str) -> Iterator[tuple[str, str]]:
    """Name the ways of a language to lay tests out that say something without a word for a layer."""
    if producer in ("dart", "flutter") and "integration_test" in f"{suite} {classname}":
        yield "flutter integration test", "Flutter's integration_test: the whole app on a device"
    if producer == "nextest":
        yield (
            ("cargo tests", f"Cargo's tests directory, {suite}")
            if "::" in suite
            else ("cargo src", "module of a crate")
        )
    elif producer in ("unittest", "pytest"):
        parts = classname.split(".")
        inside = next((place for place, part in enumerate(parts) if part in ("tests", "test")), -1)
        if inside > 0:
            yield f"app.tests {producer}", f"tests inside the package {parts[inside - 1]}"
    finding = _FINDING.search(classname)
    if finding:
        shape = "task" if finding["suffix"] in ("yml", "yaml") else "finding"
        yield shape, f"names a line, {classname[finding.start() + 1 :]}"


# --- what a test says alone

_SCRIPT = re.compile(r"\.(?:test|spec)\.[cm]?[jt]sx?$")
_METHOD = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) /")
_FILE = re.compile(r"^[\w@.~/\\-]*[/\\][\w@.~/\\-]+\.\w{1,5}$")
_NUMBERED = re.compile(r"^(?:test|case|testcase)[ _-]*\d+$", re.IGNORECASE)
LOUD = frozenset(conventions.NAMES)


def name_facts(identity: Identity, title: str, spoken: Sequence[str], *, is_hollow: bool) -> Facts:
    """Read a test's own name, split into lower-case words, and the title that its class is."""
    facts: Facts = {}
    heard = LOUD.intersection(spoken)
    if "end-to-end" in heard and "encryption" in spoken:
        heard -= {"end-to-end"}
    for word in sorted(heard):
        _add(facts, f"name {word}", EvidenceKind.NAME, conventions.NAMES[word], f"name says “{word}”")
    name = identity.name
    shape = _shape_of_name(name, identity.suite)
    if shape:
        _add(facts, f"shape {shape}", EvidenceKind.NAME, conventions.SHAPES[shape], f"name {name[:40]}")
    if _NUMBERED.match(name):
        _add(
            facts,
            "shape numbered name",
            EvidenceKind.NAME,
            conventions.SHAPES["numbered name"],
            f"name {name}",
        )
    if is_hollow and _is_hollow(segment(f"{title} {name}")):
        _add(
            facts,
            "shape hollow name",
            EvidenceKind.NAME,
            conventions.SHAPES["hollow name"],
            "a name that tells nothing",
        )
    return facts


BROWSERS = word_set("chromium firefox webkit chrome edge safari msedge electron")


def add_browser(facts: Facts, variant: str) -> None:
    """Read the browser that a test ran in."""
    _add(
        facts,
        "shape in browser",
        EvidenceKind.PROPERTY,
        conventions.SHAPES["in browser"],
        f"ran in {variant}",
    )


def _shape_of_name(name: str, suite: str) -> str:
    if name.startswith(("org.biome.", "org.ruff.", "org.eslint.", "org.flake8.")) or _FINDING.search(name):
        return "finding"
    if name == suite and _FILE.match(name):
        return "checked file"
    if name.startswith("[") and name in ("[build failed]", "[setup failed]"):
        return "build failed"
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
            _add(facts, f"marker {word}", kind, conventions.MARKERS[word], words)
            return


def hollow_place() -> tuple[str, Evidence]:
    """Say that neither path nor class tells anything."""
    (vote,) = conventions.SHAPES["hollow place"]
    return "shape hollow place unknown", Evidence(
        EvidenceKind.PATH, vote.layer, vote.weight, "no path or class that tells"
    )
