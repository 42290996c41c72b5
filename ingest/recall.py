"""What a worker remembers of the cases it has recorded, so that most of the next report costs one look-up a case. Pure.

A case is remembered by the bytes of its element, but for its time, and by the suite around it: the same words make the same
identity, so neither that nor the test has to be looked for again. Passes without children and skipped cases are remembered,
since their time is all that differs from run to run; the number of a test that was skipped stands with a minus. What is
remembered holds as long as the project's identities do; a project says by another `identities` that they changed. How a
report is searched for remembered cases is ingest.skimming's to know.

Of the words only a hash is kept: Python's, of 64 bits, keyed anew in each process so that nobody can choose two that meet.
That two of 150,000 cases do has a chance of one in a thousand million.
"""

from __future__ import annotations

import uuid
from array import array
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime

# Some 120 bytes each. A larger suite is not remembered.
MOST_ENTRIES = 150_000

ROOM = 10_000  # ids for which room is made at once

# Attributes that make an identity or say how the test is found. A tag with any other, a timestamp say, is never the same twice.
STEADY = frozenset(
    {
        "classname",
        "class",
        "name",
        "file",
        "filepath",
        "line",
        "lineno",
        "group",
        "status",
        "result",
        "assertions",
    }
)


# The dictionary of a place, the hash of the words, the test's number with its sign.
Lesson = tuple[dict[int, int], int, int]


class Lessons:
    """What an upload taught, twelve bytes a case: it is held until the upload is committed."""

    def __init__(self) -> None:
        self._places: list[tuple[int, dict[int, int]]] = []  # from which lesson on
        self._keys = array("q")
        self._numbers = array("i")

    def parts(self) -> Iterator[tuple[dict[int, int], array[int], array[int]]]:
        """Yield keys and numbers by the dictionary that they are for."""
        ends = [*(start for start, _ in self._places), len(self._keys)][1:]
        for (start, known), end in zip(self._places, ends, strict=True):
            yield known, self._keys[start:end], self._numbers[start:end]

    def add(self, known: dict[int, int], keys: Iterable[int], numbers: Iterable[int]) -> None:
        """Add some of one dictionary."""
        if not self._places or self._places[-1][1] is not known:
            self._places.append((len(self._keys), known))
        self._keys.extend(keys)
        self._numbers.extend(numbers)

    def extend(self, lessons: Iterable[Lesson]) -> None:
        """Add some."""
        for known, key, number in lessons:
            if not self._places or self._places[-1][1] is not known:
                self._places.append((len(self._keys), known))
            self._keys.append(key)
            self._numbers.append(number)

    def clear(self) -> None:
        """Forget them all."""
        del self._places[:], self._keys[:], self._numbers[:]


class Recalled:
    """Results of remembered tests, a column each: test, seconds, place in the document."""

    __slots__ = ("at", "ids", "seconds")

    def __init__(self) -> None:
        self.ids = array("i")
        self.seconds = array("f")
        self.at = array("i")

    @classmethod
    def of(cls, ids: Iterable[int], seconds: Iterable[float], at: Iterable[int]) -> Recalled:
        """Return results of these columns."""
        found = cls()
        found.ids.extend(ids)
        found.seconds.extend(seconds)
        found.at.extend(at)
        return found

    def extend(self, results: Sequence[tuple[int, float, int]]) -> None:
        """Add some results."""
        numbers, seconds, places = zip(*results, strict=True)
        self.ids.extend(numbers)
        self.seconds.extend(seconds)
        self.at.extend(places)

    def slices(self, n: int) -> Iterator[Recalled]:
        """Yield them n at a time."""
        for start in range(0, len(self.ids), n):
            part = Recalled()
            part.ids, part.seconds, part.at = (
                self.ids[start : start + n],
                self.seconds[start : start + n],
                self.at[start : start + n],
            )
            yield part

    def clear(self) -> None:
        """Empty the columns, for whoever holds on to them."""
        del self.ids[:], self.seconds[:], self.at[:]


class Memory:
    """The remembered cases of one project: by suite and attributes, then by the hash of the words, the number of the test."""

    def __init__(self, identities: uuid.UUID | None, classified_at: datetime | None = None) -> None:
        self.identities = identities
        self.classified_at = classified_at
        self.layers = bytearray()  # of the remembered tests, by their ids
        self.n_entries = 0
        self._places: dict[Hashable, dict[int, int]] = {}

    def known(self, place: Hashable) -> dict[int, int]:
        """Return what is known at one place, to be looked into and never written to."""
        return self._places.setdefault(place, {})

    def learn(self, learned: Lessons) -> None:
        """Remember what an upload taught; what finds no room any more begins anew.

        Places are bounded too: suites that are called otherwise in each run would fill a process with empty ones.
        """
        for known, keys, numbers in learned.parts():
            n_before = len(known)
            known.update(zip(keys, numbers, strict=True))
            self.n_entries += len(known) - n_before
            if self.n_entries > MOST_ENTRIES:
                self.forget()
                return
        if len(self._places) > MOST_ENTRIES:
            self.forget()

    def note_layers(self, test_ids: Sequence[int], layers: Iterable[int]) -> None:
        """Keep the layers of tests by their ids, for as long as the memory holds; a test is remembered after that."""
        most = max(test_ids, default=0)
        if most >= len(self.layers):
            self.layers.extend(bytes(most + ROOM - len(self.layers)))
        for test_id, layer in zip(test_ids, layers, strict=True):
            self.layers[test_id] = layer

    def forget(self) -> None:
        """Begin anew with the next upload."""
        self.identities = None


_memories: OrderedDict[int, Memory] = OrderedDict()


def memory_of(project_id: int, *, identities: uuid.UUID, classified_at: datetime | None) -> Memory:
    """Return what this process remembers of the project, a new memory where its identities or layers are others by now."""
    memory = _memories.get(project_id)
    if memory is None or memory.identities != identities or memory.classified_at != classified_at:
        memory = _memories[project_id] = Memory(identities, classified_at)
    _memories.move_to_end(project_id)
    while len(_memories) > 1 and sum(one.n_entries for one in _memories.values()) > MOST_ENTRIES:
        _memories.popitem(last=False)
    return memory


def is_steady(names: tuple[str, ...]) -> bool:
    """True for a tag whose attributes, but for its time, are the same from run to run."""
    return "time" in names and len(names) > 1 and STEADY.issuperset(name for name in names if name != "time")
