"""What a team wants of its suite, read from the JSON of its project: target, timing limits and budgets.

Pure, and the one place that knows how the three are spelt: bands as {"unit": [0.7, 0.8], …}, limits as
{"unit": {"fast_s": 0.01, "slow_s": 0.1}, …}, budgets as {"integration": 300} in seconds a run. What is absent
is the default; what cannot be read is refused, since forms checked it before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis import targets, timing
from analysis.targets import CORE, Band, Target
from analysis.timing import Limits
from projects.vocabulary import Layer, TargetKind

BUILT_IN: Mapping[TargetKind, Target] = {target.kind: target for target in targets.BUILT_IN}


def target(kind: int | None, bands: Mapping[str, Sequence[float]]) -> Target | None:
    """Return the target of a project, None where it wants none; raise ValueError for bands none meets."""
    if kind is None:
        return None
    if kind != TargetKind.CUSTOM:
        return BUILT_IN[TargetKind(kind)]
    return Target(
        kind=TargetKind.CUSTOM, bands={layer: Band(*bands.get(layer.word, (0.0, 1.0))) for layer in CORE}
    )


def limits(changed: Mapping[str, Mapping[str, float]]) -> dict[Layer, Limits]:
    """Return the limits of every judged layer: the project's own where it has some."""
    return {layer: _limits(changed.get(layer.word), default) for layer, default in timing.DEFAULTS.items()}


def _limits(own: Mapping[str, float] | None, default: Limits) -> Limits:
    if own is None:
        return default
    return Limits(
        fast_s=float(own["fast_s"]), slow_s=float(own["slow_s"]), limit_is_slow=default.limit_is_slow
    )


def budgets(kept: Mapping[str, float]) -> dict[Layer, float]:
    """Return the seconds a run that layers may take; a layer without a budget is absent."""
    return {Layer.from_word(word): float(seconds) for word, seconds in kept.items()}
