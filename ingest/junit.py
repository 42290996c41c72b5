"""The JUnit XML reader: a stream of bytes in, a stream of cases out, in bounded memory.

Expat finds the tags. It streams CDATA and text, where libxml2 holds a whole CDATA section in memory, it
nests as deep as a file does, and it says where a file breaks. A case without children, nineteen of twenty,
is taken from its attributes; a case with children becomes an lxml element (ingest.children) that
junitparser reads (ingest.elements).

A DTD is refused before any of it is read, so there are no entities to expand. A file that breaks keeps the
cases before the break. Suites nest: the names of a chain are joined, without those that say nothing. Which
parts make the identity is said in ingest.identity; what is repaired before parsing in ingest.salvage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, NoReturn
from xml.parsers import expat

from ingest import elements, identity, producers, times, workers
from ingest.attempts import Folded, fold, names_repeat
from ingest.cases import Attempt, Case, Failure, Limits, Problem, Refused, refusal, warning
from ingest.children import Children
from ingest.plain import Form, Home, Plain, form_of
from ingest.positions import Positions
from ingest.recall import Memory, Recalled, is_steady
from ingest.salvage import Cleaner
from ingest.skimming import Skimmer
from ingest.suites import Suite, markers_in, owner_in
from projects.vocabulary import Outcome

__all__ = [
    "Attempt",
    "Case",
    "Failure",
    "Folded",
    "Limits",
    "Problem",
    "Reading",
    "Refused",
    "fold",
    "names_repeat",
    "read",
]

CHUNK_BYTES = 65_536
KEPT_CLASSES = 2_000  # class names whose identity is remembered within a suite
KEPT_SHAPES = 1_000  # sets of attributes
ROOTS = frozenset({"testsuites", "testsuite", "testcase"})
# What other XML files are, so that the refusal says it in the reader's words.
FOREIGN = {
    "html": "an HTML page",
    "coverage": "a coverage report",
    "checkstyle": "a Checkstyle report",
    "TestRun": "a TRX file; convert it to JUnit XML",
    "test-run": "an NUnit 3 report; convert it to JUnit XML",
    "test-results": "an NUnit 2 report; convert it to JUnit XML",
    "assemblies": "an xUnit.net report; convert it to JUnit XML",
    "testng-results": "a TestNG report; upload its junitreports folder",
    "testExecutions": "a SonarQube report",
    "failsafe-summary": "the summary of Failsafe; upload its TEST-*.xml files",
}
SUITE_RESULTS = {"error": Outcome.ERROR, "failure": Outcome.FAILED}


class Shape(NamedTuple):
    """Which attributes a tag of a case has, apart from class, name and time; a report has one or two of them."""

    has_words: bool
    has_file: bool
    has_line: bool
    has_group: bool
    is_steady: bool
    plain: Form | None

    @classmethod
    def of(cls, names: tuple[str, ...]) -> Shape:
        """Look for them among the names of the attributes."""

        def has(*wanted: str) -> bool:
            return not set(wanted).isdisjoint(names)

        return cls(
            has("status", "result", "skipped"),
            has("file", "filepath"),
            has("line", "lineno"),
            has("group"),
            is_steady(names),
            form_of(names),
        )


def read(
    source: Iterable[bytes] | BinaryIO,
    *,
    file_name: str,
    limits: Limits | None = None,
    environment: str = "",
    memory: Memory | None = None,
) -> Reading:
    """Return the reading of one report; nothing is read before its `cases` or `parts` are asked for."""
    chunks = iter(lambda: source.read(CHUNK_BYTES), b"") if hasattr(source, "read") else source
    return Reading(
        chunks, file_name=file_name, limits=limits or Limits(), environment=environment, memory=memory
    )


class Reading:
    """One report being read. The counts are right once `cases` or `parts` is exhausted.

    With a memory, cases that it knows are found in `recalled`, by framework, and nowhere else; with an empty one, `parts` leaves
    out the plain cases, which gather in `plain`.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        file_name: str,
        limits: Limits,
        environment: str,
        memory: Memory | None,
    ) -> None:
        self.problems: list[Problem] = []
        self.is_incomplete = False
        self.n_cases = 0
        self.n_declared: int | None = None
        self.framework = ""
        self.worker = ""  # the first that a suite names
        self.started_at: str | None = None
        self.seconds: float | None = None
        self._file = file_name
        self._limits = limits
        self._cleaner = Cleaner(chunks, file_name=file_name, limits=limits)
        self._parser = self._expat()
        self._n_fed = 0
        self._positions = Positions(self._parser)
        self._is_started = False
        self._root: dict[str, str] = {}
        self._suites: list[Suite] = [Suite.outermost(variant=environment)]
        self._suite = self._suites[0]
        self._skimmer = Skimmer(
            memory,
            parse=self._parse,
            skip=self._positions.skip,
            is_between=self._is_between,
            home=self._home,
            longest=limits.name_chars,
        )
        self._is_skimming = memory is not None
        self._is_in_cdata = False
        self._ready: list[Case] = []
        self._attributes: dict[str, str] | None = None  # of the open case
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._place = self._suite  # the suite that results outside of a case belong to
        self._children = Children(self._parser, limits=limits)
        self._texts: list[elements.Text] = []  # of results outside of a case

    @property
    def recalled(self) -> dict[str, Recalled]:
        """The results of remembered tests, by framework."""
        return self._skimmer.recalled

    def cases(self) -> Iterator[Case]:
        """Yield the cases in document order; raise Refused if the file cannot be taken at all."""
        for part in self.parts():
            yield from self.plain.taken().among(part)

    @property
    def plain(self) -> Plain:
        """The plain cases read so far, for the caller to take."""
        return self._skimmer.plain

    def parts(self) -> Iterator[list[Case]]:
        """Yield the cases in document order as they are found, some at a time and maybe none."""
        is_ended = False
        try:
            for data in self._cleaner:
                self._feed(data)
                yield self._drained()
            is_ended = True
            self._parser.Parse(b"", True)  # noqa: FBT003 - expat takes no keywords
        except expat.ExpatError as error:
            yield self._drained()
            self._break(error, is_ended=is_ended)
        yield self._drained()
        self.problems[:0] = self._cleaner.problems()
        if not self.n_cases and not self.is_incomplete:
            sentence = "The report holds no test case."
            self.problems.append(warning("no-cases", sentence, file=self._file))

    def _drained(self) -> list[Case]:
        ready, self._ready = self._ready, []
        self.n_cases = self._skimmer.n_cases
        if self.n_cases > self._limits.cases:
            sentence = f"The report holds more than the limit of {self._limits.cases:,} cases."
            raise refusal("too-many-cases", sentence, file=self._file)
        return ready

    def _expat(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartCdataSectionHandler = self._open_cdata
        parser.EndCdataSectionHandler = self._close_cdata
        return parser

    def _feed(self, data: bytes) -> None:
        if not self._n_fed:
            self._positions.n_lines_before = self._cleaner.line - 1 - data.count(b"\n")
        if self._is_skimming:
            self._skimmer.skim(data)
        else:
            self._parse(data)
        if (
            self._n_fed - self._parser.CurrentByteIndex > self._limits.token_bytes
            and self._parser.CurrentByteIndex >= 0
        ):
            sentence = f"One tag is longer than the limit of {self._limits.token_bytes:,} bytes."
            raise self._refusal("too-large", sentence)

    def _parse(self, data: bytes) -> None:
        self._n_fed += len(data)
        self._parser.Parse(data)

    def _is_between(self) -> bool:
        """True inside of a suite and outside of everything in it: where the next element may begin."""
        return (
            self._attributes is None
            and len(self._suites) > 1
            and not self._is_in_cdata
            and self._parser.CurrentByteIndex == self._n_fed
        )

    def _open_cdata(self) -> None:
        self._is_in_cdata = True

    def _close_cdata(self) -> None:
        self._is_in_cdata = False

    def _refusal(self, code: str, sentence: str) -> Refused:
        line, column = self._positions.here()
        return refusal(code, sentence, file=self._file, line=line, column=column)

    def _refuse_doctype(self, name: str, *_: object) -> None:
        if name.lower() in FOREIGN:
            self._refuse_root(name.lower())
        raise self._refusal(
            "dtd", "The file declares a DTD. DTDs and entities are refused; JUnit XML has none."
        )

    def _break(self, error: expat.ExpatError, *, is_ended: bool) -> None:
        """Keep what came before the break, or refuse the file if nothing did."""
        line, column = self._positions.of(error.lineno, error.offset)
        what = expat.ErrorString(error.code)
        code = "truncated" if is_ended else "malformed"
        if not self.n_cases:
            sentence = f"The file is not well-formed XML: {what} at line {line}, column {column}."
            raise refusal("malformed", sentence, file=self._file, line=line, column=column) from None
        self.is_incomplete = True
        verb = "ends early" if is_ended else "breaks"
        place = f"line {line}, column {column} ({what})"
        sentence = f"The file {verb} at {place}; the {self.n_cases:,} cases before it were kept."
        self.problems.append(warning(code, sentence, file=self._file, line=line, column=column))

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "testcase" and self._attributes is None and self._is_started:
            self._attributes = attributes
            return
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if self._attributes is not None:
            self._children.open(tag, attributes, case=self._attributes)
        elif not self._is_started:
            self._open_root(tag, attributes)
        elif tag == "testcase":
            self._attributes = attributes
        elif tag == "testsuite":
            self._open_suite(attributes)
        elif tag == "property":
            self._take_suite_property(attributes)
        elif tag in SUITE_RESULTS:
            self._take_suite_result(tag, attributes)

    def _open_root(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in ROOTS:
            self._refuse_root(tag)
        self._is_started = True
        self._note_attributes(attributes)
        self.framework = producers.of_root(attributes)
        self._suite.framework = self.framework
        if tag == "testsuites":
            self._root = attributes
        elif tag == "testsuite":
            self._open_suite(attributes)
        else:
            self._attributes = attributes

    def _refuse_root(self, tag: str) -> NoReturn:
        kind = f" This is {FOREIGN[tag]}." if tag in FOREIGN else ""
        sentence = f"The root element is <{tag[:80]}>, not <testsuites>, <testsuite> or <testcase>.{kind}"
        raise self._refusal("foreign-root", sentence)

    def _note_attributes(self, attributes: dict[str, str]) -> None:
        self.started_at = self.started_at or attributes.get("timestamp")
        self.seconds = times.seconds(attributes.get("time"))
        self.n_declared = _integer(attributes.get("tests"))

    def _open_suite(self, attributes: dict[str, str]) -> None:
        if len(self._suites) == 1:
            self._add_declared(attributes)
        self._suite = self._suite.inner(attributes, root=self._root, limits=self._limits)
        self._suites.append(self._suite)
        self._skimmer.enter(self._suite)
        self.framework = self.framework or self._suite.framework
        self.worker = self.worker or self._suite.worker
        self.started_at = self.started_at or attributes.get("timestamp")

    def _add_declared(self, attributes: dict[str, str]) -> None:
        if (
            self._root
            and "tests" not in self._root
            and (number := _integer(attributes.get("tests"))) is not None
        ):
            self.n_declared = (self.n_declared or 0) + number
        if (
            self._root
            and "time" not in self._root
            and (seconds := times.seconds(attributes.get("time"))) is not None
        ):
            self.seconds = (self.seconds or 0.0) + seconds

    def _take_suite_property(self, attributes: dict[str, str]) -> None:
        name, value = attributes.get("name", ""), attributes.get("value", "")
        self._suite.take_property(name, value, limits=self._limits)
        self._skimmer.enter(self._suite)
        self.framework = self.framework or self._suite.framework
        self.worker = self.worker or self._suite.worker

    def _take_suite_result(self, tag: str, attributes: dict[str, str]) -> None:
        suite = self._suite
        message = attributes.get("message", "")[: self._limits.message_chars]
        suite.outcome = SUITE_RESULTS[tag]
        suite.failure = Failure(attributes.get("type", "")[: self._limits.message_chars], message, "")
        text = elements.Text(self._limits.text_chars)
        self._parser.CharacterDataHandler = text.add
        self._texts.append(text)
        self._place = suite

    def _end(self, tag: str) -> None:
        if tag == "testcase" and not self._children.nodes:
            if self._attributes is not None:
                self._close_bare()
            return
        if ":" in tag:
            tag = tag.rpartition(":")[2]
        if self._attributes is not None:
            self._close_inside(tag)
        elif tag == "testsuite":
            self._close_suite()
        elif tag in SUITE_RESULTS and self._texts:
            self._close_suite_result()

    def _close_inside(self, tag: str) -> None:
        if not self._children.nodes:
            self._close_bare()
        elif tag == "testcase" and self._children.are_closed:
            self._close_case()
        else:
            self._children.close()

    def _close_suite_result(self) -> None:
        text = self._texts.pop()
        self._parser.CharacterDataHandler = None
        if self._place.failure is not None:
            self._place.failure = self._place.failure._replace(text=text.value())

    def _close_suite(self) -> None:
        suite = self._suites.pop()
        self._suite = self._suites[-1]
        self._skimmer.enter(self._suite)
        if suite.outcome is not None and not suite.has_bad:
            self._skimmer.n_cases += 1
            self._ready.append(suite.as_case(limits=self._limits)._replace(at=self._skimmer.n_cases))
            suite.has_bad = True
        self._suite.has_bad |= suite.has_bad

    def _close_bare(self) -> None:
        attributes, self._attributes = self._attributes or {}, None
        shape = self._shape(attributes)
        # Few reports state an outcome in attributes, so the words are looked up only where there are any.
        outcome = elements.outcome_of(attributes) if shape.has_words else Outcome.PASSED
        self._ready.append(self._case(attributes, shape, outcome, is_whole=True))

    def _shape(self, attributes: dict[str, str]) -> Shape:
        names = tuple(attributes)
        if (shape := self._shapes.get(names)) is None:
            if len(self._shapes) > KEPT_SHAPES:
                self._shapes.clear()
            shape = self._shapes[names] = Shape.of(names)
        return shape

    def _close_case(self) -> None:
        attributes, self._attributes = self._attributes or {}, None
        children = elements.interpreted(self._children.taken(), limits=self._limits)
        says_all = children.outcome is Outcome.SKIPPED and not (children.attempts or children.failure)
        case = self._case(attributes, self._shape(attributes), children.outcome, is_whole=says_all)
        self._ready.append(case if children is elements.SKIPPED else self._with_children(case, children))

    def _with_children(self, case: Case, children: elements.Reading) -> Case:
        properties = (case.properties + children.properties)[: self._limits.properties]
        failure, attempts = children.failure, children.attempts
        if failure is not None or attempts:
            failure, attempts = workers.named(
                failure, attempts, properties=children.properties, suite=self._suite.worker
            )
        return case._replace(
            failure=failure,
            attempts=attempts,
            properties=properties,
            markers=markers_in(children.properties, *case.markers),
            owner=owner_in(children.properties) or case.owner,
        )

    def _case(self, attributes: dict[str, str], shape: Shape, outcome: Outcome, *, is_whole: bool) -> Case:
        self._skimmer.n_cases += 1
        get, suite, limit = attributes.get, self._suite, self._limits.name_chars
        classname = get("classname") or get("class") or ""
        start, class_name, file = suite.classes.get(classname) or self._class(suite, classname)
        name = get("name") or ""
        key, retry = identity.without_retry(name) if name[-2:-1].isdigit() else (name, 0)
        is_masked = False
        if identity.RISK.search(key) or (suite.host and suite.host in key):
            raw, key = key, identity.masked(key, host=suite.host)
            is_masked = key != raw
        if shape.has_file and (own_file := get("file") or get("filepath")):
            file = identity.relative(own_file)
            if class_name in producers.CONSTANT_CLASSES:
                start = identity.more(start, file)
        base = identity.finished(start, key)
        if outcome is not Outcome.PASSED and outcome.is_bad:
            suite.has_bad = True
        clock = get("time")
        memo = None
        if is_whole and shape.is_steady and self._is_skimming:
            memo = self._skimmer.memo(shape.plain, clock or "", outcome)
        says_more = suite.inherited or "@" in name or shape.has_group
        # tuple.__new__ is half the price of the class's own call, and this line runs a million times a file.
        return tuple.__new__(Case, (
            identity.with_variant(base, suite.variant) if suite.variant else base,
            base,
            suite.display,
            class_name[:limit],
            key[:limit] if key and not key.isspace() else self._stand_in(class_name, file),
            file[:limit],
            _integer(get("line") or get("lineno")) if shape.has_line else None,
            suite.variant,
            outcome,
            _seconds(clock or get("duration")),
            (),
            None,
            suite.framework,
            self._markers_of(attributes, name) if says_more else (),
            suite.inherited,
            owner_in(suite.inherited) if suite.inherited else "",
            outcome is Outcome.PASSED and not is_masked if suite.framework == "pytest" else is_masked,
            retry,
            self._skimmer.n_cases,
            memo if memo and not is_masked and not retry else None,
        ))  # fmt: skip

    def _stand_in(self, classname: str, file: str) -> str:
        """Return what a case without a name is shown as."""
        return (classname or self._suite.name or file or "(no name)")[: self._limits.name_chars]

    def _markers_of(self, attributes: dict[str, str], name: str) -> tuple[str, ...]:
        groups = tuple(attributes.get("group", "").split())
        return markers_in(self._suite.inherited, *groups, *producers.tags(name))

    def _home(self, classname: str, own_file: str, known: dict[int, int]) -> Home:
        """Return what plain cases of this class and file share."""
        suite, limit = self._suite, self._limits.name_chars
        begun, class_name, file = suite.classes.get(classname) or self._class(suite, classname)
        if own_file:
            file = identity.relative(own_file)
            if class_name in producers.CONSTANT_CLASSES:
                begun = identity.more(begun, file)
        return Home(
            begun, suite.display, class_name[:limit], file[:limit], suite.variant, suite.framework, known
        )

    def _class(self, suite: Suite, classname: str) -> tuple[identity.Hash, str, str]:
        """Return identity, name and file that a class gives its cases, and remember them."""
        if len(suite.classes) >= KEPT_CLASSES:
            suite.classes.clear()
        name = identity.masked(classname, host=suite.host)
        file = suite.file or producers.file_of(name, suite=suite.name, framework=suite.framework)
        suite.classes[classname] = known = identity.begun(identity.prefix(suite.key, name)), name, file
        return known


def _seconds(text: str | None) -> float | None:
    try:
        number = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return times.seconds(text)
    return number if 0.0 <= number < times.LONGEST_S else None


def _integer(text: str | None) -> int | None:
    try:
        number = int(text) if text else -1
    except ValueError:
        return None
    return number if 0 <= number < 2**31 else None
