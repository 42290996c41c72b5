"""What the pages of lists say: the story of a test, and the verdicts over projects, tests, runs, failures and uploads.

Pure: answers in, words out. Headline numbers and empty pages are dashboard.verdicts'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.answers.of_earlier import RunTimes, TestBefore, TestCounts
from analysis.answers.of_failures import FailuresAnswer
from analysis.answers.of_flakes import FlakeTotals
from analysis.answers.of_runs import RunCounts
from analysis.answers.of_suite import ProjectRow
from analysis.answers.of_tests import TestAnswer
from analysis.answers.of_time import SlowTotals
from analysis.answers.of_uploads import Arrivals, UploadSpan
from analysis.window import Window
from dashboard.format import BOUNDARY_WORDS, count, day_words, duration, percent, plural
from dashboard.verdicts import before, during
from projects.vocabulary import Boundary, FlakeStatus, Layer


def tests_sentence(n_total: int, counts: TestCounts | None, window: Window) -> str:
    """Say how many tests the list holds, and how many more or fewer than before."""
    where = "on any branch" if window.is_all_branches else f"on {window.branch}"
    if counts is None:
        matches = "matches" if n_total == 1 else "match"
        return f"{plural(n_total, 'test')} {matches} {where} {during(window)}."
    told = f"{plural(counts.n_tests, 'test')} ran {where} {during(window)}"
    if not window.compare or not counts.n_before:
        return f"{told}."
    change = counts.n_tests - counts.n_before
    if not change:
        return f"{told}, as many as {before(window)}."
    return f"{told}, {count(abs(change))} {'more' if change > 0 else 'fewer'} than {before(window)}."


def tests_note(n_total: int, counts: TestCounts | None) -> str:
    """Say why a list has more rows than there are tests."""
    if counts is None or n_total <= counts.n_tests:
        return ""
    return f"A test that runs in several environments has a row for each: {count(n_total)} rows."


def runs_sentence(n_total: int, counts: RunCounts, earlier: RunCounts | None, window: Window) -> str:
    """Say how many runs there were, how many of them had failures, and how it was before."""
    where = "on any branch" if window.is_all_branches else f"on {window.branch}"
    if window.is_filtered:
        matches = "matches" if n_total == 1 else "match"
        return f"{plural(n_total, 'run')} {matches} {where} {during(window)}."
    failed = f"{count(counts.n_bad)} had failures" if counts.n_bad else "none had failures"
    told = f"{plural(counts.n_runs, 'run')} {where} {during(window)}; {failed}"
    if earlier is None or not earlier.n_runs:
        return f"{told}."
    return f"{told}, against {count(earlier.n_bad)} of {count(earlier.n_runs)} {before(window)}."


def projects_sentence(rows: Sequence[ProjectRow], window: Window) -> str:
    """Say how many projects failed in their last run, and how many runs of all had failures, now and before."""
    n_red = sum(bool(row.last_n_bad) for row in rows)
    told = "No project failed in its last run"
    if n_red:
        told = f"{plural(n_red, 'project')} failed in {'its' if n_red == 1 else 'their'} last run"
    n_runs, n_bad = sum(row.now.n_runs for row in rows), sum(row.now.n_bad_runs for row in rows)
    if not n_runs:
        return f"{told}."
    failed = f"{count(n_bad)} of {plural(n_runs, 'run')}" if n_bad else "no run"
    told = f"{told}; {failed} had failures"
    earlier = [row.before for row in rows if row.before]
    if not window.compare or not earlier:
        return f"{told}."
    n_then, n_bad_then = sum(one.n_runs for one in earlier), sum(one.n_bad_runs for one in earlier)
    return f"{told}, against {count(n_bad_then)} of {count(n_then)} {before(window)}."


def test_sentence(answer: TestAnswer, window: Window) -> str:
    """Tell the story of a Test in one or two sentences, and how it was before."""
    row = answer.row
    if not row.n_results:
        return f"It did not run in this window; it was last seen on {day_words(row.last_seen_on)}."
    ended = row.n_results - row.n_skipped
    if not ended:
        return f"It was skipped in all of {plural(row.n_results, 'result')}."
    then = _failed_before(row.n_bad, answer.earlier, window)
    if not row.n_bad:
        kept = f"It passed in all of {plural(ended, 'run')}{then}."
        retried = (
            f" {plural(row.n_flaky, 'of them needed', 'of them needed')} a retry." if row.n_flaky else ""
        )
        return kept + retried
    text = f"It failed in {count(row.n_bad)} of {plural(ended, 'run')}{then}"
    retried = f"; in {count(row.n_flaky)} a retry on the same commit passed" if row.n_flaky else ""
    return f"{text}{retried}."


def _failed_before(n_bad: int, earlier: TestBefore | None, window: Window) -> str:
    if earlier is None or not earlier.n_ended:
        return ""
    if not n_bad and not earlier.n_bad:
        return f", as in all {count(earlier.n_ended)} {before(window)}"
    failed = "" if n_bad else "failures in "
    return f", against {failed}{count(earlier.n_bad)} of {count(earlier.n_ended)} {before(window)}"


def since_words(answer: TestAnswer) -> str:
    """Return the status with its date: "flaky since 29 Oct"."""
    flake = answer.flake
    if flake is None or flake.status is FlakeStatus.HEALTHY:
        return ""
    return f"since {day_words(flake.since_on)}" if flake.since_on else ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a list of facts; `url` leads to its rows."""

    label: str
    value: str
    anchor: str = ""


