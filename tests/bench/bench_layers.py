"""How right the layers are, how honest their confidence is, and how fast they are read.

Run `python -m tests.bench.bench_layers` beside a folder `shared` with the labelled identities. It prints the
confusion matrix, macro-F1 (all rows, rows marked sure, rows with a trap), the reliability table, a score on
repositories that had no part in the weights, and classifications a second from cold strings.
"""

from __future__ import annotations

import gzip
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pytest

from analysis import conventions, evidence, paths, spelling, votes
from analysis.layers import Identity, Verdict, classify_many, heard
from ingest import junit
from ingest.newcomers import identity_of
from projects.vocabulary import Layer
from tests.shared import CORPUS, NEEDS_SHARED

BINS = (0.9, 0.75, 0.6, 0.4, 0.0)
BROWSERS = frozenset({"chromium", "firefox", "webkit"})


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled identity."""

    identity: Identity
    repository: str
    layer: Layer
    also: frozenset[Layer]
    is_sure: bool
    has_trap: bool


def rows(name: str = "public.jsonl") -> list[Row]:
    """Read the labelled identities, as a report of their producer would give them."""
    if CORPUS is None:
        return []
    with (CORPUS / "layers" / name).open(encoding="utf-8") as lines:
        return [_row(json.loads(line)) for line in lines]


def _row(told: dict[str, object]) -> Row:
    suite, classname, name, file, framework = (
        str(told[key]) for key in ("suite", "classname", "name", "file", "framework")
    )
    properties = dict(told["properties"])  # type: ignore[call-overload]
    browser = properties.pop("hostname", "")
    identity = Identity(
        suite,
        classname,
        name,
        file,
        framework,
        variant=browser if browser in BROWSERS else "",
        markers=tuple(told["markers"]),  # type: ignore[arg-type]
        properties=tuple(properties.items()),
    )
    return Row(
        identity=identity,
        repository=str(told["repo"]),
        layer=Layer.from_word(str(told["layer"])),
        also=frozenset(Layer.from_word(word) for word in told["also"]),  # type: ignore[attr-defined]
        is_sure=told["certainty"] == "sure",
        has_trap=bool(told["trap"]),
    )


# --- scores


def macro_f1(truth: Sequence[Layer], said: Sequence[Layer]) -> float:
    """Return the mean of the six layers' F1 scores; a layer that does not occur counts as zero."""
    hits = Counter(one for one, other in zip(truth, said, strict=True) if one is other)
    n_true, n_said = Counter(truth), Counter(said)
    scores = [2 * hits[layer] / ((n_true[layer] + n_said[layer]) or 1) for layer in Layer]
    return sum(scores) / len(scores)


def scores(labelled: Sequence[Row], said: Sequence[Layer]) -> dict[str, float]:
    """Return macro-F1 on all rows, on those marked sure and on those with a trap."""
    parts: dict[str, Callable[[Row], bool]] = {
        "all": lambda _: True,
        "sure": lambda row: row.is_sure,
        "trap": lambda row: row.has_trap,
    }
    found = {}
    for part, belongs in parts.items():
        pairs = [(row.layer, layer) for row, layer in zip(labelled, said, strict=True) if belongs(row)]
        found[part] = macro_f1([truth for truth, _ in pairs], [layer for _, layer in pairs])
    return found


def reliability(
    labelled: Sequence[Row], verdicts: Sequence[Verdict]
) -> list[tuple[float, int, float, float, float]]:
    """Return per bin of confidence: its lower end, how many, mean confidence, share right, share acceptable."""
    table = []
    for low, high in zip(BINS, (1.01, *BINS), strict=False):
        inside = [
            (row, one) for row, one in zip(labelled, verdicts, strict=True) if low <= one.confidence < high
        ]
        n = len(inside) or 1
        mean = sum(one.confidence for _, one in inside) / n
        right = sum(one.layer is row.layer for row, one in inside) / n
        fair = sum(one.layer is row.layer or one.layer in row.also for row, one in inside) / n
        table.append((low, len(inside), mean, right, fair))
    return table


# --- repositories never seen

STRENGTHS = (0.5, 2.0, 5.0)  # weak, middling, strong: what a convention is worth before anything is counted
FOLDS = 5
ROUNDS = 12
RATE = 0.05
PULL = 0.01  # towards the strength it started from


def _coarse(weight: float) -> float:
    size = STRENGTHS[(abs(weight) >= 1) + (abs(weight) >= 3)]
    return math.copysign(size, weight)


