"""The policy mutes the dearest flaky tests, within its limits and no longer than they are flaky; off, it does nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from analysis import muting, queries
from analysis.muting import Candidate, Limits, chosen
from projects import care
from projects.models import Flake, MutingPolicy, Quarantine, Remark, Test
from projects.vocabulary import FlakeStatus, Role
from tests.factories import Shop, a_history, a_shop, a_test_named

pytestmark = pytest.mark.django_db

FIELDS = {
    "is_on": "on",
    "least_p": "0.8",
    "least_minutes": "0",
    "most_tests": "3",
    "most_percent": "100",
    "n_days": "7",
    "developer_minutes": "10",
}


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project with a flaky test, and one that is not."""
    shop = a_shop("Web")
    a_history(shop, "..R.R..R.R.")
    a_history(shop, ".....", name="stays")
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def save(shop: Shop, **fields: str) -> str:
    """Send the form and return the page that it leads to, with plain spaces."""
    response = shop.browser().post(
        f"/p/{shop.project.slug}/settings/muting", {**FIELDS, **fields}, follow=True
    )
    return response.content.decode().replace("\u202f", " ").replace("\u00a0", " ")


def muted(shop: Shop) -> list[int]:
    """Return the tests that are muted now."""
    return list(
        Quarantine.objects.filter(project=shop.project, ended_at=None).values_list("test_id", flat=True)
    )


def become(shop: Shop, status: FlakeStatus) -> None:
    """Let the flaky test have another status."""
    test_id = a_test_named(shop, "adds").id
    Test.objects.filter(project=shop.project, id=test_id).update(flake_status=status)
    Flake.objects.filter(project=shop.project, test_id=test_id).update(status=status)


def test_the_dearest_come_first_and_no_more_than_are_allowed() -> None:
    candidates = [
        Candidate(1, 0.99, 40),
        Candidate(2, 0.99, 90),
        Candidate(3, 0.7, 500),
        Candidate(4, 1.0, 5),
    ]

    found = chosen(candidates, limits=Limits(0.95, 30, most=5), n_muted=0)

    assert [one.test_id for one in found] == [2, 1]
    assert [one.test_id for one in chosen(candidates, limits=Limits(0.95, 30, most=5), n_muted=4)] == [2]
    assert chosen(candidates, limits=Limits(0.95, 30, most=5), n_muted=9) == []


def test_nothing_is_muted_until_somebody_switches_it_on(shop: Shop) -> None:
    assert muting.apply(shop.project, now=timezone.now()) == (0, 0)

    save(shop, is_on="")

    assert muted(shop) == []


def test_switched_on_it_mutes_the_flaky_test_for_its_days_and_says_why(shop: Shop) -> None:
    text = save(shop)

    assert "1 test is muted now" in text
    kept = Quarantine.objects.get(project=shop.project)
    assert kept.test_id == a_test_named(shop, "adds").id
    assert kept.until_on == timezone.now().date() + timedelta(days=7)
    assert kept.is_by_policy
    assert "Its failures are flakes with P = " in kept.reason
    (row,) = queries.quarantine(shop.project, today=timezone.now().date())
    assert row.by == "policy"


def test_who_changed_the_policy_is_kept(shop: Shop) -> None:
    text = save(shop)

    remark = Remark.objects.get(project=shop.project, test_id=None)
    assert remark.by == shop.owner
    assert remark.sentence.startswith("switched muting by policy on; set least minutes to 0")
    assert "switched muting by policy on" in text


def test_a_share_of_the_suite_bounds_it(shop: Shop) -> None:
    save(shop, most_percent="40")

    assert muted(shop) == []  # 40 % of two tests is none


def test_it_ends_when_the_test_is_fixed(shop: Shop) -> None:
    save(shop)
    become(shop, FlakeStatus.FIXED)

    assert muting.apply(shop.project, now=timezone.now()) == (0, 1)

    assert muted(shop) == []
    assert Remark.objects.filter(sentence="ended the quarantine: the test is fixed", by=None).exists()


def test_switching_it_off_ends_what_it_muted_and_nothing_else(shop: Shop) -> None:
    other = a_test_named(shop, "stays").id
    care.mute(shop.project, other, reason="known", n_days=3, by=shop.owner, now=timezone.now())
    save(shop)

    text = save(shop, is_on="")

    assert muted(shop) == [other]
    assert "1 quarantine ended" in text


def test_failures_of_a_muted_test_are_counted_as_before(shop: Shop) -> None:
    path = f"/p/{shop.project.slug}/flaky"
    before = shop.browser().get(path).context["totals"]
    save(shop)

    after = shop.browser().get(path).context["totals"]

    assert after == before


def test_viewers_see_it_and_may_not_change_it(shop: Shop) -> None:
    viewer = shop.browser(shop.member(Role.VIEWER))
    path = f"/p/{shop.project.slug}/settings/muting"

    assert viewer.get(path).status_code == 200
    assert viewer.post(path, FIELDS).status_code == 403
    assert not MutingPolicy.objects.exists()


@pytest.mark.parametrize(
    "fields", [{"n_days": "91"}, {"least_p": "1.1"}, {"most_percent": "x"}, {"most_tests": "0"}]
)
def test_what_makes_no_sense_is_refused(shop: Shop, fields: dict[str, str]) -> None:
    response = shop.browser().post(f"/p/{shop.project.slug}/settings/muting", FIELDS | fields)

    assert response.status_code == 422
    assert not MutingPolicy.objects.exists()
