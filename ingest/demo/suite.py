"""Which tests the demo project has on each of its ninety days, and how long each of them takes.

Knows nothing of runs, failures or XML: the story says what happens to these tests, the reports write it down.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache

from ingest.demo import names

DAYS = 90
SEED = "webshop"

SLOWED_ON_DAY = 64  # a commit removes the search index's cache; nothing fails, everything waits
SLOWED_FACTOR = 4.0
MOVED_ON_DAY = 56  # tests/unit/test_loyalty.py becomes tests/unit/customers/test_loyalty.py
RENAMED_ON_DAY = 70  # the component Spinner becomes ProgressRing
REMOVED_ON_DAY = 44  # voice search is given up
WISHLIST_ON_DAY = 30  # wishlists are built, with their tests

INTEGRATION_SECONDS = 284.0  # summed on the last day: just inside a budget of five minutes
E2E_SECONDS = 1100.0


class Group(Enum):
    """The parts of the suite that one producer writes into one kind of report."""

    BACKEND_UNIT = "backend unit"
    BACKEND_INTEGRATION = "backend integration"
    JAVA_UNIT = "java unit"
    JAVA_INTEGRATION = "java integration"
    FRONTEND = "frontend"
    WINDOWS = "windows"  # the hooks of the front once more, on Windows
    E2E = "e2e"
    ESLINT = "eslint"
    RUFF = "ruff"
    LOAD = "load"


@dataclass(frozen=True, eq=False, slots=True)
class DemoTest:
    """One test of the demo: what its producer calls it, how long it takes, and on which days it exists."""

    group: Group
    file: str
    classname: str
    name: str
    seconds: float
    added_on_day: int = 0
    removed_on_day: int = DAYS
    slowed_on_day: int = DAYS
    marker: str = ""
    skipped: str = ""

    def seconds_on(self, day: int) -> float:
        """Return the usual duration on that day."""
        return self.seconds * (SLOWED_FACTOR if day >= self.slowed_on_day else 1.0)

    def exists_on(self, day: int) -> bool:
        """True while the test is in the code base."""
        return self.added_on_day <= day < self.removed_on_day


def dice(*key: object) -> random.Random:
    """Return the random numbers that belong to this place of the story, the same every time."""
    return random.Random(":".join(map(str, (SEED, *key))))  # noqa: S311 - a story, not a secret


@cache
def tests_on(group: Group, day: int) -> tuple[DemoTest, ...]:
    """Return the tests of the group in the order in which they run that day."""
    return tuple(test for test in all_of(group) if test.exists_on(day))


def test_named(group: Group, name: str) -> DemoTest:
    """Return the latest test of that name in the group; the story speaks of tests by name."""
    return [test for test in all_of(group) if test.name == name][-1]


@cache
def all_of(group: Group) -> tuple[DemoTest, ...]:
    """Return every test that the group ever had; built once, so that one test is one object."""
    match group:
        case Group.BACKEND_UNIT:
            return tuple(sorted(_backend_unit(), key=_file))
        case Group.BACKEND_INTEGRATION:
            tests = tuple(sorted(_backend_integration(), key=_file))
            return _scaled(tests, total=INTEGRATION_SECONDS - _java_it_seconds())
        case Group.JAVA_UNIT:
            return tuple(_java_unit())
        case Group.JAVA_INTEGRATION:
            return tuple(_java_integration())
        case Group.FRONTEND:
            return tuple(_frontend())
        case Group.WINDOWS:
            hooks = (test for test in _frontend() if test.file.startswith("src/hooks/"))
            return tuple(replace(test, group=group) for test in hooks)
        case Group.E2E:
            return _scaled(tuple(_e2e()), total=E2E_SECONDS)
        case Group.ESLINT | Group.RUFF | Group.LOAD:
            return tuple(_without_durations(group))


def _file(test: DemoTest) -> str:
    """Order as pytest collects: file by file, within a file as they are written."""
    return test.file


def _scaled(tests: tuple[DemoTest, ...], *, total: float) -> tuple[DemoTest, ...]:
    """Stretch the durations so that the last day's sum is `total` seconds."""
    last_day = sum(test.seconds_on(DAYS - 1) for test in tests if test.exists_on(DAYS - 1))
    return tuple(replace(test, seconds=test.seconds * total / last_day) for test in tests)


