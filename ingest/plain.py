"""Read rows of plain cases by one regular expression a row, and keep them a column each. Pure.

A case is plain that has a class, a name and a time in printable ASCII, maybe a file and a line, and no child but maybe one that
says that it was skipped: there is nothing in it that only a parser can read. Most of most reports are such cases, one after
another. Where nothing is
remembered of a project, they are taken from the bytes a row at once; what a name may still hide is asked of all names of a
row together. The form of the tag, which attributes stand in it and in which order, is that of the case that a parser read last.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from ingest import identity
from ingest.cases import Case
from ingest.identity import Hash
from projects.vocabulary import Outcome

CASE, TIME = b"<testcase ", b' time="'
# What may stand between quotes and means itself: neither a quote, nor a beginning of a tag or of a reference. An `@` in a name
# is a tag of the test. Nothing is given back once it is matched, so a row is read in one pass.
WORDS = rb"([ !#-%'-;=-~]*+)"
FORMS = {
    "classname": WORDS,
    "name": rb"([!#-%'-;=?A-~>][ !#-%'-;=?A-~>]*+)",
    "time": rb"([0-9]{1,9}+(?:\.[0-9]{1,20}+)?+(?:[eE]-[0-9]{1,3}+)?+)",
    "file": WORDS,
    "line": rb"([0-9]{1,9}+)",
    "assertions": WORDS,
}
MAYBE_RETRY = re.compile(r"[(\[][rRaAtT]")
REASON = rb' type="%b"(?: message="%b")?+| message="%b"(?: type="%b")?+'.replace(b"%b", WORDS[1:-1])
SKIPPED = rb"<skipped(?:" + REASON + rb")?+\s*+(?:/>|>[ !-%'-;=?-~\s]*+</skipped>)\s*+"
END = rb"\s*+(?:/>|>\s*+(?:" + SKIPPED + rb")?+</testcase>)\s*+"


PLACE = attrgetter("at")  # in the document


class Form(NamedTuple):
    """How the tag of a plain case looks: one of them with a group an attribute, a row of them, and where the groups stand.

    The first group is what comes before the time, the last one what comes behind it.
    """

    case: re.Pattern[bytes]
    row: re.Pattern[bytes]
    classname: int
    name: int
    time: int
    file: int | None
    line: int | None
    end: int


@lru_cache(maxsize=1_000)
def form_of(names: tuple[str, ...]) -> Form | None:
    """Return the form of a tag with these attributes in this order; None where such a case is never plain."""
    if (
        not FORMS.keys() >= set(names)
        or not {"classname", "name", "time"} <= set(names)
        or names[0] == "time"
    ):
        return None
    at = names.index("time")
    head = b" ".join(_attribute(name) for name in names[:at])
    tail = b"".join(b" " + _attribute(name) for name in names[at + 1 :]) + END
    case = CASE + b"(" + head + b")" + TIME + FORMS["time"] + b'"(' + tail + b")"
    group = {name: n + (1 if n < at else 2 if n > at else 1) for n, name in enumerate(names)}
    return Form(
        re.compile(case),
        re.compile(b"(?:" + re.sub(rb"\((?!\?)", b"(?:", case) + b")++"),
        *(group["classname"], group["name"], group["time"]),
        *(group.get("file"), group.get("line")),
        end=at + 2,
    )


def _attribute(name: str) -> bytes:
    return name.encode() + b'="' + FORMS[name] + b'"'


class Home(NamedTuple):
    """What the plain tests of one class and file share: the beginning of their identity, and words of them and their suite."""

    begun: Hash
    suite: str
    classname: str
    file: str
    variant: str
    framework: str
    known: dict[int, int]  # where they are remembered


class Plain:
    """Plain cases, a column each: what they share, name, line, whether they were skipped, identity, seconds, hash of the words,
    place in the document.
    """

    def __init__(self) -> None:
        self.homes: list[Home] = []
        self.names: list[bytes] = []
        self.lines: list[int | None] = []
        self.is_skipped = bytearray()
        self.bases: list[bytes] = []
        self.fingerprints: list[bytes] = []
        self.seconds = array("f")
        self.keys = array("q")
        self.at = array("i")

    def __len__(self) -> int:
        return len(self.names)

    def add(
        self,
        homes: Sequence[Home],
        names: Sequence[bytes],
        lines: Sequence[int] | None,
        is_skipped: bytes,
        seconds: array[float],
        keys: Sequence[int],
        *,
        before: int,
    ) -> None:
        """Add a row of cases, `before` of which so many stand in the document."""
        bases = list(_identities(homes, names))
        self.homes += homes
        self.names += names
        self.lines += [None] * len(names) if lines is None else lines
        self.is_skipped += is_skipped
        self.bases += bases
        variant = homes[0].variant
        self.fingerprints += [identity.with_variant(base, variant) for base in bases] if variant else bases
        self.seconds += seconds
        self.keys.extend(keys)
        self.at.extend(range(before + 1, before + 1 + len(names)))

    def taken(self) -> Plain:
        """Return what is here, and be empty."""
        found = Plain()
        found.__dict__, self.__dict__ = self.__dict__, found.__dict__
        return found

    def groups(self) -> Iterator[tuple[Home, int]]:
        """Yield what tests that follow each other share, and how many these are."""
        for _, homes in groupby(self.homes, key=id):
            same = list(homes)
            yield same[0], len(same)

    def signed(self, ids: array[int]) -> array[int]:
        """Return the numbers of the tests, with a minus where one was skipped."""
        if 1 not in self.is_skipped:
            return ids
        return array(
            "i", [-one if skipped else one for one, skipped in zip(ids, self.is_skipped, strict=True)]
        )

    def told(self) -> list[str]:
        """Return the names as text."""
        return b"\n".join(self.names).decode().split("\n")

    def places(self) -> Iterator[tuple[dict[int, int], str, int]]:
        """Yield where those that follow each other are remembered, their framework and how many they are."""
        for _, homes in groupby(self.homes, key=lambda home: (id(home.known), home.framework)):
            same = list(homes)
            yield same[0].known, same[0].framework, len(same)

    def among(self, cases: Sequence[Case]) -> Sequence[Case]:
        """Return these cases and the plain ones, in the order of the document."""
        return sorted([*cases, *self.cases()], key=PLACE) if len(self) else cases

    def cases(self) -> Iterator[Case]:
        """Yield them one by one, as a parser would have read them."""
        columns = zip(
            *(self.homes, self.names, self.lines, self.is_skipped, self.bases, self.fingerprints),
            *(self.seconds, self.keys, self.at),
            strict=True,
        )
        for home, name, line, skipped, base, fingerprint, seconds, key, at in columns:
            yield Case(
                fingerprint=fingerprint,
                base=base,
                suite=home.suite,
                classname=home.classname,
                name=name.decode(),
                file=home.file,
                line=line,
                variant=home.variant,
                outcome=Outcome.SKIPPED if skipped else Outcome.PASSED,
                seconds=seconds,
                attempts=(),
                failure=None,
                framework=home.framework,
                markers=(),
                properties=(),
                owner="",
                may_be_rerun=home.framework == "pytest" and not skipped,
                at=at,
                memo=(home.known, key, -1 if skipped else 1),
            )


def _identities(homes: Sequence[Home], names: Sequence[bytes]) -> Iterator[bytes]:
    last, begun = homes[0], homes[0].begun.copy
    for home, name in zip(homes, names, strict=True):
        if home is not last:
            last, begun = home, home.begun.copy
        one = begun()
        one.update(name)
        yield one.digest()


def odd_places(names: Sequence[bytes], *, host: str, longest: int) -> list[int]:
    """Return the places of names that do not stand for themselves: too long, with a volatile part or the number of a retry."""
    words = b"\n".join(names).decode()
    odd = set[int]()
    if len(max(names, key=len)) > longest:
        odd |= {at for at, name in enumerate(names) if len(name) > longest}
    if MAYBE_RETRY.search(words):
        told = enumerate(words.split("\n"))
        odd |= {at for at, name in told if name[-2:-1].isdigit() and identity.without_retry(name)[1]}
    if identity.RISK.search(words) or (host and host in words):
        told = enumerate(words.split("\n"))
        odd |= {at for at, name in told if identity.masked(name, host=host) != name}
    return sorted(odd)
