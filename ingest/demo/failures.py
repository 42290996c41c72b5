"""What the demo's failures say: one function for each thing that goes wrong.

Knows the message and its place, with numbers that differ each time; when it happens is the story's.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ingest.demo.wording import (
    WINDOWS_CHECKOUT,
    Wording,
    in_java,
    in_jest,
    in_playwright,
    in_python,
    in_setup,
)

Worded = Callable[[Random], Wording]

NO_DATABASE = (
    'connection failed: connection to server at "127.0.0.1", port 5432 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?"
)


# The flaky tests' failures


def database_refused(_: Random) -> Wording:
    """PostgreSQL is not up yet."""
    return in_setup("psycopg.OperationalError", NO_DATABASE, frame="webshop/db.py", line=58)


def not_released_yet(numbers: Random) -> Wording:
    """A predecessor left its warehouse behind."""
    code = numbers.choice(("HAM-1", "BER-2", "LEJ-1"))
    message = (
        'duplicate key value violates unique constraint "warehouse_code_key"\nDETAIL:  Key '
        f"(code)=({code}) already exists."
    )
    path, frame = (
        "tests/integration/test_stock_reservations.py",
        "webshop/inventory/store.py:112: in add_warehouse",
    )
    call = 'store.add_warehouse(code=code, city="Hamburg")'
    return in_python(
        "psycopg.errors.UniqueViolation", message, path=path, line=48, code=call, frames=(frame,)
    )


def deadlock(numbers: Random) -> Wording:
    """Two transactions lock the same rows in different order."""
    first, second = numbers.randrange(20000, 32000), numbers.randrange(20000, 32000)
    message = (
        f"deadlock detected\nDETAIL:  Process {first} waits for ShareLock on transaction "
        f"{first * 31}; blocked by process {second}.\n"
        f"Process {second} waits for ShareLock on transaction {second * 29}; blocked by process {first}."
    )
    path, frame = "tests/integration/test_stock_reservations.py", "webshop/inventory/store.py:140: in reserve"
    call = "reserve_in_two_threads(sku)"
    return in_python(
        "psycopg.errors.DeadlockDetected", message, path=path, line=91, code=call, frames=(frame,)
    )


def broker_refused(numbers: Random) -> Wording:
    """The task queue's broker does not answer."""
    message = f"Error 111 connecting to redis:6379. Connection refused. (attempt {numbers.randrange(2, 6)})"
    path, frame = "tests/integration/test_task_queue.py", "webshop/tasks/mail.py:37: in send_order_mail"
    call = "send_order_mail.delay(order.id)"
    return in_python(
        "kombu.exceptions.OperationalError", message, path=path, line=29, code=call, frames=(frame,)
    )


def outbox_too_slow(numbers: Random) -> Wording:
    """The test sleeps for a second and hopes."""
    path, seen = "tests/integration/test_outbox.py", numbers.randrange(0, 4)
    message = (
        f"[{', '.join(['sent'] * seen)}] == ['sent', 'sent', 'sent', 'sent']\n  Right contains "
        f"{4 - seen} more items"
    )
    worded = in_python(
        "assert", message, path=path, line=66, code="time.sleep(1.0); assert states() == ['sent'] * 4"
    )
    return Wording("", worded.message, worded.trace, seconds=3.2)


def not_tomorrow(numbers: Random) -> Wording:
    """The clock passes midnight between two readings."""
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    today = numbers.randrange(7)
    message = (
        f"'{days[(today + 2) % 7]}' == '{days[(today + 1) % 7]}'\n  +  where the clock read 00:00:0{today}"
    )
    code = "assert estimate.arrives_on.strftime('%A') == tomorrow.strftime('%A')"
    return in_python("assert", message, path="tests/unit/test_shipping.py", line=74, code=code)


def cents_are_lost(numbers: Random) -> Wording:
    """Random shares are rounded one by one."""
    total = numbers.randrange(900, 99000)
    message = (
        f"{total + numbers.choice((-1, 1))} == {total}\n  +  where {total} = sum of "
        f"{numbers.randrange(3, 9)} random shares"
    )
    code = "assert sum(split(total, shares)) == total"
    return in_python("assert", message, path="tests/unit/test_promotions.py", line=131, code=code)


