"""Serves the uploader, one file of Python, to CI jobs that fetch it: it already knows this server's address."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

SCRIPT = Path(__file__).resolve().parent.parent / "uploader" / "trophycase.py"
ADDRESS = 'SERVED_BY = ""'  # the line of the script that the server's own address goes into


@cache
def script(base_url: str) -> bytes:
    """Return the uploader with the address it is served from in it."""
    text = SCRIPT.read_text(encoding="utf-8")
    return text.replace(ADDRESS, f"SERVED_BY = {json.dumps(base_url)}", 1).encode()


def _etag(_request: HttpRequest) -> str:
    return f'"{hashlib.sha256(script(settings.BASE_URL)).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=_etag)
def upload_py(_request: HttpRequest) -> HttpResponse:
    """Answer the uploader as text, so that a person can read what their CI is going to run."""
    return HttpResponse(script(settings.BASE_URL), content_type="text/x-python; charset=utf-8")
