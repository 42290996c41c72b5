"""The forms of what a team wants of its suite: the shape, how long a test may take, and a layer in a run.

What the typed words mean is for analysis.wishes to say; here they are turned into what a project keeps, and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from analysis import timing, wishes
from analysis.targets import CORE
from dashboard.forms import Form, dress
from projects.models import Project
from projects.vocabulary import Layer, TargetKind

NO_TARGET = "none"
LONGEST_LIMIT_S = 86_400  # a day: more is a slip of the pen


class TargetForm(Form):
    """The shape that a team wants: a built-in one, bands of its own, or none."""

    kind = forms.ChoiceField(
        label="Target",
        choices=[*((kind.word, kind.word) for kind in TargetKind), (NO_TARGET, "none")],
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for layer in CORE:
            for end in ("low", "high"):
                field = forms.FloatField(
                    label=f"{layer.word}, {'at least' if end == 'low' else 'at most'}",
                    min_value=0,
                    max_value=100,
                    required=False,
                )
                dress(field)
                field.widget.attrs |= {"aria-label": f"{field.label}, in per cent"}
                self.fields[f"{layer.word}_{end}"] = field

    @classmethod
    def initial_of(cls, project: Project) -> dict[str, object]:
        """Return the values of the project: its own bands, else those of the target that it has."""
        target = wishes.target(project.target_kind, project.target_bands)
        values: dict[str, object] = {"kind": target.kind.word if target else NO_TARGET}
        for layer in CORE:
            band = target.bands[layer] if target else None
            values[f"{layer.word}_low"] = _percent(band.low if band else 0.0)
            values[f"{layer.word}_high"] = _percent(band.high if band else 1.0)
        return values

    def clean(self) -> dict[str, Any]:
        """Refuse bands of a custom target that no shape meets."""
        values = dict(super().clean() or {})
        if values.get("kind") == TargetKind.CUSTOM.word and not self.errors:
            try:
                wishes.target(TargetKind.CUSTOM, self.bands())
            except ValueError as problem:
                raise ValidationError(f"These bands do not work: {problem}.") from None
        return values

    def chosen(self) -> TargetKind | None:
        """Return the chosen kind; None for no target."""
        word = self.cleaned_data["kind"]
        return None if word == NO_TARGET else TargetKind.from_word(word)

    def bands(self) -> dict[str, list[float]]:
        """Return the typed bands as shares, an empty end being open."""
        return {layer.word: [self._share(layer, "low", 0), self._share(layer, "high", 100)] for layer in CORE}

    def _share(self, layer: Layer, end: str, default: float) -> float:
        typed = self.cleaned_data.get(f"{layer.word}_{end}")
        return round((default if typed is None else typed) / 100, 4)


def _percent(share: float) -> str:
    return f"{100 * share:g}"


class LimitsForm(Form):
    """How long a test of each layer may take, and how much time a layer may take in a run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for layer in timing.DEFAULTS:
            self._add(f"{layer.word}_fast_s", f"{layer.word}: fast below, in seconds", is_required=True)
            self._add(f"{layer.word}_slow_s", f"{layer.word}: slow above, in seconds", is_required=True)
        for layer in CORE:
            self._add(f"{layer.word}_budget_s", f"{layer.word}: budget a run, in seconds", is_required=False)

    def _add(self, name: str, label: str, *, is_required: bool) -> None:
        field = forms.FloatField(
            label=label, min_value=0.0001, max_value=LONGEST_LIMIT_S, required=is_required
        )
        dress(field)
        field.widget.attrs |= {"aria-label": label, "step": "any"}
        self.fields[name] = field

    @classmethod
    def initial_of(cls, project: Project) -> dict[str, object]:
        """Return the limits and budgets that the project has now."""
        values: dict[str, object] = {}
        for layer, limits in wishes.limits(project.timing_limits).items():
            values |= {
                f"{layer.word}_fast_s": f"{limits.fast_s:g}",
                f"{layer.word}_slow_s": f"{limits.slow_s:g}",
            }
        for layer, seconds in wishes.budgets(project.budgets).items():
            values[f"{layer.word}_budget_s"] = f"{seconds:g}"
        return values

    def clean(self) -> dict[str, Any]:
        """Refuse limits that are the wrong way round."""
        values = dict(super().clean() or {})
        for layer in timing.DEFAULTS:
            fast, slow = values.get(f"{layer.word}_fast_s"), values.get(f"{layer.word}_slow_s")
            if fast is not None and slow is not None and fast > slow:
                self.add_error(f"{layer.word}_slow_s", "Slow begins above fast.")
        return values

    def limits(self) -> dict[str, dict[str, float]]:
        """Return the limits that differ from the defaults."""
        typed = {
            layer.word: {end: float(self.cleaned_data[f"{layer.word}_{end}"]) for end in ("fast_s", "slow_s")}
            for layer in timing.DEFAULTS
        }
        defaults = {
            layer.word: {"fast_s": limits.fast_s, "slow_s": limits.slow_s}
            for layer, limits in timing.DEFAULTS.items()
        }
        return {word: ends for word, ends in typed.items() if ends != defaults[word]}

    def budgets(self) -> dict[str, float]:
        """Return the budgets that were typed."""
        typed: Mapping[str, float | None] = {
            layer.word: self.cleaned_data.get(f"{layer.word}_budget_s") for layer in CORE
        }
        return {word: float(seconds) for word, seconds in typed.items() if seconds is not None}
