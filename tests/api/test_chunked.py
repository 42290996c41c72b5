"""Bodies that come in chunks, without a length, reach the API whole: asked of a real server."""

from __future__ import annotations

import gzip
import http.client
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from config import wsgi
from projects import access
from tests.processes import LiveApp

REPORT = b"""<testsuite name="s" tests="1"><testcase classname="a.B" name="passes" time="0.1"/></testsuite>"""
BOUNDARY = "chunked-body-boundary"
MULTIPART = (
    (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="branch"\r\n\r\nmain\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="r.xml"\r\n'
        "Content-Type: application/xml\r\n\r\n"
    ).encode()
    + REPORT
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)


@pytest.fixture
def token(transactional_db: None) -> str:
    """Return a token of a fresh project."""
    owner = User.objects.create_user("alice")
    return access.create_token(access.create_project(name="Shop", owner=owner), name="ci", by=owner)


def in_pieces(body: bytes, *, size: int = 37) -> Iterator[bytes]:
    """Yield a body in small pieces."""
    source = io.BytesIO(body)
    return iter(lambda: source.read(size), b"")


def post(url: str, *, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Send a body in chunks; return status and answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        chunked = headers | {"Transfer-Encoding": "chunked"}
        connection.request("POST", "/api/v1/uploads", in_pieces(body), chunked, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (MULTIPART, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}),
        (REPORT, {"Content-Type": "application/xml"}),
        (gzip.compress(REPORT), {"Content-Type": "application/xml", "Content-Encoding": "gzip"}),
    ],
    ids=["multipart", "raw", "gzipped"],
)
def test_a_chunked_body_is_taken_as_any_other(
    live_app: LiveApp, token: str, body: bytes, headers: dict[str, str]
) -> None:
    status, answer = post(live_app.url, body=body, headers=headers | {"Authorization": f"Bearer {token}"})

    assert status == 202, answer
    assert answer["state"] == "received"


def seen_by_django(body: bytes, *, limit: int) -> dict[str, Any]:
    """Return length and bytes of a chunked body as the wrapped application sees them."""
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        seen.update(length=int(environ["CONTENT_LENGTH"]), body=environ["wsgi.input"].read())
        return []

    environ = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
    }
    with override_settings(TROPHYCASE_MAX_UPLOAD_BYTES=limit):
        wsgi.with_length(application)(environ, lambda *_: lambda _: None)
    return seen


def test_the_length_is_what_came() -> None:
    seen = seen_by_django(b"x" * 200_000, limit=1_000_000)

    assert seen["length"] == len(seen["body"]) == 200_000


def test_a_body_without_end_is_read_only_as_far_as_it_takes_to_refuse_it() -> None:
    seen = seen_by_django(b"x" * 3_000_000, limit=1_000)

    assert seen["length"] == 1_000 + wsgi.FORM_BYTES + 1
