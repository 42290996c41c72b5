"""The keys of the issuers whose ID tokens are taken: found, fetched with care, and kept for an hour.

An issuer is one that the settings name; nobody else's address is ever asked. A key that is not among those kept is looked
for anew, at most once in half a minute, since issuers change their keys. Where an issuer is away, keys serve for a day.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt

from ingest.refusals import Refusal
from projects import addresses, outside

DISCOVERY = "/.well-known/openid-configuration"
MOST_BYTES = 200_000  # the documents of GitHub and GitLab have under 20,000
ASK_SECONDS = 5.0
FRESH = timedelta(hours=1)
USABLE = timedelta(days=1)
NOT_SOONER = timedelta(seconds=30)  # tokens with made-up keys must not make us ask without end
SMALLEST_RSA = 2048  # bits


class Unavailable(Exception):
    """The issuer's keys are not to be had now."""


@dataclass
class _Ring:
    """What is known of one issuer: its keys by id, when they came, when they were last asked for, and what failed."""

    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    trouble: str = ""
    came_at: datetime | None = None
    asked_at: datetime | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_rings: dict[str, _Ring] = {}


def forget() -> None:
    """Forget every key, as a process that starts has none."""
    _rings.clear()


def key(
    issuer: str, key_id: str, *, allowed: Sequence[str], allows_private: bool, now: datetime
) -> jwt.PyJWK:
    """Return the issuer's key of that id; refuse issuers that are not allowed, and ids that it does not have."""
    if issuer not in allowed:
        known = ", ".join(allowed) or "none"
        raise Refusal(
            "unknown_issuer", 401, f"ID tokens of {issuer[:200]!r} are not taken here, only those of {known}."
        )
    ring = _rings.setdefault(issuer, _Ring())
    with ring.lock:
        if _is_due(ring, key_id, now=now):
            _renew(ring, issuer, allows_private=allows_private, now=now)
    if ring.came_at is None or now - ring.came_at > USABLE:
        raise Refusal(
            "issuer_unavailable",
            503,
            f"The keys of {issuer} are not to be had: {ring.trouble}",
            retry_after_s=int(NOT_SOONER.total_seconds()),
        )
    if key_id not in ring.keys:
        raise Refusal(
            "bad_id_token",
            401,
            f"{issuer} has no key with which this ID token is signed. Ask for a new token.",
        )
    return ring.keys[key_id]


def _is_due(ring: _Ring, key_id: str, *, now: datetime) -> bool:
    if ring.asked_at is not None and now - ring.asked_at <= NOT_SOONER:
        return False
    return ring.came_at is None or now - ring.came_at > FRESH or key_id not in ring.keys


def _renew(ring: _Ring, issuer: str, *, allows_private: bool, now: datetime) -> None:
    """Fetch the keys; where that fails, those that are there serve on."""
    ring.asked_at = now
    try:
        ring.keys = fetched(issuer, allows_private=allows_private)
        ring.came_at = now
    except Unavailable as problem:
        ring.trouble = str(problem)


def fetched(issuer: str, *, allows_private: bool) -> dict[str, jwt.PyJWK]:
    """Ask the issuer for its keys; raise Unavailable where it has none to give."""
    if not issuer.startswith("https://") and not allows_private:
        raise Unavailable("an issuer's address begins with https://.")
    about = _document(issuer.rstrip("/") + DISCOVERY, allows_private=allows_private)
    place = about.get("jwks_uri")
    if about.get("issuer") != issuer or not isinstance(place, str):
        raise Unavailable("it describes itself as another.")
    if urlsplit(place)[:2] != urlsplit(issuer)[:2]:
        raise Unavailable("it keeps its keys at another host.")
    found = _document(place, allows_private=allows_private).get("keys")
    keys = [one for one in map(_key, found if isinstance(found, list) else []) if one is not None]
    if not keys:
        raise Unavailable("it names no key that can be used.")
    return {one.key_id: one for one in keys if one.key_id}


def _document(url: str, *, allows_private: bool) -> Mapping[str, Any]:
    try:
        answer = outside.get(url, allows_private=allows_private, most_bytes=MOST_BYTES, seconds=ASK_SECONDS)
    except (outside.Unreachable, addresses.Forbidden) as problem:
        raise Unavailable(str(problem)) from problem
    if answer.status != 200:
        raise Unavailable(f"it answers {answer.status}.")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Unavailable("its answer is no JSON, or too long.") from None
    return found if isinstance(found, dict) else {}


def _key(said: object) -> jwt.PyJWK | None:
    """Return a key for RS256 or ES256; nothing for any other, so that a new kind does no harm."""
    if not isinstance(said, dict) or said.get("use", "sig") != "sig":
        return None
    kind = {"RSA": "RS256", "EC": "ES256"}.get(str(said.get("kty")))
    if kind is None or (kind == "ES256" and said.get("crv") != "P-256"):
        return None
    try:
        found = jwt.PyJWK(said, algorithm=kind)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return found if kind == "ES256" or found.key.key_size >= SMALLEST_RSA else None
