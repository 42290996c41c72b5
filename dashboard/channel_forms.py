"""The forms of the channels: where a project's news is told, and which of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from dashboard.forms import Form
from projects import addresses
from projects.vocabulary import ChannelKind, EventKind

KINDS = {
    ChannelKind.SLACK: "Slack",
    ChannelKind.TEAMS: "Microsoft Teams",
    ChannelKind.MAIL: "E-mail",
    ChannelKind.WEBHOOK: "Webhook",
}
EVENTS = {
    EventKind.OUTAGE: "many tests fail at once",
    EventKind.BROKEN: "a test is broken",
    EventKind.FLAKY: "a test becomes flaky",
    EventKind.FIXED: "a test is fixed",
    EventKind.BUDGET: "a budget is crossed",
    EventKind.SHAPE: "the shape leaves its target",
    EventKind.UPLOADS_STOPPED: "uploads stop arriving",
    EventKind.UPLOADS_REFUSED: "uploads are refused",
}


class WantsForm(Form):
    """Which events a channel tells, and whether it does."""

    wants = forms.MultipleChoiceField(
        label="Tell when",
        choices=[(kind.word, words) for kind, words in EVENTS.items()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )

    def wanted(self) -> list[EventKind]:
        """Return the chosen events."""
        return [EventKind.from_word(word) for word in self.cleaned_data["wants"]]


class ChannelForm(WantsForm):
    """A new channel."""

    kind = forms.ChoiceField(label="Kind", choices=[(kind.word, words) for kind, words in KINDS.items()])
    name = forms.CharField(label="Name", max_length=100)
    address = forms.CharField(
        label="Address",
        max_length=1000,
        help_text="An e-mail address, or the address of the incoming webhook.",
    )
    field_order = ["kind", "name", "address", "wants"]

    def clean(self) -> dict[str, Any]:
        """Refuse an address that the kind cannot use."""
        values = super().clean() or self.cleaned_data
        if "kind" in values and "address" in values:
            try:
                _check(ChannelKind.from_word(values["kind"]), values["address"])
            except (ValidationError, addresses.Forbidden) as refusal:
                self.add_error("address", str(getattr(refusal, "message", refusal)))
        return values

    def chosen(self) -> ChannelKind:
        """Return the chosen kind."""
        return ChannelKind.from_word(self.cleaned_data["kind"])


def _check(kind: ChannelKind, address: str) -> None:
    if kind is ChannelKind.MAIL:
        validate_email(address)
    else:
        addresses.check(address)
