"""Patterns that people write, matched in time linear in the text.

A regular expression from a settings page must not be able to hang a worker, so none reaches a backtracking
matcher: it is parsed by Python's own parser, turned into states, and all states advance together, one
character at a time (the way of grep and RE2). What cannot be matched that way, back-references and
look-arounds, is refused with a sentence. Knows text alone; what a pattern is about is left to the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MAX_PATTERN = 500  # characters; longer is a list of names, and belongs into several rules
MAX_TEXT = 1_000  # characters read of a subject: what is stored of a name
MAX_WRITTEN_OUT = 400  # states that counted repeats may add: each costs time with every new character
MAX_REMEMBERED = 4_000  # sets of states kept per pattern before starting over: about 2 MB
MAX_ALTERNATIVES = 64  # that braces in a glob may spell out


class BadPattern(ValueError):
    """A pattern that is not taken: `message` says why and what to do, `place` counts characters from 0."""

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message if place is None else f"{message} (at character {place + 1})")
        self.message = message
        self.place = place


def regex(pattern: str) -> Matcher:
    """Compile a regular expression into a test that finds it anywhere in a text."""
    _check_length(pattern)
    try:
        return Matcher(pattern, flags=0)
    except re.error as error:
        raise BadPattern(f"Not a regular expression: {error.msg}.", error.pos) from None
    except (RecursionError, OverflowError):
        raise BadPattern("The pattern is nested too deeply.") from None


def glob(pattern: str, *, separator: str = "") -> Matcher:
    """Compile a glob for whole texts: `*`, `?`, `[a-z]`, `{a,b}`.

    With a separator, `**` crosses it and `*` does not. A glob over paths matches from any directory on,
    unless it starts with the separator; a trailing separator stands for everything below.
    """
    _check_length(pattern)
    if not pattern:
        raise BadPattern("The pattern is empty, so it would match nothing.")
    one = _path_source if separator else _text_source
    alternatives = "|".join(one(text) for text in _braces(pattern))
    return Matcher(rf"\A(?:{alternatives})\Z", flags=re.DOTALL)


def _check_length(pattern: str) -> None:
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(
            f"The pattern has {len(pattern)} characters; split it into rules of at most {MAX_PATTERN}."
        )


def _braces(pattern: str) -> list[str]:
    """Spell out `{a,b}`: innermost first, so nesting works."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        text = waiting.pop()
        found = re.search(r"\{([^{}]*)\}", text)
        if found is None:
            done.append(text)
        else:
            waiting += [text[: found.start()] + part + text[found.end() :] for part in found[1].split(",")]
        if len(done) + len(waiting) > MAX_ALTERNATIVES:
            raise BadPattern(
                f"The braces spell out more than {MAX_ALTERNATIVES} patterns; split it into several rules."
            )
    return done


def _text_source(pattern: str) -> str:
    return _wildcards(pattern, star=".*", one=".")


def _path_source(pattern: str) -> str:
    rooted = pattern.startswith("/")
    pattern = pattern.strip("/") + ("/**" if pattern.endswith("/") else "")
    parts = [
        part if part == "**" else _wildcards(part, star="[^/]*", one="[^/]") for part in pattern.split("/")
    ]
    source = "/".join(parts).replace("**/", "(?:.*/)?").replace("/**", "/.*").replace("**", ".*")
    return f"/?{source}" if rooted else f"(?:.*/)?{source}"


def _wildcards(pattern: str, *, star: str, one: str) -> str:
    source, place = "", 0
    while place < len(pattern):
        sign = pattern[place]
        place += 1
        if sign == "*":
            source += star
        elif sign == "?":
            source += one
        elif sign == "[":
            end = pattern.find("]", place + 1)
            if end < 0:
                raise BadPattern("The bracket `[` is never closed.", place - 1)
            inside = pattern[place:end].replace("\\", r"\\").replace("[", r"\[")
            source += f"[^{inside[1:]}]" if inside[0] in "!^" else f"[{inside}]"
            place = end + 1
        else:
            source += re.escape(sign)
    return source


# An automaton is a list of nodes. A node either consumes a character that passes its test, or is free: a fork
# to several nodes, or an assertion about the characters on both sides.
_START, _WORD, _OTHER, _END = range(4)  # what stands before or after a place
_MATCH = -1