def test_facts(answer: TestAnswer) -> list[Fact]:
    """Return what is known of a Test beside its story, without what is empty."""
    row = answer.row
    place = f"{answer.file}:{answer.line}" if answer.file and answer.line else answer.file
    found = [
        Fact("Median", duration(row.median_s), "p95"),
        Fact("p95", duration(row.p95_s), "p95"),
        Fact("Timing", row.bucket.word, "timing"),
        Fact("Total", f"{duration(row.seconds)} ({percent(answer.share_of_time, 1)} of the suite)"),
        Fact("File", place),
        Fact("Class", answer.classname if answer.classname != answer.file else ""),
        Fact("Suite", answer.suite if answer.suite not in (answer.classname, answer.file) else ""),
        Fact("Variant", row.variant),
        Fact("Framework", answer.framework),
        Fact("Markers", ", ".join(answer.markers)),
        Fact("Tags", ", ".join(answer.tags)),
        Fact("Owner", row.owner),
        Fact("First seen", day_words(answer.first_seen_on)),
        Fact("Last seen", day_words(row.last_seen_on)),
    ]
    return [fact for fact in found if fact.value]


STRONG, CLEAR = 3.0, 1.0  # log-odds of 20 to 1, and of nearly 3 to 1


@dataclass(frozen=True, slots=True)
class VoteLine:
    """One reason for a layer in words: what was seen, what it says and how strongly."""

    seen: str
    layer: Layer
    says: str
    weight: str
    width: int


def votes(answer: TestAnswer) -> list[VoteLine]:
    """Put the evidence for the layer into words, strongest first."""
    most = max((abs(vote.weight) for vote in answer.evidence), default=1.0) or 1.0
    return [
        VoteLine(
            vote.words,
            vote.layer,
            f"{_strength(vote.weight)} {'for' if vote.weight >= 0 else 'against'}",
            f"{vote.weight:+.1f}".replace("-", "−"),
            max(2, round(100 * abs(vote.weight) / most)),
        )
        for vote in answer.evidence
    ]


def _strength(weight: float) -> str:
    size = abs(weight)
    return "strongly" if size >= STRONG else "clearly" if size >= CLEAR else "weakly"


# --- flaky, slow


def flaky_sentence(totals: FlakeTotals, *, window: Window, n_runs: int | None = None) -> str:
    """Say how many tests are unreliable and what they cost."""
    if not totals.n_tests:
        over = f", over {plural(n_runs, 'run')}" if n_runs else ""
        return f"No test was flaky {during(window)}{over}."
    head = f"{plural(totals.n_tests, 'test is', 'tests are')} flaky"
    n_then = totals.before.n_runs_broken if totals.before and window.compare else 0
    then = f", against {plural(n_then, 'run')} {before(window)}" if n_then else ""
    if not totals.n_runs_broken:
        return f"{head}; none of them broke a run{then}."
    cost = (
        f"{',' if then else ''} and cost about {duration(totals.seconds_lost)} of re-running"
        if totals.seconds_lost
        else ""
    )
    together = "together they" if totals.n_tests > 1 else "it"
    return f"{head}; {together} broke {plural(totals.n_runs_broken, 'run')}{then}{cost}."


@dataclass(frozen=True, slots=True)
class Other:
    """A neighbouring list: how many, and where they are."""

    words: str
    url: str


