"""Letters by owner on recorded runs: who gets which version, each reader one letter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from typing import TypeVar

import pytest
from django.db.models import Model, QuerySet
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from analysis import owning
from projects import care, changes, code_owners, subscribing
from projects.models import (
    Event,
    Flake,
    LetterAddress,
    LetterDelivery,
    LetterVersion,
    Membership,
    Test,
    TestDay,
)
from projects.vocabulary import EventKind, Role
from reports import delivery, forgetting, weekly
from reports.schedule import Days
from tests.factories import Shop, a_shop, a_test_named, passed, record, report, retried
from tests.flaky_weeks import a_week_of_two_flaky_tests
from tests.mail import Mailbox, mail_server

pytestmark = pytest.mark.django_db

M = TypeVar("M", bound=Model)

WEEK = Days(date(2026, 3, 9), date(2026, 3, 15))
NEXT_WEEK = Days(date(2026, 3, 16), date(2026, 3, 22))
MONDAY = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    with mail_server() as server:
        settings.EMAIL_BACKEND = "reports.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.DEFAULT_FROM_EMAIL = "Trophycase <letters@t.example>"
        settings.BASE_URL = "https://t.example"
        yield server


@pytest.fixture(scope="module")
def kept_shop(rows_of_the_module: None) -> Shop:
    """Return a project with a week of two flaky tests."""
    shop = a_shop()
    a_week_of_two_flaky_tests(shop, WEEK)
    return shop


@pytest.fixture
def shop(kept_shop: Shop, db: None) -> Shop:
    """Return the module's project, for a test to do with as it likes."""
    return kept_shop.again()


def sent(shop: Shop, *, days: Days = WEEK, now: datetime = MONDAY) -> None:
    """Build the letter of a week and hand it over."""
    kept = weekly.keep(shop.project, weekly.issue(shop.project, days), days=days, now=now)
    assert kept is not None
    delivery.send(delivery.claim(kept.pk, now=now), now=now)


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_each_reader_gets_one_letter_with_their_own_tests_first(shop: Shop, mailbox: Mailbox) -> None:
    viewer = shop.member(Role.VIEWER)
    for email in (shop.owner.email, "checkout@list.example"):
        subscribing.add_reader(shop.project, "@shop/checkout", email=email)
    subscribing.add_reader(shop.project, "@shop/other", email=shop.owner.email)

    sent(shop)

    texts = {to: text_of(mail) for to, mail in mailbox.taken}
    assert len(mailbox.taken) == 3
    assert texts[shop.owner.email].index("Checkout › pays") < texts[shop.owner.email].index("Parcel › ships")
    assert "1 of these is yours: @Shop/Checkout" in texts[shop.owner.email]
    assert "Parcel › ships" not in texts["checkout@list.example"]
    assert "yours" not in texts[viewer.email]


def many_alike(shop: Shop, name: str, *, n: int) -> list[int]:
    """Make tests that did what this one did, without recording each, and return their ids."""
    like = a_test_named(shop, name).id
    ids = list(range(like + 10, like + 10 + n))
    copy(Test.objects.filter(project=shop.project, id=like), "id", ids)
    copy(Flake.objects.filter(project=shop.project, test_id=like), "test_id", ids)
    copy(TestDay.objects.filter(project_id=shop.project.pk, test_id=like), "test_id", ids)
    return ids


def copy(rows: QuerySet[M], key: str, ids: Sequence[int]) -> None:
    """Keep rows once more for each id."""
    is_test = rows.model is Test
    rows.model._default_manager.bulk_create(
        rows.model(**{**row, key: number, **(_identity(number) if is_test else {})})
        for row in rows.values()
        for number in ids
    )


def _identity(number: int) -> dict[str, object]:
    return {"name": f"alike{number}", "fingerprint": number.to_bytes(16)}


