"""The first run in a real browser: from an empty server to the first results, and the settings around it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from projects.models import LayerRule, Project
from tests.browser.desk import signed_in
from tests.factories import Shop, a_shop, failed, passed, record, report, retried
from tests.processes import LiveApp

pytestmark = pytest.mark.browser

READ_MS = 30_000  # the page asks every five seconds, and the worker has a queue


@pytest.fixture
def context(browser: Browser, live_app: LiveApp) -> Iterator[BrowserContext]:
    """Return a browser of its own, at a wide window."""
    context = browser.new_context(base_url=live_app.url, viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def shop(live_app: LiveApp) -> Shop:
    """Return a project with a run."""
    shop = a_shop("Web")
    cases = (passed("adds"), failed("pays", message="1 != 2", text="Traceback"), retried("waits"))
    record(shop, report(*cases), run="1", commit="b", branch="main")
    return shop


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
    context: BrowserContext, shop: Shop, live_app: LiveApp
) -> None:
    page = signed_in(context, shop, url=live_app.url)
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


def test_the_first_visit_works_without_javascript(browser: Browser, live_app: LiveApp) -> None:
    shop = a_shop("Web")
    context = browser.new_context(base_url=live_app.url, java_script_enabled=False)
    page = signed_in(context, shop, url=live_app.url)
    page.goto("/p/web/uploads")
    page.get_by_role("link", name="Maven").click()
    expect(page.get_by_label("Maven")).to_contain_text("surefire")
    record(shop, report(passed("adds")))

    page.get_by_role("link", name="Look again").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("upload arrived")
    context.close()
