"""The reader that the browser tests look with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.desk import Desk, a_filled_shop, complaint, signed_in
from tests.processes import LiveApp


@pytest.fixture
def desk(browser: Browser, live_app: LiveApp) -> Iterator[Desk]:
    """Return a reader at a filled project."""
    shop = a_filled_shop()
    context = browser.new_context(base_url=live_app.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)  # beside other work a page takes its time
    page = signed_in(context, shop, url=live_app.url)
    desk = Desk(page, shop, live_app.url, [])
    page.on("console", lambda message: desk.complaints.append(complaint(message)))
    page.on("pageerror", lambda error: desk.complaints.append(str(error)))
    yield desk
    context.close()
