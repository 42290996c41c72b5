"""A real browser reaches a real server."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page


@pytest.mark.browser
def test_chromium_reaches_the_server(page: Page) -> None:
    response = page.goto("/healthz")

    assert response is not None
    assert response.status == 200
