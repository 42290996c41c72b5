"""A week in which two tests of two owners flake, as the tests of letters by owner read it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from projects import care
from reports.schedule import Days
from tests.factories import Shop, a_test_named, passed, record, report, retried


def a_week_of_two_flaky_tests(shop: Shop, days: Days) -> None:
    """Record a week in which retries save "pays" and "ships"; the first is checkout's, the second bob's."""
    for offset in range(7):
        day = days.since + timedelta(days=offset)
        for n in range(3):
            moment = datetime(day.year, day.month, day.day, 12, n, tzinfo=UTC)
            make = retried if n == 1 else passed
            cases = [make("pays", classname="shop.Checkout"), make("ships", classname="shop.Parcel")]
            started_at = moment.isoformat()
            record(shop, report(*cases), run=started_at, commit=f"{day:%Y%m%d}{n:02}", started_at=started_at)
    now = timezone.now()
    for name, owner in (("pays", "@Shop/Checkout"), ("ships", "bob@example.org")):
        test_id = a_test_named(shop, name).id
        care.set_note(shop.project, test_id, note="", owner=owner, by=shop.owner, now=now)
