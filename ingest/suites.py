"""The suite that a case stands in, and what its cases take from it: names, host, variant, file, properties.

Suites nest, and the names of a chain are joined: node:test and Newman repeat one test name in many suites.
Names that every report of a tool has say nothing and stay out of the identity. Knows attributes, no XML.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

from ingest import identity, producers, workers
from ingest.cases import Case, Failure, Limits
from projects.vocabulary import Outcome

KEPT_MARKERS = 50
KEPT_SUITES = 16  # names of nested suites that enter an identity; the deepest report of a real tool has eight


class Suite:
    """An open suite: what its cases take from it."""

    __slots__ = (
        *("chain", "classes", "display", "failure", "file", "framework", "has_bad", "host", "inherited"),
        *("key", "name", "outcome", "variant", "worker"),
    )

    def __init__(self) -> None:
        self.name = self.display = self.file = self.framework = self.variant = self.host = self.worker = ""
        self.chain: tuple[str, ...] = ()
        self.key = ""
        self.inherited: tuple[tuple[str, str], ...] = ()
        self.classes: dict[str, tuple[identity.Hash, str, str]] = {}  # what each class gives its cases
        self.outcome: Outcome | None = None
        self.failure: Failure | None = None
        self.has_bad = False

    @classmethod
    def outermost(cls, *, variant: str) -> Suite:
        """Return what stands around all suites of a report."""
        suite = cls()
        suite.variant = variant
        return suite

    def inner(self, attributes: Mapping[str, str], *, root: Mapping[str, str], limits: Limits) -> Suite:
        """Return a suite that opens inside of this one."""
        suite = Suite()
        suite.name = attributes.get("name", "")
        suite.framework = producers.of_suite(attributes, root=root) or self.framework
        host = attributes.get("hostname", "")
        is_playwright = suite.framework == "playwright"
        suite.host = host if identity.is_host(host) and not is_playwright else self.host
        # Playwright writes the project, which is the browser, where others write the machine.
        suite.variant = _joined(self.variant, host) if is_playwright else self.variant
        file = attributes.get("file") or attributes.get("filepath") or ""
        suite.file = identity.relative(file)[: limits.name_chars] or self.file
        suite.worker = workers.of_suite(suite.name, host=suite.host) or self.worker
        suite.inherited = self.inherited
        suite.chain = _chained(self.chain, identity.masked_suite(suite.name, host=suite.host))
        suite.key = identity.SEPARATOR.join(
            name for name in suite.chain if name not in producers.EMPTY_SUITES
        )
        suite.display = " › ".join(suite.chain)[: limits.name_chars]
        return suite

    def place(self) -> tuple[Hashable, ...]:
        """Return everything of the suite that decides what its cases are."""
        return (
            self.name,
            self.chain,
            self.key,
            self.variant,
            self.framework,
            self.file,
            self.host,
            self.inherited,
        )

    def take_property(self, name: str, value: str, *, limits: Limits) -> None:
        """Take what a property of the suite says about each of its cases."""
        self.classes.clear()
        self.framework = self.framework or producers.of_property(name)
        if name in producers.INHERITED_PROPERTIES and len(self.inherited) < limits.properties:
            self.inherited += ((name, value[: limits.message_chars]),)
        elif name in producers.VARIANT_PROPERTIES and value not in self.variant:
            self.variant = _joined(self.variant, value[:100])
        elif name in workers.SUITE_PROPERTIES and value:
            self.worker = value[: workers.LONGEST]

    def as_case(self, *, limits: Limits) -> Case:
        """Return the case that stands for a suite whose own failure no case of it shows."""
        name = self.name or "(suite)"
        base = identity.digest(identity.prefix(self.key, "", "<suite>"), "")
        return Case(
            fingerprint=identity.with_variant(base, self.variant),
            base=base,
            suite=self.display,
            classname="",
            name=name[: limits.name_chars],
            file=self.file,
            line=None,
            variant=self.variant,
            outcome=self.outcome or Outcome.ERROR,
            seconds=None,
            attempts=(),
            failure=self.failure,
            framework=self.framework,
            markers=(),
            properties=self.inherited,
            owner=owner_in(self.inherited),
            may_be_rerun=False,
        )


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _chained(chain: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return a chain of suite names with one more, unless that says nothing new."""
    if not name or (chain and chain[-1] == name) or len(chain) >= KEPT_SUITES:
        return chain
    return (*chain, name)


def markers_in(properties: Iterable[tuple[str, str]], *others: str) -> tuple[str, ...]:
    """Return the markers that properties name, after those known from elsewhere, each once."""
    found = [
        word
        for name, value in properties
        if name.lower() in producers.MARKER_PROPERTIES
        for word in value.replace(",", " ").split()
    ]
    return tuple(dict.fromkeys((*others, *found)))[:KEPT_MARKERS]


def owner_in(properties: Iterable[tuple[str, str]]) -> str:
    """Return the owner that properties name, else an empty string."""
    return next((value[:200] for name, value in properties if name.lower() in producers.OWNER_PROPERTIES), "")
