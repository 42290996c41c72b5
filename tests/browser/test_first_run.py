"""The first run in a real browser: from an empty server to the first results, and the settings around it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from projects.models import LayerRule, Project
from tests.factories import Shop, a_shop, failed, passed, record, report, retried
from tests.processes import LiveApp

pytestmark = pytest.mark.browser

READ_MS = 30_000  # the page asks every five seconds, and the worker has a queue
PLACES = (
    *("runs", "runs/1", "uploads", "uploads/how-to-send", "settings/rules", "settings/targets"),
    *("settings/limits", "settings/tokens", "settings/members", "settings/reports", "settings/danger"),
)
AROUND = ("/account", "/new", "/?all=1")


@pytest.fixture
def complaints() -> list[str]:
    """Return what the browser complained about."""
    return []


@pytest.fixture
def context(browser: Browser, live_app: LiveApp) -> Iterator[BrowserContext]:
    """Return a browser of its own, at a wide window."""
    context = browser.new_context(base_url=live_app.url, viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def shop(live_app: LiveApp) -> Shop:
    """Return a project with a run that has every kind of failure, and a refused upload."""
    shop = a_shop("Web")
    record(shop, report(passed("adds"), passed("pays")), run="0", commit="a", branch="main")
    cases = (passed("adds"), failed("pays", message="1 != 2", text="Traceback"), retried("waits"))
    record(shop, report(*cases), run="1", commit="b", branch="main")
    record(shop, b"this is not XML")
    return shop


def signed_in(context: BrowserContext, shop: Shop, complaints: list[str], *, url: str) -> Page:
    """Open a page as the owner, with the session that a login makes: the form has its own test."""
    cookies = shop.browser().cookies
    session = next(value.value for name, value in cookies.items() if name.startswith("trophycase_session"))
    # The server names its cookie after its port, which is not this process's.
    context.add_cookies([{"name": f"trophycase_session_{urlsplit(url).port}", "value": session, "url": url}])
    page = context.new_page()
    page.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def test_from_an_empty_server_to_the_first_results(
    context: BrowserContext, live_app: LiveApp, tmp_path: Path
) -> None:
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_label("First project").fill("Web")
    page.get_by_role("button", name="Create account and project").click()
    expect(page.get_by_text("Waiting for the first upload")).to_be_visible()

    page.get_by_role("button", name="Create token").click()
    token = page.get_by_label("Token").inner_text()
    page.get_by_role("link", name="GitLab CI").click()
    expect(page.get_by_label("GitLab CI")).to_contain_text("after_script:")
    expect(page.get_by_label("Token", exact=True)).to_have_text(token)  # shown once, and long enough
    page.get_by_role("link", name="Any shell").click()
    expect(page.get_by_label("Any shell")).to_contain_text("| python3 - upload")
    (tmp_path / "report.xml").write_bytes(report(passed("adds"), passed("pays")))
    command = page.get_by_label("Any shell").inner_text()
    subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env={"TROPHYCASE_TOKEN": token, "PATH": os.environ["PATH"], "NO_PROXY": "*"},
        check=True,
        capture_output=True,
        timeout=60,
    )

    page.wait_for_url(f"{live_app.url}/p/web/", timeout=READ_MS)
    expect(page.get_by_text("Received: 2")).to_be_visible()
    assert Project.objects.get().n_runs == 1


def test_a_rule_shows_what_it_would_move_before_it_is_saved(
    context: BrowserContext, shop: Shop, complaints: list[str], live_app: LiveApp
) -> None:
    page = signed_in(context, shop, complaints, url=live_app.url)
    page.goto("/p/web/settings/rules")
    page.get_by_role("textbox", name="Pattern of rule 1").fill("shop/**")
    page.get_by_label("Layer of rule 1").select_option("e2e")
    page.get_by_role("textbox", name="Pattern of rule 1").press("Enter")

    expect(page.get_by_role("heading", name=re.compile("would move 3"))).to_be_visible()
    assert not LayerRule.objects.exists()
    page.get_by_role("button", name="Save these rules").click()
    expect(page.get_by_text("The rules are saved.")).to_be_visible()

    assert LayerRule.objects.get().pattern == "shop/**"
    expect(page.locator("#running")).to_have_count(0, timeout=READ_MS)
    page.goto("/p/web/tests?layer=e2e")
    expect(page.get_by_role("status").first).to_contain_text("3")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_complains_and_axe_finds_nothing(
    context: BrowserContext, shop: Shop, complaints: list[str], live_app: LiveApp, theme: str
) -> None:
    page = signed_in(context, shop, complaints, url=live_app.url)
    context.add_cookies([{"name": "theme", "value": theme, "url": live_app.url}])

    for path in (*(f"/p/web/{place}" for place in PLACES), *AROUND):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        found = Axe().run(page, options={"resultTypes": ["violations"], "iframes": False})
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"

    assert complaints == []


def test_no_page_is_wider_than_a_phone(
    context: BrowserContext, shop: Shop, complaints: list[str], live_app: LiveApp
) -> None:
    page = signed_in(context, shop, complaints, url=live_app.url)
    page.set_viewport_size({"width": 390, "height": 844})

    for path in (*(f"/p/web/{place}" for place in PLACES), *AROUND):
        page.goto(path)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, path


def test_the_first_visit_works_without_javascript(browser: Browser, live_app: LiveApp) -> None:
    shop = a_shop("Web")
    context = browser.new_context(base_url=live_app.url, java_script_enabled=False)
    page = signed_in(context, shop, [], url=live_app.url)
    page.goto("/p/web/uploads")
    page.get_by_role("link", name="Maven").click()
    expect(page.get_by_label("Maven")).to_contain_text("surefire")
    record(shop, report(passed("adds")))

    page.get_by_role("link", name="Look again").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("upload arrived")
    context.close()
