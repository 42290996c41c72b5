"""The settings page of the repositories whose CI jobs upload without a token."""

from __future__ import annotations

import pytest

from projects.models import Trust
from tests.factories import Shop, a_shop

pytestmark = pytest.mark.django_db

GITHUB = "https://token.actions.githubusercontent.com"
HERE = "/p/web/settings/trust"
TYPED = {"issuer": GITHUB, "repository": "acme/shop", "takes_pulls": "on"}


@pytest.fixture
def shop() -> Shop:
    """Return a project."""
    return a_shop("Web")


def test_an_owner_trusts_a_repository_and_sees_it_listed(shop: Shop) -> None:
    browser = shop.browser()

    browser.post(HERE, {**TYPED, "branches": "main, release/*", "events": "push"})

    kept = Trust.objects.get()
    assert (kept.repository, kept.branches, kept.events) == ("acme/shop", "main release/*", "push")
    assert (kept.takes_pulls, kept.created_by) == (True, shop.owner)
    text = browser.get(HERE).content.decode()
    assert "acme/shop" in text
    assert "GitHub Actions" in text
    assert "main release/*, pull requests" in text


def test_the_same_repository_again_gets_the_new_rules(shop: Shop) -> None:
    browser = shop.browser()
    browser.post(HERE, TYPED)

    browser.post(HERE, {"issuer": GITHUB, "repository": "acme/shop", "owner_id": "65"})

    kept = Trust.objects.get()
    assert (kept.takes_pulls, kept.owner_id) == (False, "65")


def test_new_rules_leave_the_owner_that_was_kept(shop: Shop) -> None:
    browser = shop.browser()
    browser.post(HERE, {**TYPED, "owner_id": "65"})

    browser.post(HERE, TYPED)

    assert Trust.objects.get().owner_id == "65"


@pytest.mark.parametrize(
    "typed", ["https://github.com/acme/shop", "https://github.com/acme/shop.git", " acme/shop/ "]
)
def test_a_repository_may_be_pasted_as_its_address(shop: Shop, typed: str) -> None:
    shop.browser().post(HERE, {**TYPED, "repository": typed})

    assert Trust.objects.get().repository == "acme/shop"


@pytest.mark.parametrize(
    "wrong",
    [
        {"repository": "shop"},
        {"repository": "acme/shop; drop"},
        {"owner_id": "acme"},
        {"events": "pull-request"},
        {"issuer": "https://issuer.example"},
    ],
)
def test_what_cannot_be_meant_is_refused_beside_its_field(shop: Shop, wrong: dict[str, str]) -> None:
    answer = shop.browser().post(HERE, {**TYPED, **wrong})

    assert answer.status_code == 422
    assert not Trust.objects.exists()


def test_a_trust_ends(shop: Shop) -> None:
    browser = shop.browser()
    browser.post(HERE, TYPED)

    browser.post(f"{HERE}/{Trust.objects.get().pk}/end")

    assert not Trust.objects.exists()


def test_nobody_ends_the_trust_of_another_project(shop: Shop) -> None:
    shop.browser().post(HERE, TYPED)
    other = a_shop("Other")

    answer = other.browser().post(f"/p/other/settings/trust/{Trust.objects.get().pk}/end")

    assert answer.status_code == 404
    assert Trust.objects.exists()
