"""Serves what CI fetches, the uploader and GitLab's include: each already knows this server's address."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

FOLDER = Path(__file__).resolve().parent.parent / "uploader"
ADDRESS = 'SERVED_BY = ""'  # the line of the script that the server's own address goes into
VARIABLE = 'TROPHYCASE_URL: ""'  # and that of the include


@cache
def script(base_url: str) -> bytes:
    """Return the uploader with the address it is served from in it."""
    text = (FOLDER / "trophycase.py").read_text(encoding="utf-8")
    return text.replace(ADDRESS, f"SERVED_BY = {json.dumps(base_url)}", 1).encode()


@cache
def include(base_url: str) -> bytes:
    """Return GitLab's include with the address it is served from in it."""
    text = (FOLDER / "gitlab.yml").read_text(encoding="utf-8")
    return text.replace(VARIABLE, f"TROPHYCASE_URL: {json.dumps(base_url)}", 1).encode()


def _etag(_request: HttpRequest) -> str:
    return f'"{hashlib.sha256(script(settings.BASE_URL)).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=_etag)
def upload_py(_request: HttpRequest) -> HttpResponse:
    """Answer the uploader as text, so that a person can read what their CI is going to run."""
    return HttpResponse(script(settings.BASE_URL), content_type="text/x-python; charset=utf-8")


@require_safe
def gitlab_yml(_request: HttpRequest) -> HttpResponse:
    """Answer what GitLab's `include: remote` asks for."""
    return HttpResponse(include(settings.BASE_URL), content_type="text/yaml; charset=utf-8")
