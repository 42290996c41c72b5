"""The fix verdict in words: how often it failed, what followed, and what that proves."""

from __future__ import annotations

from dataclasses import replace

from analysis.answers.of_care import Care
from dashboard.care import fix_sentence

CARE = Care(
    is_flaky=True,
    was_flaky=True,
    n_failed=6,
    n_tried=120,
    n_quiet=41,
    p_unfixed=0.12,
    n_passes_needed=59,
    fixed_commit="",
    note="",
    owner="",
    muted=None,
    remarks=(),
)


def said(care: Care) -> str:
    """Return the sentence with plain spaces."""
    return fix_sentence(care).replace("\u202f", " ")


def test_clean_runs_are_weighed_against_the_chance_of_luck() -> None:
    assert said(CARE) == (
        "It failed in 6 of 120 runs, with 41 clean runs since; were it unfixed, the chance of that would be 12 %. "
        "59 runs give 95 %."
    )


def test_a_failure_in_the_newest_run_leaves_the_passes_needed() -> None:
    assert said(replace(CARE, n_quiet=0)) == (
        "It failed in 6 of 120 runs, the last of them too. 59 passes in a row would show a fix with 95 %."
    )


def test_a_named_fix_is_named() -> None:
    assert "41 clean runs since abcdef1, marked as its fix;" in said(replace(CARE, fixed_commit="abcdef1234"))


def test_a_fixed_test_needs_no_more_runs() -> None:
    assert said(replace(CARE, is_flaky=False)).endswith(
        "taken as fixed; were it unfixed, the chance of that would be 12 %."
    )


def test_a_test_that_never_was_flaky_has_no_fix_verdict() -> None:
    assert said(replace(CARE, was_flaky=False)) == ""
