"""The pages in a real browser: filters, keys, themes, charts under a strict policy, phones, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect

from tests.factories import Shop, a_history, a_shop, a_test_named, failed, passed, record, report
from tests.processes import LiveApp

pytestmark = pytest.mark.browser

LONG_NAME = "test_" + "a_very_long_name_that_never_ends_" * 6
RIGHT_TO_LEFT = "اختبار يدفع بالبطاقة المحفوظة"
PLACES = (
    "",
    "shape",
    "tests",
    "flaky",
    "failures",
    "quarantine",
    "slow",
    "budgets",
    "runs",
    "runs/1",
    "runs/compare",
    "uploads",
    "uploads/how-to-send",
    "settings/rules",
    "settings/targets",
    "settings/limits",
    "settings/owners",
    "settings/trust",
    "settings/tokens",
    "settings/members",
    "settings/reports",
    "settings/readers",
    "settings/channels",
    "settings/danger",
)
NOT_FOUND = "status of 404"  # what Chromium says of /nowhere, as it should
ELSEWHERE = ("/?all=1", "/new", "/account", "/definitions", "/api/docs", "/nowhere")


@dataclass
class Desk:
    """A signed-in reader of one project, and what the browser complained about."""

    page: Page
    shop: Shop
    url: str
    complaints: list[str]

    def open(self, place: str = "", query: str = "") -> None:
        """Open a page of the project and wait until it is quiet."""
        self.page.goto(f"{self.path(place)}{query}")
        self.page.wait_for_load_state("networkidle")

    def path(self, place: str) -> str:
        """Return the address of a page of the project."""
        return f"/p/{self.shop.project.slug}/{place}"

    def test_page(self, name: str = "pays") -> str:
        """Return the place of a test's page."""
        return f"tests/{a_test_named(self.shop, name).id}"


