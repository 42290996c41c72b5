"""The filter bar in data: which pickers a page offers, what is chosen, and the chips that take a filter away.

Pure. Reads a Window and writes links; the names are those of analysis.window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from analysis.window import ALL_BRANCHES, DEFAULT_DAYS, PRESETS, SORT_BESIDE, Window
from dashboard.format import BOUNDARY_WORDS, LAYER_WORDS, STATUS_WORDS
from projects.vocabulary import Boundary, FlakeStatus, Layer, Outcome, TimingBucket, Word

DATES = ("window", "since", "until")
PRESET_WORDS = {1: "Today", 7: "Last 7 days", 14: "Last 14 days", 30: "Last 30 days", 90: "Last 90 days"}
BUCKET_WORDS = {
    TimingBucket.FAST: "fast",
    TimingBucket.ACCEPTABLE: "acceptable",
    TimingBucket.SLOW: "slow",
    TimingBucket.UNTIMED: "untimed",
}
STATUSES_OFFERED = (
    FlakeStatus.FLAKY,
    FlakeStatus.SUSPECTED,
    FlakeStatus.BROKEN,
    FlakeStatus.FIXED,
    FlakeStatus.ENVIRONMENT_SPECIFIC,
)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a picker."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Picker:
    """A labelled select; `default` is the value that stays out of the URL."""

    name: str
    label: str
    default: str
    options: tuple[Option, ...]

    @property
    def is_set(self) -> bool:
        """True when something else than the default is chosen."""
        return any(option.is_chosen and option.value != self.default for option in self.options)


@dataclass(frozen=True, slots=True)
class Chip:
    """One active filter, with the link that removes it."""

    name: str
    words: str
    without: str


@dataclass(frozen=True, slots=True)
class Bar:
    """All that the filter bar prints."""

    pickers: tuple[Picker, ...]
    searches: bool
    q: str
    hidden: tuple[tuple[str, str], ...]
    chips: tuple[Chip, ...]
    clear: str
    since: str
    until: str
    today: str
    query: str
    but_dates: tuple[tuple[str, str], ...]
    hint: str = "Search name, file or class"

    @property
    def has_dates(self) -> bool:
        """True where the list is one of a window."""
        return any(picker.name == "window" for picker in self.pickers)


def bar(window: Window, *, branches: Sequence[str], offers: Sequence[str]) -> Bar:
    """Build the filter bar of a page that offers these filters beyond branch, dates and comparison."""
    pickers = [_branches(window, branches), _windows(window), _compare(window)]
    pickers += [picker for picker in (_picker(window, name) for name in offers) if picker is not None]
    shown = {picker.name for picker in pickers} | ({"q"} if "q" in offers else set())
    return Bar(
        pickers=tuple(pickers),
        searches="q" in offers,
        q=window.q,
        hidden=_hidden(window, shown),
        chips=tuple(chips(window)),
        clear=window.without_filters.query() or "?",
        since=window.since.isoformat(),
        until=window.until.isoformat(),
        today=window.today.isoformat(),
        query=window.query(page=1),
        but_dates=tuple(pair for pair in parse_qsl(window.query(page=1)[1:]) if pair[0] not in DATES),
    )


def only(window: Window, *names: str, hint: str) -> Bar:
    """Build the bar of a list that has a search and no other pickers than these: branch and dates may say nothing of it."""
    whole = bar(window, branches=(), offers=("q",))
    pickers = tuple(picker for picker in whole.pickers if picker.name in names)
    return replace(whole, pickers=pickers, hint=hint)


def chips(window: Window) -> list[Chip]:
    """Return one chip a filter, in the order of the URL."""
    found = [
        Chip(name, ", ".join(word.word for word in words), window.query(**{field: ()}) or "?")
        for name, field, words in (
            ("layer", "layers", window.layers),
            ("outcome", "outcomes", window.outcomes),
            ("time", "buckets", window.buckets),
            ("status", "statuses", window.statuses),
            ("boundary", "boundaries", window.boundaries),
        )
        if words
    ]
    if window.rule is not None:
        found.append(Chip("rule", str(window.rule), window.query(rule=None) or "?"))
    if window.owner:
        found.append(Chip("owner", window.owner, window.query(owner="") or "?"))
    if window.q:
        found.append(Chip("q", window.q, window.query(q="") or "?"))
    return found


def _branches(window: Window, branches: Sequence[str]) -> Picker:
    known = list(dict.fromkeys([window.default_branch, *branches]))
    if not window.is_all_branches and window.branch not in known:
        known.append(window.branch)
    options = [Option(name, name, name == window.branch) for name in known]
    options.append(Option(ALL_BRANCHES, "all branches", window.is_all_branches))
    return Picker("branch", "Branch", window.default_branch, tuple(options))


def _windows(window: Window) -> Picker:
    is_preset = window.until == window.today and window.n_days in PRESETS
    options = [
        Option(f"{days}d", PRESET_WORDS[days], is_preset and window.n_days == days) for days in PRESETS
    ]
    if not is_preset:
        words = window.words if window.until != window.today else f"Last {window.n_days} days"
        options.append(
            Option("" if window.until != window.today else f"{window.n_days}d", words, is_chosen=True)
        )
    return Picker("window", "Window", f"{DEFAULT_DAYS}d", tuple(options))


def _compare(window: Window) -> Picker:
    options = (
        Option("previous", "previous", window.compare),
        Option("off", "off", not window.compare),
    )
    return Picker("compare", "Compare", "previous", options)


def _picker(window: Window, name: str) -> Picker | None:
    match name:
        case "layer":
            return _words("layer", "Layer", window.layers, [(layer, LAYER_WORDS[layer]) for layer in Layer])
        case "outcome":
            return _words(
                "outcome", "Outcome", window.outcomes, [(outcome, outcome.word) for outcome in Outcome]
            )
        case "bucket":
            return _words("bucket", "Time", window.buckets, list(BUCKET_WORDS.items()))
        case "status":
            offered = [(status, STATUS_WORDS[status]) for status in STATUSES_OFFERED]
            return _words("status", "Status", window.statuses, offered)
        case "boundary":
            known = [
                (boundary, BOUNDARY_WORDS[boundary])
                for boundary in (*list(Boundary)[1:], Boundary.NONE_FOUND)
            ]
            return _words("boundary", "Broke at", window.boundaries, known)
    return None


def _words(name: str, label: str, chosen: Sequence[Word], offered: Sequence[tuple[Word, str]]) -> Picker:
    value = ",".join(word.word for word in chosen)
    options = [Option("", "any", not chosen)]
    options += [Option(word.word, words, value == word.word) for word, words in offered]
    if chosen and not any(option.is_chosen for option in options):
        options.append(Option(value, value.replace(",", ", "), is_chosen=True))
    return Picker(name, label, "", tuple(options))


def _hidden(window: Window, shown: set[str]) -> tuple[tuple[str, str], ...]:
    """Return what the URL says and no control of the form holds, so that sending the form keeps it."""
    fields = {
        "layer": ",".join(word.word for word in window.layers),
        "outcome": ",".join(word.word for word in window.outcomes),
        "bucket": ",".join(word.word for word in window.buckets),
        "status": ",".join(word.word for word in window.statuses),
        "boundary": ",".join(word.word for word in window.boundaries),
        "rule": str(window.rule or ""),
        "owner": window.owner,
        "q": window.q,
        "by": "" if window.by == "count" else window.by,
        "sort": window.sort,
    }
    fields |= {f"{SORT_BESIDE}{part}": word for part, word in window.sorts}
    if window.until != window.today:
        fields |= {"since": window.since.isoformat(), "until": window.until.isoformat()}
    return tuple((name, value) for name, value in fields.items() if value and name not in shown)
