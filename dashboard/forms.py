"""The forms of the pages: what may be typed, what it must mean, and how it is refused.

Forms check values and hand back plain ones. Who may send them is settled at the door, what is kept by
projects.changes.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from projects import care, logins
from projects.vocabulary import Role

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_KEPT_DAYS = 36_500  # a hundred years


class Form(forms.Form):
    """A form whose controls wear the classes of the components, and say to assistive tools what is wrong."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            dress(field)


def dress(field: forms.Field) -> None:
    """Give a control the class of its kind."""
    widget = field.widget
    if isinstance(widget, forms.Select):
        widget.attrs.setdefault("class", "select")
    elif isinstance(widget, forms.Textarea):
        widget.attrs.setdefault("class", "textarea mono")
    elif isinstance(widget, forms.NumberInput):
        widget.attrs.setdefault("class", "input input-number")
    elif not isinstance(widget, forms.CheckboxInput | forms.RadioSelect):
        widget.attrs.setdefault("class", "input input-wide")


class LoginForm(AuthenticationForm):
    """Log in with a name or an e-mail address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Username or e-mail"
        for field in self.fields.values():
            dress(field)

    def clean_username(self) -> str:
        """Turn an e-mail address that one person has into that person's name."""
        return logins.account_named(str(self.cleaned_data["username"]))


class PasswordForm(Form):
    """A new password, typed once where it can be seen."""

    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        help_text="At least 8 characters, not only digits, and none of the common ones.",
    )

    def __init__(self, *args: Any, user: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        """Refuse a password that is easily guessed."""
        password = str(self.cleaned_data["password"])
        password_validation.validate_password(password, self.user)
        return password


class ChangePasswordForm(PasswordForm):
    """A new password for somebody who knows the old one."""

    old_password = forms.CharField(
        label="Old password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
    )
    field_order = ["old_password", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label = "New password"

    def clean_old_password(self) -> str:
        """Refuse anybody who does not know the old password."""
        typed = str(self.cleaned_data["old_password"])
        if self.user is None or not self.user.check_password(typed):
            raise ValidationError("That is not your password.")
        return typed


class FirstAccountForm(PasswordForm):
    """The first person on an empty server, and the first project."""

    username = forms.CharField(
        label="Username", max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    email = forms.EmailField(
        label="E-mail",
        help_text="The weekly letter goes there.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    project = forms.CharField(
        label="First project", max_length=100, help_text="One codebase, such as its repository's name."
    )
    field_order = ["username", "email", "password", "project"]

    def clean_username(self) -> str:
        """Refuse a name that is no name, or taken."""
        return checked_username(str(self.cleaned_data["username"]))


def checked_username(name: str) -> str:
    """Return the name; raise ValidationError where Django would not take it or somebody has it."""
    User.username_validator(name)
    if User.objects.filter(username__iexact=name).exists():
        raise ValidationError("Somebody has this name.")
    return name


class AccountForm(Form):
    """What a person may change about themselves."""

    email = forms.EmailField(label="E-mail", required=False, help_text="Where your weekly letters go.")


class ProjectForm(Form):
    """A new project."""

    name = forms.CharField(
        label="Name", max_length=100, help_text="One codebase, such as its repository's name."
    )
    default_branch = forms.CharField(
        label="Default branch",
        max_length=200,
        initial="main",
        help_text="Pages show this branch unless asked.",
    )

    def clean_name(self) -> str:
        """Refuse a name that nothing would be left of."""
        return _visible(str(self.cleaned_data["name"]))


class RenameForm(ProjectForm):
    """Another name or default branch for a project."""


class DeleteForm(Form):
    """The slug of the project, typed to be sure."""

    slug = forms.CharField(label="Type the project's slug to delete it", required=False)

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected

    def clean_slug(self) -> str:
        """Refuse anything but the slug."""
        if self.cleaned_data["slug"] != self.expected:
            raise ValidationError(f"Type {self.expected} to delete the project.")
        return self.expected


class TokenForm(Form):
    """A new token."""

    name = forms.CharField(label="Name, such as where it is used", max_length=100, initial="ci")

    def clean_name(self) -> str:
        """Refuse a name that nothing would be left of."""
        return _visible(str(self.cleaned_data["name"]))


def _days(label: str, help_text: str, *, at_least: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=f"{label}, in days", help_text=help_text, min_value=at_least, max_value=LONGEST_KEPT_DAYS
    )


class KeepForm(Form):
    """How many days the bodies of uploads, results, sums, and what was told are kept."""

    keep_bodies_days = _days("Bodies of uploads", "What CI sent, to be read again.", at_least=1)
    keep_results_days = _days("Results", "Each test in each run.", at_least=30)
    keep_sums_days = _days("Sums and failures", "What trends and charts are made of.", at_least=30)
    keep_told_days = _days(
        "Events and letters", "What the feed and the archive of letters show.", at_least=30
    )

    def clean(self) -> dict[str, Any]:
        """Refuse sums that end before the results that they are made of."""
        values = dict(super().clean() or {})
        results, sums = values.get("keep_results_days"), values.get("keep_sums_days")
        if results is not None and sums is not None and sums < results:
            self.add_error(
                "keep_sums_days", f"Sums are made of results: keep them for {results} days at least."
            )
        return values


class CareForm(Form):
    """What people say of a test: a note, and who looks after it."""

    owner = forms.CharField(label="Owner", max_length=200, required=False)
    note = forms.CharField(
        label="Note",
        max_length=1000,
        required=False,
        widget=forms.TextInput(attrs={"class": "input input-wide"}),
    )


class MuteForm(Form):
    """Why a test is muted in CI, and for how long."""

    reason = forms.CharField(
        label="Reason", max_length=500, widget=forms.TextInput(attrs={"class": "input input-wide"})
    )
    days = forms.IntegerField(
        label="Days",
        initial=care.DEFAULT_DAYS,
        min_value=1,
        max_value=care.LONGEST_DAYS,
        help_text=f"{care.DEFAULT_DAYS} unless you say otherwise, at most {care.LONGEST_DAYS}.",
    )


class FixedForm(Form):
    """The commit that repaired a flaky test."""

    commit = forms.RegexField(
        r"^[0-9A-Za-z._-]{4,64}\Z",
        label="Commit",
        max_length=64,
        error_messages={"invalid": "Give the commit's hash, at least its first 4 characters."},
    )


def _roles() -> list[tuple[str, str]]:
    return [(role.word, role.word) for role in Role]


class RoleForm(Form):
    """A member's role."""

    role = forms.ChoiceField(label="Role", choices=_roles)


class InviteForm(RoleForm):
    """Somebody who should join the project."""

    email = forms.EmailField(label="E-mail")
    field_order = ["email", "role"]


def _zones() -> list[tuple[str, str]]:
    return [(zone, zone) for zone in ["UTC", *sorted(available_timezones() - {"UTC", "localtime"})]]


class LetterForm(Form):
    """When the weekly letter goes out."""

    sends_letter = forms.BooleanField(label="Send a weekly letter", required=False)
    letter_weekday = forms.TypedChoiceField(label="Day", coerce=int, choices=list(enumerate(WEEKDAYS)))
    letter_hour = forms.TypedChoiceField(
        label="Hour", coerce=int, choices=[(hour, f"{hour:02}:00") for hour in range(24)]
    )
    time_zone = forms.ChoiceField(label="Time zone", choices=_zones)


def _visible(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValidationError("Use at least one letter or digit.")
    return text
