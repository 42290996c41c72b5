"""Which results a question is about: branch, dates and filters, read from a query string and written back to one.

Pure. The same names serve the pages and the API. A value that cannot be read falls back to the default and is named in
`ignored`, so that the page can say so. What is default is left out of links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from projects.vocabulary import Boundary, FlakeStatus, Layer, Outcome, TimingBucket, Word

W = TypeVar("W", bound=Word)

DEFAULT_DAYS = 30
LONGEST_DAYS = 366  # a year of days is what the rollups keep
PRESETS = (1, 7, 14, 30, 90)
ALL_BRANCHES = "*"
PAGE_SIZE = 50
PAGE_SIZES = (25, 50, 100, 200)
LONGEST_TEXT = 200
SORT_BESIDE = "sort-"  # with the name of a list beside a page's own
MOST_SORTS = 8  # no page has more such lists


@dataclass(frozen=True, slots=True)
class Window:
    """The results a page or an answer is about; `since` and `until` are days, both included.

    `sort` orders a page's own list, `sorts` the lists beside it by their names.
    """

    branch: str
    default_branch: str
    since: date
    until: date
    today: date
    compare: bool = True
    layers: tuple[Layer, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    buckets: tuple[TimingBucket, ...] = ()
    statuses: tuple[FlakeStatus, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    rule: int | None = None
    owner: str = ""
    q: str = ""
    sort: str = ""
    page: int = 1
    size: int = PAGE_SIZE
    by: str = "count"
    sorts: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = field(default=(), compare=False)

    @property
    def n_days(self) -> int:
        """Count the days from since to until, both included."""
        return (self.until - self.since).days + 1

    @property
    def is_default_branch(self) -> bool:
        """True when the question is about the project's default branch."""
        return self.branch == self.default_branch

    @property
    def is_all_branches(self) -> bool:
        """True when results of every branch count."""
        return self.branch == ALL_BRANCHES

    @property
    def is_filtered(self) -> bool:
        """True when a filter beyond branch and dates narrows the rows."""
        return bool(
            self.layers
            or self.outcomes
            or self.buckets
            or self.statuses
            or self.boundaries
            or self.rule
            or self.owner
            or self.q
        )

    @property
    def previous(self) -> Window:
        """Return the window of equal length that ends the day before this one begins."""
        return replace(
            self, since=self.since - timedelta(days=self.n_days), until=self.since - timedelta(days=1)
        )

    @property
    def words(self) -> str:
        """Say the dates as a reader would: "the last 30 days", or from and to."""
        if self.until != self.today:
            return f"{self.since:%-d %b %Y} to {self.until:%-d %b %Y}"
        return "today" if self.n_days == 1 else f"the last {self.n_days} days"

    @property
    def without_filters(self) -> Window:
        """Return the same branch and dates with every other filter dropped."""
        return Window(
            self.branch, self.default_branch, self.since, self.until, self.today, self.compare, by=self.by
        )

    @property
    def only_searched(self) -> Window:
        """Return the same branch, dates, search, order and page with every filter of tests dropped."""
        kept = {name: getattr(self, name) for name in ("q", "sort", "sorts", "page", "size", "ignored")}
        return replace(self.without_filters, **kept)

    def sort_of(self, part: str = "") -> str:
        """Return what a list is sorted by: the page's own, or the one of this name beside it; "" for its own order."""
        return dict(self.sorts).get(part, "") if part else self.sort

    def sorted_by(self, sort: str, part: str = "") -> str:
        """Return the query string that sorts a list, and leaves what the page shows of the others."""
        if not part:
            return self.query(sort=sort)
        others = {name: word for name, word in self.sorts if name != part}
        return self.query(sorts=tuple((others | ({part: sort} if sort else {})).items()), page=self.page)

    def query(self, **changes: object) -> str:
        """Return the query string of this window with `changes`, "?…" or "" when all is default.

        A change of anything but the page goes back to page 1, since the old page may not exist.
        """
        if changes and "page" not in changes:
            changes["page"] = 1
        pairs = list(_pairs(replace(self, **changes)))  # type: ignore[arg-type]
        return "?" + urlencode(pairs, safe=",*:/") if pairs else ""


