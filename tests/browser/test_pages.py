"""The journeys through the pages in a real browser: filters, keys, themes, charts, phones, and without JavaScript."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Browser, Route, expect

from dashboard.format import brief
from projects.models.people import Membership
from projects.vocabulary import Role
from tests.browser.desk import LONG_NAME, Desk, a_filled_shop, signed_in
from tests.processes import LiveApp

pytestmark = pytest.mark.browser


def test_the_description_of_the_api_draws_itself_under_the_policy(desk: Desk) -> None:
    desk.page.goto("/api/docs")
    desk.page.get_by_role("link", name="Try it").click()

    expect(desk.page.get_by_text("Upload reports of one run")).to_be_visible()
    desk.page.wait_for_url("**/api/v1/docs")
    assert [text for text in desk.complaints if text] == []


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


def test_a_name_that_is_cut_off_says_on_hover_all_that_the_list_has_of_it_and_its_page_the_rest(
    desk: Desk,
) -> None:
    desk.page.set_viewport_size({"width": 1024, "height": 800})
    desk.open("tests", "?q=very_long_name")
    name = desk.page.locator("#results a.name").first

    name.hover()

    title = name.get_attribute("title") or ""
    assert title == brief(f"Cart › {LONG_NAME}")
    assert title.endswith(LONG_NAME[-40:])
    name.click()
    expect(desk.page.locator("h1")).to_contain_text(LONG_NAME)


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
    assert desk.page.title().startswith("Tests: 1, pays · Web")


def test_a_search_that_the_next_letters_replace_is_no_error(desk: Desk) -> None:
    desk.open("tests")
    held: list[Route] = []
    desk.page.route(re.compile(r"q=pa$"), lambda route: held.append(route))
    with desk.page.expect_request(re.compile(r"q=pa$")):
        desk.page.locator("#q").press_sequentially("pa")

    desk.page.locator("#q").press_sequentially("ys")

    expect(desk.page.locator("h1")).to_have_text(re.compile("1 test matches"))
    assert [text for text in desk.complaints if text] == []


def test_of_two_clicks_the_later_counts_though_the_first_is_not_answered_yet(desk: Desk) -> None:
    desk.open("tests")
    held: list[Route] = []
    desk.page.route(re.compile(r"sort=name$"), lambda route: held.append(route))
    with desk.page.expect_request(re.compile(r"sort=name$")):
        desk.page.locator("#sort-name").click()

    with desk.page.expect_response(re.compile(r"sort=-p95$")):
        desk.page.locator("#sort-p95").click()
    held[0].continue_()

    expect(desk.page.locator("th[aria-sort]")).to_have_text(re.compile("p95"))
    expect(desk.page).to_have_url(re.compile(r"sort=-p95$"))
    assert [text for text in desk.complaints if text] == []


@pytest.mark.parametrize(("status", "says"), [(0, "did not answer. Check"), (500, "answered 500. Reload")])
def test_a_filter_that_is_not_answered_says_what_to_do(desk: Desk, status: int, says: str) -> None:
    desk.open("tests")
    desk.page.route(
        "**/tests?layer=unit*", lambda route: route.fulfill(status=status) if status else route.abort()
    )

    desk.page.locator("#pick-layer").select_option("unit")

    expect(desk.page.get_by_role("alert")).to_contain_text(says)
    expect(desk.page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    desk.page.unroute("**/tests?layer=unit*")
    desk.page.locator("#pick-layer").select_option("e2e")
    expect(desk.page.locator("h1")).to_have_text(re.compile("6 tests match"))
    expect(desk.page.get_by_role("alert")).to_have_count(0)


def test_another_page_of_a_list_begins_at_its_top(desk: Desk) -> None:
    desk.open("tests")

    desk.page.locator("#page-next").click()

    desk.page.wait_for_url(re.compile("page=2"))
    expect(desk.page.locator(".count-line")).to_be_in_viewport()
    expect(desk.page.locator("#page-prev")).not_to_be_in_viewport()
    expect(desk.page.locator("th[aria-sort]")).to_be_in_viewport()


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


def test_a_reader_signs_in_and_comes_where_they_wanted_to_be(browser: Browser, live_app: LiveApp) -> None:
    shop = a_filled_shop()
    # The server knows no hash that is made fast for tests.
    shop.owner.password = PBKDF2PasswordHasher().encode("correct horse", salt="pepper", iterations=1_000)
    shop.owner.save(update_fields=["password"])
    context = browser.new_context(base_url=live_app.url)
    page = context.new_page()
    page.goto(f"/p/{shop.project.slug}/flaky?window=7d")
    page.get_by_label("Username").fill(shop.owner.username)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()

    page.wait_for_url(re.compile(r"/flaky\?window=7d$"))
    expect(page.locator("h1")).to_contain_text("flaky")
    context.close()


def test_back_brings_a_filtered_list_and_its_place_again(desk: Desk) -> None:
    desk.open("tests")
    desk.page.mouse.wheel(0, 900)
    desk.page.wait_for_function("() => scrollY === 900")

    desk.page.locator("#pick-layer").select_option("e2e")
    desk.page.wait_for_url(re.compile(r"layer=e2e"))
    desk.page.wait_for_function("() => scrollY < 900")  # six tests are no such long list
    desk.page.go_back()

    desk.page.wait_for_url(re.compile(r"/tests$"))
    expect(desk.page.locator("#pick-layer")).to_have_value("")
    desk.page.wait_for_function("() => document.readyState === 'complete' && scrollY === 900")
    desk.page.go_forward()
    desk.page.wait_for_url(re.compile(r"layer=e2e"))
    desk.page.wait_for_function("() => document.readyState === 'complete' && scrollY < 900")


@pytest.mark.parametrize(("height", "layer"), [(0.01, "e2e"), (0.99, "unit")])
def test_a_part_of_a_stacked_bar_leads_to_the_tests_of_its_week_and_layer(
    desk: Desk, height: float, layer: str
) -> None:
    desk.open()
    bar = desk.page.locator("#chart-trend .chart-space .bars path").last
    expect(bar).to_be_visible()
    box = bar.bounding_box()
    plot = desk.page.locator("#chart-trend .chart-space .nsewdrag").bounding_box()
    assert box is not None
    assert plot is not None
    middle, place = box["x"] + box["width"] / 2, plot["y"] + plot["height"] * height

    desk.page.mouse.move(middle, place)
    desk.page.mouse.click(middle, place)

    desk.page.wait_for_url(
        re.compile(rf"/tests\?since=\d{{4}}-\d\d-\d\d&until=\d{{4}}-\d\d-\d\d&layer={layer}$")
    )


def test_the_data_under_a_chart_leads_where_the_chart_does(desk: Desk) -> None:
    desk.open()
    desk.page.locator("#data-trend").click()

    desk.page.locator("#chart-trend table a").nth(1).click()

    desk.page.wait_for_url(re.compile(r"/tests\?since=.*&until=.*&layer=e2e$"))


def test_a_second_list_is_sorted_in_place_and_the_focus_stays(desk: Desk) -> None:
    desk.open("shape")

    desk.page.locator("#sort-targets-fit").click()

    expect(desk.page).to_have_url(re.compile(r"sort-targets=-fit"))
    expect(desk.page.locator("#sort-targets-fit")).to_be_focused()
    expect(desk.page.locator("th:has(#sort-targets-fit)")).to_have_attribute("aria-sort", "descending")
    assert [text for text in desk.complaints if text] == []


def test_a_list_is_had_as_json_too_and_a_second_list_of_the_page_by_its_name(desk: Desk) -> None:
    desk.open("tests", "?layer=e2e")

    with desk.page.expect_response(re.compile("format=json")) as answer:
        desk.page.get_by_role("link", name="JSON").click()

    assert len(answer.value.json()["rows"]) == 6


def test_a_moment_in_a_chart_is_in_the_readers_zone(browser: Browser, live_app: LiveApp) -> None:
    shop = a_filled_shop()
    drawn = {}

    for zone in ("UTC", "Asia/Kolkata"):
        context = browser.new_context(base_url=live_app.url, timezone_id=zone)
        page = signed_in(context, shop, url=live_app.url)
        desk = Desk(page, shop, live_app.url, [])
        desk.open(desk.test_page())
        expect(page.locator(".chart-space .main-svg").first).to_be_visible()
        drawn[zone] = page.evaluate("() => document.querySelector('.chart-space').data[0].x[0]")
        context.close()

    assert drawn["UTC"][:16] != drawn["Asia/Kolkata"][:16]
    assert "+" not in drawn["UTC"]


def test_a_viewer_who_may_not_change_something_is_told_so(desk: Desk) -> None:
    page = signed_in(desk.page.context, desk.shop, url=desk.url)
    page.goto(desk.path("settings/tokens"))
    Membership.objects.filter(user=desk.shop.owner).update(role=Role.VIEWER)

    page.get_by_role("button", name="Create token").click()

    expect(page.locator("h1")).to_have_text("You may look here, but not change this.")
