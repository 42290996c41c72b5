"""Who is there: the first account, login and logout, an invitation accepted, and one's own account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from math import ceil
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as log_in
from django.contrib.auth import logout as log_out
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme, urlsafe_base64_decode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import page
from dashboard.forms import AccountForm, ChangePasswordForm, FirstAccountForm, LoginForm, PasswordForm
from dashboard.page import MemberRequest
from projects import access, changes, locks, logins
from projects.changes import LetterWish
from projects.models import Project

KNOWN_COOKIE = "trophycase_known"
KNOWN_FOR = timedelta(days=90)
LONGEST_NAME = 254  # of an account or an address
LONG_WAIT_S = 100


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Log a person in and go on to where they wanted to be."""
    if not User.objects.exists():
        return redirect("welcome")
    if request.method != "POST":
        return _login_page(request, LoginForm(request))
    now = timezone.now()
    typed = request.POST.get("username", "")[:LONGEST_NAME]
    knock = logins.knock(address=_address(request), typed=typed, is_known_browser=_is_known(request, typed))
    if wait := logins.wait(knock, now=now):
        return _wait_page(request, typed, ceil(wait.total_seconds()))
    form = LoginForm(request, data=request.POST)
    if not form.is_valid():
        logins.note_wrong(knock, now=now)
        return _login_page(request, form, status=422)
    logins.forgive(knock)
    log_in(request, form.get_user())
    return _remembered(redirect(_next(request)), form.get_user())


def _login_page(request: HttpRequest, form: LoginForm, *, status: int = 200, wait: str = "") -> HttpResponse:
    context = {"form": form, "wait": wait, "next": request.GET.get("next", request.POST.get("next", ""))}
    return page.render(request, "login.html", context, status=status)


def _wait_page(request: HttpRequest, typed: str, seconds: int) -> HttpResponse:
    """Say how long to wait before the next try; this one was not looked at."""
    wait = f"{seconds} seconds" if seconds < LONG_WAIT_S else f"{ceil(seconds / 60)} minutes"
    form = LoginForm(request, initial={"username": typed})
    response = _login_page(request, form, status=429, wait=wait)
    response["Retry-After"] = str(seconds)
    return response


def _address(request: HttpRequest) -> str:
    """Return where the request comes from: behind the proxy of an https server, what that proxy says."""
    forwarded = request.headers.get("X-Forwarded-For", "") if request.is_secure() else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")


def _is_known(request: HttpRequest, typed: str) -> bool:
    """True for a browser from which this account was logged in to before."""
    known = request.get_signed_cookie(KNOWN_COOKIE, default="", salt=KNOWN_COOKIE, max_age=KNOWN_FOR)
    return bool(known) and known == _account_sign(logins.account_named(typed))


def _remembered(response: HttpResponse, user: AbstractBaseUser) -> HttpResponse:
    response.set_signed_cookie(
        KNOWN_COOKIE,
        _account_sign(user.get_username()),
        salt=KNOWN_COOKIE,
        max_age=KNOWN_FOR,
        path=reverse("login"),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _account_sign(name: str) -> str:
    """Return what stands for an account in a cookie, which is no place for names."""
    return salted_hmac(KNOWN_COOKIE, name.lower()).hexdigest()


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    log_out(request)
    return redirect("login")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """Make the first account and the first project of an empty server; there is no such page later."""
    if User.objects.exists():
        return redirect("login")
    form = FirstAccountForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return page.render(request, "welcome.html", {"form": form}, status=422 if form.errors else 200)
    made = _first(form)
    if made is None:
        return redirect("login")
    user, project = made
    log_in(request, user)
    return redirect("uploads", project.slug)


@transaction.atomic
def _first(form: FirstAccountForm) -> tuple[User, Project] | None:
    """Make the account and its project, unless somebody was faster."""
    locks.hold_server(locks.Lock.FIRST_ACCOUNT)
    if User.objects.exists():
        return None
    values = form.cleaned_data
    user = User.objects.create_superuser(
        values["username"], email=values["email"], password=values["password"]
    )
    return user, access.create_project(name=values["project"], owner=user)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Let somebody who was invited choose a password; the link works once."""
    user = _invited(uid, token)
    form = PasswordForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        user.set_password(form.cleaned_data["password"])
        user.save(update_fields=["password"])
        log_in(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("projects")
    return page.render(
        request, "join.html", {"form": form, "invited": user}, status=422 if form.errors else 200
    )


def _invited(uid: str, token: str) -> User:
    try:
        user = User.objects.filter(pk=int(urlsafe_base64_decode(uid))).first()
    except ValueError:
        user = None
    if user is None or not default_token_generator.check_token(user, token):
        raise Http404("This invitation was used, or is too old. Ask for a new one.")
    return user


@never_cache
@sensitive_post_parameters("password", "old_password")
@require_http_methods(["GET", "HEAD", "POST"])
@page.member_page
def account(request: MemberRequest) -> HttpResponseBase:
    """Show one's own account, and change its address or its password."""
    wants = request.POST.get("change", "")
    address = AccountForm(
        request.POST if wants == "address" else None, initial={"email": request.user.email}, prefix="me"
    )
    password = ChangePasswordForm(
        request.POST if wants == "password" else None, user=request.user, prefix="new"
    )
    if wants == "address" and address.is_valid():
        User.objects.filter(pk=request.user.pk).update(email=address.cleaned_data["email"])
        return _said(request, "Your address is saved.")
    if wants == "password" and password.is_valid():
        request.user.set_password(password.cleaned_data["password"])
        request.user.save(update_fields=["password"])
        update_session_auth_hash(request, request.user)
        return _said(request, "Your password is changed. Other devices are logged out.")
    context = {
        "address": address,
        "password": password,
        "memberships": changes.memberships(request.user),
        "reader": changes.reader(request.user),
        "zones": sorted(available_timezones() - {"localtime"}),
    }
    return page.render(
        request, "account.html", context, status=422 if address.errors or password.errors else 200
    )


@require_POST
@page.member_page
def letters(request: MemberRequest) -> HttpResponseBase:
    """Keep which weekly letters one gets and in which time zone, or that the address works after all."""
    if request.POST.get("do") == "confirm":
        changes.confirm_address(request.user)
        return _said(request, f"The next letter is sent to {request.user.email} again.")
    zone = request.POST.get("time_zone", "")
    changes.set_letters(
        request.user,
        dict(_wishes(request.POST)),
        time_zone=zone if zone in available_timezones() else "",
        only_own=dict(_only_own(request.POST)),
    )
    return _said(request, "Your letters are saved.")


def _wishes(sent: Mapping[str, Any]) -> Iterator[tuple[int, LetterWish]]:
    """Yield what was chosen for each membership; a field of another name or value changes nothing."""
    for name, value in sent.items():
        number = name.removeprefix("letter-")
        if name != number and number.isdigit() and value in {wish.value for wish in LetterWish}:
            yield int(number), LetterWish(value)


def _only_own(sent: Mapping[str, Any]) -> Iterator[tuple[int, bool]]:
    """Yield of which memberships the letter is to be about one's own tests alone."""
    for name, value in sent.items():
        number = name.removeprefix("own-")
        if name != number and number.isdigit() and value in ("first", "only"):
            yield int(number), value == "only"


def _said(request: HttpRequest, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    return redirect("account")


def _next(request: HttpRequest) -> str:
    """Return where the reader wanted to go, as long as that is here."""
    wanted = request.POST.get("next", "")
    is_here = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_here else "projects"