def _java_it_seconds() -> float:
    return sum(test.seconds for test in all_of(Group.JAVA_INTEGRATION))


# The backend's tests, run by pytest


def _backend_unit() -> Iterator[DemoTest]:
    """Yield the tests of tests/unit, file by file."""
    random_numbers = dice("backend unit")
    for area, nouns in names.BACKEND.items():
        path = f"tests/unit/test_{area}.py"
        for noun in nouns:
            for claim in sorted(random_numbers.sample(names.UNIT_CLAIMS, 8)):
                seconds = random_numbers.lognormvariate(-5.6, 0.8)
                test = _python(Group.BACKEND_UNIT, path, f"test_{noun}_{claim}", seconds=seconds)
                yield from _with_its_past(test, area=area)
    yield from _odd_unit_tests()


def _with_its_past(test: DemoTest, *, area: str) -> Iterator[DemoTest]:
    """Yield the test; or its two lives, when its file was moved; or its late birth."""
    match area:
        case "loyalty":
            yield replace(test, removed_on_day=MOVED_ON_DAY)
            path = "tests/unit/customers/test_loyalty.py"
            moved = _python(test.group, path, test.name, seconds=test.seconds)
            yield replace(moved, added_on_day=MOVED_ON_DAY)
        case "wishlist":
            yield replace(test, added_on_day=WISHLIST_ON_DAY)
        case "reviews" if "photo" in test.name:
            yield replace(test, skipped="needs the image service, see the runbook")
        case _:
            yield test


def _odd_unit_tests() -> Iterator[DemoTest]:
    """Yield the unit tests with a reputation: flaky ones, misfits, long and foreign names."""
    group = Group.BACKEND_UNIT
    yield _python(
        group, "tests/unit/test_shipping.py", "test_estimate_says_tomorrow_after_cutoff", seconds=0.004
    )
    yield _python(
        group, "tests/unit/test_promotions.py", "test_random_split_sums_to_the_total", seconds=0.012
    )
    yield _python(
        group, "tests/unit/test_tax.py", "test_vat_of_a_mixed_basket_is_rounded_per_line", seconds=0.003
    )
    yield _python(group, "tests/unit/test_tax.py", "test_vat_of_a_gift_card_is_zero", seconds=0.002)
    yield _python(group, "tests/unit/test_invoices.py", "test_net_and_vat_add_up_to_gross", seconds=0.003)
    yield _python(
        group, "tests/unit/test_invoices.py", "test_legacy_number_range_is_continued", seconds=0.002
    )
    for currency in ("CHF", "JPY", "PLN", "SEK", "USD"):  # a unit test that really asks a bank over httpx
        name = f"test_rate_of_the_day_is_parsed[{currency}]"
        yield _python(group, "tests/unit/test_exchange_rates.py", name, seconds=1.5)
    for claim in (
        "groups_by_month",
        "skips_test_orders",
        "joins_refunds",
        "fills_empty_days",
        "ranks_products",
    ):
        # lives in tests/unit and talks to PostgreSQL all the same
        yield _python(group, "tests/unit/test_sales_report.py", f"test_sales_report_{claim}", seconds=0.26)
    yield from _oddly_named()


def _oddly_named() -> Iterator[DemoTest]:
    group = Group.BACKEND_UNIT
    for title in (
        "K\\xe4sesp\\xe4tzle",
        "\\u05e9\\u05dc\\u05d5\\u05dd",
        "\\u5bff\\u53f8",
        "a" * 180,
        "Fish & <Chips>",
    ):
        yield _python(group, "tests/unit/test_catalog.py", f"test_slug_of_title[{title}]", seconds=0.001)
    for number in range(12):  # too quick for three decimals: these are written as 0.000
        name = f"test_luhn_check_digit[{4000 + number}]"
        yield _python(group, "tests/unit/test_identity.py", name, seconds=0.0002)


