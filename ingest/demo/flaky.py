"""The demo's flaky tests: which test, from which cause, how often, and whether its producer tries again.

Knows chances, not outcomes; the story throws the dice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ingest.demo import failures
from ingest.demo.failures import Worded
from ingest.demo.suite import DAYS, DemoTest, Group, test_named

FIXED_ON_DAY = DAYS - 28  # quiet for four weeks
WINDOWS, LINUX = "windows-2022", "ubuntu-24.04"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a flaky test may depend on."""

    day: int
    is_nightly: bool
    environment: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Flaky:
    """One unreliable test: its cause in words, its wording, its chance to fail on a first try."""

    test: DemoTest
    cause: str
    worded: Worded
    chance: float
    n_retries: int = 0  # by the producer, within one report
    only_nightly: bool = False  # the nightly run starts shortly before midnight
    only_environment: str = ""
    predecessor: DemoTest | None = None  # fails only when this one has run just before
    quiet_from_day: int = DAYS

    def chance_in(self, now: Circumstances) -> float:
        """Return the chance to fail under the circumstances."""
        if now.day >= self.quiet_from_day or not self.test.exists_on(now.day):
            return 0.0
        if self.only_nightly and (not now.is_nightly or now.attempt > 1):
            return 0.0
        if self.only_environment not in ("", now.environment):
            return 0.0
        return self.chance


@cache
def flaky_tests() -> tuple[Flaky, ...]:
    """Return all of them; their causes are as different as in life."""
    return (*_retried_by_the_producer(), *_seen_by_a_rerun_of_the_job())


def _retried_by_the_producer() -> tuple[Flaky, ...]:
    def journey(name: str, cause: str, worded: Worded, *, chance: float) -> Flaky:
        return Flaky(test_named(Group.E2E, name), cause, worded, chance, n_retries=2)

    def java(group: Group, name: str, cause: str, worded: Worded, *, chance: float) -> Flaky:
        return Flaky(test_named(group, name), cause, worded, chance, n_retries=2)

    pay, count = "Checkout › desktop › guest pays by card", "Cart › desktop › change a quantity"
    suggest, pause = "Search › desktop › suggest while typing", "Subscriptions › desktop › pause"
    capture, consume = "capturesAuthorisedPayment", "consumesOrderCancelled"
    return (
        journey(pay, "timeout waiting for a selector", failures.selector_timed_out, chance=0.09),
        journey(count, "race with the debounce", failures.count_is_stale, chance=0.05),
        journey(suggest, "element detached", failures.row_is_detached, chance=0.06),
        journey(pause, "connection reset", failures.connection_reset, chance=0.05),
        java(Group.JAVA_UNIT, "concurrentPutsKeepOneEntry", "race", failures.lost_update, chance=0.07),
        java(Group.JAVA_INTEGRATION, capture, "503 of a sandbox", failures.sandbox_unavailable, chance=0.08),
        java(Group.JAVA_INTEGRATION, consume, "queue not ready", failures.event_not_consumed, chance=0.08),
    )


def _seen_by_a_rerun_of_the_job() -> tuple[Flaky, ...]:
    unit, integration, front = Group.BACKEND_UNIT, Group.BACKEND_INTEGRATION, Group.FRONTEND
    stock = test_named(integration, "test_released_stock_can_be_reserved_again")
    predecessor = test_named(integration, "test_nightly_import_creates_warehouses")
    baskets = test_named(integration, "test_two_baskets_cannot_reserve_the_last_item")
    mail, export = "test_mail_task_is_retried_once", "test_export_runs_in_the_background"
    browser = "test_page_renders_in_a_browser[basket]"
    tomorrow = test_named(unit, "test_estimate_says_tomorrow_after_cutoff")
    disk = test_named(Group.WINDOWS, "writes through to disk")
    outbox = test_named(integration, "test_outbox_survives_a_reconnect")
    split = test_named(unit, "test_random_split_sums_to_the_total")
    rate = test_named(unit, "test_rate_of_the_day_is_parsed[JPY]")
    return (
        Flaky(stock, "shared state", failures.not_released_yet, 0.35, predecessor=predecessor),
        Flaky(baskets, "deadlock", failures.deadlock, 0.10, quiet_from_day=FIXED_ON_DAY),
        Flaky(test_named(integration, mail), "broker refuses", failures.broker_refused, 0.025),
        Flaky(test_named(integration, export), "database refuses", failures.database_refused, 0.03),
        Flaky(outbox, "sleep", failures.outbox_too_slow, 0.025),
        Flaky(tomorrow, "midnight", failures.not_tomorrow, 0.3, only_nightly=True),
        Flaky(split, "randomness", failures.cents_are_lost, 0.03),
        Flaky(test_named(integration, browser), "browser in disguise", failures.driver_lost_the_page, 0.02),
        Flaky(rate, "slow bank", failures.bank_too_slow, 0.012),
        Flaky(test_named(front, "closes after the debounce"), "real timer", failures.debounce_too_slow, 0.03),
        Flaky(disk, "busy file", failures.file_is_busy, 0.22, only_environment=WINDOWS),
    )
