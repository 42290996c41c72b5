"""Reads the environment: one typed parser for each kind of value.

Knows how values are spelt, and refuses what it cannot read. Which names exist, and what they mean, is
settings.py's.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def text(name: str, *, default: str) -> str:
    """Return the value of `name`, or `default` where it is unset or blank."""
    return os.environ.get(name, "").strip() or default


def number(name: str, *, default: int) -> int:
    """Return the whole number in `name`; underscores may group its digits."""
    value = text(name, default=str(default))
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}: send a whole number such as {default}.") from None


def flag(name: str, *, default: bool) -> bool:
    """Return the yes or no in `name`."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    raise ImproperlyConfigured(f"{name} is {value!r}: send 1 or 0.")


def mapping(name: str) -> dict[str, Any]:
    """Return the JSON object in `name`; an empty one where it is unset."""
    value = text(name, default="{}")
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ImproperlyConfigured(f'{name} is no JSON object: send one such as {{"KEY": "value"}}.')
    return found


def database(url: str) -> dict[str, Any]:
    """Return Django's database settings for a postgresql:// URL; its query becomes connection options."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured(
            f"DATABASE_URL starts with {parts.scheme!r}: PostgreSQL is the only database."
        )
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": options.pop("port", "") or str(parts.port or ""),
        "OPTIONS": options,
    }


def broker(url: str) -> str:
    """Return a Redis URL as Celery spells it: sockets have a scheme of their own there."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = dict(parse_qsl(parts.query))
    return f"redis+socket://{parts.path}?virtual_host={query.get('db', '0')}"


@dataclass(frozen=True)
class Mailer:
    """How letters leave: a Django backend and the server it talks to."""

    backend: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    is_tls: bool = False
    is_ssl: bool = False


# The ports are those that the mail standards give to each scheme.
MAIL_PORTS = {"smtp": 25, "submission": 587, "smtps": 465}


def mailer(url: str) -> Mailer:
    """Read console:, smtp://, submission:// (STARTTLS) or smtps:// (TLS from the first byte)."""
    parts = urlsplit(url)
    if parts.scheme == "console":
        return Mailer(backend="django.core.mail.backends.console.EmailBackend")
    if parts.scheme not in MAIL_PORTS or not parts.hostname:
        raise ImproperlyConfigured(
            f"EMAIL_URL is {url!r}: send smtp://, submission:// or smtps:// with user, password and host."
        )
    return Mailer(
        backend="reports.smtp.EmailBackend",
        host=parts.hostname,
        port=parts.port or MAIL_PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "submission",
        is_ssl=parts.scheme == "smtps",
    )
