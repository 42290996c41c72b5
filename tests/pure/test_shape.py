"""Shapes, targets, advice and plans."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analysis import shape
from analysis.shape import BUILT_IN, CORE, DIAMOND, PYRAMID, TROPHY, Band, Move, Shape, Target, advice, judge
from projects.vocabulary import Layer, TargetKind

UNIT, INTEGRATION, E2E = CORE


def counted(unit: int, integration: int, e2e: int, **others: int) -> dict[Layer, int]:
    more = {Layer.from_word(word): n for word, n in others.items()}
    return {UNIT: unit, INTEGRATION: integration, E2E: e2e, **more}


@pytest.mark.parametrize(
    ("amounts", "name"),
    [
        (counted(75, 17, 8), "pyramid"),
        (counted(85, 10, 5), "pyramid"),
        (counted(35, 50, 15), "trophy"),
        (counted(48, 47, 5), "diamond"),
        (counted(10, 20, 70), "inverted pyramid"),
        (counted(55, 5, 40), "hourglass"),
        (counted(100, 0, 0), "mostly unit"),
        (counted(2, 96, 2), "mostly integration"),
        (counted(75, 17, 8, unknown=26), "undecided"),
        (counted(75, 17, 8, unknown=25), "pyramid"),
        (counted(0, 0, 0), "empty"),
        (counted(0, 0, 0, unknown=3), "undecided"),
    ],
)
def test_a_shape_earns_its_name(amounts: dict[Layer, int], name: str) -> None:
    assert judge(Shape(amounts), PYRAMID).name == name


def test_static_checks_and_load_tests_stand_outside_the_shape() -> None:
    alone = judge(Shape(counted(75, 17, 8)), PYRAMID)

    assert judge(Shape(counted(75, 17, 8, static=500, load=90)), PYRAMID) == alone


def test_the_fit_is_what_need_not_move() -> None:
    judgement = judge(Shape(counted(60, 20, 20)), PYRAMID)

    # Ten points too many e2e tests, ten too few unit tests: moving a tenth of the tests mends both.
    assert judgement.fit == pytest.approx(90)
    assert judgement.over == {E2E: pytest.approx(10)}
    assert judgement.under == {UNIT: pytest.approx(10)}
    assert not judgement.is_inside


def test_a_shape_in_its_bands_fits_wholly() -> None:
    judgement = judge(Shape(counted(75, 17, 8)), PYRAMID)

    assert (judgement.fit, judgement.is_inside, judgement.over, judgement.under) == (100, True, {}, {})


def test_a_trophy_wants_integration_to_be_the_largest_layer() -> None:
    judgement = judge(Shape(counted(45, 40, 15)), TROPHY)

    assert judgement.unmet == ("integration is not the largest layer",)
    assert judgement.distance == pytest.approx(0.025)


def test_a_diamond_wants_unit_and_integration_level() -> None:
    target = Target(
        kind=TargetKind.CUSTOM,
        bands={UNIT: Band(0.3, 0.6), INTEGRATION: Band(0.3, 0.6), E2E: Band(0.0, 0.1)},
        max_gap=0.10,
    )

    judgement = judge(Shape(counted(60, 30, 10)), target)

    assert judgement.distance == pytest.approx(0.10)
    assert judgement.unmet == ("unit and integration are 30 points apart, over 10",)


def moved(now: tuple[int, ...], point: tuple[int, ...]) -> int:
    return sum(max(0, have - want) for have, want in zip(now, point, strict=True))


@pytest.mark.parametrize("target", BUILT_IN, ids=lambda target: target.kind.word)
def test_the_distance_is_that_of_the_nearest_whole_suite_inside(target: Target) -> None:
    # With 200 tests, half a per cent each, every corner of the built-in bands is a whole number of tests.
    inside = [
        point
        for point in ((unit, 200 - unit - e2e, e2e) for unit in range(201) for e2e in range(41))
        if point[1] >= 0 and meets(point, target)
    ]

    for now in (
        (200, 0, 0),
        (0, 200, 0),
        (0, 0, 200),
        (120, 40, 40),
        (90, 84, 26),
        (66, 67, 67),
        (100, 10, 90),
    ):
        away = judge(Shape(counted(*now)), target).distance

        assert away == pytest.approx(min(moved(now, point) for point in inside) / 200)


@pytest.mark.parametrize(
    ("low", "high"), [((0.5, 0.4, 0.3), (1, 1, 1)), ((0, 0, 0), (0.3, 0.3, 0.3))], ids=["too high", "too low"]
)
def test_bands_that_no_shape_can_meet_are_refused(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    bands = {layer: Band(*ends) for layer, ends in zip(CORE, zip(low, high, strict=True), strict=True)}

    with pytest.raises(ValueError, match="ends of the bands"):
        Target(kind=TargetKind.CUSTOM, bands=bands)


# --- advice, against brute force


def share(value: float) -> Fraction:
    return Fraction(value).limit_denominator(10_000)


def meets(point: tuple[int, int, int], target: Target) -> bool:
    total = sum(point)
    amounts = dict(zip(CORE, point, strict=True))
    in_bands = all(
        share(band.low) * total <= amounts[layer] <= share(band.high) * total
        for layer, band in target.bands.items()
    )
    is_largest = target.largest is None or amounts[target.largest] == max(point)
    is_level = target.max_gap is None or abs(point[0] - point[1]) <= share(target.max_gap) * total
    return in_bands and is_largest and is_level


def fewest_moves(now: tuple[int, int, int], target: Target) -> int | None:
    total = sum(now)
    points = ((u, i, total - u - i) for u in range(total + 1) for i in range(total + 1 - u))
    costs = [moved(now, point) for point in points if meets(point, target)]
    return min(costs, default=None)


def fewest_additions(now: tuple[int, int, int], target: Target, most: int) -> int | None:
    for added in range(most):
        for unit in range(added + 1):
            for integration in range(added + 1 - unit):
                more = (unit, integration, added - unit - integration)
                if meets((now[0] + more[0], now[1] + more[1], now[2] + more[2]), target):
                    return added
    return None


CUSTOM = Target(
    kind=TargetKind.CUSTOM,
    bands={UNIT: Band(0.2, 0.6), INTEGRATION: Band(0.2, 0.5), E2E: Band(0.1, 0.4)},
    largest=UNIT,
    max_gap=0.25,
)
SMALL = st.tuples(*[st.integers(min_value=0, max_value=14)] * 3).filter(any)


@settings(max_examples=150, deadline=None)
@given(SMALL, st.sampled_from([*BUILT_IN, CUSTOM]))
def test_advice_is_as_small_as_brute_force_finds(now: tuple[int, int, int], target: Target) -> None:
    steps = {step.kind: step for step in advice(counted(*now), target)}
    if meets(now, target):
        assert steps == {}
        return

    moving, added = steps.get("move"), steps.get("add")

    assert (moving and moving.n_tests) == fewest_moves(now, target)
    if added is None or added.n_tests < 30:
        assert (added and added.n_tests) == fewest_additions(now, target, most=30)
    for step in steps.values():
        assert meets(tuple(step.after[layer] for layer in CORE), target)  # type: ignore[arg-type]


@given(st.tuples(*[st.integers(min_value=0, max_value=200_000)] * 3).filter(any), st.sampled_from(BUILT_IN))
@settings(max_examples=40, deadline=None)
def test_advice_on_large_suites_lands_inside_the_bands(now: tuple[int, int, int], target: Target) -> None:
    for step in advice(counted(*now), target):
        after = tuple(step.after[layer] for layer in CORE)

        assert meets(after, target)  # type: ignore[arg-type]
        assert sum(after) == sum(now) + (step.n_tests if step.kind == "add" else 0)


def preferred_moves(now: tuple[int, int, int], target: Target) -> list[tuple[int, int, int]]:
    """Return where the fewest moves lead: few layers changed, then to neighbouring layers, then down."""
    total, ranked = sum(now), {}
    for unit in range(total + 1):
        for integration in range(total + 1 - unit):
            point = (unit, integration, total - unit - integration)
            if meets(point, target):
                changed = sum(have != want for have, want in zip(now, point, strict=True))
                up, higher = now[0] - unit, point[2] - now[2]
                ranked[point] = (moved(now, point), changed, abs(up) + abs(higher), up + higher)
    best = min(ranked.values(), default=None)
    return [point for point, rank in ranked.items() if rank == best]


MIDDLING = st.tuples(*[st.integers(min_value=0, max_value=45)] * 3).filter(any)


@settings(max_examples=25, deadline=None)
@given(MIDDLING, st.sampled_from([*BUILT_IN, CUSTOM]))
@example((60, 20, 2), CUSTOM)
def test_of_equal_moves_the_simplest_is_told(now: tuple[int, int, int], target: Target) -> None:
    steps = {step.kind: step for step in advice(counted(*now), target)}

    if "move" in steps:
        assert tuple(steps["move"].after[layer] for layer in CORE) in preferred_moves(now, target)


def test_of_equal_moves_in_a_large_suite_the_simplest_is_told() -> None:
    bands = {UNIT: Band(0.60, 0.65), INTEGRATION: Band(0.25, 0.40), E2E: Band(0.05, 0.10)}
    custom = Target(kind=TargetKind.CUSTOM, bands=bands)

    (down, *_), (same, *_) = advice(counted(1196, 359, 120), PYRAMID), advice(counted(1196, 359, 120), custom)

    # Both are as few as others that take tests up to e2e.
    assert down.words() == "move 24 integration tests down to unit"
    assert same.words() == "move 108 unit tests up to integration"


def test_advice_says_what_to_do() -> None:
    steps = advice(counted(66, 20, 14), PYRAMID)

    # Unit lacks four points and e2e has four too many. Where nothing moves, 14 e2e tests are a tenth of 140.
    said = shape.advice_sentence(steps)
    assert said == "Move 4 e2e tests down to unit, or 40 more unit tests."


def test_large_numbers_are_said_in_groups_of_three() -> None:
    (step, *_) = advice(counted(60_000, 20_000, 20_000), PYRAMID)

    assert step.words() == "move 10\u202f000 e2e tests down to unit"


def test_one_test_is_said_in_the_singular() -> None:
    (step, *_) = advice(counted(69, 20, 11), PYRAMID)

    assert step.words() == "move 1 e2e test down to unit"


def test_no_advice_where_the_target_is_met() -> None:
    assert advice(counted(75, 17, 8), PYRAMID) == []
    assert shape.advice_sentence([]) == ""


def test_three_tests_cannot_move_into_a_pyramid() -> None:
    assert [step.kind for step in advice(counted(3, 0, 0), PYRAMID)] == ["add"]


# --- sentences and plans


def test_the_verdict_names_the_shape_and_its_drift() -> None:
    now, before = Shape(counted(75, 18, 7)), Shape(counted(78, 18, 4))

    said = shape.sentence("web", now=now, before=before)

    assert said == "web is a pyramid, and drifting up: end-to-end tests grew from 4 % to 7 % in 30 days."


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (counted(75, 17, 8), None, "web is a pyramid."),
        (counted(75, 17, 8), counted(74, 18, 8), "web is a pyramid, and holding its shape."),
        (
            counted(80, 14, 6),
            counted(70, 20, 10),
            "web is a pyramid, and drifting down: unit tests grew from 70 % to 80 % in 30 days.",
        ),
        (counted(1, 1, 8), None, "web is an inverted pyramid."),
        (counted(0, 0, 0), None, "web has no tests yet."),
        (counted(6, 0, 0, unknown=4), None, "web is undecided: 40 % of its tests have no known layer."),
    ],
)
def test_the_verdict_fits_what_is_known(
    now: dict[Layer, int], before: dict[Layer, int] | None, said: str
) -> None:
    assert shape.sentence("web", now=Shape(now), before=Shape(before) if before else None) == said


def test_a_plan_changes_counts_time_and_budgets() -> None:
    counts, seconds = counted(100, 20, 10), {UNIT: 1.0, INTEGRATION: 20.0, E2E: 100.0}
    moves = [Move(E2E, INTEGRATION, n=4, seconds=60.0)]

    outlook = shape.what_if(
        counts, seconds, moves=moves, additions={UNIT: 50}, budgets_s={INTEGRATION: 22.0, E2E: 60.0}
    )

    assert [outlook.by_count.amounts[layer] for layer in CORE] == [150, 24, 6]
    assert [outlook.by_time.amounts[layer] for layer in CORE] == pytest.approx([1.5, 24.0, 40.0])
    assert outlook.over_budget_s == {INTEGRATION: pytest.approx(2.0)}


def test_a_plan_cannot_move_tests_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="more tests than a layer has"):
        shape.what_if(counted(1, 1, 1), {}, moves=[Move(E2E, UNIT, n=2)])


def test_the_diamond_and_the_trophy_are_told_apart() -> None:
    assert judge(Shape(counted(45, 48, 7)), DIAMOND).name == "diamond"
    assert judge(Shape(counted(30, 55, 15)), DIAMOND).name == "trophy"
