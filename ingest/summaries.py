"""Words a run's summary as Markdown, for the summary of a CI job or a comment on a pull request.

Pure: answers in, text out, "" where nothing happened that is worth a reader's look. Names of tests are code,
so that nothing in them is read as markup or calls a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from analysis.answers.of_runs import RunAnswer, RunFailure
from analysis.answers.of_time import SlowerTest
from analysis.answers.of_verdicts import FailureVerdict, RunVerdicts
from analysis.answers.rows import LayerAmount, TestRow
from analysis.shape import Shape
from analysis.targets import CORE
from projects.vocabulary import Blame, Layer

MOST_LINES = 10  # a comment is read in passing; the page behind the link has the rest
LONGEST_NAME = 160
NEAR_BUDGET = 0.8
ALIKE = 0.8  # of two runs, the smaller has this much of the larger's tests; a part of the suite has another balance
MOVED = 1.0  # points of a hundred


@dataclass(frozen=True, slots=True)
class Links:
    """Where the lines lead; absolute, `test` with {id} in it."""

    run: str
    test: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that a summary is made of; `last_runs` are the newest first, `budgets` seconds a run."""

    answer: RunAnswer
    verdicts: RunVerdicts
    slower: tuple[SlowerTest, ...]
    last_runs: tuple[tuple[LayerAmount, ...], ...]
    new_by_layer: Mapping[Layer, int]
    budgets: Mapping[Layer, float]
    links: Links


def markdown(summary: Summary) -> str:
    """Return the summary, or "" when nothing changed."""
    news = [part for part in _news(summary) if part]
    if not news:
        return ""
    blocks = [f"### Trophycase: {', '.join(news)}", _scope(summary), *filter(None, _blocks(summary))]
    return "\n\n".join(blocks) + "\n"


def _news(summary: Summary) -> Iterable[str]:
    """Say in a few words each what happened; nothing at all is silence."""
    answer = summary.answer
    if answer.run.is_incident:
        yield "many tests failed at once"
    yield _count(_blamed(summary, *NEW), "new failure")
    yield _count(_blamed(summary, Blame.FAILING_BEFORE), "failure from before", "failures from before")
    n_flaky = len(_blamed(summary, Blame.KNOWN_FLAKY)) + len(_retried(summary))
    yield f"{n_flaky} known flaky" if n_flaky else ""
    yield _count(summary.slower, "slower test")
    yield _count(answer.new_tests, "new test")
    yield "balance moved" if _balance(summary) else ""
    yield from (f"{layer.word} over budget" for layer in _crossed(summary))
    yield "incomplete" if answer.run.is_incomplete else ""


NEW = (Blame.LIKELY_YOURS, Blame.LIKELY_FLAKY)


def _blamed(summary: Summary, *blames: Blame) -> list[FailureVerdict]:
    failures = summary.verdicts.failures
    return [one for one in failures if one.blame in blames and not one.in_incident]


def _retried(summary: Summary) -> tuple[RunFailure, ...]:
    """Return the tests that a retry saved; while everything fails that says nothing about them."""
    return () if summary.answer.run.is_incident else summary.answer.flaky


def _scope(summary: Summary) -> str:
    run = summary.answer.run
    took = _seconds(run.seconds)
    if run.seconds_before is not None and abs(run.seconds - run.seconds_before) >= 1:
        sign = "+" if run.seconds > run.seconds_before else "−"
        took += f" ({sign}{_seconds(abs(run.seconds - run.seconds_before))})"
    amounts = f"{_n(run.n_tests, 'test')}, {run.n_bad} failed, {run.n_skipped} skipped, {took}"
    return f"[Run #{run.number}]({summary.links.run}) on {_code(run.branch)} · {amounts}"


def _blocks(summary: Summary) -> Iterable[str]:
    answer, links = summary.answer, summary.links
    if answer.run.is_incident:
        yield f"**Many tests failed at once.** {_plain(answer.run.incident_sentence)}"
    if answer.run.is_incomplete:
        yield f"**The run is incomplete.** {_plain(answer.run.why_incomplete)}"
    yield _failures("New failures", _blamed(summary, *NEW), links)
    yield _failures("Failing before this run", _blamed(summary, Blame.FAILING_BEFORE), links)
    yield _failures("Known flaky, failed", _blamed(summary, Blame.KNOWN_FLAKY), links)
    yield _list("Passed when retried", [_line(one, "", links) for one in _retried(summary)], links)
    yield _list("Slower", [_slower(one, links) for one in summary.slower], links)
    yield _list("New tests", [_new(one, links) for one in answer.new_tests], links)
    yield _balance(summary)
    yield _budgets(summary)


