"""What a team wants, as its project's JSON spells it."""

from __future__ import annotations

import pytest

from analysis import targets, timing, wishes
from analysis.targets import Band
from analysis.timing import Limits
from projects.vocabulary import Layer, TargetKind


def test_no_kind_is_no_target() -> None:
    assert wishes.target(None, {}) is None


def test_a_built_in_target_ignores_bands_left_from_a_custom_one() -> None:
    assert wishes.target(TargetKind.TROPHY, {"unit": [0.1, 0.2]}) is targets.TROPHY


def test_a_custom_target_has_its_own_bands_and_leaves_other_layers_free() -> None:
    custom = wishes.target(TargetKind.CUSTOM, {"unit": [0.6, 0.9], "e2e": [0, 0.05]})

    assert custom is not None
    assert custom.bands == {
        Layer.UNIT: Band(0.6, 0.9),
        Layer.INTEGRATION: Band(0.0, 1.0),
        Layer.E2E: Band(0, 0.05),
    }


def test_bands_that_no_shape_meets_are_refused() -> None:
    with pytest.raises(ValueError, match="less than everything"):
        wishes.target(TargetKind.CUSTOM, {"unit": [0, 0.1], "integration": [0, 0.1], "e2e": [0, 0.1]})


def test_own_limits_replace_those_of_their_layer_alone() -> None:
    limits = wishes.limits({"e2e": {"fast_s": 2, "slow_s": 60}})

    assert limits[Layer.E2E] == Limits(fast_s=2, slow_s=60)
    assert limits[Layer.UNIT] == timing.DEFAULTS[Layer.UNIT]


def test_budgets_are_kept_by_layer() -> None:
    assert wishes.budgets({"integration": 300}) == {Layer.INTEGRATION: 300.0}
