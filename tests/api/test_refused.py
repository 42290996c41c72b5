"""Requests that are refused before they become an upload are counted for the project whose token they carry."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from projects.models import RefusedHour, Token, Upload
from tests.factories import a_shop, passed, report

pytestmark = pytest.mark.django_db


def post(token: str, query: str = "", *, body: bytes | None = None) -> int:
    """Send a report; return the status of the answer."""
    return (
        Client()
        .post(
            f"/api/v1/uploads{query}",
            report(passed()) if body is None else body,
            content_type="application/xml",
            headers={"authorization": f"Bearer {token}"},
        )
        .status_code
    )


def counted() -> list[tuple[str, int]]:
    """Return the codes that were counted, with their numbers."""
    return list(RefusedHour.objects.order_by("code").values_list("code", "n"))


def test_refusals_are_counted_by_code_with_their_last_example(settings: Settings) -> None:
    shop = a_shop()
    settings.TROPHYCASE_MAX_UPLOAD_BYTES = 5_000

    answers = [post(shop.token, "?layer=lint"), post(shop.token, "?layer=style")]
    answers += [post(shop.token, "?colour=red"), post(shop.token, body=b"x" * 6_000)]

    row = RefusedHour.objects.get(code="bad_layer")
    assert answers == [422, 422, 422, 413]
    assert counted() == [("bad_layer", 2), ("too_large", 1), ("unknown_field", 1)]
    assert (row.project, row.token) == (shop.project, Token.objects.get())
    assert "'style'" in row.sentence
    assert row.first_at < row.last_at
    assert (row.hour_at.minute, row.hour_at.second) == (0, 0)


def test_a_revoked_token_is_counted_for_its_project_and_an_unknown_one_for_nobody() -> None:
    shop = a_shop()
    Token.objects.get().revoke(now=timezone.now())

    answers = [post(shop.token), post("tc_nobody"), post("")]

    assert answers == [401, 401, 401]
    assert counted() == [("unknown_token", 1)]


def test_who_only_asks_is_not_counted() -> None:
    shop = a_shop()
    headers = {"authorization": f"Bearer {shop.token}"}
    Client().get("/api/v1/uploads/00000000-0000-0000-0000-000000000000", headers=headers)
    Token.objects.get().revoke(now=timezone.now())
    Client().get("/api/v1/quarantine", headers=headers)

    assert counted() == []


def test_what_is_taken_counts_nothing() -> None:
    shop = a_shop()

    assert post(shop.token) == 202
    assert counted() == []


def test_clients_of_other_services_are_counted_too() -> None:
    shop = a_shop()

    response = Client().post(
        "/v1/uploads",
        b"no JSON",
        content_type="application/json",
        headers={"authorization": f'Token token="{shop.token}"'},
    )

    assert response.status_code >= 400
    assert len(counted()) == 1
    assert not Upload.objects.exists()
