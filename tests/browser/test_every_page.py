"""Every page there is, in a real browser: nothing that axe finds, nothing in the console, nothing that moves or is too wide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.signing import Signer
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import resolve, reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from config.embedded import Services
from dashboard import urls
from dashboard.views import refusals
from projects.models.flakes import Flake
from projects.models.people import Membership
from projects.models.uploads import Upload
from projects.vocabulary import Cause, Role, UploadState
from reports import envelopes
from tests import addresses
from tests.browser.desk import DRAWN, LONG_NAME, NOT_FOUND, Desk, a_desk, a_filled_shop, complaint, opened
from tests.factories import Shop, a_person, a_shop
from tests.processes import LiveApp, web_server

pytestmark = pytest.mark.browser

SETTINGS = (
    *("settings/rules", "settings/targets", "settings/limits", "settings/muting", "settings/owners"),
    *("settings/trust", "settings/tokens", "settings/members", "settings/reports", "settings/readers"),
    *("settings/channels", "settings/danger"),
)
PLACES = (
    *("", "shape", "tests?size=25", "flaky", "failures", "quarantine", "renames", "slow", "budgets"),
    *("runs", "runs/1", "runs/compare", "uploads", "uploads/how-to-send"),
    *SETTINGS,
)
ELSEWHERE = ("/?all=1", "/new", "/account", "/definitions", "/api/docs", "/nowhere")
WITH_CHARTS = ("", "shape", "flaky")  # and the page of a test
BEFORE_LOGIN = ("/login", "/definitions", "/api/docs", "/nowhere")
ALONE = {"join", "welcome", "styleguide"}  # looked at by tests of their own
# Addresses that take a form and show no page, and the one that only leads on.
FORMS = {
    *("view-save", "view-delete", "rename-decide", "test-care", "test-mute", "test-fixed", "run-put-back"),
    *("misfit", "upload-again", "token-revoke", "trust-end", "member", "reader-remove", "reader-address"),
    *("channel", "links-renew", "logout", "theme", "account-letters", "settings"),
}
LONG_EVIDENCE = "8 of 8 failures came right after tests/integration/test_stock.py::test_nightly_import_creates_warehouses."
SEEN = 0.0001  # of layout shift; less is no pixel
MOVED = """{ const seen = []; const keep = (list) => { for (const entry of list)
        seen.push([entry.value, ...entry.sources.map((source) => source.node?.className ?? source.node?.nodeName)]); };
    const observer = new PerformanceObserver((list) => keep(list.getEntries()));
    observer.observe({ type: 'layout-shift', buffered: true });
    window.moved = () => { keep(observer.takeRecords()); return seen; }; }"""
OPEN_DATA = "for (const data of document.querySelectorAll('details.data')) data.open = true"
WIDE_LISTS = """() => [...document.querySelectorAll('.table-wrap')].filter((list) => list.offsetParent
    && list.scrollWidth > list.clientWidth + 1).map((list) => list.textContent.slice(0, 60))"""
# A form is sent as a page that was loaded in time would, or as one of another session.
POST = """({ to, secret }) => { const form = Object.assign(document.createElement('form'), { method: 'post', action: to });
    if (secret) form.append(document.querySelector('[name=csrfmiddlewaretoken]').cloneNode());
    document.body.append(form); form.submit(); }"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))"
# A theme decides nothing but colours: the whole of axe looks at one theme, its rules of colours at the other.
ALL_RULES: dict[str, Any] = {"resultTypes": ["violations"]}
LOOKS: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": ALL_RULES,
    "dark": {**ALL_RULES, "runOnly": ["color-contrast", "link-in-text-block"]},
}
# What a reader's choice does, and then what fades is faded.
WEAR = """(theme) => { document.documentElement.dataset.theme = theme; document.dispatchEvent(new CustomEvent('theme'));
    return Promise.all(document.getAnimations().filter((one) => one instanceof CSSTransition)
        .map((one) => one.finished.catch(() => null))); }"""


