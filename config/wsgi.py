"""The WSGI door: Django behind one small wrapper that gives chunked bodies a length.

A client that streams (`curl -T -`, Node's fetch) sends `Transfer-Encoding: chunked` and no length. Django
reads such a body as empty, so it is spooled first, up to the size at which the API refuses it anyway.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import collecting

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

MEMORY_BYTES = 1_000_000  # larger bodies go to a temporary file
FORM_BYTES = 1_000_000  # what the other fields of a multipart form may add to the files
READ_BYTES = 64 * 1024


def with_length(application: WSGIApplication) -> WSGIApplication:
    """Wrap `application` so that every body it sees has a CONTENT_LENGTH."""

    def wrapped(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if not _is_unmeasured(environ):
            return application(environ, start_response)
        with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as body:
            environ["CONTENT_LENGTH"] = str(_spool(environ["wsgi.input"], body))
            environ["wsgi.input"] = body
            response = application(environ, start_response)
            try:
                return list(response)
            finally:
                getattr(response, "close", lambda: None)()

    return wrapped


def _is_unmeasured(environ: dict[str, Any]) -> bool:
    """True for a chunked body whose end the server marks."""
    is_chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    return is_chunked and not environ.get("CONTENT_LENGTH") and bool(environ.get("wsgi.input_terminated"))


def _spool(source: Any, body: tempfile.SpooledTemporaryFile[bytes]) -> int:
    """Copy at most one byte more than an upload may weigh, so that the API sees when it is too much."""
    left = settings.TROPHYCASE_MAX_UPLOAD_BYTES + FORM_BYTES + 1
    while left and (chunk := source.read(min(READ_BYTES, left))):
        body.write(chunk)
        left -= len(chunk)
    length = body.tell()
    body.seek(0)
    return length


application = with_length(get_wsgi_application())
collecting.seldom()
