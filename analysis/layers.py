"""Which layer a test belongs to, how sure that is, and every reason for it.

The door to the evidence engine: knows a project's own rules and medians as the last words on a verdict. How
identities are read is in `reading`, how evidence adds up in `weighing`; rules themselves are in `rules`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from analysis.evidence import Identity
from analysis.reading import Reader
from analysis.rules import RuleSet
from analysis.votes import Evidence
from analysis.weighing import Verdict, said_of, told, weigh, with_duration
from projects.vocabulary import EvidenceKind

__all__ = [
    "Classifier",
    "Evidence",
    "Identity",
    "Verdict",
    "Weigher",
    "classify",
    "classify_many",
    "heard",
    "weigh",
    "with_duration",
]

RULE_WEIGHT = 9.0
BATCH = 4_000  # tests read at once: enough to share the work, and some MB at most
MOST_TOLD = 10_000  # verdicts of rules and medians remembered, some 1 KB each


def classify(identity: Identity, *, rules: RuleSet | None = None, median_s: float | None = None) -> Verdict:
    """Weigh all evidence about one test; a Classifier does many faster."""
    return with_duration(Classifier(rules).verdicts([identity])[0], median_s)


def classify_many(identities: Iterable[Identity], *, rules: RuleSet | None = None) -> Iterator[Verdict]:
    """Weigh the evidence about many tests, in order, reading what they share once."""
    classifier, waiting = Classifier(rules), iter(identities)
    while batch := list(islice(waiting, BATCH)):
        yield from classifier.verdicts(batch)


def heard(identity: Identity) -> dict[str, Evidence]:
    """Return the votes on one test by the convention that casts them, for those who measure conventions."""
    return Reader().facts(identity)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Let nobody look for cycles while a batch is read: it makes none, and takes a sixth longer when looked through."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Classifier:
    """Weighs tests and reads what they share once; keep one as long as an upload or a batch.

    What is said alike of many tests is one and the same Verdict.
    """

    def __init__(self, rules: RuleSet | None = None) -> None:
        self._reader = Reader()
        self._rules = rules if rules is not None and len(rules) else None
        self._told: dict[tuple[int, int], tuple[Verdict, Verdict]] = {}

    def verdicts(self, identities: Sequence[Identity]) -> list[Verdict]:
        """Weigh everything but durations; a few thousand tests at once take the least time for each."""
        with _no_collection():
            verdicts = self._reader.verdicts(identities)
        if self._rules is None:
            return verdicts
        if len(self._told) > MOST_TOLD:
            self._told.clear()
        return list(map(self._ruled, identities, verdicts))

    def _ruled(self, identity: Identity, said: Verdict) -> Verdict:
        rule = self._rules.match(identity) if self._rules else None
        if rule is None:
            return said
        key = rule.position, id(said)
        if key not in self._told:
            one = Evidence(EvidenceKind.RULE, rule.layer, RULE_WEIGHT, rule.words())
            self._told[key] = said, told(one, said)  # what was said is kept, and so its id
        return self._told[key][1]


class Weigher:
    """A Classifier that adds medians too."""

    def __init__(self, rules: RuleSet | None = None) -> None:
        self._classifier = Classifier(rules)
        self._timed: dict[tuple[int, str], tuple[Verdict, Verdict]] = {}

    def verdicts(self, identities: Sequence[Identity], medians: Sequence[float | None]) -> list[Verdict]:
        """Weigh everything about some thousand tests."""
        if len(self._timed) > MOST_TOLD:
            self._timed.clear()
        return list(map(self._with_duration, self._classifier.verdicts(identities), medians))

    def _with_duration(self, verdict: Verdict, median_s: float | None) -> Verdict:
        said = said_of(median_s)
        if not said:
            return verdict
        key = id(verdict), said
        known = self._timed.get(key)
        if known is None:
            known = self._timed[key] = verdict, with_duration(verdict, median_s)
        return known[1]
