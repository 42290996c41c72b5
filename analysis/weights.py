"""What one convention says of a layer, and how tables of conventions are written.

Knows the form of the tables, whose lines read `layer weight: words  # reason`; their content is elsewhere.
A weight is in log-odds: +0.7 doubles the odds of a layer, +2.3 makes them ten to one, a negative one speaks
against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from projects.vocabulary import Layer


class Vote(NamedTuple):
    """What one convention says: so much for (or against) a layer."""

    layer: Layer
    weight: float


Votes = tuple[Vote, ...]


class Place(NamedTuple):
    """A word of a path: its weight for a directory of tests, for any other directory, in a longer name."""

    layer: Layer
    rooted: float
    bare: float
    affix: float


_LAYERS = {layer.word: layer for layer in Layer}


def _lines(table: str) -> Iterator[list[str]]:
    for line in table.splitlines():
        columns = line.split("#", 1)[0].split()
        if columns:
            yield columns


def votes(table: str) -> dict[str, Votes]:
    """Read lines of `layer weight: words`; a word may stand on several, and then votes for several layers."""
    found: dict[str, Votes] = {}
    for layer, weight, *rest in _lines(table):
        for word in rest:
            found[word] = (*found.get(word, ()), Vote(_LAYERS[layer], float(weight.rstrip(":"))))
    return found


def named(table: str) -> dict[str, Votes]:
    """Read lines of `layer weight: a name of several words`."""
    return {
        " ".join(rest): (Vote(_LAYERS[layer], float(weight.rstrip(":"))),)
        for layer, weight, *rest in _lines(table)
    }


def places(table: str) -> dict[str, Place]:
    """Read lines of `word layer rooted bare affix`."""
    return {
        word: Place(_LAYERS[layer], float(rooted), float(bare), float(affix))
        for word, layer, rooted, bare, affix in _lines(table)
    }


def words(text: str) -> frozenset[str]:
    """Read words between blanks."""
    return frozenset(text.split())