def cross_validate(labelled: Sequence[Row], *, seed: int = 1) -> list[Layer]:
    """Say each row's layer with weights that no row of its repository had a part in.

    The conventions start from three strengths and are fitted on the other folds' repositories, so that the
    numbers in the tables play no part. Which conventions there are was settled by people who knew this corpus.
    """
    chance = random.Random(seed)
    repositories = sorted({row.repository for row in labelled})
    chance.shuffle(repositories)
    fold = {repository: place % FOLDS for place, repository in enumerate(repositories)}
    facts = [[(key, int(one.layer)) for key, one in heard(row.identity).items()] for row in labelled]
    start = {key: _coarse(one.weight) for row in labelled for key, one in heard(row.identity).items()}
    said = [Layer.UNKNOWN] * len(labelled)
    for number in range(FOLDS):
        inside = [place for place, row in enumerate(labelled) if fold[row.repository] != number]
        weights = _fitted(inside, labelled, facts, start, chance)
        for place, row in enumerate(labelled):
            if fold[row.repository] == number:
                said[place] = _guess(facts[place], weights)
    return said


def _odds(facts: Iterable[tuple[str, int]], weights: dict[str, float]) -> list[float]:
    scored = [conventions.PRIOR[layer] for layer in Layer]
    for key, layer in facts:
        scored[layer] += weights[key]
    top = max(scored)
    odds = [math.exp(score - top) for score in scored]
    total = sum(odds)
    return [one / total for one in odds]


def _guess(facts: Iterable[tuple[str, int]], weights: dict[str, float]) -> Layer:
    odds = _odds(facts, weights)
    return Layer(odds.index(max(odds))) if max(odds) >= 0.4 else Layer.UNKNOWN


def _fitted(
    places: list[int],
    labelled: Sequence[Row],
    facts: Sequence[list[tuple[str, int]]],
    start: dict[str, float],
    chance: random.Random,
) -> dict[str, float]:
    weights = dict(start)
    size = Counter(labelled[place].repository for place in places)
    for _ in range(ROUNDS):
        chance.shuffle(places)
        for place in places:
            odds = _odds(facts[place], weights)
            step = RATE / math.sqrt(size[labelled[place].repository] / 10)
            for key, layer in facts[place]:
                wrong = odds[layer] - (labelled[place].layer == layer)
                weights[key] -= step * (wrong + PULL * (weights[key] - start[key]))
    return weights


# --- speed


_LEAF = re.compile(r"(?:test_)?[A-Za-z][A-Za-z0-9]+(?=[\w-]*(?:\.[a-z.-]+)?$)")
_WORD = re.compile(r"[A-Z]?[a-z]{3,}")


def report_of(labelled: Sequence[Row], *, n_per_class: int, n_copies: int, seed: int = 1) -> list[Identity]:
    """Make a large report: every class again under other names, with so many tests each, no name twice.

    A copy's class has two words more, taken from other classes, in the spelling of its name; its directories stay.
    """
    chance = random.Random(seed)
    words = sorted({word.lower() for row in labelled for word in _WORD.findall(row.identity.classname)})
    names = [row.identity.name for row in labelled]
    made = []
    for copy in range(n_copies):
        for row in labelled:
            home = _renamed(row.identity, chance.sample(words, 2)) if copy else row.identity
            for number in range(n_per_class):
                said = chance.choice(names) if copy or number else home.name
                made.append(home._replace(name=_with_words(said, chance.sample(words, 2))))
    return made


def _renamed(identity: Identity, words: Sequence[str]) -> Identity:
    leaf = _LEAF.search(identity.classname or identity.suite or identity.file)
    if leaf is None:
        return identity._replace(suite=_with_words(identity.suite, words))
    new = _with_words(leaf[0], words)
    suite, classname, file = (
        new.join(text.rsplit(leaf[0], 1)) for text in (identity.suite, identity.classname, identity.file)
    )
    return identity._replace(suite=suite, classname=classname, file=file)


def _with_words(name: str, words: Sequence[str]) -> str:
    """Put words into a name as it is spelt: in a sentence, in CamelCase or in snake_case."""
    if " " in name:
        return f"{name} {' '.join(words)}"
    if name[:1].isupper():
        return "".join(word.capitalize() for word in words) + name
    start = "test_" if name.startswith("test_") else ""
    return f"{start}{'_'.join(words)}_{name.removeprefix(start)}"


