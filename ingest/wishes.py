"""What a sender says of an upload: each field read, checked and refused by name.

Pure but for Django's date parser.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.utils.dateparse import parse_datetime

from ingest.refusals import Refusal
from projects.vocabulary import Layer

KNOWN = frozenset(
    [
        "branch",
        "commit",
        "run",
        "shard",
        "shard_total",
        "attempt",
        "job",
        "environment",
        "url",
        "pull_request",
        "layer",
        "started_at",
    ]
)
LENGTHS = {
    "branch": 200,
    "commit": 64,
    "run": 200,
    "shard": 100,
    "job": 200,
    "environment": 200,
    "url": 1000,
    "pull_request": 50,
}
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCK_SKEW = timedelta(days=1)  # a runner's clock may be wrong, but not by more
COMMIT = re.compile(r"[0-9A-Za-z._-]+\Z")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of an upload, checked; `run` is "" where the sender gave no key."""

    branch: str
    commit: str
    run: str
    shard: str
    shard_total: int | None
    attempt: int
    job: str
    environment: str
    url: str
    pull_request: str
    layer: Layer | None
    started_at: datetime
    says_when: bool


def fields(sent: Mapping[str, str], *, default_branch: str, now: datetime) -> Fields:
    """Read the fields of an upload; raise Refusal for one that cannot be what it says."""
    words = {name: _text(sent, name) for name in LENGTHS}
    for unknown in sorted(sent.keys() - KNOWN):
        raise Refusal(
            "unknown_field",
            422,
            f"There is no field {unknown[:50]!r}. The fields are {', '.join(sorted(KNOWN))}.",
            field=unknown[:50],
        )
    if words["commit"] and not COMMIT.match(words["commit"]):
        raise Refusal("bad_commit", 422, "Send the commit's hash, without spaces.", field="commit")
    if words["url"] and not words["url"].startswith(("http://", "https://")):
        raise Refusal("bad_url", 422, "Send a URL that begins with https:// or http://.", field="url")
    started_at = _moment(sent.get("started_at", ""), now=now)
    return Fields(
        branch=_branch(words["branch"]) or default_branch,
        commit=words["commit"].lower(),
        run=words["run"],
        shard=words["shard"],
        shard_total=_number(sent, "shard_total", most=10_000),
        attempt=_number(sent, "attempt", most=1_000) or 1,
        job=words["job"],
        environment=words["environment"],
        url=words["url"],
        pull_request=words["pull_request"],
        layer=_layer(sent.get("layer", "")),
        started_at=started_at or now,
        says_when=started_at is not None,
    )


def _text(sent: Mapping[str, str], name: str) -> str:
    value = sent.get(name, "").strip()
    if "\x00" in value:
        raise Refusal(f"bad_{name}", 422, f"{name} has a zero byte in it; send text.", field=name)
    if len(value) > LENGTHS[name]:
        raise Refusal(
            f"bad_{name}",
            422,
            f"{name} has {len(value)} characters; at most {LENGTHS[name]} are kept.",
            field=name,
        )
    return value


def _branch(name: str) -> str:
    return name.removeprefix("refs/heads/").removeprefix("refs/tags/")


def _number(sent: Mapping[str, str], name: str, *, most: int) -> int | None:
    value = sent.get(name, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= most):
        raise Refusal(
            f"bad_{name}", 422, f"{name} is {value[:50]!r}: send a number from 1 to {most}.", field=name
        )
    return int(value)


def _layer(word: str) -> Layer | None:
    if not word.strip():
        return None
    try:
        return Layer.from_word(word.strip().lower())
    except ValueError:
        known = ", ".join(layer.word for layer in Layer if layer is not Layer.UNKNOWN)
        raise Refusal(
            "bad_layer", 422, f"layer is {word[:50]!r}: send one of {known}.", field="layer"
        ) from None


def _moment(text: str, *, now: datetime) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = parse_datetime(text.strip())
    except ValueError:
        moment = None
    if moment is None:
        raise Refusal(
            "bad_started_at",
            422,
            f"started_at is {text[:50]!r}: send ISO 8601, such as 2026-11-21T14:02:11Z.",
            field="started_at",
        )
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= moment <= now + CLOCK_SKEW:
        raise Refusal(
            "bad_started_at",
            422,
            f"started_at is {text[:50]!r}: it must lie between 2000 and now.",
            field="started_at",
        )
    return moment.astimezone(UTC)