def _pairs(window: Window) -> Iterable[tuple[str, str]]:
    if not window.is_default_branch:
        yield "branch", window.branch
    yield from _date_pairs(window)
    if not window.compare:
        yield "compare", "off"
    for name, words in (
        ("layer", window.layers),
        ("outcome", window.outcomes),
        ("bucket", window.buckets),
        ("status", window.statuses),
        ("boundary", window.boundaries),
    ):
        if words:
            yield name, ",".join(word.word for word in words)
    for name, value, default in (
        ("rule", window.rule, None),
        ("owner", window.owner, ""),
        ("q", window.q, ""),
        ("by", window.by, "count"),
        ("sort", window.sort, ""),
        ("page", window.page, 1),
        ("size", window.size, PAGE_SIZE),
    ):
        if value != default:
            yield name, str(value)
    for part, word in window.sorts:
        yield f"{SORT_BESIDE}{part}", word


def _date_pairs(window: Window) -> Iterable[tuple[str, str]]:
    if window.until != window.today:
        yield "since", window.since.isoformat()
        yield "until", window.until.isoformat()
    elif window.n_days != DEFAULT_DAYS:
        yield "window", f"{window.n_days}d"


def read(params: Mapping[str, str], *, today: date, default_branch: str) -> Window:
    """Read a window from the parameters of a URL; what cannot be read is default and named in `ignored`."""
    ignored: list[str] = []
    since, until = _dates(params, today=today, ignored=ignored)
    return Window(
        branch=params.get("branch", "")[:LONGEST_TEXT] or default_branch,
        default_branch=default_branch,
        since=since,
        until=until,
        today=today,
        compare=params.get("compare") != "off",
        layers=_words(params, "layer", Layer, ignored),
        outcomes=_words(params, "outcome", Outcome, ignored),
        buckets=_words(params, "bucket", TimingBucket, ignored),
        statuses=_words(params, "status", FlakeStatus, ignored),
        boundaries=_words(params, "boundary", Boundary, ignored),
        rule=_number(params, "rule", None, ignored),
        owner=params.get("owner", "")[:LONGEST_TEXT],
        q=params.get("q", "").replace("\x00", "").strip()[:LONGEST_TEXT],
        sort=params.get("sort", "")[:30],
        sorts=_sorts(params),
        page=_number(params, "page", 1, ignored) or 1,
        size=_size(params, ignored),
        by=_by(params, ignored),
        ignored=tuple(ignored),
    )


def _dates(params: Mapping[str, str], *, today: date, ignored: list[str]) -> tuple[date, date]:
    default = today - timedelta(days=DEFAULT_DAYS - 1)
    if "since" in params or "until" in params:
        until = _date(params, "until", today, ignored)
        since = _date(params, "since", until - timedelta(days=DEFAULT_DAYS - 1), ignored)
        if since <= until and (until - since).days < LONGEST_DAYS:
            return since, until
        ignored.append(f"since={since} until={until}")
        return default, today
    text = params.get("window", f"{DEFAULT_DAYS}d")
    days = text.removesuffix("d")
    if not (days.isascii() and days.isdigit() and 1 <= int(days[:6]) <= LONGEST_DAYS):
        ignored.append(f"window={text[:30]}")
        return default, today
    return today - timedelta(days=int(days) - 1), today


def _date(params: Mapping[str, str], name: str, default: date, ignored: list[str]) -> date:
    text = params.get(name, "")
    if not text:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        ignored.append(f"{name}={text[:30]}")
        return default


def _words(params: Mapping[str, str], name: str, words: type[W], ignored: list[str]) -> tuple[W, ...]:
    known: list[W] = []
    for text in filter(None, params.get(name, "").split(",")):
        try:
            known.append(words.from_word(text))
        except ValueError:
            ignored.append(f"{name}={text[:30]}")
    return tuple(dict.fromkeys(known))


def _number(params: Mapping[str, str], name: str, default: int | None, ignored: list[str]) -> int | None:
    text = params.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and 1 <= int(text[:10]) <= 1_000_000:
        return int(text)
    ignored.append(f"{name}={text[:30]}")
    return default


def _size(params: Mapping[str, str], ignored: list[str]) -> int:
    size = _number(params, "size", PAGE_SIZE, ignored) or PAGE_SIZE
    if size in PAGE_SIZES:
        return size
    ignored.append(f"size={size}")
    return PAGE_SIZE


def _sorts(params: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    found = (
        (name.removeprefix(SORT_BESIDE)[:30], word[:30])
        for name, word in params.items()
        if name.startswith(SORT_BESIDE) and word
    )
    return tuple(found)[:MOST_SORTS]


def _by(params: Mapping[str, str], ignored: list[str]) -> str:
    by = params.get("by", "count")
    if by in ("count", "time"):
        return by
    ignored.append(f"by={by[:30]}")
    return "count"
