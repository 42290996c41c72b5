"""Asks an address that somebody typed, without letting it reach what only this server may reach.

Every address that the name stands for is looked at before the connection, and the connection goes to the one
that was looked at: a name that answers differently a moment later changes nothing. No redirect is followed, no
proxy asked, and both the answer's size and the whole time are bounded. Knows no rows and no settings.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult

from projects.addresses import Forbidden, check, is_public

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 15.0  # an answer that takes longer is no answer
ANSWER_BYTES = 2_000  # enough to see what the other side says


class Unreachable(Exception):
    """The other side could not be reached, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered."""

    status: int
    body: str
    took_s: float
    retry_after_s: int | None = None


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    allows_private: bool,
    seconds: float = WHOLE_SECONDS,
) -> Answer:
    """Post a body once; raise Forbidden where that may not be, Unreachable where nobody answered in time."""
    allowed_by = "" if allows_private else "TROPHYCASE_PRIVATE_WEBHOOKS"
    return _asked(_Request("POST", url, body, headers, ANSWER_BYTES), allowed_by, seconds)


def get(url: str, *, allows_private: bool, most_bytes: int, seconds: float = WHOLE_SECONDS) -> Answer:
    """Get a document once, its beginning where it is larger; raise as `post` does."""
    allowed_by = "" if allows_private else "TROPHYCASE_PRIVATE_ISSUERS"
    return _asked(_Request("GET", url, None, {"Accept": "application/json"}, most_bytes), allowed_by, seconds)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    body: bytes | None
    headers: Mapping[str, str]
    most_bytes: int


def _asked(request: _Request, allowed_by: str, seconds: float) -> Answer:
    """Ask once; `allowed_by` names the setting that would let private addresses in, "" where it does."""
    parts = check(request.url)
    began = time.monotonic()
    place = _resolve(parts, allowed_by=allowed_by)
    connection = _Connection(parts, place, seconds=seconds)
    # Every single read has a time limit, but bytes that drip pass each of them.
    clock = threading.Timer(seconds, connection.cut)
    clock.daemon = True
    clock.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(request.method, path, body=request.body, headers=dict(request.headers))
        response = connection.getresponse()
        said = response.read(request.most_bytes).decode(errors="replace").replace("\x00", "")
    except (OSError, http.client.HTTPException) as problem:
        raise Unreachable(_words(problem, is_late=connection.is_cut, seconds=seconds)) from problem
    finally:
        clock.cancel()
        connection.close()
    return Answer(response.status, said, time.monotonic() - began, _retry_after(response))


def _resolve(parts: SplitResult, *, allowed_by: str) -> str:
    """Return the address to connect to; refuse a name when any of its addresses is not public."""
    assert parts.hostname is not None
    try:
        found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise Unreachable(f"{parts.hostname} has no address: {problem}") from problem
    places = [str(entry[4][0]).partition("%")[0] for entry in found]
    if allowed_by and not all(is_public(ipaddress.ip_address(place)) for place in places):
        raise Forbidden(
            f"{parts.hostname} is an address inside a private network. Whoever runs this server can allow such"
            f" addresses with {allowed_by}=1."
        )
    return places[0]


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


class _Connection(http.client.HTTPConnection):
    """A connection to a place that was looked at; the name is for the Host header and the certificate."""

    def __init__(self, parts: SplitResult, place: str, *, seconds: float) -> None:
        assert parts.hostname is not None
        super().__init__(parts.hostname, _port(parts), timeout=seconds)
        self.default_port = 443 if parts.scheme == "https" else 80
        self._is_tls = parts.scheme == "https"
        self._place = place
        self._line: socket.socket | None = None  # http.client forgets its own once an answer has begun
        self.is_cut = False

    def connect(self) -> None:
        """Connect to the place, and agree on TLS where the address asks for it."""
        line = socket.create_connection((self._place, self.port), min(CONNECT_SECONDS, self.timeout or 0))
        line.settimeout(self.timeout)
        self._line = line
        if self._is_tls:
            self._line = ssl.create_default_context().wrap_socket(line, server_hostname=self.host)
        self.sock = self._line

    def cut(self) -> None:
        """End the connection from another thread, so that whoever reads from it goes on."""
        self.is_cut = True
        if self._line is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)


def _words(problem: Exception, *, is_late: bool, seconds: float) -> str:
    if is_late or isinstance(problem, TimeoutError):
        return f"No answer within {seconds:g} seconds."
    return f"{type(problem).__name__}: {problem}".strip(": ")


def _retry_after(response: http.client.HTTPResponse) -> int | None:
    """Return the seconds that the other side asks to wait; a date is not read."""
    said = response.headers.get("Retry-After", "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 6 else None