def flake_others(totals: FlakeTotals, window: Window) -> list[Other]:
    """Return the tests that are near flaky: suspected, broken, fixed, each with its list."""
    found = (
        (totals.n_suspected, "suspected", FlakeStatus.SUSPECTED),
        (totals.n_broken, "always failing: broken, not flaky", FlakeStatus.BROKEN),
        (totals.n_fixed, "fixed", FlakeStatus.FIXED),
    )
    return [
        Other(f"{count(n)} {words}", window.without_filters.query(statuses=(status,)))
        for n, words, status in found
        if n
    ]


def failures_sentence(
    answer: FailuresAnswer, *, window: Window, n_runs: int = 0, n_before: int | None = None
) -> str:
    """Say how often something failed, in how many ways, how it was before, and how much nobody has seen yet."""
    where = "on any branch" if window.is_all_branches else f"on {window.branch}"
    if not answer.n_failures:
        over = f", over {plural(n_runs, 'run')}" if n_runs else ""
        then = f", against {plural(n_before, 'failure')} {before(window)}" if n_before else ""
        return f"Nothing failed {where} {during(window)}{over}{then}."
    n_new = answer.n_new
    new = (
        f"; {count(n_new)} {'is' if n_new == 1 else 'are'} new this week"
        if n_new
        else "; none is new this week"
    )
    head = f"{plural(answer.n_failures, 'failure')} {where} {during(window)}"
    then = (
        f", against {count(n_before) if n_before else 'none'} {before(window)}"
        if n_before is not None
        else ""
    )
    return f"{head}, for {plural(answer.rows.n_total, 'reason')}{then}{new}."


def failures_note(answer: FailuresAnswer) -> str:
    """Say where most of the failures broke, and how many speak of the machine."""
    known = {found: n for found, n in answer.boundaries.items() if found is not Boundary.NONE_FOUND}
    parts = []
    if known:
        most = max(known, key=lambda found: (known[found], -found))
        parts.append(f"{percent(known[most] / answer.n_failures)} broke at {BOUNDARY_WORDS[most]}")
    if answer.n_infrastructure:
        parts.append(
            f"{percent(answer.n_infrastructure / answer.n_failures)} speak of the machine or the network, "
            "not of the code"
        )
    return f"{'; '.join(parts)}." if parts else ""


def slow_sentence(totals: SlowTotals, times: RunTimes | None, window: Window) -> str:
    """Say how much of the time the slowest tests take, and how long a run is beside before."""
    if not totals.n_tests or not totals.seconds:
        return "No timed tests in this window."
    if totals.n_tests < 20:  # five per cent of fewer is less than one test
        told = f"{plural(totals.n_tests, 'test')} took {duration(totals.seconds)} in all"
    else:
        told = (
            f"The slowest {percent(totals.n_slowest / totals.n_tests)} ({plural(totals.n_slowest, 'test')}) "
            f"take {percent(totals.share_of_slowest)} of the time"
        )
    return f"{told}{_run_time(times, window)}."


def _run_time(times: RunTimes | None, window: Window) -> str:
    if times is None or times.seconds is None:
        return ""
    told = f"; a run takes {duration(times.seconds)}"
    if not window.compare or times.seconds_before is None:
        return told
    return f"{told}, against {duration(times.seconds_before)} {before(window)}"


def uploads_sentence(arrivals: Arrivals, window: Window) -> str:
    """Say how many uploads came, what became of them, and how it was before."""
    days = arrivals.days
    n_at_door = sum(day.n_at_door for day in days)
    told = [_arrived(days)]
    if n_at_door:
        told.append(f"{plural(n_at_door, 'request was', 'requests were')} refused at the door.")
    if window.compare and arrivals.n_before:
        unread = f", {count(arrivals.n_unread_before)} of them unread" if arrivals.n_unread_before else ""
        told.append(f"{count(arrivals.n_before)} arrived {before(window)}{unread}.")
    return " ".join(told)


def _arrived(days: Sequence[UploadSpan]) -> str:
    n_done, n_waiting = sum(day.n_done for day in days), sum(day.n_waiting for day in days)
    n_rejected, n_failed = sum(day.n_rejected for day in days), sum(day.n_failed for day in days)
    total = n_done + n_rejected + n_failed + n_waiting
    if not total:
        return "No upload arrived."
    ends = ((n_rejected, "refused"), (n_failed, "failed"), (n_waiting, "waiting"))
    said = [plural(n_done, "was read", "were read"), *(f"{count(n)} {words}" for n, words in ends if n)]
    return f"{plural(total, 'upload')} arrived: {', '.join(said)}."