def driver_lost_the_page(_: Random) -> Wording:
    """An integration test that starts a browser."""
    message = (
        'Message: no such element: Unable to locate element: {"method":"css '
        'selector","selector":"#basket-total"}\n'
        "  (Session info: chrome=131.0.6778.85)"
    )
    path = "tests/integration/test_rendered_pages.py"
    frames = (
        ".venv/lib/python3.12/site-packages/selenium/webdriver/remote/webdriver.py:770: in find_element",
    )
    exception, call = (
        "selenium.common.exceptions.NoSuchElementException",
        'driver.find_element(By.ID, "basket-total")',
    )
    return in_python(exception, message, path=path, line=36, code=call, frames=frames)


def bank_too_slow(numbers: Random) -> Wording:
    """A unit test waits for somebody else's server."""
    message = f"The read operation timed out after {numbers.choice((5, 5, 10))} seconds: https://api.bank.example/rates"
    path = "tests/unit/test_exchange_rates.py"
    frames = (
        "webshop/pricing/rates.py:22: in fetch",
        ".venv/lib/python3.12/site-packages/httpx/_client.py:914: in send",
    )
    worded = in_python(
        "httpx.ReadTimeout", message, path=path, line=17, code="rate = fetch(currency)", frames=frames
    )
    return Wording("", worded.message, worded.trace, seconds=5.02)


def report_without_database(_: Random) -> Wording:
    """A unit test that needs PostgreSQL."""
    path, frames = (
        "tests/unit/test_sales_report.py",
        ("webshop/reports/sales.py:31: in monthly", "webshop/db.py:58: in connect"),
    )
    return in_python(
        "psycopg.OperationalError",
        NO_DATABASE,
        path=path,
        line=23,
        code="rows = monthly(2026)",
        frames=frames,
    )


def lost_update(numbers: Random) -> Wording:
    """A race between two threads."""
    via = "com.webshop.payments.IdempotencyCache.put(IdempotencyCache.java:88)"
    return in_java(
        "org.opentest4j.AssertionFailedError",
        f"expected: <1> but was: <{numbers.randrange(2, 4)}>",
        classname="com.webshop.payments.IdempotencyCacheTest",
        method="concurrentPutsKeepOneEntry",
        line=64,
        via=via,
        is_error=False,
    )


def sandbox_unavailable(numbers: Random) -> Wording:
    """The payment provider's sandbox is down for a moment."""
    message = (
        "HTTP 503 Service Unavailable from https://sandbox.pay.example/v2/captures (request "
        f"req_{numbers.randbytes(6).hex()})"
    )
    return in_java(
        "com.webshop.payments.gateway.GatewayException",
        message,
        classname="com.webshop.payments.it.SandboxGatewayIT",
        method="capturesAuthorisedPayment",
        line=71,
        via="com.webshop.payments.gateway.SandboxGateway.capture(SandboxGateway.java:119)",
        is_error=True,
    )


def event_not_consumed(numbers: Random) -> Wording:
    """The consumer group is still rebalancing."""
    worded = in_java(
        "org.awaitility.core.ConditionTimeoutException",
        f"Condition with alias 'order {numbers.randrange(1000, 9999)} is cancelled' didn't "
        "complete within 10 seconds because "
        "condition with KafkaEventsIT was not fulfilled.",
        classname="com.webshop.payments.it.KafkaEventsIT",
        method="consumesOrderCancelled",
        line=102,
        via="org.awaitility.core.ConditionAwaiter.await(ConditionAwaiter.java:167)",
        is_error=True,
    )
    return Wording(worded.type, worded.message, worded.trace, is_error=True, seconds=10.04)


def debounce_too_slow(_: Random) -> Wording:
    """A real timer in a test of the front."""
    message = (
        'thrown: "Exceeded timeout of 5000 ms for a test.\nAdd a timeout value to this test '
        "to increase the timeout, if this is a "
        'long-running test. See https://jestjs.io/docs/api#testname-fn-timeout."'
    )
    return in_jest(message, path="src/search/Autocomplete.test.tsx", line=48, column=3, seconds=5.003)


def file_is_busy(numbers: Random) -> Wording:
    """Windows locks a file that the virus scanner reads."""
    name = numbers.randbytes(4).hex()
    message = (
        "EBUSY: resource busy or locked, unlink "
        f"'C:\\Users\\runneradmin\\AppData\\Local\\Temp\\store-{name}\\cart.json'"
    )
    return in_jest(
        message, path="src/hooks/useLocalStorage.test.tsx", line=77, column=14, home=WINDOWS_CHECKOUT
    )


