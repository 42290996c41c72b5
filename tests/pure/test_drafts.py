"""Rules as they are edited: read from a form, moved, checked."""

from __future__ import annotations

import pytest

from dashboard import drafts
from dashboard.drafts import Row

A, B, C = (Row("path", "glob", f"{name}/**", "unit") for name in "abc")


def test_blank_rows_are_no_rules() -> None:
    rows = drafts.read(["path", "name"], ["glob", "glob"], [" a/** ", "   "], ["unit", "e2e"])

    assert rows == [A]


@pytest.mark.parametrize(
    ("action", "after"),
    [
        ("up:2", [B, A, C]),
        ("up:1", [A, B, C]),
        ("down:1", [B, A, C]),
        ("down:3", [A, B, C]),
        ("delete:2", [A, C]),
        ("delete:9", [A, B, C]),
        ("up:x", [A, B, C]),
        ("preview", [A, B, C]),
    ],
)
def test_actions_move_and_remove_by_place(action: str, after: list[Row]) -> None:
    assert drafts.done([A, B, C], action) == after


def test_one_bad_row_keeps_all_rules_back_and_says_what_is_wrong() -> None:
    rows, found = drafts.checked([A, Row("path", "regex", "(", "unit")])

    assert found == []
    assert [bool(row.problem) for row in rows] == [False, True]


def test_words_that_are_none_are_problems_not_crashes() -> None:
    rows, _ = drafts.checked([Row("colour", "glob", "a", "unit"), Row("path", "glob", "a", "blue")])

    assert all(row.problem for row in rows)


def test_the_stamp_tells_lists_apart_by_order_and_content() -> None:
    stamps = {drafts.stamp(drafts.checked(rows)[1]) for rows in ([A, B], [B, A], [A])}

    assert len(stamps) == 3
