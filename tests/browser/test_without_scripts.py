"""The main journeys in a browser that runs no scripts: all that is asked and changed goes by links and forms."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Browser, Page, expect

from projects.models import LayerRule
from tests.browser.desk import Desk, a_filled_shop, signed_in
from tests.processes import LiveApp

pytestmark = pytest.mark.browser


@pytest.fixture
def plain(browser: Browser, live_app: LiveApp) -> Iterator[Desk]:
    """Return a reader of a filled project whose browser runs no scripts."""
    shop = a_filled_shop()
    context = browser.new_context(base_url=live_app.url, java_script_enabled=False, accept_downloads=True)
    context.set_default_timeout(30_000)
    yield Desk(signed_in(context, shop, url=live_app.url), shop, live_app.url, [])
    context.close()


def test_signing_in_making_a_project_and_its_token(browser: Browser, live_app: LiveApp) -> None:
    shop = a_filled_shop()
    # The server knows no hash that is made fast for tests.
    shop.owner.password = PBKDF2PasswordHasher().encode("correct horse", salt="pepper", iterations=1_000)
    shop.owner.save(update_fields=["password"])
    context = browser.new_context(base_url=live_app.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/new")
    page.get_by_label("Username").fill(shop.owner.username)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()

    page.get_by_label("Name").fill("Second")
    page.get_by_role("button", name="Create project").click()
    page.get_by_role("button", name="Create token").click()

    expect(page.get_by_label("Token", exact=True)).to_have_text(re.compile("^tc_"))
    expect(page.get_by_role("link", name="Look again")).to_be_visible()
    expect(page.get_by_role("navigation", name="CI")).to_have_count(0)
    address = page.url
    page.locator("#produce summary", has_text="Jest").click()
    page.locator("#send summary", has_text="GitLab CI").click()

    expect(page.get_by_label("Jest", exact=True)).to_be_visible()
    expect(page.get_by_label("pytest", exact=True).locator("visible=true")).to_have_count(0)
    expect(page.get_by_label("GitLab CI", exact=True).locator("visible=true")).to_contain_text(
        "after_script:"
    )
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    assert page.url == address
    context.close()


def test_a_list_is_filtered_sorted_paged_and_taken_along(plain: Desk) -> None:
    page = plain.page
    page.goto(plain.path("tests"))

    page.get_by_role("link", name=re.compile("^Next")).click()
    expect(page.locator(".count-line")).to_have_text(re.compile("^51–"))
    page.locator("#pick-layer").select_option("e2e")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("h1")).to_have_text(re.compile("6 tests match"))
    page.locator("#sort-name").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text(re.compile("Test"))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    assert len(download.value.path().read_text().splitlines()) == 7  # the header, and six tests


def test_a_rule_is_previewed_and_saved(plain: Desk) -> None:
    page = plain.page
    page.goto(plain.path("settings/rules"))
    page.get_by_role("textbox", name="Pattern of rule 1").fill("tests/e2e/**")
    page.get_by_label("Layer of rule 1").select_option("integration")
    page.get_by_role("button", name="Preview what would change").click()
    expect(page.get_by_role("heading", name="These rules would move 6 tests.")).to_be_visible()

    page.get_by_role("button", name="Save these rules").click()

    expect(page.get_by_text("The rules are saved.")).to_be_visible()
    assert LayerRule.objects.get().pattern == "tests/e2e/**"


def test_a_plan_is_made_and_shown_where_it_was_made(plain: Desk) -> None:
    page = plain.page
    page.goto(plain.path("shape"))

    page.get_by_label("e2e to unit").fill("2")
    page.locator("#plan").get_by_role("button", name="Show").click()

    expect(page.locator("#plan-outlook [role=status]")).to_have_text(re.compile("This plan makes"))
    assert page.url.endswith("#plan")
    _mark_the_first(page)
    expect(page.locator("#marks caption")).to_have_text("1 marked test")


def _mark_the_first(page: Page) -> None:
    page.locator("input[name=mark]").first.check()
    page.get_by_role("button", name="Mark", exact=True).click()
