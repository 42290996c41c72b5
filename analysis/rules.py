"""A project's own rules about layers: ordered, the first match wins over all evidence.

Knows how a rule reads an identity and how a list of rules is written as TOML. How patterns are matched
without ever hanging is left to `patterns`; what evidence says otherwise, to `layers`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from analysis import patterns
from analysis.patterns import BadPattern, Matcher
from projects.vocabulary import Layer, RuleField, RuleSyntax

MAX_RULES = 200  # per project; every test meets every rule
MOST_VISITED = 20_000_000  # states of patterns looked at for one preview: some seconds
MAX_KNOWN = 20_000  # texts remembered a field: a few MB

__all__ = ["BadPattern", "BadRules", "Rule", "RuleSet", "Subject", "from_toml", "to_toml"]


class BadRules(ValueError):
    """A list of rules that is not taken; `position` counts rules from 1, where one of them is to blame."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"Rule {position}: {message}")
        self.message = message
        self.position = position


class Subject(Protocol):
    """What a rule reads of a Test's identity."""

    @property
    def suite(self) -> str: ...
    @property
    def classname(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def markers(self) -> tuple[str, ...]: ...
    @property
    def properties(self) -> tuple[tuple[str, str], ...]: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern on one part of a test, and the layer of what it matches."""

    position: int
    field: RuleField
    syntax: RuleSyntax
    pattern: str
    layer: Layer

    def words(self) -> str:
        """Say the rule as evidence does: "rule 2, path tests/db/**"."""
        return f"rule {self.position}, {self.field.word} {self.pattern}"


class RuleSet:
    """The rules of a project, compiled and in order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: tuple[Rule, ...] = tuple(sorted(rules, key=lambda rule: rule.position))
        if len(self.rules) > MAX_RULES:
            raise BadRules(
                f"A project has at most {MAX_RULES} rules, not {len(self.rules)}; join some with braces."
            )
        self._matchers: dict[RuleField, list[tuple[int, Matcher]]] = {}
        for place, rule in enumerate(self.rules):
            self._matchers.setdefault(rule.field, []).append((place, compile_rule(rule)))
        self._known: dict[RuleField, dict[str, int]] = {field: {} for field in self._matchers}

    def match(self, identity: Subject) -> Rule | None:
        """Return the first rule that an identity meets."""
        none = first = len(self.rules)
        for field, known in self._known.items():
            for text in subjects(identity, field):
                place = known.get(text)
                if place is None:
                    place = self._first(field, text)
                if place < first:
                    first = place
        return None if first == none else self.rules[first]

    def _first(self, field: RuleField, text: str) -> int:
        """Return the place of the first rule on a field that a text meets, and remember it: paths come again."""
        found = next((place for place, matches in self._matchers[field] if matches(text)), len(self.rules))
        known = self._known[field]
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[text] = found
        return found

    def check_pace(self, *, most: int = MOST_VISITED) -> None:
        """Raise BadRules where matching took too long so far, and name the rule that took most."""
        visited = {place: matches.n_visited for of in self._matchers.values() for place, matches in of}
        if sum(visited.values()) <= most:
            return
        place = max(visited, key=lambda place: visited[place])
        raise BadRules(
            "The pattern takes too long on the names of this project: fewer counted repeats and fewer "
            "wildcards in front of them are faster, and so is a glob.",
            self.rules[place].position,
        )

    def __len__(self) -> int:
        return len(self.rules)


def compile_rule(rule: Rule) -> Matcher:
    """Return the test of a rule's texts; raise BadPattern with the place."""
    if not rule.pattern.strip():
        raise BadPattern("The pattern is empty, so it would match nothing.")
    if rule.syntax is RuleSyntax.REGEX:
        return patterns.regex(rule.pattern)
    return patterns.glob(rule.pattern, separator="/" if rule.field is RuleField.PATH else "")


def subjects(identity: Subject, field: RuleField) -> tuple[str, ...]:
    """Return the texts of an identity that a rule on `field` reads."""
    match field:
        case RuleField.PATH:
            return (path(identity),)
        case RuleField.SUITE:
            return (identity.suite,)
        case RuleField.CLASSNAME:
            return (identity.classname,)
        case RuleField.NAME:
            return (identity.name,)
        case RuleField.PROPERTY:
            return tuple(f"{key}={value}" for key, value in identity.properties)
        case RuleField.MARKER:
            return identity.markers
        case RuleField.ENVIRONMENT:
            return (identity.variant,)
        case _:
            assert_never(field)


def path(identity: Subject) -> str:
    """Return the path that a test's report tells: its file, else what its suite or class name spells as one.

    Many reporters write no file: pytest's classname `tests.db.test_user` is the path tests/db/test_user.
    """
    told = identity.file or next((text for text in (identity.suite, identity.classname) if "/" in text), "")
    if told:
        return told.replace("\\", "/").removeprefix("file://").removeprefix("./")
    return identity.classname.replace("::", "/").replace("\\", "/").replace(".", "/")


def to_toml(rules: Sequence[Rule]) -> str:
    """Write rules as TOML, in order; reading it back gives the same rules."""
    return "\n".join(
        "[[rule]]\n"
        f'field = "{rule.field.word}"\n'
        f'syntax = "{rule.syntax.word}"\n'
        f"pattern = {_toml_string(rule.pattern)}\n"
        f'layer = "{rule.layer.word}"\n'
        for rule in sorted(rules, key=lambda rule: rule.position)
    )


def from_toml(text: str) -> list[Rule]:
    """Read rules as TOML: `[[rule]]` tables with field, syntax, pattern and layer; raise BadRules."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRules(f"Not TOML: {error}.") from None
    tables = document.get("rule", [])
    strange = sorted(set(document) - {"rule"})
    if strange or not isinstance(tables, list):
        raise BadRules(f"Expected only [[rule]] tables{', not ' + ', '.join(strange) if strange else ''}.")
    rules = [_rule(table, position) for position, table in enumerate(tables, start=1)]
    RuleSet(rules)
    return rules


def _rule(table: Any, position: int) -> Rule:
    if not isinstance(table, dict):
        raise BadRules("Expected a [[rule]] table.", position)
    strange = sorted(set(table) - {"field", "syntax", "pattern", "layer"})
    if strange:
        raise BadRules(f"Unknown key {strange[0]!r}; a rule has field, syntax, pattern and layer.", position)
    for key in ("field", "pattern", "layer"):
        if not isinstance(table.get(key), str):
            raise BadRules(f"The key {key!r} is missing or no text.", position)
    try:
        rule = Rule(
            position=position,
            field=RuleField.from_word(table["field"]),
            syntax=RuleSyntax.from_word(table.get("syntax", "glob")),
            pattern=table["pattern"],
            layer=Layer.from_word(table["layer"]),
        )
        compile_rule(rule)
    except ValueError as error:
        raise BadRules(f"{error}.".replace("..", "."), position) from None
    return rule


def _toml_string(text: str) -> str:
    # JSON strings are TOML basic strings, but for DEL, which TOML wants escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
