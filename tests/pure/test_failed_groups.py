"""Failing groups by columns are what a list of them would be, and bytes keep them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from analysis.failed_groups import FIRST_VERSION, Failed, FailedGroups
from analysis.flakes import State, never_failed
from analysis.regimes import WINDOW, Ending

GROUPS = st.lists(
    st.tuples(
        st.integers(1, 60),
        st.integers(0, 2**31),
        st.sampled_from(Ending),
        st.integers(0, 9),
        st.integers(0, 255),
    ),
    max_size=60,
).map(
    lambda rows: [
        Failed(sum(row[0] for row in rows[: n + 1]), run, ending, again, chance / 255)
        for n, (_, run, ending, again, chance) in enumerate(rows)
    ]
)


def within(groups: list[Failed]) -> list[Failed]:
    """Return what a list would hold: the groups within the window of the newest."""
    return [group for group in groups if group.order > groups[-1].order - WINDOW]


@given(GROUPS)
def test_groups_that_left_the_window_are_forgotten(groups: list[Failed]) -> None:
    assert list(FailedGroups(groups)) == within(groups)


@given(GROUPS)
def test_groups_survive_their_bytes(groups: list[Failed]) -> None:
    kept = FailedGroups(groups)

    again = FailedGroups.unpack(kept.pack())

    assert list(again) == list(kept)
    assert again.pack() == kept.pack()


@given(GROUPS, GROUPS)
def test_groups_grow_on_from_their_bytes(before: list[Failed], after: list[Failed]) -> None:
    last = before[-1].order if before else 0
    later = [group._replace(order=group.order + last) for group in after]

    again = FailedGroups.unpack(FailedGroups(before).pack())
    for group in later:
        again.add(group)

    assert list(again) == within([*before, *later])


@given(GROUPS, st.integers(0, 70))
def test_what_is_counted_of_the_newest_is_what_a_list_would_count(groups: list[Failed], newest: int) -> None:
    kept, of_list = FailedGroups(groups), within(groups)
    streak = of_list[max(0, len(of_list) - newest) :]
    n_unforgiven = 0
    while n_unforgiven < len(streak) and streak[-1 - n_unforgiven].ending is not Ending.PASSED_ON_RETRY:
        n_unforgiven += 1

    assert kept.n_own(newest) == sum(group.ending is not Ending.IN_A_BREAK for group in streak)
    assert kept.n_unforgiven(newest) == n_unforgiven
    assert kept.runs(newest) == tuple(group.run for group in streak)
    own = [group for group in of_list if group.ending is not Ending.IN_A_BREAK]
    assert list(kept.own().orders) == [group.order for group in own]
    assert list(kept.own().endings) == [group.ending for group in own]


@given(GROUPS, st.integers(0, 70), st.integers(0, 255), st.sampled_from([0.0, 0.005, 0.3]))
def test_a_verdict_settles_what_it_changes(
    groups: list[Failed], newest: int, chance: int, least_change: float
) -> None:
    kept, of_list = FailedGroups(groups), within(groups)
    p_flaky = chance / 255
    changed = [
        at
        for at in range(max(0, len(of_list) - newest), len(of_list))
        if abs(of_list[at].p_flaky - p_flaky) >= least_change
    ]

    runs = kept.settle(newest, p_flaky, least_change=least_change)

    assert runs == tuple(of_list[at].run for at in changed)
    assert [group.p_flaky for group in kept] == [
        p_flaky if at in changed else group.p_flaky for at, group in enumerate(of_list)
    ]


def test_a_test_that_fails_in_every_run_takes_little_room() -> None:
    constant = FailedGroups([Failed(n, n, Ending.NOT_RETRIED, 0, 0.0) for n in range(1000)])

    assert len(constant) == WINDOW
    assert len(constant.pack()) < 5 * WINDOW


def test_states_of_the_first_version_are_read() -> None:
    state = never_failed(40)
    groups = [Failed(n, 7 + n, Ending.FAILED_AGAIN, 2, 51 / 255) for n in range(40, 43)]
    head = b"\x01" + state.pack()[1:-2][: -len(FailedGroups().pack())]
    rows = b"".join(FIRST_VERSION.pack(*group[:4], 51) for group in groups)

    again = State.unpack(head + struct.pack("<HHH", 3, 1, 1) + rows + struct.pack("<QBQQ", 5, 1, 40, 41))

    assert list(again.failures) == groups
    assert again.changes == [5]
    assert [(proof.failed_run, proof.passed_run) for proof in again.proofs] == [(40, 41)]
    assert (again.n_pass, again.beta, again.status) == (state.n_pass, state.beta, state.status)