def suites_of(labelled: Sequence[Row], *, n_suites: int, n_tests: int) -> list[list[Identity]]:
    """Make large suites out of the repositories with most rows: one test a class, every class another name."""
    found = []
    for repository, n in Counter(row.repository for row in labelled).most_common(n_suites):
        own = [row for row in labelled if row.repository == repository]
        found.append(report_of(own, n_per_class=1, n_copies=math.ceil(n_tests / n)))
    return found


def real_suites() -> dict[str, list[Identity]]:
    """Return the tests of the first run of each open project of the corpus, in the order of its report."""
    found = {}
    for folder in sorted((CORPUS / "history").iterdir()) if CORPUS else []:
        for path in sorted(folder.glob("*.xml.gz"))[:1] if folder.is_dir() else []:
            with gzip.open(path) as body:
                cases = {case.fingerprint: case for case in junit.read(body, file_name=path.name).cases()}
            found[folder.name] = [identity_of(case, sent=None) for case in cases.values()]
    return found


def forget() -> None:
    """Empty what outlives a batch, so that every string is cold."""
    for cached in (
        paths.directory,
        spelling.endings_in,
        evidence.producer_facts,
        evidence.browser_in,
        evidence.name_facts,
        votes.said,
    ):
        cached.cache_clear()


def per_second(identities: Sequence[Identity]) -> float:
    """Return how many tests a second of one core classifies.

    Cold: no string of them, no directory and no word was read before; what is learnt on the way helps the rest.
    """
    best = 0.0
    for _ in range(3):
        forget()
        started = time.process_time()
        for _ in classify_many(identities):
            pass
        best = max(best, len(identities) / (time.process_time() - started))
    return best


# --- the printed page


def _print_confusion(labelled: Sequence[Row], said: Sequence[Layer]) -> None:
    counts = Counter((row.layer, layer) for row, layer in zip(labelled, said, strict=True))
    print(f"{'label / said':14}" + "".join(f"{layer.word:>13}" for layer in Layer))
    for truth in Layer:
        print(f"{truth.word:14}" + "".join(f"{counts[truth, layer]:13}" for layer in Layer))


def _print_scores(title: str, labelled: Sequence[Row], said: Sequence[Layer]) -> None:
    found = scores(labelled, said)
    print(f"{title:44}" + "  ".join(f"{part} {score:.3f}" for part, score in found.items()))


def _print_pace(labelled: Sequence[Row]) -> None:
    print("\nclassifications a second of CPU time, from cold strings")
    for name, tests in real_suites().items():
        n_classes = len({(test.suite, test.classname, test.file) for test in tests})
        per_class = len(tests) / n_classes
        print(f"{name:18} {len(tests):5} tests, {per_class:4.1f} a class {per_second(tests):15,.0f}")
    n_repositories = len({row.repository for row in labelled})
    print(f"the corpus, each row once{'':22} {per_second([row.identity for row in labelled]):10,.0f}")
    for n_per_class, n_copies in ((1, 10), (5, 6), (12, 4)):
        rate = per_second(report_of(labelled, n_per_class=n_per_class, n_copies=n_copies))
        print(f"all {n_repositories} repositories mixed, {n_per_class:2} tests a class {rate:10,.0f}")
    rates = sorted(map(per_second, suites_of(labelled, n_suites=20, n_tests=20_000)))
    print(
        f"20 suites of one repository each, 1 test a class {rates[0]:10,.0f} to {rates[-1]:,.0f}, median {rates[10]:,.0f}"
    )


def main() -> None:
    """Print everything."""
    labelled = rows()
    verdicts = list(classify_many(row.identity for row in labelled))
    said = [one.layer for one in verdicts]
    _print_confusion(labelled, said)
    print("\nmacro-F1")
    _print_scores("as shipped", labelled, said)
    anonymous = [one.layer for one in classify_many(row.identity._replace(framework="") for row in labelled)]
    _print_scores("as shipped, producer not told", labelled, anonymous)
    _print_scores("weights fitted without the row's repository", labelled, cross_validate(labelled))
    print("\nconfidence from      n   mean  right  acceptable")
    for low, n, mean, right, fair in reliability(labelled, verdicts):
        print(f"{low:15.2f} {n:6}  {mean:5.3f}  {right:5.3f}  {fair:10.3f}")
    _print_pace(labelled)


@NEEDS_SHARED
@pytest.mark.bench
@pytest.mark.shared
def test_layers_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        main()


if __name__ == "__main__":
    main()
