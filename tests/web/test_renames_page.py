"""Renamed tests on the pages: what a test was called, the list, and what an editor decides."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from analysis.tasks import settle_runs
from projects.models import Rename, Test
from projects.vocabulary import RenameState, Role
from tests.factories import Shop, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db

OLD, NEW = "adds a line to the cart", "adds a line to a cart"


def history(shop: Shop, *reports: bytes) -> None:
    """Record a run a day of these reports, the last one today."""
    for day, body in enumerate(reports):
        started = timezone.now() - timedelta(days=len(reports) - day)
        record(shop, body, run=f"r{day}", started_at=started.isoformat())
        settle_runs(project_id=shop.project.pk)


def a_rename(shop: Shop) -> Rename:
    before, after = (report(passed(name), passed("pays")) for name in (OLD, NEW))
    history(shop, before, before, after)
    return Rename.objects.get(project=shop.project)


def proposals(shop: Shop) -> list[Rename]:
    others = [passed("adds", classname=home) for home in ("a.CartTest", "b.CartTest")]
    before = report(*others, passed("pays"))
    history(shop, before, before, report(passed("adds", classname="c.CartTest"), passed("x"), passed("pays")))
    return list(Rename.objects.filter(project=shop.project).order_by("test_id"))


def test_a_test_says_what_it_was_called_and_the_list_has_it() -> None:
    shop = a_shop()
    rename = a_rename(shop)
    address = f"/p/{shop.project.slug}"

    page = shop.browser().get(f"{address}/tests/{rename.test_id}").content.decode()
    listed = shop.browser().get(f"{address}/renames").content.decode()

    assert "Was called" in page
    assert OLD in page
    assert f"{address}/runs/3" in page
    assert OLD in listed
    assert NEW in listed
    assert "No test changed its name" in a_shop_without_any()


def a_shop_without_any() -> str:
    other = a_shop("Other")
    return other.browser().get(f"/p/{other.project.slug}/renames").content.decode()


def test_the_address_of_a_name_that_is_gone_leads_on() -> None:
    shop = a_shop()
    rename = a_rename(shop)

    answer = shop.browser().get(f"/p/{shop.project.slug}/tests/{rename.other_id}")

    assert (answer.status_code, answer["Location"]) == (302, f"/p/{shop.project.slug}/tests/{rename.test_id}")


def test_the_row_that_keeps_an_old_name_is_in_no_list() -> None:
    shop = a_shop()
    a_rename(shop)

    listed = shop.browser().get(f"/p/{shop.project.slug}/tests?branch=*").content.decode()

    assert NEW in listed
    assert OLD not in listed


def test_an_editor_undoes_a_rename() -> None:
    shop = a_shop()
    rename = a_rename(shop)
    address = f"/p/{shop.project.slug}/renames/{rename.id}"

    answer = shop.browser(shop.member(Role.EDITOR)).post(address, {"do": "undo"}, follow=True)
    again = shop.browser().post(address, {"do": "undo"}, follow=True)

    assert "two tests again" in answer.content.decode()
    assert "decided already" in again.content.decode()
    assert a_test_named(shop, OLD).id == rename.test_id
    assert a_test_named(shop, NEW).id == rename.other_id


def test_an_editor_judges_what_is_only_proposed() -> None:
    shop = a_shop()
    first, second = proposals(shop)
    page = shop.browser().get(f"/p/{shop.project.slug}/tests/{first.other_id}").content.decode()
    on_old = shop.browser().get(f"/p/{shop.project.slug}/tests/{first.test_id}").content.decode()

    shop.browser().post(f"/p/{shop.project.slug}/renames/{first.id}", {"do": "refuse"})
    shop.browser().post(f"/p/{shop.project.slug}/renames/{second.id}", {"do": "accept"})

    assert page.count("It is the same test") == 2
    assert "This may go on as" in on_old
    assert Rename.objects.get(pk=first.pk).state == RenameState.UNDONE
    assert Test.objects.get(project=shop.project, id=second.test_id).classname == "c.CartTest"


def test_a_viewer_and_a_stranger_decide_nothing() -> None:
    shop = a_shop()
    rename = a_rename(shop)
    address = f"/p/{shop.project.slug}/renames/{rename.id}"

    assert shop.browser(shop.member(Role.VIEWER)).post(address, {"do": "undo"}).status_code == 403
    assert shop.browser(a_shop("Other").owner).post(address, {"do": "undo"}).status_code == 404
    assert shop.browser().post(address, {"do": "dance"}).status_code == 404
    assert Rename.objects.get().state == RenameState.APPLIED


def test_the_list_of_renames_is_searched_and_had_as_a_file() -> None:
    shop = a_shop()
    rename = a_rename(shop)
    address = f"/p/{shop.project.slug}/renames"

    def rows(query: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(shop.browser().get(f"{address}?{query}").getvalue())[
            "rows"
        ]
        return found

    assert [row["test_id"] for row in rows("format=json&q=CART&sort=name")] == [rename.test_id]
    assert rows("format=json&q=nothing") == []
    assert "No renamed tests match q=nothing." in shop.browser().get(f"{address}?q=nothing").content.decode()