def _backend_integration() -> Iterator[DemoTest]:
    """Yield the tests of tests/integration and tests/api, more of them every few weeks."""
    random_numbers = dice("backend integration")
    group = Group.BACKEND_INTEGRATION
    for position, (area, nouns) in enumerate(names.BACKEND.items()):
        slowed = SLOWED_ON_DAY if area == "search" else DAYS
        for noun in nouns[:2]:
            for step, claim in enumerate(names.INTEGRATION_CLAIMS):
                seconds = random_numbers.lognormvariate(-0.5, 0.6)
                path, name = f"tests/integration/test_{area}_store.py", f"test_{noun}_{claim}"
                added = position * 4 + 10 if step == 6 else 0
                test = _python(group, path, name, seconds=seconds)
                yield replace(test, added_on_day=added, slowed_on_day=slowed)
            claim = names.API_CLAIMS[position % len(names.API_CLAIMS)]
            seconds = random_numbers.lognormvariate(-0.9, 0.5)
            test = _python(group, f"tests/api/test_{area}.py", f"test_{noun}_{claim}", seconds=seconds)
            added = WISHLIST_ON_DAY if area == "wishlist" else 0
            yield replace(test, marker="integration", slowed_on_day=slowed, added_on_day=added)
    yield from _odd_integration_tests()


def _odd_integration_tests() -> Iterator[DemoTest]:
    """Yield the integration tests with a reputation."""
    group = Group.BACKEND_INTEGRATION
    stock, queue = "tests/integration/test_stock_reservations.py", "tests/integration/test_task_queue.py"
    yield _python(group, stock, "test_nightly_import_creates_warehouses", seconds=0.9)
    yield _python(group, stock, "test_released_stock_can_be_reserved_again", seconds=0.6)
    yield _python(group, stock, "test_two_baskets_cannot_reserve_the_last_item", seconds=0.8)
    yield _python(group, "tests/integration/test_outbox.py", "test_outbox_survives_a_reconnect", seconds=0.7)
    yield _python(group, queue, "test_mail_task_is_retried_once", seconds=1.1)
    yield _python(group, queue, "test_export_runs_in_the_background", seconds=0.8)
    for page in ("home", "basket", "receipt"):  # an integration test that starts a browser
        name = f"test_page_renders_in_a_browser[{page}]"
        yield _python(group, "tests/integration/test_rendered_pages.py", name, seconds=5.5)


def _python(group: Group, path: str, name: str, *, seconds: float) -> DemoTest:
    return DemoTest(group, path, path.removesuffix(".py").replace("/", "."), name, seconds)


# Payment service: Maven surefire and failsafe


def _java_unit() -> Iterator[DemoTest]:
    random_numbers = dice("java unit")
    for subject, matters in names.JAVA.items():
        classname = f"com.webshop.payments.{subject}Test"
        for matter in matters:
            for claim in names.JAVA_CLAIMS:
                yield _java(classname, claim.format(matter), seconds=random_numbers.lognormvariate(-4.9, 0.9))
    yield _java("com.webshop.payments.IdempotencyCacheTest", "concurrentPutsKeepOneEntry", seconds=0.21)
    yield _java("com.webshop.payments.RefundServiceTest", "refundsForeignCurrencyAtTheOldRate", seconds=0.03)
    skipped = _java("com.webshop.payments.SettlementFileTest", "readsTheFormatOf2019", seconds=0.0)
    yield replace(skipped, skipped="the bank has switched it off")


def _java_integration() -> Iterator[DemoTest]:
    random_numbers = dice("java integration")
    for subject, methods in names.JAVA_INTEGRATION.items():
        for method in methods:
            seconds = random_numbers.lognormvariate(-0.1, 0.5)
            test = _java(f"com.webshop.payments.it.{subject}", method, seconds=seconds)
            yield replace(test, group=Group.JAVA_INTEGRATION)


def _java(classname: str, name: str, *, seconds: float) -> DemoTest:
    return DemoTest(Group.JAVA_UNIT, f"TEST-{classname}.xml", classname, name, seconds)


# Front: jest, eslint


