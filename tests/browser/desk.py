"""A signed-in reader in a real browser, at a project with something for every page."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report

LONG_NAME = "test_" + "a_very_long_name_that_never_ends_" * 6
LAYERS = (("unit", 0.004), ("integration", 0.3), ("e2e", 9.0))
NO_REPORT = b"this is not XML"
RIGHT_TO_LEFT = "اختبار يدفع بالبطاقة المحفوظة"
NOT_FOUND = "status of 404"  # what Chromium says of /nowhere, as it should
DRAWN = "() => [...document.querySelectorAll('[data-chart]')].every((chart) => chart.dataset.drawn)"


@dataclass
class Desk:
    """A signed-in reader of one project, and what the browser complained about."""

    page: Page
    shop: Shop
    url: str
    complaints: list[str]

    def open(self, place: str = "", query: str = "") -> None:
        """Open a page of the project and wait until its scripts have run and its charts are drawn."""
        opened(self.page, f"{self.path(place)}{query}")

    def path(self, place: str) -> str:
        """Return the address of a page of the project."""
        return f"/p/{self.shop.project.slug}/{place}"

    def test_page(self, name: str = "pays") -> str:
        """Return the place of a test's page."""
        return f"tests/{a_test_named(self.shop, name).id}"


def a_filled_shop(sizes: tuple[int, int, int] = (42, 12, 6)) -> Shop:
    """Return a project with flaky and failing tests, long and right-to-left names, three layers, and a refused upload."""
    shop = a_shop("Web")
    cases = [
        passed(
            f"case {number:02}",
            classname=f"tests.{word}.Case",
            file=f"tests/{word}/test_case.py",
            seconds=seconds,
        )
        for n, (word, seconds) in zip(sizes, LAYERS, strict=True)
        for number in range(n)
    ]
    names = [passed(LONG_NAME, file="tests/unit/" + "deep/" * 20 + "test_x.py"), passed(RIGHT_TO_LEFT)]
    record(
        shop,
        report(*cases, *names, failed("breaks", message="1 != 2", text="Traceback")),
        branch="main",
        commit="a1",
    )
    a_history(shop, "..R.R..R.R.", name="pays")
    record(shop, NO_REPORT)
    return shop


def a_desk(context: BrowserContext, shop: Shop, *, url: str) -> Desk:
    """Return the owner of the project at a page that is not opened yet; what the browser complains about is kept."""
    page = signed_in(context, shop, url=url)
    desk = Desk(page, shop, url, [])
    page.on("console", lambda message: desk.complaints.append(complaint(message)))
    page.on("pageerror", lambda error: desk.complaints.append(str(error)))
    return desk


def opened(page: Page, path: str) -> None:
    """Open a page and wait until its scripts have run and its charts are drawn; what it asks for after that it asks by itself."""
    page.goto(path)
    page.wait_for_function(DRAWN)


def signed_in(context: BrowserContext, shop: Shop, *, url: str) -> Page:
    """Return a page of the owner's session; the form is signed in with elsewhere, it takes its time on purpose."""
    session = shop.browser().cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": f"trophycase_session_{urlsplit(url).port}", "value": session, "url": url}])
    return context.new_page()


def complaint(message: ConsoleMessage) -> str:
    """Return what a console message complains of, and where; empty for what is no complaint."""
    return f"{message.text} {message.location['url']}" if message.type in ("error", "warning") else ""
