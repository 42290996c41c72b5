"""The uploader as the server hands it out."""

from __future__ import annotations

import ast

from django.conf import settings
from django.test import Client


def test_the_script_comes_as_text_with_the_servers_address_in_it() -> None:
    response = Client().get("/upload.py")

    text = response.content.decode()
    ast.parse(text, feature_version=(3, 8))
    assert response.headers["Content-Type"] == "text/x-python; charset=utf-8"
    assert f'SERVED_BY = "{settings.BASE_URL}"' in text


def test_a_script_that_did_not_change_is_not_sent_again() -> None:
    etag = Client().get("/upload.py").headers["ETag"]

    response = Client().get("/upload.py", headers={"if-none-match": etag})

    assert response.status_code == 304


def test_nobody_writes_to_the_script() -> None:
    assert Client().post("/upload.py").status_code == 405
