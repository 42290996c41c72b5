"""Numbers, times and strips are written as a reader expects, at every edge where a unit changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from analysis.answers.rows import StripCell
from dashboard import format as formats
from dashboard import strips
from projects.vocabulary import Outcome

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


def plain(text: str) -> str:
    """Put plain spaces for the narrow and the unbreakable ones."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.0004, "<1 ms"),
        (0.0042, "4.2 ms"),
        (0.24, "240 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (9.8, "9.8 s"),
        (9.96, "10 s"),
        (41, "41 s"),
        (59.4, "59 s"),
        (59.6, "1 m"),
        (372, "6 m 12 s"),
        (3599.6, "1 h"),
        (10920, "3 h 02 m"),
        (187200, "2 d 04 h"),
        (-48, "−48 s"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, written: str) -> None:
    assert plain(formats.duration(seconds)) == written


@pytest.mark.parametrize(
    ("share", "digits", "written"),
    [
        (None, 0, "–"),
        (0.0, 0, "0 %"),
        (0.0004, 0, "<1 %"),
        (0.0004, 1, "<0.1 %"),
        (0.984, 1, "98.4 %"),
        (0.99997, 1, "99.9 %"),
        (0.996, 0, "99 %"),
        (1.0, 1, "100.0 %"),
    ],
)
def test_only_all_is_a_hundred_per_cent_and_only_none_is_zero(
    share: float | None, digits: int, written: str
) -> None:
    assert plain(formats.percent(share, digits)) == written


@pytest.mark.parametrize(
    ("number", "written"), [(None, "–"), (7, "7"), (1602, "1 602"), (1234567, "1 234 567"), (-12, "−12")]
)
def test_a_count_is_grouped_in_thousands(number: int | None, written: str) -> None:
    assert plain(formats.count(number)) == written


@pytest.mark.parametrize(
    ("n_bytes", "written"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (4096, "4 kB"), (999_600, "1.0 MB"), (31_000_000, "31 MB")],
)
def test_bytes_take_the_largest_unit_that_fits(n_bytes: int | None, written: str) -> None:
    assert plain(formats.size(n_bytes)) == written


@pytest.mark.parametrize(
    ("before", "written"),
    [
        (timedelta(seconds=-30), "just now"),
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(hours=23), "yesterday"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=60), "22 Sep"),
        (timedelta(days=400), "17 Oct 2025"),
    ],
)
def test_a_moment_is_told_from_now(before: timedelta, written: str) -> None:
    assert plain(formats.ago(NOW - before, NOW)) == written


def test_a_day_of_another_year_says_its_year() -> None:
    assert formats.day_words(date(2026, 10, 29), NOW.date()) == "29 Oct"
    assert formats.day_words(date(2025, 10, 29), NOW.date()) == "29 Oct 2025"
    assert formats.day_words(None) == "–"


def cell(outcome: Outcome, *, is_flaky: bool = False) -> StripCell:
    return StripCell(812, outcome, is_flaky, NOW)


def test_a_strip_says_what_it_shows() -> None:
    cells = [cell(Outcome.PASSED)] * 17 + [cell(Outcome.FAILED)] * 2 + [cell(Outcome.PASSED, is_flaky=True)]

    assert strips.sentence(cells) == "17 of 20 passed, 2 failed, 1 flaky"


def test_a_strip_without_results_says_so() -> None:
    assert strips.sentence([]) == "no results"
    assert "<i" not in strips.strip([])


def test_a_strip_shows_the_newest_results_and_names_the_run_of_each() -> None:
    drawn = strips.strip([*[cell(Outcome.PASSED)] * 30, cell(Outcome.FAILED)])

    assert drawn.count("<i") == 20
    assert drawn.endswith(f'<i class=failed title="#812 failed, {NOW:%-d %b %H:%M}"></i></span>')


def test_a_page_of_strips_leaves_room_for_its_words() -> None:
    assert len(strips.strip([cell(Outcome.PASSED)] * 20)) < 1_100


def test_a_long_failure_is_told_by_its_beginning_and_its_end() -> None:
    text = "Traceback\n" + "a frame of somebody's\n" * 500 + "AssertionError: 1 != 2"

    told = plain(formats.excerpt(text))

    assert len(told) < 760
    assert told.startswith("Traceback")
    assert told.endswith("AssertionError: 1 != 2")
    assert f"{len(text) - 700:,} characters left out".replace(",", " ") in told
    assert formats.excerpt("a" * 750) == "a" * 750


def test_a_long_name_is_told_by_its_beginning_and_its_end() -> None:
    name = "test_" + "a" * 400 + "[chromium]"

    told = formats.brief(name)

    assert len(told) == 120
    assert told.startswith("test_aaa")
    assert told.endswith("[chromium]")
    assert "…" in told
    assert formats.brief("test_short") == "test_short"


def test_every_outcome_has_a_mark_of_its_own_beside_its_colour() -> None:
    marks = {formats.outcome_glyph(outcome) for outcome in Outcome} | {
        formats.outcome_glyph(Outcome.PASSED, is_flaky=True)
    }

    assert len(marks) == len(Outcome) + 1
