"""The form for a CODEOWNERS file that a project keeps itself."""

from __future__ import annotations

from django import forms

from analysis import codeowners
from dashboard.forms import Form
from projects.code_owners import LARGEST


class OwnersForm(Form):
    """The text of the file; each line that cannot be read is an error with its number."""

    text = forms.CharField(
        label="CODEOWNERS",
        max_length=LARGEST,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 16, "spellcheck": "false", "class": "textarea mono"}),
        help_text="A pattern and its owners a line; the last pattern that fits decides.",
    )

    def clean_text(self) -> str:
        """Refuse lines that would say nothing."""
        text: str = self.cleaned_data["text"]
        unread = codeowners.read(text).unread
        if unread:
            raise forms.ValidationError([f"Line {line}: {why}" for line, why in unread])
        return text