def test_ones_own_tests_are_told_however_many_come_before(shop: Shop, mailbox: Mailbox) -> None:
    *_, last = many_alike(shop, "ships", n=230)
    care.set_note(shop.project, last, note="", owner="@shop/web", by=shop.owner, now=timezone.now())
    subscribing.add_reader(shop.project, "@shop/web", email="web@list.example")

    sent(shop)

    texts = {to: text_of(mail) for to, mail in mailbox.taken}
    assert "New flaky tests (1)" in texts["web@list.example"]
    assert f"alike{last}" in texts["web@list.example"]
    assert "New flaky tests (232)" in texts[shop.owner.email]


def test_codeowners_makes_readers_of_teams(mailbox: Mailbox) -> None:
    shop = a_shop()
    for offset in range(7):
        for n in range(2):
            make = retried if n else passed
            moment = f"2026-03-{9 + offset:02}T12:0{n}:00+00:00"
            cases = [make("pays", file="web/cart.py"), make("ships", file="depot/parcel.py")]
            record(shop, report(*cases), run=moment, commit=f"{offset}{n}", started_at=moment)
    code_owners.keep(shop.project, "/web/ @shop/web @ada\n", by=shop.owner, now=MONDAY)
    owning.own(shop.project.pk)
    subscribing.add_reader(shop.project, "@SHOP/Web", email="web@list.example")

    sent(shop)

    texts = {to: text_of(mail) for to, mail in mailbox.taken}
    assert "Only tests of @shop/web." in texts["web@list.example"]
    assert "pays" in texts["web@list.example"]
    assert "ships" not in texts["web@list.example"]


def test_who_has_the_owners_address_needs_no_row(shop: Shop, mailbox: Mailbox) -> None:
    bob = shop.member(Role.VIEWER)
    bob.email = "Bob@example.org"
    bob.save()

    sent(shop)

    texts = {to: text_of(mail) for to, mail in mailbox.taken}
    assert "1 of these is yours: bob@example.org." in texts["Bob@example.org"]


def test_an_address_that_only_a_report_names_gets_nothing(shop: Shop, mailbox: Mailbox) -> None:

    sent(shop)

    assert [to for to, _ in mailbox.taken] == [shop.owner.email]


def test_an_address_and_a_member_who_are_one_get_one_letter(shop: Shop, mailbox: Mailbox) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email="bob@example.org")
    bob = shop.member(Role.VIEWER)
    bob.email = "bob@example.org"
    bob.save()

    sent(shop)

    mails = [text_of(mail) for to, mail in mailbox.taken if to == "bob@example.org"]
    assert len(mails) == 1
    assert "2 of these are yours: @Shop/Checkout, bob@example.org." in mails[0]


def test_readers_of_the_same_owners_share_a_version(shop: Shop) -> None:
    for email in (shop.owner.email, shop.member(Role.VIEWER).email):
        subscribing.add_reader(shop.project, "@shop/checkout", email=email)

    weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)

    assert LetterVersion.objects.count() == 1
    assert LetterDelivery.objects.exclude(version=None).count() == 2


def test_a_reader_of_their_own_tests_and_of_changes_gets_no_letter_in_their_calm_week(shop: Shop) -> None:
    Membership.objects.filter(user=shop.owner).update(only_own=True, only_changes=True)

    kept = weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)

    assert kept is not None
    assert not LetterDelivery.objects.exists()


def test_each_version_remembers_what_it_asked_for(shop: Shop) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)
    a_week_of_two_flaky_tests(shop, NEXT_WEEK)

    issue = weekly.issue(shop.project, NEXT_WEEK)

    (version,) = issue.versions.values()
    assert version.sections[0].title == "Asked last week: 0 of 1 done"
    assert [(one.title, one.n_weeks) for one in version.asked] == [("Checkout › pays", 2)]
    assert issue.letter.sections[0].title == "Asked last week: 0 of 2 done"


def test_an_address_stops_its_letter_with_one_click_and_the_others_keep_theirs(
    shop: Shop, mailbox: Mailbox
) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    sent(shop)
    mail = next(mail for to, mail in mailbox.taken if to == "checkout@list.example")
    way_out = mail["List-Unsubscribe"].strip(" <>").removeprefix("https://t.example")
    asked = Client().get(way_out).content.decode()

    Client(enforce_csrf_checks=True).post(way_out, {"List-Unsubscribe": "One-Click"})

    assert "Nothing about Shop would be sent to checkout@list.example any more." in asked
    assert not LetterAddress.objects.get().wants_letter
    assert [reader.email for reader in weekly.issue(shop.project, NEXT_WEEK).readers] == [shop.owner.email]


