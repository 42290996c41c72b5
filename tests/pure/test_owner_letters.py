"""What a letter says to the owners of tests, from plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from analysis.answers.of_care import Muted
from analysis.answers.of_flakes import FlakeCost
from projects.owner_names import key_of, names_of
from projects.vocabulary import FlakeStatus
from reports import look
from reports.letter import Letter, compose
from reports.readers import LetterReader
from reports.week import Asked, AskedBefore, Fate, Own
from tests.weeks import SINCE, a_budget, a_flake, a_slower_test, a_week

CHECKOUT = ("@shop/checkout",)


def lines_of(letter: Letter) -> list[str]:
    return [line.what for section in letter.sections for line in section.lines]


def a_muted_test(number: int, *, until: date = date(2026, 11, 25), n_failed: int = 3) -> Muted:
    """Return a test that is muted a while longer."""
    return Muted(
        test_id=number,
        title=f"checkout › pays_{number}",
        suite="",
        classname="",
        name="",
        file="",
        variant="",
        status=FlakeStatus.FLAKY,
        reason="waits for the payment service",
        by="ada",
        created_at=datetime(2026, 11, 12, 9, tzinfo=UTC),
        until_on=until,
        n_failed_since=n_failed,
    )


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("@shop/checkout", ("@shop/checkout",)),
        ("@shop/checkout @ada", ("@shop/checkout", "@ada")),
        ("ada@t.example; bob@t.example", ("ada@t.example", "bob@t.example")),
        ("Team Checkout", ("Team Checkout",)),
        ("Team Checkout, Team Cart", ("Team Checkout", "Team Cart")),
        ("@Ada @ada", ("@Ada",)),
        (" , ", ()),
    ],
)
def test_owners_are_read_out_of_one_text(text: str, names: tuple[str, ...]) -> None:
    assert names_of(text) == names


def test_owners_are_told_apart_without_regard_to_case() -> None:
    assert key_of(" Team  CHECKOUT ") == key_of("team checkout")


def test_a_readers_own_tests_come_first_in_each_section_and_are_marked() -> None:
    week = a_week(flaky=tuple(a_flake(n) for n in range(1, 13)), slower=(a_slower_test(4), a_slower_test(12)))

    letter = compose(week, own=Own(CHECKOUT, frozenset({12, 11})))

    new, slower = letter.sections
    assert [line.is_own for line in new.lines] == [True, True] + 8 * [False]
    assert [line.what for line in slower.lines] == ["checkout › pays_12", "checkout › pays_4"]
    assert letter.whose == "3 of these are yours: @shop/checkout."
    assert letter.subject == "web: 2 of yours to fix, 12 new flaky tests (week 47)"


def test_a_letter_of_ones_own_tests_has_no_others_and_nothing_of_the_project() -> None:
    week = a_week(flaky=(a_flake(1), a_flake(2)), fixed=(a_flake(3),), budgets=(a_budget(run_s=330),))

    letter = compose(week, own=Own(CHECKOUT, frozenset({2}), is_only=True))

    assert lines_of(letter) == ["checkout › pays_2"]
    assert (letter.bars, letter.figures) == ((), ())
    assert letter.whose == "Only tests of @shop/checkout."
    assert letter.subject == "web, your tests: 1 new flaky test (week 47)"
    assert letter.closing == "Your flaky tests cost about 1 h 10 m of re-running this week."


def test_a_week_without_news_of_ones_own_tests_is_calm() -> None:
    letter = compose(a_week(flaky=(a_flake(1),)), own=Own(CHECKOUT, frozenset({2}), is_only=True))

    assert letter.is_calm
    assert letter.verdict == "A calm week for your tests: 113 runs, nothing of yours to fix."


def test_a_reader_asks_for_their_own_tests_first() -> None:
    week = a_week(flaky=tuple(a_flake(n) for n in range(1, 15)))

    letter = compose(week, own=Own(CHECKOUT, frozenset({14})))

    assert [one.test_id for one in letter.asked] == [14, *range(1, 10)]


def test_html_and_text_mark_ones_own_tests() -> None:
    letter = compose(a_week(flaky=(a_flake(1), a_flake(2))), own=Own(CHECKOUT, frozenset({2})))

    assert look.html(letter).count(">yours</span>") == 1
    assert look.text(letter).count("    yours: broke 6 runs") == 1
    assert "1 of these is yours: @shop/checkout." in look.text(letter)


def test_the_longest_letter_is_shown_whole_by_mail_programs() -> None:
    old = date(2026, 10, 1)
    every = [a_flake(n, since=old if n % 2 else SINCE) for n in range(1, 60)]
    week = a_week(
        flaky=tuple(replace(row, test=replace(row.test, title="ü" * 300)) for row in every),
        relapsed=frozenset(range(2, 60, 4)),
        costs_before={n: FlakeCost(1, 10.0) for n in range(1, 60, 4)},
        fixed=tuple(a_flake(n) for n in range(60, 80)),
        slower=tuple(a_slower_test(n) for n in range(80, 100)),
        ending=tuple(a_muted_test(n) for n in range(100, 120)),
        asked=tuple(AskedBefore(Asked(n, "ü" * 300, 60.0), Fate.FLAKY) for n in range(120, 130)),
        budgets=(a_budget(run_s=330),),
    )

    letter = compose(week, own=Own(CHECKOUT, frozenset(range(200))))

    assert len(letter.sections) == 9
    assert len(look.html(letter).encode()) < CLIPPED_AT


CLIPPED_AT = 102_000  # bytes, from which on Gmail hides the rest


def test_who_has_an_owners_address_is_its_reader_without_a_word() -> None:
    ada = LetterReader("Ada@t.example", user_id=1)

    assert ada.key({"ada@t.example", "@shop/checkout"}) == (("ada@t.example",), False)
    assert ada.key({"@shop/checkout"}) is None


def test_a_reader_of_their_own_tests_alone_never_gets_the_letter_of_all() -> None:
    ada = LetterReader("ada@t.example", user_id=1, only_own=True)

    assert ada.key(set()) == (("ada@t.example",), True)


# --- sections that tell what changed


def test_muting_that_ends_within_a_week_is_told_with_its_reason() -> None:
    letter = compose(a_week(ending=(a_muted_test(1), a_muted_test(2, n_failed=0))))

    (section,) = letter.sections
    assert section.title == "Muting ends within a week (2)"
    assert [line.detail for line in section.lines] == [
        "until 25 Nov, failed in 3 runs since: waits for the payment service",
        "until 25 Nov, no failure since: waits for the payment service",
    ]
    assert section.lines[0].url == "https://t.example/p/web/tests/1"
    assert letter.subject == "web: muting of 2 tests ends (week 47)"


def test_a_test_that_was_fixed_and_flakes_again_has_relapsed() -> None:
    letter = compose(a_week(flaky=(a_flake(1), a_flake(2)), relapsed=frozenset({2})))

    assert [section.title for section in letter.sections] == [
        "New flaky tests (1)",
        "Relapsed after a fix (1)",
    ]


def test_a_flaky_test_that_costs_clearly_more_is_told_as_worse() -> None:
    old = date(2026, 10, 1)
    week = a_week(
        flaky=(a_flake(1, since=old), a_flake(2, since=old)),
        costs_before={1: FlakeCost(2, 1400.0), 2: FlakeCost(6, 4200.0)},
    )

    worse, still = compose(week).sections

    assert worse.title == "Worse (1)"
    assert worse.lines[0].detail == (
        "broke 6 runs, 1 h 10 m lost; the week before broke 2 runs, 23 m 20 s lost"
    )
    assert still.title == "Still flaky (1)"


def test_a_test_that_nobody_mends_for_weeks_is_in_the_subject() -> None:
    asked = tuple(
        AskedBefore(Asked(n, f"a › b{n}", 60, n_weeks=n), Fate.FLAKY, n_runs_broken=1) for n in (2, 4)
    )

    letter = compose(a_week(asked=asked, flaky=(a_flake(2), a_flake(4), a_flake(7))))

    assert letter.subject == "web: 2 tests unfixed for 5 weeks, 1 new flaky test (week 47)"
