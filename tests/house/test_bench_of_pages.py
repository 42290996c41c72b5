"""The pages' bench leaves no page out."""

from __future__ import annotations

from uuid import uuid4

from django.urls import resolve

import dashboard.urls
import reports.urls
from tests.bench.places import ELSEWHERE, PAGES


def test_every_page_is_measured_or_said_to_be_left_out() -> None:
    paths = [path.format(run=5, before=4, upload=uuid4()).partition("?")[0] for path in PAGES]
    measured = {resolve(path if path.startswith("/") else f"/p/large/{path}").url_name for path in paths}
    every = {pattern.name for pattern in (*dashboard.urls.urlpatterns, *reports.urls.urlpatterns)}

    assert every - measured - ELSEWHERE == set()
    assert measured & ELSEWHERE == set()
