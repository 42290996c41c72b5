"""Whether a run had what runs like it usually have: its shards, its jobs, its suites, its tests.

Pure: tallies in, what is missing out. A tally counts a run's tests by suite and home (file or class). What is usual is
asked of the runs before it that share a job and a file with it, so that a job that runs at night is compared with nights.
Counts alone cannot tell tests that moved from tests that went while others came: where homes fall short, the runs are told in
which that is to be looked up test by test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import NamedTuple, TypeVar

from analysis.renames import Known, renames

LEAST_RUNS = 5  # alike, before anything is usual
USUAL_RUNS = 20
USUAL_SHARE = (
    0.8  # of them have as much: one run in five may be a part of the suite without making parts usual
)
NEW_USUAL = 3  # runs in a row without it, and it is no longer usual: it was removed
MISSING_SHARE = 0.01  # of the usual tests
FEW_SUITES = 50  # with more, a suite is no part of the whole any more, and one goes with an everyday change
MOST_PAIRS = 10_000  # of tests that went and came whose words are compared, in some 40 ms
NO_SUITE = 0  # of tests whose suite is but their file or class: one of these goes with an everyday change too

Key = TypeVar("Key")
Home = tuple[int, int]  # suite and file, as numbers


class Lack(Enum):
    """What kind of thing is missing."""

    SHARDS = "shards"
    JOB = "job"
    SUITE = "suite"
    TESTS = "tests"


@dataclass(frozen=True)
class Tally:
    """What one run had: tests by home and by job, and shards by job where nobody said how many there are."""

    run: int
    homes: Mapping[Home, int]
    jobs: Mapping[str, int] = field(default_factory=dict)
    shards: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def suites(self) -> Mapping[int, int]:
        """Count the tests of each suite."""
        found: dict[int, int] = {}
        for (suite, _), n in self.homes.items():
            found[suite] = found.get(suite, 0) + n
        return found


@dataclass(frozen=True, slots=True)
class Missing:
    """What a run lacks: the job, or the numbers of suite and home where most is missing, and how many of how many."""

    lack: Lack
    n: int
    n_usual: int
    job: str = ""
    suite: int = 0
    home: int = 0


@dataclass(frozen=True, slots=True)
class Doubt:
    """Homes fall short of the usual: which runs tell whether tests are missing or have moved, the newest first."""

    runs: tuple[int, ...]
    n_usual: int
    by_count: Missing | None  # what the counts say, where those runs' tests are known no more


def missing(here: Tally, before: Iterable[Tally]) -> Missing | Doubt | None:
    """Say what the run lacks of the usual, the largest thing first; `before` has the newest run first."""
    alike = [tally for tally in before if is_alike(here, tally)][:USUAL_RUNS]
    if len(alike) < LEAST_RUNS:
        return None
    return _shards(here, alike) or _job(here, alike) or _suite(here, alike) or _tests(here, alike)


def is_alike(one: Tally, other: Tally) -> bool:
    """True for runs that share a job, and a suite or a file."""
    if one.jobs.keys().isdisjoint(other.jobs):
        return False
    suites = one.suites.keys() & other.suites.keys() - {NO_SUITE}
    return bool(suites) or not one.homes.keys().isdisjoint(other.homes)


def usual(counts: Sequence[int]) -> int:
    """Return what four of five runs reach, unless none of the newest three does; `counts` has the newest first."""
    reached = sorted(counts)[int((1 - USUAL_SHARE) * len(counts) + 1e-9)]
    return min(reached, max(counts[:NEW_USUAL]))


def _usual_of(counts: Sequence[Mapping[Key, int]]) -> dict[Key, int]:
    keys = {key for one in counts for key in one}
    found = {key: usual([one.get(key, 0) for one in counts]) for key in keys}
    return {key: n for key, n in found.items() if n}


def _shards(here: Tally, alike: Sequence[Tally]) -> Missing | None:
    """Compare the shards of the jobs that ran; where a total is announced, that is known without comparing."""
    wanted = _usual_of([tally.shards for tally in alike])
    for job in sorted(here.shards):
        if here.shards[job] < wanted.get(job, 0):
            return Missing(Lack.SHARDS, here.shards[job], wanted[job], job=job)
    return None


def _job(here: Tally, alike: Sequence[Tally]) -> Missing | None:
    wanted = _usual_of([tally.jobs for tally in alike])
    gone = sorted((job for job in wanted if job not in here.jobs), key=lambda job: (-wanted[job], job))
    return Missing(Lack.JOB, wanted[gone[0]], sum(wanted.values()), job=gone[0]) if gone else None


def _suite(here: Tally, alike: Sequence[Tally]) -> Missing | None:
    """Find a usual suite without a test; suites that are new here may be old ones under other names."""
    wanted = _usual_of([tally.suites for tally in alike])
    wanted.pop(NO_SUITE, None)
    total = sum(wanted.values())
    known = {suite for tally in alike for suite in tally.suites}
    n_new = sum(n for suite, n in here.suites.items() if suite not in known)
    least = 0.0 if len(wanted) <= FEW_SUITES else MISSING_SHARE * total
    gone = [suite for suite, n in wanted.items() if suite not in here.suites and n >= least]
    if sum(wanted[suite] for suite in gone) <= n_new:
        return None
    first = min(gone, key=lambda suite: (-wanted[suite], suite))
    return Missing(Lack.SUITE, wanted[first], total, suite=first)


def _tests(here: Tally, alike: Sequence[Tally]) -> Doubt | None:
    """Count the tests that homes fall short of the usual; those by which others grew may have moved there."""
    wanted = _usual_of([tally.homes for tally in alike])
    total = sum(wanted.values())
    short = {home: n - here.homes.get(home, 0) for home, n in wanted.items() if here.homes.get(home, 0) < n}
    n_short = sum(short.values())
    if n_short <= MISSING_SHARE * total:
        return None
    grown = {home: n - max(tally.homes.get(home, 0) for tally in alike) for home, n in here.homes.items()}
    n_short -= sum(n for n in grown.values() if n > 0)
    suite, home = min(short, key=lambda one: (-short[one], one))
    found = Missing(Lack.TESTS, n_short, total, suite=suite, home=home)
    runs = tuple(tally.run for tally in alike)
    return Doubt(runs, total, found if n_short > MISSING_SHARE * total else None)


# --- Test by test


class Seen(NamedTuple):
    """A test that was not in each of the runs that are compared: its place, whether it is here, and in which others."""

    test: Known
    place: Home
    is_here: bool
    runs: frozenset[int]


Pair = tuple[list[Seen], list[Seen]]


def missing_tests(doubt: Doubt, seen: Iterable[Seen]) -> Missing | None:
    """Say which usual tests are missing for good: neither here, nor gone on under another name or in another place.

    What a test became, came after the last run that still had that test.
    """
    tests = list(seen)
    gone = [one for one in tests if not one.is_here and usual([run in one.runs for run in doubt.runs])]
    came = [one for one in tests if one.is_here]
    lost: list[Seen] = []
    for place, run in enumerate(doubt.runs[:NEW_USUAL]):
        went = [one for one in gone if run in one.runs]
        gone = [one for one in gone if run not in one.runs]
        new = [one for one in came if one.runs.isdisjoint(doubt.runs[place:])]
        left, unused = _unpaired(went, new)
        used = {one.test.test for one in new} - {one.test.test for one in unused}
        came = [one for one in came if one.test.test not in used]
        lost += left
    if len(lost) <= MISSING_SHARE * doubt.n_usual:
        return None
    places = Counter(one.place for one in lost)
    suite, home = min(places, key=lambda place: (-places[place], place))
    return Missing(Lack.TESTS, len(lost), doubt.n_usual, suite=suite, home=home)


def _unpaired(gone: list[Seen], came: list[Seen]) -> Pair:
    """Leave out tests that have their name elsewhere, then another of their place: written anew; then a name alike."""
    gone, came = _without_pairs(gone, came, key=lambda one: one.test.name)
    gone, came = _without_pairs(gone, came, key=lambda one: one.place)
    if len(gone) * len(came) > MOST_PAIRS:
        return gone, came
    found = renames(vanished=[one.test for one in gone], appeared=[one.test for one in came])
    pairs = {one.candidates[0]: one.new for one in found}
    return (
        [one for one in gone if one.test.test not in pairs],
        [one for one in came if one.test.test not in pairs.values()],
    )


def _without_pairs(gone: list[Seen], came: list[Seen], *, key: Callable[[Seen], Hashable]) -> Pair:
    both = Counter(map(key, gone)) & Counter(map(key, came))
    return _beyond(gone, both, key=key), _beyond(came, both, key=key)


def _beyond(
    tests: list[Seen], n_taken: Mapping[Hashable, int], *, key: Callable[[Seen], Hashable]
) -> list[Seen]:
    left, found = Counter(n_taken), []
    for one in tests:
        if left[key(one)]:
            left[key(one)] -= 1
        else:
            found.append(one)
    return found
