"""The page on sending tells what to set in an uploader that is there already."""

from __future__ import annotations

import pytest

from dashboard.snippets import CLIENTS
from tests.factories import a_shop

pytestmark = pytest.mark.django_db


def test_every_client_is_listed_with_a_link_to_its_line() -> None:
    shop = a_shop()

    page = shop.browser().get("/p/shop/uploads/how-to-send").content.decode()

    assert [client.key for client in CLIENTS if f"client={client.key}#clients" not in page] == []


def test_a_chosen_client_shows_this_server() -> None:
    shop = a_shop()

    page = shop.browser().get("/p/shop/uploads/how-to-send?client=codecov-cli").content.decode()

    assert "codecovcli --url http://127.0.0.1:8000 do-upload" in page


def test_a_client_that_is_none_shows_nothing() -> None:
    shop = a_shop()

    answer = shop.browser().get("/p/shop/uploads/how-to-send?client=nonsense")

    assert answer.status_code == 200
    assert "codecovcli --url" not in answer.content.decode()
