"""What the weekly letter says, from plain values."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest

from analysis import shape, targets
from analysis.answers.rows import LayerAmount
from projects.vocabulary import Layer
from reports import look, schedule, words
from reports.letter import Letter, compose
from reports.schedule import Days
from reports.week import Asked, AskedBefore, Fate
from tests.weeks import SINCE, UNTIL, a_budget, a_flake, a_slower_test, a_week

LONG_AGO = date(2026, 10, 1)


def titles(letter: Letter) -> list[str]:
    return [section.title for section in letter.sections]


def full_letter() -> Letter:
    return compose(
        a_week(
            flaky=(a_flake(1), a_flake(2, since=LONG_AGO), a_flake(9, since=LONG_AGO)),
            fixed=(a_flake(3),),
            slower=(a_slower_test(4),),
            budgets=(a_budget(run_s=330, n_to_move=4),),
            asked=(
                AskedBefore(
                    Asked(9, "checkout › pays_9", 60, n_weeks=2), Fate.FLAKY, n_runs_broken=2, seconds_lost=90
                ),
                AskedBefore(Asked(5, "cart › adds & <removes>", 60), Fate.FIXED),
            ),
        )
    )


def test_a_calm_week_is_one_line() -> None:
    letter = compose(a_week())

    assert letter.is_calm
    assert letter.subject == "web: a calm week (week 47)"
    assert letter.verdict == "A calm week: 113 runs of 1\u202f602 tests, 98.4 % passed, nothing new to fix."
    assert (letter.sections, letter.figures, letter.bars) == ((), (), ())


def test_a_week_without_runs_says_that_nothing_goes_out() -> None:
    letter = compose(a_week(totals=replace(a_week().totals, n_runs=0), budgets=(a_budget(run_s=330),)))

    assert letter.verdict == "No runs on main in these days, so no letter goes out."
    assert letter.sections == ()


def test_the_subject_carries_the_heaviest_news() -> None:
    week = a_week(
        flaky=(a_flake(1), a_flake(2), a_flake(3)), budgets=(a_budget(run_s=330),), slower=(a_slower_test(4),)
    )

    letter = compose(week)

    assert letter.subject == "web: 3 new flaky tests, integration over budget (week 47)"


def test_sections_come_in_the_order_of_what_to_do_first() -> None:
    letter = full_letter()

    assert titles(letter) == [
        "Asked last week: 1 of 2 done",
        "New flaky tests (1)",
        "Still flaky (1)",
        "Fixed (1)",
        "Slower (1)",
        "Budget",
    ]


def test_a_test_that_was_asked_for_is_told_once() -> None:
    letter = full_letter()

    lines = [line.what for section in letter.sections for line in section.lines]

    assert lines.count("checkout › pays_9") == 1


def test_asked_last_week_and_not_done_stands_first_and_says_how_often_it_was_asked() -> None:
    asked = full_letter().sections[0].lines

    assert asked[0].detail == (
        "still flaky, broke 2 runs, 1 m 30 s lost; asked 3 weeks in a row: mend it, mute it or delete it"
    )
    assert asked[0].is_urgent
    assert asked[1].detail == "fixed. Thank you."


@pytest.mark.parametrize(
    ("fate", "detail"),
    [
        (Fate.UNSEEN, "did not run this week"),
        (Fate.BROKEN, "no longer flaky: it fails always"),
        (Fate.QUIET, "no flake since. Thank you, if that was you."),
        (Fate.FIXED, "fixed. Thank you."),
    ],
)
def test_every_fate_of_a_test_asked_for_is_told(fate: Fate, detail: str) -> None:
    letter = compose(a_week(asked=(AskedBefore(Asked(1, "a › b", 60), fate),)))

    assert letter.sections[0].lines[0].detail == detail


def test_what_is_still_flaky_is_asked_again_with_one_more_week() -> None:
    letter = full_letter()

    assert [(one.test_id, one.n_weeks) for one in letter.asked] == [(1, 1), (2, 1), (9, 3)]


def test_a_test_that_did_not_run_stays_asked() -> None:
    letter = compose(a_week(asked=(AskedBefore(Asked(7, "a › b", 60, n_weeks=2), Fate.UNSEEN),)))

    assert letter.asked == (Asked(7, "a › b", 60, n_weeks=2),)


def test_a_long_list_is_cut_at_ten_and_links_to_the_rest() -> None:
    letter = compose(a_week(flaky=tuple(a_flake(number) for number in range(1, 25))))

    (section,) = letter.sections
    assert section.title == "New flaky tests (24)"
    assert len(section.lines) == 10
    assert (section.more, section.more_url) == ("and 14 more", "https://t.example/p/web/flaky?window=7d")
    assert len(letter.asked) == 10


def test_a_budget_speaks_from_eighty_per_cent_on() -> None:
    quiet = compose(a_week(budgets=(a_budget(run_s=239),)))
    warned = compose(a_week(budgets=(a_budget(run_s=240),)))
    over = compose(a_week(budgets=(a_budget(run_s=330, n_to_move=4),)))
    ahead = compose(a_week(budgets=(a_budget(run_s=200, crosses_on=date(2026, 12, 14)),)))

    assert quiet.is_calm
    assert warned.sections[0].lines[0].detail == "4 m 00 s of 5 m 00 s a run"
    assert warned.subject == "web: a budget nearly spent (week 47)"
    assert (
        over.sections[0].lines[0].detail
        == "5 m 30 s of 5 m 00 s a run, over budget; moving 4 tests brings it back"
    )
    assert ahead.sections[0].lines[0].detail == "3 m 20 s of 5 m 00 s a run; at this pace over it on 14 Dec"


def test_the_balance_is_news_only_in_the_week_it_moves() -> None:
    top_heavy = (
        LayerAmount(Layer.UNIT, 60, 1),
        LayerAmount(Layer.INTEGRATION, 20, 1),
        LayerAmount(Layer.E2E, 20, 1),
    )
    judgement = shape.judge(shape.Shape({one.layer: one.n_tests for one in top_heavy}), targets.PYRAMID)

    moved = compose(a_week(layers=top_heavy, judgement=judgement))
    stood = compose(a_week(layers=top_heavy, layers_before=top_heavy, judgement=judgement))

    assert moved.sections[0].lines[0].detail == "e2e 10 points over, unit 10 points under"
    assert moved.subject == "web: the balance moved (week 47)"
    assert stood.is_calm


def test_the_bars_show_the_top_of_the_suite_first_with_last_week_beside() -> None:
    bars = full_letter().bars

    assert [(bar.layer, bar.points, bar.before) for bar in bars] == [
        ("e2e", 10, "10 %"),
        ("integration", 19, "19 %"),
        ("unit", 71, "71 %"),
    ]


def test_the_first_week_has_no_week_to_compare_with() -> None:
    nothing = replace(a_week().totals, n_runs=0, n_passed=0, n_bad=0, run_seconds_p50=None)

    letter = compose(a_week(flaky=(a_flake(1),), before=nothing, layers_before=()))

    assert {figure.before for figure in letter.figures} == {"–"}
    assert {bar.before for bar in letter.bars} == {"–"}


@pytest.mark.parametrize("letter", [full_letter(), compose(a_week())], ids=["full", "calm"])
def test_html_and_text_say_the_same_lines_in_the_same_order(letter: Letter) -> None:
    said = [letter.verdict, *(bar.layer for bar in letter.bars), *(figure.label for figure in letter.figures)]
    for section in letter.sections:
        said += [section.title, *(part for line in section.lines for part in (line.what, line.detail))]
    said += [letter.closing, letter.why]

    text = _squeezed(look.text(letter))
    body = look.html(letter).split("</h1>", 1)[1]
    html = _squeezed(unescape(re.sub(r"<[^>]+>", " ", body)))

    for shown in (text, html):
        places = _places(said, shown)
        assert places == sorted(places)


def test_html_carries_no_image_no_script_and_escapes_names() -> None:
    html = look.html(full_letter())

    assert "<img" not in html
    assert "<script" not in html
    assert "cart › adds &amp; &lt;removes&gt;" in html


def test_the_html_is_inlined_but_keeps_its_dark_colours() -> None:
    html = look.html(full_letter())

    style = html.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style
    assert "class=" in html
    assert 'style="' in html
    assert '<meta name="color-scheme" content="light dark">' in html


def test_the_way_out_is_put_in_for_each_reader() -> None:
    letter = full_letter()

    for body in (look.html(letter), look.text(letter)):
        own = look.addressed(
            body, way_out="https://t.example/letters/stop/abc", change="https://t.example/account"
        )
        assert "https://t.example/letters/stop/abc" in own
        assert "https://t.example/account" in own
        assert look.WAY_OUT not in own
        assert look.CHANGE not in own


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-11-23T06:59", None),  # Monday 08:59 in Riga
        ("2026-11-23T07:00", Days(SINCE, UNTIL)),
        ("2026-11-25T06:59", Days(SINCE, UNTIL)),  # the server was down over the hour
        ("2026-11-25T07:00", None),
        ("2026-11-22T23:00", None),  # Monday already in Riga, but not nine
    ],
)
def test_a_letter_is_due_from_the_projects_own_hour_for_two_days(now: str, days: Days | None) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)

    assert schedule.due(moment, weekday=0, hour=9, zone="Europe/Riga") == days


def test_the_hour_stays_the_same_when_clocks_change() -> None:
    winter = datetime(2026, 10, 26, 8, 0, tzinfo=UTC)  # 25 October ended summer time: UTC+1 now

    due = schedule.due(winter, weekday=0, hour=9, zone="Europe/Berlin")
    early = schedule.due(winter - timedelta(minutes=1), weekday=0, hour=9, zone="Europe/Berlin")

    assert due == Days(date(2026, 10, 19), date(2026, 10, 25))
    assert early is None


def test_pauses_double_and_stop_growing_at_four_hours() -> None:
    pauses = [schedule.pause(n).total_seconds() / 60 for n in range(1, 10)]

    assert pauses == [5, 10, 20, 40, 80, 160, 240, 240, 240]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.84, "840 ms"),
        (9.8, "9.8 s"),
        (59.96, "1 m 00 s"),
        (372, "6 m 12 s"),
        (4200, "1 h 10 m"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(None, "–"), (1.0, "100 %"), (0.99996, "99.9 %"), (0.0, "0 %"), (0.984, "98.4 %")]
)
def test_a_share_is_never_rounded_up_to_a_hundred(share: float | None, said: str) -> None:
    assert words.percent(share) == said


def test_dates_name_only_what_differs() -> None:
    assert words.dates(SINCE, UNTIL) == "16–22 Nov 2026"
    assert words.dates(date(2026, 11, 28), date(2026, 12, 4)) == "28 Nov – 4 Dec 2026"
    assert words.dates(date(2026, 12, 28), date(2027, 1, 3)) == "28 Dec 2026 – 3 Jan 2027"


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _places(said: list[str], shown: str) -> list[int]:
    """Return where each saying stands, each sought after the one before."""
    places, start = [], 0
    for saying in filter(None, map(_squeezed, said)):
        start = shown.index(saying, start)
        places.append(start)
    return places
