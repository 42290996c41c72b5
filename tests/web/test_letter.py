"""The weekly letter on recorded runs: what it says, when it is built, and that it is built once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from projects import changes
from projects.models import Letter, LetterDelivery, Membership
from projects.vocabulary import Role
from reports import tasks, weekly
from reports.schedule import Days
from tests.factories import Shop, a_shop, failed, passed, record, report, retried

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)
WEEK = Days(date(2026, 3, 9), date(2026, 3, 15))
NEXT_WEEK = Days(date(2026, 3, 16), date(2026, 3, 22))


def run_on(shop: Shop, day: date, *cases: str, n: int = 0) -> None:
    """Record a run on the default branch on a day."""
    moment = datetime(day.year, day.month, day.day, 12, n, tzinfo=UTC)
    record(
        shop, report(*cases), run=f"{day}-{n}", commit=f"{day:%Y%m%d}{n:02}", started_at=moment.isoformat()
    )


def a_flaky_week(shop: Shop, days: Days) -> None:
    """Record a week in which a retry saves one test in one of three runs a day."""
    for offset in range(7):
        for n, pays in enumerate([passed("pays"), retried("pays"), passed("pays")]):
            run_on(shop, days.since + timedelta(days=offset), pays, passed("adds"), n=n)


def a_sound_week(shop: Shop, days: Days) -> None:
    """Record a week in which everything passes."""
    for offset in range(7):
        run_on(shop, days.since + timedelta(days=offset), passed("pays"), passed("adds"))


def test_a_week_of_retries_asks_to_fix_the_flaky_test() -> None:
    shop = a_shop()
    a_flaky_week(shop, WEEK)

    letter = weekly.build(shop.project, WEEK)

    assert [asked.title for asked in letter.asked] == ["Cart › pays"]
    assert letter.subject == "Shop: 1 new flaky test (week 11)"
    assert letter.sections[0].lines[0].url.endswith(f"/p/shop/tests/{letter.asked[0].test_id}")


def test_last_weeks_test_without_a_flake_since_counts_as_done() -> None:
    shop = a_shop()
    a_flaky_week(shop, WEEK)
    weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)
    a_sound_week(shop, NEXT_WEEK)

    letter = weekly.build(shop.project, NEXT_WEEK)

    assert letter.sections[0].title == "Asked last week: 1 of 1 done"
    assert letter.asked == ()


def test_last_weeks_test_that_flakes_on_is_asked_for_again() -> None:
    shop = a_shop()
    a_flaky_week(shop, WEEK)
    weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)
    a_flaky_week(shop, NEXT_WEEK)

    letter = weekly.build(shop.project, NEXT_WEEK)

    assert letter.sections[0].title == "Asked last week: 0 of 1 done"
    assert letter.sections[0].lines[0].detail.startswith("still flaky")
    assert [asked.n_weeks for asked in letter.asked] == [2]


def test_last_weeks_test_that_fails_always_is_told_as_broken() -> None:
    shop = a_shop()
    a_flaky_week(shop, WEEK)
    weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)
    for offset in range(7):
        for n in range(4):
            run_on(shop, NEXT_WEEK.since + timedelta(days=offset), failed("pays"), passed("adds"), n=n)

    letter = weekly.build(shop.project, NEXT_WEEK)

    assert letter.sections[0].lines[0].detail == "no longer flaky: it fails always"


def test_a_sound_week_is_one_line() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)

    letter = weekly.build(shop.project, WEEK)

    assert letter.is_calm
    assert letter.verdict.startswith("A calm week: 7 runs of 2 tests, 100 % passed")


def test_results_outside_the_seven_days_stay_out() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    run_on(shop, date(2026, 3, 8), failed("pays"))
    run_on(shop, date(2026, 3, 16), failed("pays"))

    letter = weekly.build(shop.project, WEEK)

    assert letter.verdict.startswith("A calm week: 7 runs")


def test_a_week_without_runs_builds_no_letter() -> None:
    shop = a_shop()
    run_on(shop, date(2026, 3, 3), passed("adds"))

    assert weekly.due_letter(shop.project, now=MONDAY) is None
    assert not Letter.objects.exists()


def test_two_beats_build_one_letter() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)

    first = weekly.due_letter(shop.project, now=MONDAY)
    second = weekly.due_letter(shop.project, now=MONDAY + timedelta(minutes=5))

    assert first is not None
    assert second is None
    assert LetterDelivery.objects.count() == 1


def test_two_workers_at_one_moment_keep_one_letter() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    issue = weekly.issue(shop.project, WEEK)

    kept = [weekly.keep(shop.project, issue, days=WEEK, now=MONDAY) for _ in range(2)]

    assert [one is not None for one in kept] == [True, False]
    assert LetterDelivery.objects.count() == 1


def test_another_sending_day_does_not_tell_a_day_twice() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    a_sound_week(shop, NEXT_WEEK)
    weekly.due_letter(shop.project, now=MONDAY)
    changes.set_fields(shop.project, letter_weekday=2)
    shop.project.refresh_from_db()

    wednesday = weekly.due_letter(shop.project, now=MONDAY + timedelta(days=2))
    next_wednesday = weekly.due_letter(shop.project, now=MONDAY + timedelta(days=9))

    assert wednesday is None
    assert next_wednesday is not None


def test_only_readers_who_want_it_and_have_an_address_get_a_delivery() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    unwilling, nameless, gone = (shop.member(Role.VIEWER) for _ in range(3))
    Membership.objects.filter(user=unwilling).update(wants_letter=False)
    User.objects.filter(pk=nameless.pk).update(email="")
    User.objects.filter(pk=gone.pk).update(is_active=False)

    weekly.due_letter(shop.project, now=MONDAY)

    assert [row.user for row in LetterDelivery.objects.all()] == [shop.owner]


def test_a_project_that_sends_no_letter_builds_none() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    changes.set_fields(shop.project, sends_letter=False)
    shop.project.refresh_from_db()

    assert weekly.due_letter(shop.project, now=MONDAY) is None


def test_building_a_letter_costs_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    shop = a_shop()
    a_flaky_week(shop, WEEK)

    with django_assert_max_num_queries(40):
        weekly.build(shop.project, WEEK)


def test_the_delivery_task_sends_and_a_second_call_finds_nothing_to_do(mailoutbox: list[object]) -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    letter = weekly.keep(shop.project, weekly.issue(shop.project, WEEK), days=WEEK, now=MONDAY)
    assert letter is not None

    tasks.deliver_letter(letter_id=letter.pk)
    tasks.deliver_letter(letter_id=letter.pk)

    assert len(mailoutbox) == 1


def test_the_beat_rings_for_due_projects_alone(
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[list[object]]],
) -> None:
    due, told, silent = a_shop("Due"), a_shop("Told"), a_shop("Silent")
    yesterday = timezone.now() - timedelta(days=1)
    for shop in (due, told):
        changes.set_fields(shop.project, letter_weekday=yesterday.weekday(), letter_hour=yesterday.hour)
    changes.set_fields(silent.project, sends_letter=False)
    Letter.objects.create(
        project=told.project,
        week_on=yesterday.date() - timedelta(days=7),
        built_at=yesterday,
        subject="",
        html="",
        text="",
    )

    with django_capture_on_commit_callbacks() as rung:
        tasks.send_due_letters()

    assert len(rung) == 1


def test_the_preview_is_a_document_with_a_policy_of_its_own() -> None:
    shop = a_shop()

    answer = shop.browser().get("/p/shop/reports/weekly")

    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "script" not in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_the_preview_is_there_as_text_too() -> None:
    answer = a_shop().browser().get("/p/shop/reports/weekly?as=text")

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_sent_letter_stays_in_the_archive() -> None:
    shop = a_shop()
    a_sound_week(shop, WEEK)
    weekly.due_letter(shop.project, now=MONDAY)

    page = shop.browser().get("/p/shop/settings/reports").content.decode()
    answer = shop.browser().get("/p/shop/reports/weekly/2026-03-09")

    assert "/p/shop/reports/weekly/2026-03-09" in page
    assert "A calm week" in answer.content.decode()


@pytest.mark.parametrize("path", ["/p/shop/reports/weekly", "/p/shop/reports/weekly/2026-03-09"])
def test_letters_are_for_members_only(path: str) -> None:
    shop = a_shop()
    stranger = a_shop("Other").owner

    assert shop.browser(stranger).get(path).status_code == 404
    assert Client().get(path).status_code == 302


def test_send_me_one_now_sends_to_the_one_who_asks(mailoutbox: list[object]) -> None:
    shop = a_shop()
    viewer = shop.member(Role.VIEWER)
    member = Membership.objects.get(user=viewer)

    tasks.send_sample(membership_id=member.pk)

    (mail,) = mailoutbox
    assert getattr(mail, "to", None) == [viewer.email]
    assert not Letter.objects.exists()
