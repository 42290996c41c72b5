"""The forms of letters by owner: who reads about whose tests, and which letters an address without an account gets."""

from __future__ import annotations

from typing import Any

from django import forms

from dashboard.forms import Form
from projects.subscribing import Wish

HOW_OFTEN = {"weekly": "Every week", "changes": "Only when something changed", "off": "Never"}
WHAT = {"first": "All tests, theirs first", "only": "Only their tests"}


class ReaderForm(Form):
    """Somebody who is to read about an owner's tests."""

    owner = forms.CharField(label="Owner", max_length=200, help_text="As reports or CODEOWNERS spell it.")
    email = forms.EmailField(
        label="Reader",
        max_length=254,
        help_text="The address of a member, or one without an account, such as a team's list.",
        widget=forms.EmailInput(attrs={"list": "members", "autocomplete": "off"}),
    )


class WishForm(forms.Form):
    """Which letters an address gets, in two controls without labels of their own."""

    often = forms.ChoiceField(
        choices=list(HOW_OFTEN.items()),
        widget=forms.Select(attrs={"class": "select", "aria-label": "How often"}),
    )
    what = forms.ChoiceField(
        choices=list(WHAT.items()), widget=forms.Select(attrs={"class": "select", "aria-label": "What of"})
    )

    def wish(self) -> Wish:
        """Return what was chosen."""
        values: dict[str, Any] = self.cleaned_data
        return Wish(
            wants_letter=values["often"] != "off",
            only_changes=values["often"] == "changes",
            only_own=values["what"] == "only",
        )