def paths(desk: Desk) -> Iterator[str]:
    """Yield the address of every page that a reader of the project can open."""
    states = (UploadState.DONE, UploadState.REJECTED)
    uploads = [Upload.objects.filter(project=desk.shop.project, state=state)[0].id for state in states]
    tests = (desk.test_page(), desk.test_page(LONG_NAME))
    yield from map(desk.path, (*PLACES, *tests, *(f"uploads/{upload}" for upload in uploads)))
    yield from ELSEWHERE


@pytest.fixture
def desk(reader: BrowserContext, live_app: LiveApp) -> Desk:
    """Return a reader at a project with something for every page, and no more of the same than a second page of tests takes."""
    return a_desk(reader, a_filled_shop((18, 6, 2)), url=live_app.url)


def found_by_axe(page: Page, path: str) -> str:
    """Return what axe finds on a page in both themes; empty where it finds nothing."""
    opened(page, path)
    return violations(page, path)


def violations(page: Page, name: str) -> str:
    """Return what axe finds on the page that is open, in both themes."""
    return "".join(f"{name}, {theme}: {found}" for theme in LOOKS if (found := violations_in(page, theme)))


def violations_in(page: Page, theme: Literal["light", "dark"]) -> str:
    """Return what axe finds on the page that is open, in one theme."""
    page.emulate_media(color_scheme=theme)  # a letter knows no other
    page.evaluate(WEAR, theme)
    page.evaluate(TWO_FRAMES)
    found = Axe().run(page, options=LOOKS[theme])
    return str(found.generate_report()) if found.violations_count else ""


def test_every_address_of_the_pages_is_looked_at(desk: Desk) -> None:
    seen = {resolve(path.partition("?")[0]).url_name for path in paths(desk) if path != "/nowhere"}
    seen |= {resolve(path).url_name for path in BEFORE_LOGIN if path != "/nowhere"}

    assert {pattern.name for pattern in urls.urlpatterns} - seen - FORMS - ALONE == set()


@pytest.mark.timeout(400)  # every page there is, and axe takes its time over each
def test_no_page_complains_axe_finds_nothing_and_plotly_comes_to_charts_alone(desk: Desk) -> None:
    fetched: list[str] = []
    desk.page.on("request", lambda request: fetched.append(request.url) if "plotly" in request.url else None)
    charts = {desk.path(place) for place in (*WITH_CHARTS, desk.test_page(), desk.test_page(LONG_NAME))}

    for path in paths(desk):
        fetched.clear()
        assert found_by_axe(desk.page, path) == ""
        assert bool(fetched) == (path in charts), path
        expect(desk.page.locator(".chart-space .main-svg").first).to_be_visible() if path in charts else None
        assert (
            desk.page.locator("[data-chart]").count()
            == desk.page.locator("[data-chart] [data-table]").count()
        )

    assert [text for text in desk.complaints if text and NOT_FOUND not in text] == []


@pytest.mark.timeout(400)  # every page there is
@pytest.mark.parametrize(("width", "widths"), [(390, [390]), (1280, [1024, 1280, 1440])])
def test_nothing_moves_when_scripts_and_charts_come_after_the_first_paint_and_nothing_is_too_wide(
    desk: Desk, width: int, widths: list[int]
) -> None:
    Flake.objects.update(cause=Cause.SHARED_STATE, cause_evidence=LONG_EVIDENCE, owner="@webshop/platform")
    desk.page.set_viewport_size({"width": width, "height": 800})
    desk.page.add_init_script(MOVED)
    held: list[Route] = []
    holds = True
    scripts = re.compile(r"/js/(app|charts|back)\.")
    desk.page.route(scripts, lambda route: held.append(route) if holds else route.continue_())

    for path in paths(desk):
        holds = True
        desk.page.goto(path, wait_until="commit")
        desk.page.wait_for_function(PAINTED)
        holds = False
        while held:
            held.pop().continue_()
        desk.page.wait_for_load_state("load")
        desk.page.wait_for_function(DRAWN)
        desk.page.evaluate(TWO_FRAMES)
        assert [one for one in desk.page.evaluate("window.moved()") if one[0] >= SEEN] == [], path
        assert too_wide(desk.page, widths) == [], path
        # The next page must not be laid out first at the width that this one had last.
        desk.page.set_viewport_size({"width": width, "height": 800})
        desk.page.evaluate(TWO_FRAMES)


