"""Rules as they are being edited: rows of a form, moved, removed and checked before anything is kept.

Pure. A draft travels in the form itself, so nothing is kept until it is saved. What a list of rules would
change is asked elsewhere; `stamp` names the list, so that one is saved only after its consequences were seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from analysis import rules
from analysis.rules import Rule
from projects.vocabulary import Layer, RuleField, RuleSyntax


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of a draft in the words of its form, with what is wrong with it."""

    field: str = RuleField.PATH.word
    syntax: str = RuleSyntax.GLOB.word
    pattern: str = ""
    layer: str = Layer.UNIT.word
    problem: str = ""


def of_rules(kept: Iterable[Rule]) -> list[Row]:
    """Return kept rules as rows."""
    return [Row(rule.field.word, rule.syntax.word, rule.pattern, rule.layer.word) for rule in kept]


def read(
    fields: Sequence[str], syntaxes: Sequence[str], patterns: Sequence[str], layers: Sequence[str]
) -> list[Row]:
    """Return the rows that a form sent, without those left blank."""
    sent = zip(fields, syntaxes, patterns, layers, strict=False)
    return [
        Row(field, syntax, pattern.replace("\x00", "").strip(), layer)
        for field, syntax, pattern, layer in sent
        if pattern.strip()
    ]


def done(rows: Sequence[Row], action: str) -> list[Row]:
    """Return the rows after an action such as "up:2", "down:1" or "delete:3"; places count from 1."""
    what, _, text = action.partition(":")
    changed = list(rows)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= len(changed)):
        return changed
    place = int(text) - 1
    if what == "delete":
        del changed[place]
    elif what == "up" and place > 0:
        changed[place - 1], changed[place] = changed[place], changed[place - 1]
    elif what == "down" and place + 1 < len(changed):
        changed[place + 1], changed[place] = changed[place], changed[place + 1]
    return changed


def checked(rows: Sequence[Row]) -> tuple[list[Row], list[Rule]]:
    """Return the rows with their problems, and the rules; the rules are empty when a row has a problem."""
    read_rows = [_checked(row, position=position) for position, row in enumerate(rows, start=1)]
    shown = [row for row, _ in read_rows]
    found = [rule for _, rule in read_rows if rule is not None]
    return shown, found if len(found) == len(shown) else []


def _checked(row: Row, *, position: int) -> tuple[Row, Rule | None]:
    try:
        rule = Rule(
            position=position,
            field=RuleField.from_word(row.field),
            syntax=RuleSyntax.from_word(row.syntax),
            pattern=row.pattern,
            layer=Layer.from_word(row.layer),
        )
        rules.compile_rule(rule)
    except ValueError as problem:
        return replace(row, problem=str(problem)), None
    return replace(row, problem=""), rule


def stamp(found: Sequence[Rule]) -> str:
    """Return a name for exactly this list of rules."""
    return hashlib.sha256(rules.to_toml(found).encode()).hexdigest()[:16]


def progress(n_done: int, n_all: int) -> int:
    """Return how far the background work is, from 0 to 100."""
    return min(100, round(100 * n_done / n_all)) if n_all else 0
