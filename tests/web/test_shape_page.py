"""The shape page: the suite against targets, its past, what is unlike its layer, and a plan that is a URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from dashboard.plans import MOST_MARKED
from projects.models import Project, Test
from projects.vocabulary import Layer, TargetKind
from tests.factories import Shop, a_shop, a_test_named, passed, record, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    """Return a project of 10 unit tests (0.1 s), 8 integration tests (10 s, one of 80 s) and 2 e2e tests (20 s), run twice."""
    shop = a_shop("Web")
    tests = [("unit", f"adds {n}", 0.1) for n in range(10)]
    tests += [("integration", f"pays {n}", 80.0 if n == 0 else 10.0) for n in range(8)]
    tests += [("e2e", f"buys {n}", 20.0) for n in range(2)]
    cases = [
        passed(name, seconds=s, classname=f"tests.{word}.Case", file=f"tests/{word}/test_case.py")
        for word, name, s in tests
    ]
    for commit in ("a1", "a2"):
        record(shop, report(*cases), branch="main", commit=commit)
    return shop


def page(shop: Shop, query: str = "") -> str:
    """Return the shape page as its owner sees it, with plain spaces."""
    return shop.page(f"shape{query}")


def id_of(shop: Shop, name: str) -> int:
    return a_test_named(shop, name).id


def want(shop: Shop, **changes: object) -> None:
    Project.objects.filter(pk=shop.project.pk).update(**changes)


def test_ticked_tests_become_a_plan_whose_address_is_short(shop: Shop) -> None:
    first, second = id_of(shop, "pays 0"), id_of(shop, "pays 1")

    response = shop.browser().get(
        f"/p/{shop.project.slug}/shape?window=7d&mark={second}&mark={first}&as=unit&e2e-to-unit=1"
    )

    assert response.status_code == 302
    assert response["Location"] == (
        f"/p/{shop.project.slug}/shape?window=7d&e2e-to-unit=1&as-unit={first}.{second}#plan"
    )


def test_marked_tests_change_shape_time_and_budget(shop: Shop) -> None:
    want(shop, target_kind=TargetKind.PYRAMID, budgets={"integration": 100})

    text = page(shop, f"?as-unit={id_of(shop, 'pays 0')}")

    assert "1 marked test" in text
    assert "This plan makes" in text
    # Of 150 s a run, 80 s go: integration is back within 100 s.
    assert "2 m 30 s → 1 m 10 s a run, back within the budget of 1 m 40 s." in text
    assert re.search(r'aria-label="The shape by count: e2e 10 %, integration 35 %, unit 55 %\."', text)


def test_a_mark_is_taken_out_by_a_link_that_keeps_the_others(shop: Shop) -> None:
    first, second = id_of(shop, "pays 0"), id_of(shop, "pays 1")

    text = page(shop, f"?as-unit={first}.{second}&add-unit=3")

    assert f'href="/p/{shop.project.slug}/shape?add-unit=3&amp;as-unit={second}#plan"' in text
    assert f'href="/p/{shop.project.slug}/shape?add-unit=3&amp;as-unit={first}#plan"' in text


def test_the_search_keeps_the_plan_and_finds_tests_to_mark(shop: Shop) -> None:
    text = page(shop, f"?q=buys&as-unit={id_of(shop, 'pays 0')}")

    offered = re.findall(r'<input type="checkbox" name="mark" value="(\d+)"', text)
    form = text[text.index('id="mark"') :]
    assert {int(one) for one in offered} == {id_of(shop, "buys 0"), id_of(shop, "buys 1")}
    assert f'<input type="hidden" name="as-unit" value="{id_of(shop, "pays 0")}">' in form


def test_too_many_marks_are_left_out_and_said(shop: Shop) -> None:
    ids = [id_of(shop, "pays 0"), *range(1000, 1000 + MOST_MARKED + 1)]
    browser = shop.browser()

    response = browser.get(
        f"/p/{shop.project.slug}/shape", {"mark": [str(one) for one in ids], "as": "unit"}, follow=True
    )

    text = response.content.decode()
    assert len(urlsplit(response.redirect_chain[0][0]).query) < 2_000
    assert f"A plan names at most {MOST_MARKED} tests, so 2 tests of it were left out." in text
    assert f"{MOST_MARKED - 1} marked tests did not run in this window and are not counted." in text


def test_marks_that_change_nothing_are_said(shop: Shop) -> None:
    text = page(shop, f"?as-unit={id_of(shop, 'adds 0')}.999")

    assert "1 marked test sits there already." in text
    assert "1 marked test did not run in this window and is not counted." in text
    assert "This plan makes" not in text


def test_nonsense_in_the_address_is_no_plan(shop: Shop) -> None:
    text = page(shop, "?as-unit=a..-1&mark-=x&e2e-to-unit=-3&add-unit=1e9&as-e2e=")

    assert "This plan makes" not in text


def test_rows_of_one_test_in_two_environments_move_once(shop: Shop) -> None:
    one, other = id_of(shop, "pays 0"), id_of(shop, "pays 1")
    base = Test.objects.get(project=shop.project, id=one).base
    Test.objects.filter(project=shop.project, id=other).update(base=base, variant="chromium")

    text = page(shop, f"?as-unit={one}.{other}")

    # 10 unit, 7 integration and 2 e2e tests, one of which moves.
    assert re.search(r'aria-label="The shape by count: e2e 11 %, integration 32 %, unit 58 %\."', text)


def test_a_trophy_is_told_of_its_foundation(shop: Shop) -> None:
    want(shop, target_kind=TargetKind.TROPHY)
    assert "No static checks lie underneath" in page(shop)

    Test.objects.filter(project=shop.project, name="adds 0").update(layer=Layer.STATIC)

    assert "1 static check lies underneath, 5 for every 100 tests." in page(shop)


def test_the_page_shows_twelve_weeks_and_leads_to_misfits(shop: Shop) -> None:
    text = page(shop, "?by=time")

    assert "Trend, 12 weeks" in text
    assert 'aria-current="true">time</a>' in text
    assert "No test is slow for its layer and shows a second sign of another one." in text


def test_a_suite_without_times_has_no_shape_by_time_and_says_so() -> None:
    shop = a_shop("Web")
    record(
        shop, report(passed("adds", classname="tests.unit.Case", seconds=None)), branch="main", commit="a1"
    )

    text = page(shop)

    assert "No report said how long its tests took." in text
    assert "empty" not in text
    assert "Tests are listed here by the time they take, and none of these has one." in text


def test_a_shape_of_few_tests_says_how_much_one_test_is() -> None:
    shop = a_shop("Web")
    cases = [
        passed(name, classname=f"tests.{word}.Case")
        for name, word in (("a", "unit"), ("b", "unit"), ("c", "e2e"))
    ]
    record(shop, report(*cases), branch="main", commit="a1")

    text = page(shop)

    assert "<h1>Web is an hourglass.</h1>" in text
    assert "With 3 tests, each is 33 % of the shape" in text


def test_a_shape_of_twenty_tests_needs_no_such_words(shop: Shop) -> None:
    assert "of the shape: a few more" not in page(shop)