def too_wide(page: Page, widths: list[int]) -> list[str]:
    """Return what is wider than its place on the page that is open, at any of the widths."""
    found = []
    page.evaluate(OPEN_DATA)
    for width in widths:
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"the page at {width}"] * (page.evaluate("document.documentElement.scrollWidth") > width)
        found += page.evaluate(WIDE_LISTS)
    return found


def test_pages_before_the_login_are_as_clean(reader: BrowserContext) -> None:
    page = reader.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(complaint(message)))

    found = [found_by_axe(page, "/welcome")]
    a_shop("Web")
    alone = (an_invitation(a_person()), "/join/MQ/used-up", a_way_out(a_shop("Shop")), "/letters/stop/forged")
    found += [found_by_axe(page, path) for path in (*BEFORE_LOGIN, *alone)]
    request = RequestFactory().get("/")
    found += [
        shown(page, refusals.server_error(request)),
        shown(page, refusals.bad_request(request, ValueError())),
    ]

    assert [one for one in found if one] == []
    refused = (NOT_FOUND, "status of 400", "status of 500")
    assert [text for text in said if text and not any(word in text for word in refused)] == []


@pytest.mark.timeout(400)
def test_letters_and_what_a_viewer_may_not_do_are_as_clean(desk: Desk) -> None:
    Membership.objects.filter(user=desk.shop.owner).update(role=Role.VIEWER)
    found = []
    for place in ("reports/weekly", "reports/weekly?whose=mine", *SETTINGS):
        opened(desk.page, desk.path(place))
        for width in (1280, 390):
            desk.page.set_viewport_size({"width": width, "height": 800})
            found.append(violations(desk.page, f"{place} at {width}"))

    for secret in ("", "the form's own"):
        opened(desk.page, "/account")
        desk.page.evaluate(POST, {"to": desk.path("settings/tokens"), "secret": secret})
        desk.page.wait_for_url(f"**{desk.path('settings/tokens')}")
        expect(desk.page.locator("h1")).to_contain_text("not change this" if secret else "too old")
        found.append(violations(desk.page, f"403 {secret}"))

    assert [one for one in found if one] == []
    assert [text for text in desk.complaints if text and "status of 403" not in text] == []


def a_way_out(shop: Shop) -> str:
    """Return the link with which a reader stops their letters."""
    name = str(Membership.objects.get(project=shop.project).pk)
    return reverse("letter-stop", args=[Signer(salt=envelopes.SALT).sign(name)])


def an_invitation(person: User) -> str:
    """Return the link with which a person chooses a password."""
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    return reverse("join", args=[uid, default_token_generator.make_token(person)])


def shown(page: Page, answer: HttpResponse) -> str:
    """Return what axe finds on an answer, shown at an address of the server that did not give it."""
    status = answer.status_code
    page.route(
        f"**/broken/{status}",
        lambda route: route.fulfill(status=status, body=answer.content, content_type="text/html"),
    )
    return found_by_axe(page, f"/broken/{status}")


def test_the_style_guide_is_as_clean(
    browser: Browser, services: Services, transactional_db: None, tmp_path: Path
) -> None:
    database = addresses.database_named(services.database_url, name=str(connection.settings_dict["NAME"]))
    environ = {"DATABASE_URL": database, "REDIS_URL": services.redis_url, "TROPHYCASE_HOME": str(tmp_path)}

    with web_server(environ | {"TROPHYCASE_COLLECTED_STATIC": "0", "DEBUG": "1"}, folder=tmp_path) as (
        url,
        _,
    ):
        context = browser.new_context(base_url=url)
        found = found_by_axe(context.new_page(), "/styleguide")
        context.close()

    assert found == ""
