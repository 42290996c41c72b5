"""Misfits are listed with both signals, and taken off the list with a reason, which can be taken back."""

from __future__ import annotations

import pytest

from projects.models import Test
from projects.vocabulary import Role
from tests.factories import Shop, a_shop, a_test_named, failed, passed, record, report

pytestmark = pytest.mark.django_db

FILE = "tests/integration/test_pay.py"


@pytest.fixture
def shop() -> Shop:
    """Return a project with two slow integration tests whose failures show a browser."""
    shop = a_shop("Web")
    for number in range(4):
        cases = [passed(name, seconds=s, file=FILE) for name, s in (("pays", 3.0), ("refunds", 6.0))]
        record(shop, report(*cases), branch="main", commit=f"a{number}")
    broken = [
        failed(name, seconds=s, file=FILE, kind="TimeoutError", message="page.goto: Timeout 30000ms exceeded")
        for name, s in (("pays", 3.0), ("refunds", 6.0))
    ]
    record(shop, report(*broken), branch="main", commit="b1")
    return shop


def page(shop: Shop) -> str:
    """Return the slow page as its owner sees it, with plain spaces."""
    return shop.page("slow")


def listed(shown: str) -> str:
    """Return the part of the page that lists misfits."""
    return shown[shown.index('id="misfits"') : shown.index("</section>", shown.index('id="misfits"'))]


def dismiss(shop: Shop, name: str, *, by: Role = Role.EDITOR, **fields: str) -> int:
    """Post what the form posts, and return the status."""
    test = a_test_named(shop, name)
    browser = shop.browser(shop.member(by))
    return browser.post(f"/p/{shop.project.slug}/misfits/{test.id}", fields).status_code


def test_both_signals_are_shown_and_the_most_time_comes_first(shop: Shop) -> None:
    shown = listed(page(shop))

    assert "Integration over 1.0 s, failures show a browser: page.goto: e2e in disguise?" in shown
    assert shown.index("refunds</a>") < shown.index("pays</a>")


def test_a_misfit_leads_to_the_plan_in_which_it_is_what_it_looks_like(shop: Shop) -> None:
    shown = listed(page(shop))

    plan = f"/p/{shop.project.slug}/shape?as-e2e={a_test_named(shop, 'pays').id}#plan"
    assert f'href="{plan}"' in shown


def test_a_misfit_goes_off_the_list_with_a_reason_and_comes_back(shop: Shop) -> None:
    assert dismiss(shop, "pays", reason="It renders a PDF.") == 302
    shown = listed(page(shop))

    assert "1 test looked at" in shown
    assert shown.index("refunds</a>") < shown.index("It renders a PDF.")

    assert dismiss(shop, "pays", do="undo") == 302
    assert "It renders a PDF." not in page(shop)


def test_a_reason_is_asked_for(shop: Shop) -> None:
    dismiss(shop, "pays", reason="   ")

    assert a_test_named(shop, "pays").misfit_dismissed == ""


def test_a_viewer_may_not(shop: Shop) -> None:
    assert dismiss(shop, "pays", by=Role.VIEWER, reason="No.") == 403
    assert not Test.objects.exclude(misfit_dismissed="").exists()


def test_a_test_of_another_project_is_not_touched(shop: Shop) -> None:
    other = a_shop("Other")
    test = a_test_named(shop, "pays")

    response = other.browser().post(f"/p/{other.project.slug}/misfits/{test.id}", {"reason": "Mine."})

    assert response.status_code == 404
    assert a_test_named(shop, "pays").misfit_dismissed == ""