def a_filled_shop() -> Shop:
    """Return a project with a flaky test, a failing one, long and right-to-left names, and three layers."""
    shop = a_shop("Web")
    cases = [
        passed(
            f"case {number:02}",
            classname=f"tests.{word}.Case",
            file=f"tests/{word}/test_case.py",
            seconds=seconds,
        )
        for word, n, seconds in (("unit", 42, 0.004), ("integration", 12, 0.3), ("e2e", 6, 9.0))
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
    return shop


def signed_in(context: BrowserContext, shop: Shop, *, url: str) -> Page:
    """Return a page of the owner's session; the form is signed in with elsewhere, it takes its time on purpose."""
    session = shop.browser().cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": f"trophycase_session_{urlsplit(url).port}", "value": session, "url": url}])
    return context.new_page()


def complaint(message: ConsoleMessage) -> str:
    """Return what a console message complains of, and where; empty for what is no complaint."""
    return f"{message.text} {message.location['url']}" if message.type in ("error", "warning") else ""


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


@pytest.mark.timeout(400)  # every page there is, and axe takes its time over each
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_complains_and_axe_finds_nothing(desk: Desk, theme: str) -> None:
    desk.page.context.add_cookies([{"name": "theme", "value": theme, "url": desk.url}])

    for path in (*map(desk.path, (*PLACES, desk.test_page())), *ELSEWHERE):
        desk.page.goto(path)
        desk.page.wait_for_load_state("networkidle")
        desk.page.wait_for_timeout(200)  # axe reads colours, which fade in
        found = Axe().run(desk.page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"

    assert [text for text in desk.complaints if text and NOT_FOUND not in text] == []


def test_the_description_of_the_api_draws_itself_under_the_policy(desk: Desk) -> None:
    desk.page.goto("/api/docs")
    desk.page.get_by_role("link", name="Try it").click()

    expect(desk.page.get_by_text("Upload reports of one run")).to_be_visible()
    desk.page.wait_for_url("**/api/v1/docs")
    assert [text for text in desk.complaints if text] == []


def test_charts_are_drawn_without_moving_anything(desk: Desk) -> None:
    desk.page.add_init_script(
        "window.moved = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries())"
        " window.moved += entry.value; }).observe({ type: 'layout-shift', buffered: true });"
    )

    for place in ("", "flaky", desk.test_page()):
        desk.open(place)
        expect(desk.page.locator(".chart-space .main-svg").first).to_be_visible()
        assert desk.page.evaluate("window.moved") < 0.01, place


def test_why_a_test_is_flaky_is_found_from_the_overview(desk: Desk) -> None:
    desk.open()

    desk.page.locator(".tile").get_by_role("link", name="Flaky", exact=True).click()
    expect(desk.page.locator("h1")).to_contain_text("1 test is flaky")
    desk.page.get_by_role("link", name="pays").first.click()
    proof = desk.page.get_by_role("region", name="Proof")
    expect(proof).to_contain_text("passed")
    desk.page.get_by_text("Newest example").first.click()
    expect(desk.page.get_by_label("Failure text")).to_be_visible()
    proof.get_by_role("link", name=re.compile(r"#\d+")).first.click()

    desk.page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(desk.page.get_by_role("heading", name=re.compile("Flaky here"))).to_be_visible()


def test_results_are_marked_as_busy_and_keep_their_place_while_they_are_fetched(desk: Desk) -> None:
    desk.open("tests")
    held: list[Route] = []
    desk.page.route("**/tests?layer=unit*", lambda route: held.append(route))
    desk.page.evaluate("window.scrollTo(0, 200)")
    top = desk.page.locator("h1").bounding_box()

    desk.page.locator("#pick-layer").select_option("unit")

    expect(desk.page.locator("#results")).to_have_attribute("aria-busy", "true")
    assert desk.page.locator("h1").bounding_box() == top
    held[0].continue_()
    expect(desk.page.locator("h1")).to_have_text(re.compile("tests match"))
    expect(desk.page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    assert desk.page.evaluate("window.scrollY") > 0


def test_the_headers_of_a_long_list_stay_below_the_bar(desk: Desk) -> None:
    desk.open("tests")

    desk.page.evaluate("window.scrollTo(0, 900)")

    edge = "getBoundingClientRect()"
    desk.page.wait_for_function(
        f"() => document.querySelector('#sort-name').{edge}.top > document.querySelector('#bar').{edge}.bottom - 2"
    )
    expect(desk.page.locator("#sort-name")).to_be_in_viewport()


def test_a_name_that_is_cut_off_says_all_of_itself_on_hover(desk: Desk) -> None:
    desk.open("tests", "?q=very_long_name")
    name = desk.page.locator("#results a.name").first

    name.hover()

    assert LONG_NAME in (name.get_attribute("title") or "")


def test_a_dark_page_is_printed_on_white(desk: Desk) -> None:
    desk.page.context.add_cookies([{"name": "theme", "value": "dark", "url": desk.url}])
    desk.open()

    desk.page.emulate_media(media="print")

    ink = desk.page.locator("h1").evaluate("element => getComputedStyle(element).color")
    assert ink == "rgb(23, 26, 32)"
    expect(desk.page.locator(".top")).to_be_hidden()


def test_a_chart_changes_its_colours_with_the_theme(desk: Desk) -> None:
    desk.open()
    bar = desk.page.locator(".chart-space .bars path").last
    expect(bar).to_be_visible()
    before = bar.evaluate("element => getComputedStyle(element).fill")

    desk.page.locator(".menu-end > summary").click()
    desk.page.get_by_role("button", name="Dark").click()

    expect(desk.page.locator("html")).to_have_attribute("data-theme", "dark")
    desk.page.wait_for_function(
        "before => getComputedStyle(document.querySelector('.chart-space .bars path')).fill !== before",
        arg=before,
    )
    desk.page.reload()
    expect(desk.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_typing_a_search_filters_in_place_and_keeps_the_focus(desk: Desk) -> None:
    desk.open("tests")

    desk.page.locator("#q").press_sequentially("pays")

    expect(desk.page.locator("h1")).to_have_text(re.compile("1 test matches"))
    expect(desk.page).to_have_url(re.compile(r"/tests\?q=pays$"))
    expect(desk.page.locator("#q")).to_be_focused()
    expect(desk.page.locator("#chips .chip")).to_have_count(1)
    assert desk.page.title().startswith("Tests: 1 ")


def test_a_chip_takes_its_filter_away_and_back_brings_it_again(desk: Desk) -> None:
    desk.open("tests", "?layer=e2e")
    expect(desk.page.locator("h1")).to_have_text(re.compile("6 tests match"))

    desk.page.locator("#chip-layer").click()
    expect(desk.page).to_have_url(re.compile(r"/tests\??$"))
    expect(desk.page.locator("#pick-layer")).to_have_value("")

    desk.page.go_back()
    expect(desk.page.locator("h1")).to_have_text(re.compile("6 tests match"))
    expect(desk.page.locator("#pick-layer")).to_have_value("e2e")


def test_a_header_sorts_by_link_and_keeps_the_focus(desk: Desk) -> None:
    desk.open("tests")

    desk.page.locator("#sort-name").click()

    expect(desk.page.locator("th[aria-sort=ascending]")).to_have_text(re.compile("Test"))
    expect(desk.page.locator("#sort-name")).to_be_focused()


def test_keys_lead_through_the_pages(desk: Desk) -> None:
    desk.open()

    desk.page.keyboard.press("g")
    desk.page.keyboard.press("t")
    desk.page.wait_for_url(re.compile("/tests"))
    desk.page.keyboard.press("/")
    expect(desk.page.locator("#q")).to_be_focused()
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("j")
    desk.page.keyboard.press("Enter")

    desk.page.wait_for_url(re.compile(r"/tests/\d+"))


def test_the_list_of_keys_can_switch_them_off(desk: Desk) -> None:
    desk.open()
    desk.page.keyboard.press("?")
    dialog = desk.page.get_by_role("dialog")
    expect(dialog).to_be_visible()

    dialog.get_by_role("checkbox").uncheck()
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("t")

    expect(desk.page).to_have_url(re.compile(r"/p/web[^/]*/$"))


def test_the_palette_finds_a_test(desk: Desk) -> None:
    desk.open()

    desk.page.keyboard.press("Control+k")
    desk.page.locator("#palette-q").press_sequentially("pays")
    expect(desk.page.locator("#palette-list").get_by_role("option", name="pays").first).to_be_visible()
    desk.page.keyboard.press("Enter")

    desk.page.wait_for_url(re.compile(r"/tests/\d+"))
    expect(desk.page.locator("h1")).to_have_text(re.compile("pays"))


def test_a_list_downloads_as_csv(desk: Desk) -> None:
    desk.open("tests")

    with desk.page.expect_download() as download:
        desk.page.get_by_role("link", name="CSV").click()

    assert download.value.suggested_filename.startswith("web-tests-")


def test_dragging_over_the_trend_sets_the_dates(desk: Desk) -> None:
    desk.open()
    chart = desk.page.locator("#chart-trend .chart-space .main-svg").first
    expect(chart).to_be_visible()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2

    desk.page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + box["width"] * 0.9, middle, steps=8)
    desk.page.mouse.up()

    expect(desk.page).to_have_url(re.compile(r"since=\d{4}-\d\d-\d\d&until=\d{4}-\d\d-\d\d"))
    expect(desk.page.locator("#pick-window option:checked")).to_have_text(re.compile(r"to|Last"))


def test_a_view_is_saved_from_the_filters_as_they_are_now(desk: Desk) -> None:
    desk.open("tests")
    desk.page.locator("#q").press_sequentially("pays")
    expect(desk.page.locator("h1")).to_have_text(re.compile("1 test matches"))

    desk.page.locator("#open-views").click()
    desk.page.get_by_label("Save these filters as").fill("Payments")
    desk.page.get_by_role("button", name="Save view").click()

    expect(desk.page.get_by_text("The view “Payments” is saved.")).to_be_visible()
    desk.page.goto(desk.path("tests"))
    desk.page.locator("#open-views").click()
    desk.page.get_by_role("link", name="Payments").click()
    expect(desk.page.locator("h1")).to_have_text(re.compile("1 test matches"))


def test_the_keyboard_alone_leads_from_the_overview_to_a_failure(desk: Desk) -> None:
    desk.open()

    desk.page.keyboard.press("Tab")
    expect(desk.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator("#main")).to_be_focused()
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("r")
    desk.page.wait_for_url(re.compile("/runs"))
    desk.page.keyboard.press("j")
    desk.page.keyboard.press("Enter")

    desk.page.wait_for_url(re.compile(r"/runs/\d+"))
    expect(desk.page.get_by_role("link", name=re.compile("Compare with #"))).to_be_visible()


def test_a_plan_changes_the_shape_as_it_is_typed(desk: Desk) -> None:
    desk.open("shape")

    desk.page.get_by_label("e2e to unit").fill("2")

    expect(desk.page.locator("#plan-outlook [role=status]")).to_have_text(re.compile("This plan makes"))


@pytest.mark.timeout(400)  # every page there is
def test_no_page_is_wider_than_a_phone(desk: Desk) -> None:
    desk.page.set_viewport_size({"width": 390, "height": 800})

    for path in (*map(desk.path, (*PLACES, desk.test_page(), desk.test_page(LONG_NAME))), *ELSEWHERE):
        desk.page.goto(path)
        desk.page.wait_for_load_state("networkidle")
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_everything_is_read_without_javascript(browser: Browser, live_app: LiveApp) -> None:
    shop = a_filled_shop()
    context = browser.new_context(base_url=live_app.url, java_script_enabled=False)
    page = signed_in(context, shop, url=live_app.url)

    page.goto(f"/p/{shop.project.slug}/tests")
    page.locator("#q").fill("pays")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("h1")).to_have_text(re.compile("1 test matches"))
    page.locator("#chip-q").click()
    page.locator("#sort-name").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text(re.compile("Test"))
    page.goto(f"/p/{shop.project.slug}/")
    page.locator("#data-trend").click()
    expect(page.get_by_role("table", name="Layers by count, week by week")).to_be_visible()

    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_before_the_login_are_as_clean(browser: Browser, live_app: LiveApp, theme: str) -> None:
    a_shop("Web")
    context = browser.new_context(base_url=live_app.url)
    context.add_cookies([{"name": "theme", "value": theme, "url": live_app.url}])
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(complaint(message)))

    for path in ("/login", "/definitions", "/api/docs", "/nowhere"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"

    assert [text for text in said if text and NOT_FOUND not in text] == []
    context.close()