def _failures(title: str, failures: Sequence[FailureVerdict], links: Links) -> str:
    return _list(title, [_line(one, one.sentence, links) for one in failures], links)


def _list(title: str, lines: Sequence[str], links: Links) -> str:
    if not lines:
        return ""
    n_more = len(lines) - MOST_LINES
    more = [f"- [and {n_more} more]({links.run})"] if n_more > 0 else []
    return "\n".join([f"**{title} ({len(lines)})**", "", *lines[:MOST_LINES], *more])


def _line(one: FailureVerdict | RunFailure, detail: str, links: Links) -> str:
    return _item(one.test_id, one.title, detail, links)


def _slower(one: SlowerTest, links: Links) -> str:
    return _item(one.test_id, one.title, f"{_seconds(one.usual_s)} → {_seconds(one.seconds)}", links)


def _new(one: TestRow, links: Links) -> str:
    return _item(one.id, one.title, one.layer.word, links)


def _item(test_id: int, title: str, detail: str, links: Links) -> str:
    said = f": {detail}" if detail else ""
    return f"- [{_code(title)}]({links.test.replace('{id}', str(test_id))}){said}"


# --- balance and budget


def _alike(summary: Summary) -> list[tuple[LayerAmount, ...]]:
    """Return the last runs that had about as many tests as this one; none for a run that is not whole."""
    answer = summary.answer
    if answer.run.is_incomplete or answer.run.is_incident:
        return []
    n_tests = _n_tests(answer.layers)
    return [run for run in summary.last_runs if _is_alike(n_tests, _n_tests(run))]


def _n_tests(layers: Iterable[LayerAmount]) -> int:
    return sum(amount.n_tests for amount in layers)


def _is_alike(one: int, other: int) -> bool:
    return bool(one and other) and min(one, other) >= ALIKE * max(one, other)


def _balance(summary: Summary) -> str:
    """Say which shares the run's new tests moved by a point or more: what else differs, differs from run to run."""
    if not _alike(summary):
        return ""
    layers = summary.answer.layers
    new = summary.new_by_layer
    before = [replace(one, n_tests=max(0, one.n_tests - new.get(one.layer, 0))) for one in layers]
    then, now = _points(before), _points(layers)
    moved = [layer for layer in CORE if abs(now[layer] - then[layer]) >= MOVED]
    if not moved or not sum(then.values()):
        return ""
    said = [f"{layer.word} {then[layer]:.0f} % → {now[layer]:.0f} %" for layer in moved]
    return f"**Balance**: {', '.join(said)} of the tests."


def _points(layers: Iterable[LayerAmount]) -> dict[Layer, float]:
    shares = Shape({amount.layer: amount.n_tests for amount in layers}).shares
    return {layer: 100 * share for layer, share in shares.items()}


def _spent(summary: Summary) -> dict[Layer, tuple[float, float]]:
    """Return, for each layer with a budget, the seconds of this run and the median of the last ones alike."""
    alike = [{amount.layer: amount.seconds for amount in run} for run in _alike(summary)]
    if not alike:
        return {}
    now = {amount.layer: amount.seconds for amount in summary.answer.layers}
    return {
        layer: (now.get(layer, 0.0), median(run.get(layer, 0.0) for run in alike))
        for layer in summary.budgets
    }


def _crossed(summary: Summary) -> list[Layer]:
    """Return the layers that are over their budget in this run, and usually are not."""
    budgets = summary.budgets
    return [layer for layer, (now, usual) in _spent(summary).items() if now > budgets[layer] >= usual]


def _budgets(summary: Summary) -> str:
    lines = []
    for layer, (now, usual) in _spent(summary).items():
        limit = summary.budgets[layer]
        if now < NEAR_BUDGET * limit:
            continue
        state = ", over budget" if now > limit else ""
        lines.append(f"{layer.word} {_seconds(now)} of {_seconds(limit)} (usually {_seconds(usual)}){state}")
    return f"**Budget**: {'; '.join(lines)}." if lines else ""


# --- words


def _count(found: Sequence[object], thing: str, things: str = "") -> str:
    if not found:
        return ""
    return f"{len(found)} {thing if len(found) == 1 else things or thing + 's'}"


def _n(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}".replace(",", "\u202f")


def _code(words: str) -> str:
    """Return words as code, with a fence longer than any in them."""
    line = " ".join(words.split())
    line = line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _plain(words: str) -> str:
    """Return a sentence in which nothing is read as markup."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(words.split()))
    return escaped.replace("@", "@\u200b")


def _seconds(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s"
