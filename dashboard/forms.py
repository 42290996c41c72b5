"""The forms of the pages: what may be typed, what it must mean, and how it is refused.

Forms check values and hand back plain ones. Who may send them is settled at the door, what is kept by
projects.changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from analysis import timing, wishes
from analysis.targets import CORE
from projects import care, logins
from projects.models import Project
from projects.vocabulary import Layer, Role, TargetKind

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NO_TARGET = "none"
LONGEST_LIMIT_S = 86_400  # a day: more is a slip of the pen


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


class KeepForm(Form):
    """How many days the bodies of uploads, results, sums, and what was told are kept."""

    keep_bodies_days = forms.IntegerField(
        label="Bodies of uploads, in days",
        min_value=1,
        max_value=36_500,
        help_text="What CI sent, to be read again.",
    )
    keep_results_days = forms.IntegerField(
        label="Results, in days", min_value=30, max_value=36_500, help_text="Each test in each run."
    )
    keep_sums_days = forms.IntegerField(
        label="Sums and failures, in days",
        min_value=30,
        max_value=36_500,
        help_text="What trends and charts are made of.",
    )
    keep_told_days = forms.IntegerField(
        label="Events and letters, in days",
        min_value=30,
        max_value=36_500,
        help_text="What the feed and the archive of letters show.",
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


def _visible(text: str) -> str:
    if not any(character.isalnum() for character in text):
        raise ValidationError("Use at least one letter or digit.")
    return text


def errors_of(form: forms.BaseForm) -> Sequence[str]:
    """Return what is wrong with the form as a whole."""
    return [str(error) for error in form.non_field_errors()]
