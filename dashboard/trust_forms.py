"""The form of the repositories that a project trusts: which, and which of their jobs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError

from dashboard.forms import Form
from projects import trust
from projects.trust import TrustRow

REPOSITORY = re.compile(r"[\w.-]+(?:/[\w.-]+)+\Z")
EVENT = re.compile(r"[a-z_]+\Z")
GITHUB = "https://token.actions.githubusercontent.com"


def name_of(issuer: str) -> str:
    """Return what people call an issuer."""
    return "GitHub Actions" if issuer == GITHUB else urlsplit(issuer).netloc or issuer


class TrustForm(Form):
    """A repository whose CI jobs upload without a token."""

    issuer = forms.ChoiceField(label="CI")
    repository = forms.CharField(
        label="Repository", max_length=300, help_text="With its owner or group, such as acme/shop."
    )
    owner_id = forms.CharField(
        label="Number of the owner",
        required=False,
        max_length=50,
        help_text="Left empty, that of the first upload is kept: names change hands, numbers do not.",
    )
    branches = forms.CharField(
        label="Branches",
        required=False,
        max_length=500,
        help_text="Such as main release/*. Left empty, every branch. Pull requests go by the box below.",
    )
    events = forms.CharField(
        label="Events",
        required=False,
        max_length=500,
        help_text="Such as push schedule pull_request. Left empty, those in which code is tested.",
    )
    takes_pulls = forms.BooleanField(
        label="Also pull requests, forks among them; they never count for the default branch",
        required=False,
        initial=True,
    )

    def __init__(self, *args: Any, issuers: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["issuer"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(issuer, name_of(issuer)) for issuer in issuers]

    def clean_repository(self) -> str:
        """Return the repository as its CI names it, also where its address was pasted."""
        typed = str(self.cleaned_data["repository"]).strip().removesuffix(".git").rstrip("/")
        path = urlsplit(typed).path.strip("/") if "://" in typed else typed
        if not REPOSITORY.match(path):
            raise ValidationError("Write owner and name, such as acme/shop.")
        return path

    def clean_owner_id(self) -> str:
        """Refuse a name where a number belongs."""
        typed = str(self.cleaned_data["owner_id"]).strip()
        if typed and not (typed.isascii() and typed.isdigit()):
            raise ValidationError("A number, as the CI tells it; not the name.")
        return typed

    def clean_events(self) -> str:
        """Refuse what is no event."""
        for word in trust.words(self.cleaned_data["events"]):
            if not EVENT.match(word):
                raise ValidationError(f"{word} is no event. Write them as CI does, such as pull_request.")
        return str(self.cleaned_data["events"])

    def row(self) -> TrustRow:
        """Return what was typed."""
        return TrustRow(**self.cleaned_data)
