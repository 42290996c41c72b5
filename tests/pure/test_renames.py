"""Which new test is an old one under another name."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analysis.renames import Known, likeness, renames


def known(
    test: int, name: str, *, suite: str = "basket", median_s: float | None = 1.0, home: str = ""
) -> Known:
    return Known(test, suite, name, median_s, home)


def found(vanished: Sequence[Known], appeared: Sequence[Known]) -> list[tuple[int, tuple[int, ...], bool]]:
    return [one[:3] for one in renames(vanished=vanished, appeared=appeared)]


def test_a_moved_test_keeps_its_name() -> None:
    old, new = known(1, "adds a rebate"), known(2, "adds a rebate", suite="prices")

    assert found([old], [new]) == [(2, (1,), True)]


def test_a_test_that_moved_to_a_place_of_quite_another_name_is_for_a_person_to_judge() -> None:
    old = known(1, "creates", suite="cart", home="tests/cart/test_lines.py")
    new = known(2, "creates", suite="users", home="spec/accounts.rb")

    assert found([old], [new]) == [(2, (1,), False)]


def test_a_renamed_test_keeps_most_of_its_words() -> None:
    old = known(1, "test_basket_adds_up_the_prices_of_all_items")
    new = known(2, "test_basket_adds_up_the_prices_of_items")

    assert found([old], [new]) == [(2, (1,), True)]


def test_the_only_change_of_a_file_needs_half_of_the_words() -> None:
    home = "tests/test_cart.py"
    old, new = known(1, "adds lines", home=home), known(2, "adds items", home=home)
    others = [known(3, "pays by card", home=home), known(4, "pays by bill", home=home)]

    assert found([old], [new]) == [(2, (1,), True)]
    assert found([old, others[0]], [new, others[1]]) == []


@pytest.mark.parametrize(
    "new",
    [
        known(2, "test_removes_a_customer"),
        known(2, "test_basket_adds_up_the_prices_of_items", suite="elsewhere"),
        known(2, "test_basket_adds_up_the_prices_of_items", median_s=9.0),
    ],
)
def test_another_test_is_no_rename(new: Known) -> None:
    assert found([known(1, "test_basket_adds_up_the_prices_of_all_items")], [new]) == []


def test_short_durations_say_nothing() -> None:
    old, new = known(1, "adds a rebate", median_s=0.001), known(2, "adds a rebate", median_s=0.02)

    assert found([old], [new]) == [(2, (1,), True)]


def test_two_candidates_are_for_a_person_to_choose() -> None:
    old = [known(1, "adds", suite="a"), known(2, "adds", suite="b")]

    assert found(old, [known(3, "adds", suite="c")]) == [(3, (1, 2), False)]


def test_nobody_is_asked_which_parameters_were_which() -> None:
    old = [known(1, "adds[1-a]"), known(2, "adds[1-b]")]

    assert found(old, [known(3, "adds[1]")]) == []


def test_the_place_that_is_most_alike_breaks_a_tie() -> None:
    old = [known(1, "adds", suite="a", home="CartTest"), known(2, "adds", suite="b", home="PayTest")]
    new = known(3, "adds", suite="c", home="ShopCartTest")

    assert found(old, [new]) == [(3, (1,), True)]


def test_one_old_test_is_not_given_to_two_new_ones() -> None:
    new = [known(2, "adds", suite="b"), known(3, "adds", suite="c")]

    assert [is_sure for _, _, is_sure in found([known(1, "adds", suite="a")], new)] == [False, False]


def test_many_changes_at_once_are_told_by_equal_names_alone() -> None:
    old = [known(n, f"test number {n} adds") for n in range(300)]
    new = [known(1_000 + n, f"test number {n} adds up") for n in range(300)]

    assert found(old, new) == []


def test_names_are_compared_by_their_words() -> None:
    assert likeness("addsARebate", "adds_a_rebate") == 1.0
    assert likeness("adds_a_rebate", "takes_a_rebate") == pytest.approx(2 / 3)
    assert likeness("", "") == 1.0