def _components() -> Iterator[tuple[str, str, int, int]]:
    """Yield folder, component, and the days on which it came and went."""
    for folder, components in names.FRONTEND.items():
        for component in components:
            match component:
                case "Spinner":
                    yield folder, "Spinner", 0, RENAMED_ON_DAY
                    yield folder, "ProgressRing", RENAMED_ON_DAY, DAYS
                case "VoiceSearch":
                    yield folder, component, 0, REMOVED_ON_DAY
                case _:
                    yield folder, component, 0, DAYS


def _frontend() -> Iterator[DemoTest]:
    random_numbers = dice("frontend")
    for folder, component, first, gone in _components():
        path = f"src/{folder}/{component}.test.tsx"
        for claim in names.FRONTEND_CLAIMS:
            seconds = random_numbers.lognormvariate(-3.9, 0.7)
            yield DemoTest(Group.FRONTEND, path, component, claim, seconds, first, gone)
    yield from _odd_frontend_tests()


def _odd_frontend_tests() -> Iterator[DemoTest]:
    """Yield the front's tests with a reputation, and those that are hard to print."""
    group, money = Group.FRONTEND, "src/i18n/moneyFormat.test.tsx"
    autocomplete = "src/search/Autocomplete.test.tsx"
    yield DemoTest(group, autocomplete, "Autocomplete", "closes after the debounce", 0.32)
    yield DemoTest(
        group, "src/hooks/useLocalStorage.test.tsx", "useLocalStorage", "writes through to disk", 0.06
    )
    for locale, price in (
        ("ar-EG", "١٬٢٣٤٫٥٠ ج.م."),
        ("he-IL", "‏1,234.50 ₪"),
        ("ja-JP", "¥1,235"),
        ("de-CH", "CHF 1’234.50"),
    ):
        yield DemoTest(group, money, "moneyFormat", f"prints {price} for {locale}", 0.004)
    yield DemoTest(group, money, "moneyFormat", "مرحبا: يعرض السعر من اليمين إلى اليسار", 0.005)
    yield DemoTest(group, money, "moneyFormat", "emoji 🛒 and a “quoted” <b>price</b> & more", 0.004)
    long_name = (
        "given " + ", and ".join(f"line {n} with {n} pieces at {n}.99" for n in range(1, 16)) + ", adds up"
    )
    yield DemoTest(group, "src/cart/CartLine.test.tsx", "CartLine", long_name, 0.03)
    yield DemoTest(
        group, "src/ui/Dialog.test.tsx", "Dialog", "traps the focus in Safari", 0.0, skipped="todo"
    )


def _without_durations(group: Group) -> Iterator[DemoTest]:
    """Yield what the linters and the load test report: verdicts without a time."""
    if group is Group.RUFF:
        yield DemoTest(group, "ruff", "ruff", "No errors found", 0.0)
    elif group is Group.LOAD:
        yield from (DemoTest(group, "k6 thresholds", "", name, 0.0) for name in names.THRESHOLDS)
    else:
        yield from _eslint()


def _eslint() -> Iterator[DemoTest]:
    home = "/home/runner/work/webshop/webshop/frontend"
    for folder, component, first, gone in _components():
        path = f"{home}/src/{folder}/{component}.tsx"
        classname = path.removesuffix(".tsx")
        yield DemoTest(Group.ESLINT, path, classname, path, 0.0, first, gone)


# Browser journeys: Playwright


def _e2e() -> Iterator[DemoTest]:
    """Yield the journeys: on a desktop from the start, then week by week on phones and tablets."""
    random_numbers = dice("e2e")
    written = 0
    for path, (title, journeys) in names.JOURNEYS.items():
        for viewport_position, viewport in enumerate(names.VIEWPORTS):
            for step, journey in enumerate(journeys):
                if viewport == "tablet" and step % 2:
                    continue
                written += 1
                added = 0 if viewport_position == 0 else min(DAYS - 4, 3 + (written * 37) % 84)
                if viewport == "phone" and step < 2:
                    added = 0
                seconds = random_numbers.lognormvariate(2.0, 0.45) * (1 + 0.25 * viewport_position)
                slowed = SLOWED_ON_DAY if journey == "filter by size" else DAYS
                name = f"{title} › {viewport} › {journey}"
                test = DemoTest(Group.E2E, path, path, name, seconds, added, DAYS, slowed)
                yield replace(test, skipped="fixme") if journey == "by voice" else test