def test_an_address_that_is_refused_for_good_is_marked(shop: Shop, mailbox: Mailbox) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    mailbox.refused = "checkout@list.example"

    sent(shop)

    assert LetterAddress.objects.get().refused.startswith("550")
    assert [to for to, _ in mailbox.taken] == [shop.owner.email]


def test_muting_that_ends_soon_is_in_the_letter(shop: Shop) -> None:
    test_id = a_test_named(shop, "ships").id
    care.mute(
        shop.project, test_id, reason="new carrier", n_days=10, by=shop.owner, now=MONDAY - timedelta(5)
    )

    soon = weekly.build(shop.project, WEEK)
    later = weekly.build(shop.project, Days(date(2026, 3, 2), date(2026, 3, 8)))

    assert "Muting ends within a week (1)" in [section.title for section in soon.sections]
    assert "Muting ends within a week (1)" not in [section.title for section in later.sections]


def test_the_sent_version_stays_in_the_archive(shop: Shop, mailbox: Mailbox) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    sent(shop)
    version = LetterVersion.objects.get()
    stranger = a_shop("Other")

    own = shop.browser().get(f"/p/shop/reports/weekly/2026-03-09?version={version.pk}")
    unknown = shop.browser().get("/p/shop/reports/weekly/2026-03-09?version=x")
    others = stranger.browser().get(f"/p/shop/reports/weekly/2026-03-09?version={version.pk}")
    listed = shop.browser().get("/p/shop/settings/reports").content.decode()

    assert "Only tests of @Shop/Checkout." in own.content.decode()
    assert (unknown.status_code, others.status_code) == (404, 404)
    assert f"?version={version.pk}" in listed


def test_versions_cost_no_further_questions(
    shop: Shop, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(5):
        subscribing.add_reader(shop.project, "@shop/checkout", email=f"a{n}@list.example")
        subscribing.add_reader(shop.project, f"@shop/{n}", email=f"a{n}@list.example")

    with django_assert_max_num_queries(24):
        issue = weekly.issue(shop.project, WEEK)

    assert len(issue.versions) == 5


def test_old_events_go_after_the_projects_own_period_in_bounded_batches() -> None:
    long, short = a_shop("Long"), a_shop("Short")
    changes.set_fields(short.project, keep_told_days=30)
    for shop in (long, short):
        for days in (0, 31, 32, 33, 401):
            at = MONDAY - timedelta(days=days)
            Event.objects.create(project=shop.project, kind=EventKind.FLAKY, at=at, key="k", title=f"{days}")

    forgetting.forget_old(now=MONDAY, batch=1, most_batches=2)
    after_one_night = Event.objects.count()
    forgetting.forget_old(now=MONDAY, batch=2)

    titles: dict[str, list[str]] = {"Long": [], "Short": []}
    for event in Event.objects.select_related("project").order_by("-at"):
        titles[event.project.name].append(event.title)
    assert after_one_night == 8
    assert titles == {"Long": ["0", "31", "32", "33"], "Short": ["0"]}


def test_old_letters_go_with_versions_and_deliveries_in_batches(shop: Shop) -> None:
    subscribing.add_reader(shop.project, "@shop/checkout", email="checkout@list.example")
    for weeks in (0, 1):
        days = Days(WEEK.since + timedelta(weeks=weeks), WEEK.until + timedelta(weeks=weeks))
        issue = weekly.issue(shop.project, WEEK)
        weekly.keep(shop.project, issue, days=days, now=MONDAY + timedelta(weeks=weeks))

    forgetting.forget_old(now=MONDAY + timedelta(days=401), batch=1)

    kept = LetterDelivery.objects.select_related("letter")
    assert {row.letter.week_on for row in kept} == {NEXT_WEEK.since}
    assert LetterVersion.objects.count() == 1
    assert Flake.objects.exists()
