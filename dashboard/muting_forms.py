"""The form of the policy by which a project mutes flaky tests itself, and of what a broken run costs its people."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.forms import Form
from projects import care
from projects.models import MutingPolicy

FIELDS = ("is_on", "least_p", "least_minutes", "most_tests", "most_share", "n_days", "developer_minutes")


class MutingForm(Form):
    """From when a test is muted in CI without anybody's decision, how many may be, and for how long."""

    is_on = forms.BooleanField(label="Mute the dearest flaky tests in CI by itself", required=False)
    least_p = forms.FloatField(
        label="P(flaky) of its failures, at least",
        min_value=0.5,
        max_value=1.0,
        help_text="On average over 30 days: how sure it is that a failure is none of the change's.",
        widget=forms.NumberInput(attrs={"step": "0.01"}),
    )
    least_minutes = forms.IntegerField(
        label="Cost in 30 days, at least",
        min_value=0,
        max_value=100_000,
        help_text="Minutes of machines and people together.",
    )
    most_tests = forms.IntegerField(
        label="Tests muted at once, at most",
        min_value=1,
        max_value=1_000,
        help_text="Those that people muted count too.",
    )
    most_percent = forms.FloatField(
        label="And at most this share of the suite, in %",
        min_value=0.0,
        max_value=100.0,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
    )
    n_days = forms.IntegerField(
        label="For how many days",
        min_value=1,
        max_value=care.LONGEST_DAYS,
        help_text="It ends sooner where the test is fixed, or broken.",
    )
    developer_minutes = forms.IntegerField(
        label="Minutes that a broken run takes from people",
        min_value=0,
        max_value=480,
        help_text="Counts in what flaky tests cost, muted or not.",
    )

    @staticmethod
    def initial_of(policy: MutingPolicy) -> dict[str, Any]:
        """Return what the form shows of a policy."""
        shown = {name: getattr(policy, name) for name in FIELDS if name != "most_share"}
        return shown | {"most_percent": round(policy.most_share * 100, 3)}

    def chosen(self) -> dict[str, Any]:
        """Return the policy's fields as they are to be kept."""
        values = dict(self.cleaned_data)
        share = values.pop("most_percent") / 100
        return values | {"most_share": share}