class Matcher:
    """One pattern: its states, and the sets of them met so far; called with a text, it tells whether that matches."""

    def __init__(self, source: str, *, flags: int) -> None:
        tree = parser.parse(source, flags)
        self._most = 2 * len(source) + MAX_WRITTEN_OUT
        self._tests: list[Callable[[str], bool] | None] = []  # consuming nodes
        self._forks: list[tuple[int, ...]] = []
        self._assertions: list[Callable[[int, int], bool] | None] = []
        self._flags = tree.state.flags
        accept = self._node()
        first = self._sequence(tree, accept)
        self._accept = accept
        self._known: dict[tuple[frozenset[int], int], int] = {}
        self._sets: list[tuple[frozenset[int], int]] = []
        self._steps: list[dict[str, int]] = []
        self._ends: list[bool | None] = []
        self._first = first
        self._begin = self._remember(frozenset([first]), _START)
        self.n_visited = 0  # states looked at in all: the time it took, on any machine

    def __call__(self, text: str) -> bool:
        """True when the pattern occurs in the first characters of a text."""
        if len(self._sets) > MAX_REMEMBERED:
            self._forget()
        state = self._begin
        steps = self._steps
        for sign in text[:MAX_TEXT]:
            after = steps[state].get(sign)
            if after is None:
                after = self._advance(state, sign)
            if after == _MATCH:
                return True
            state = after
        return self._ends_well(state)

    # --- sets of states

    def _remember(self, nodes: frozenset[int], before: int) -> int:
        key = (nodes, before)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self._sets)
            self._sets.append(key)
            self._steps.append({})
            self._ends.append(None)
        return number

    def _forget(self) -> None:
        self._known.clear()
        self._sets.clear()
        self._steps.clear()
        self._ends.clear()
        self._begin = self._remember(frozenset([self._first]), _START)

    def _advance(self, state: int, sign: str) -> int:
        nodes, before = self._sets[state]
        here = _WORD if sign.isalnum() or sign == "_" else _OTHER
        reached = self._closure(nodes, before, here)
        self.n_visited += len(reached)
        if self._accept in reached:
            result = _MATCH
        else:
            # The first node joins every set: the match may start at any character.
            following = {self._forks[node][0] for node in reached if _passes(self._tests[node], sign)}
            result = self._remember(frozenset(following | {self._first}), here)
        self._steps[state][sign] = result
        return result

    def _ends_well(self, state: int) -> bool:
        known = self._ends[state]
        if known is None:
            nodes, before = self._sets[state]
            known = self._ends[state] = self._accept in self._closure(nodes, before, _END)
        return known

    def _closure(self, nodes: frozenset[int], before: int, after: int) -> set[int]:
        """Follow everything that costs no character."""
        reached: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node in reached:
                continue
            reached.add(node)
            holds = self._assertions[node]
            if self._tests[node] is None and (holds is None or holds(before, after)):
                waiting.extend(self._forks[node])
        return reached

    # --- from Python's parse tree to nodes, back to front

    def _node(self, *forks: int, test: Callable[[str], bool] | None = None) -> int:
        if len(self._forks) >= self._most:
            raise BadPattern("The pattern is too large once its counted repeats are written out; use * or +.")
        self._forks.append(forks)
        self._tests.append(test)
        self._assertions.append(None)
        return len(self._forks) - 1

    def _sequence(self, items: Any, after: int) -> int:
        for kind, value in reversed(list(items)):
            after = self._item(kind, value, after)
        return after

    def _item(self, kind: Any, value: Any, after: int) -> int:
        if kind is op.BRANCH:
            return self._node(*(self._sequence(branch, after) for branch in value[1]))
        if kind is op.SUBPATTERN:
            return self._group(value, after)
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(value, after)
        if kind is op.AT:
            return self._assertion(value, after)
        if kind in (op.ASSERT, op.ASSERT_NOT):
            raise BadPattern(
                "Look-arounds such as (?=…) are not taken: they cannot be matched in bounded time."
            )
        if kind in (op.GROUPREF, op.GROUPREF_EXISTS):
            raise BadPattern(
                "Back-references such as \\1 are not taken: they cannot be matched in bounded time."
            )
        if kind in (op.ATOMIC_GROUP, op.POSSESSIVE_REPEAT):
            raise BadPattern(
                "Atomic groups and possessive repeats are not needed here; write * or + instead."
            )
        return self._node(after, test=_test(kind, value, self._flags))

    def _group(self, value: Any, after: int) -> int:
        _, added, removed, items = value
        outer = self._flags
        self._flags = (outer | added) & ~removed
        first = self._sequence(items, after)
        self._flags = outer
        return first

    def _repeat(self, value: Any, after: int) -> int:
        least, most, items = value
        if most is op.MAXREPEAT:
            loop = self._node(after)
            body = self._sequence(items, loop)
            self._forks[loop] = (body, after)
            first = loop
        else:
            first = after
            for _ in range(most - least):
                first = self._node(self._sequence(items, first), after)
        for _ in range(least):
            before = self._sequence(items, first)
            if before == first:
                break  # an empty body repeated ever so often is still empty
            first = before
        return first

    def _assertion(self, value: Any, after: int) -> int:
        node = self._node(after)
        holds = _ASSERTIONS.get(value)
        if holds is None or (self._flags & re.MULTILINE and value in (op.AT_BEGINNING, op.AT_END)):
            raise BadPattern("The flag (?m) is not taken: names and paths have one line.")
        self._assertions[node] = holds
        return node


_ASSERTIONS: dict[Any, Callable[[int, int], bool]] = {
    op.AT_BEGINNING: lambda before, _: before == _START,
    op.AT_BEGINNING_STRING: lambda before, _: before == _START,
    op.AT_END: lambda _, after: after == _END,
    op.AT_END_STRING: lambda _, after: after == _END,
    op.AT_BOUNDARY: lambda before, after: (before == _WORD) != (after == _WORD),
    op.AT_NON_BOUNDARY: lambda before, after: (before == _WORD) == (after == _WORD),
}


def _passes(test: Callable[[str], bool] | None, sign: str) -> bool:
    return test is not None and test(sign)


def _test(kind: Any, value: Any, flags: int) -> Callable[[str], bool]:
    """Return the test of one character. Python's own matcher answers it: one character cannot backtrack."""
    source = "".join(_source(kind, value))
    return _one_character(re.compile(source, flags & (re.IGNORECASE | re.DOTALL | re.ASCII)))


def _one_character(compiled: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda sign: compiled.fullmatch(sign) is not None


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def _source(kind: Any, value: Any) -> Iterator[str]:
    if kind is op.ANY:
        yield "."
    elif kind is op.LITERAL:
        yield re.escape(chr(value))
    elif kind is op.NOT_LITERAL:
        yield f"[^{re.escape(chr(value))}]"
    elif kind is op.RANGE:
        yield f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
    elif kind is op.CATEGORY:
        yield _CATEGORIES[value]
    elif kind is op.NEGATE:
        yield "^"
    elif kind is op.IN:
        yield "["
        for inner in value:
            yield from _source(*inner)
        yield "]"
    else:
        raise BadPattern(f"The construct {str(kind).lower()} is not taken.")
