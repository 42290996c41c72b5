"""The browser and the reader that the browser tests look with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.desk import Desk, a_desk, a_filled_shop
from tests.processes import LiveApp


@pytest.fixture(scope="session")
def _reader(browser: Browser, _live_app: LiveApp) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=_live_app.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)  # beside other work a page takes its time
    context.new_page()  # stays, and with it what the pages of the tests share
    yield context
    context.close()


@pytest.fixture
def reader(_reader: BrowserContext, live_app: LiveApp) -> Iterator[BrowserContext]:
    """Return a browser that knows nobody and remembers nothing but static files, which are dear to fetch and compile."""
    yield _reader
    first, *others = _reader.pages
    for page in others:
        page.close()
    storage = {"origin": live_app.url, "storageTypes": "all"}
    _reader.new_cdp_session(first).send("Storage.clearDataForOrigin", storage)
    _reader.clear_cookies()


@pytest.fixture
def desk(reader: BrowserContext, live_app: LiveApp) -> Desk:
    """Return a reader at a filled project."""
    return a_desk(reader, a_filled_shop(), url=live_app.url)