def selector_timed_out(_: Random) -> Wording:
    """The pay button appears after the card fields have loaded, some day."""
    return in_playwright(
        "TimeoutError",
        "locator.click: Timeout 15000ms exceeded.",
        path="checkout.spec.ts",
        line=58,
        code='await page.locator("#pay-now").click();',
        log=(
            "  - waiting for locator('#pay-now')\n    - locator resolved to <button disabled "
            'id="pay-now">Pay</button>\n    - element is not enabled'
        ),
        seconds=21.4,
    )


def count_is_stale(numbers: Random) -> Wording:
    """The badge shows the count before the last click."""
    return in_playwright(
        "expect.toHaveText",
        "expect(locator).toHaveText(expected) failed",
        path="cart.spec.ts",
        line=41,
        code='await expect(page.getByTestId("cart-count")).toHaveText("3");',
        log=(
            '  - Expect "toHaveText" with timeout 5000ms\n  - waiting for '
            f"getByTestId('cart-count')\n  - unexpected value \"{numbers.randrange(1, 3)}\""
        ),
        seconds=11.8,
    )


def row_is_detached(_: Random) -> Wording:
    """The list is drawn again while it is clicked."""
    return in_playwright(
        "Error",
        "locator.click: Element is not attached to the DOM",
        path="search.spec.ts",
        line=33,
        code='await page.getByRole("option", { name: "Teapot" }).click();',
        log=(
            "  - waiting for getByRole('option', { name: 'Teapot' })\n    - element was detached "
            "from the DOM, retrying"
        ),
        seconds=7.9,
    )


def connection_reset(_: Random) -> Wording:
    """The test server restarts under the browser."""
    return in_playwright(
        "Error",
        "page.goto: net::ERR_CONNECTION_RESET at http://127.0.0.1:3000/subscriptions",
        path="subscriptions.spec.ts",
        line=12,
        code='await page.goto("/subscriptions");',
        log='  - navigating to "http://127.0.0.1:3000/subscriptions", waiting until "load"',
        seconds=2.2,
    )


# What fails every time


def vat_rounded_wrong(numbers: Random) -> Wording:
    """The regression in the tax code."""
    message = f"Decimal('3.{numbers.randrange(20, 24)}') == Decimal('3.19')"
    code = "assert basket.vat() == Decimal('3.19')"
    return in_python("assert", message, path="tests/unit/test_tax.py", line=88, code=code)


def pay_button_missing(_: Random) -> Wording:
    """The regression in the checkout."""
    message = 'Unable to find an accessible element with the role "button" and name "Pay now"'
    return in_jest(message, path="src/checkout/PayButton.test.tsx", line=19, column=21)


def old_rate_missing(_: Random) -> Wording:
    """The test that nobody mends."""
    return in_java(
        "java.lang.IllegalArgumentException",
        "no rate of HRK on 2022-12-31: the currency has been withdrawn",
        classname="com.webshop.payments.RefundServiceTest",
        method="refundsForeignCurrencyAtTheOldRate",
        line=140,
        via="com.webshop.payments.CurrencyTable.rateOn(CurrencyTable.java:52)",
        is_error=True,
    )


def database_down(_: Random) -> Wording:
    """The outage: nothing can connect."""
    message = (
        'could not translate host name "db.ci.webshop.example" to address: Temporary failure in '
        "name resolution"
    )
    return in_setup("psycopg.OperationalError", message, frame="webshop/db.py", line=58)


def unfinished_change(path: str) -> Wording:
    """A pull request changes a name and forgets a test."""
    message = "'NoneType' object has no attribute 'amount'"
    return in_python(
        "AttributeError", message, path=path, line=52, code="assert subject.total.amount == 1999"
    )


def unused_import(_: Random) -> Wording:
    """A lint rule was broken."""
    message = "'useMemo' is defined but never used."
    return Wording("", message, f"line 3, col 10, Error - {message} (@typescript-eslint/no-unused-vars)")


def too_slow_under_load(numbers: Random) -> Wording:
    """A threshold of the load test was crossed."""
    return Wording("", f"failed: p(95)={numbers.uniform(801, 990):.2f}", "")
