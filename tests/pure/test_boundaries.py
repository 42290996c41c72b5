"""Boundaries: each seam by the words of several ecosystems, and the failures that have none."""

from __future__ import annotations

import pytest

from analysis.failures import boundary, is_infrastructure
from projects.vocabulary import Boundary


@pytest.mark.parametrize(
    ("seam", "kind", "message"),
    [
        (Boundary.BROWSER, "TimeoutError", "page.goto: Timeout 30000ms exceeded."),
        (Boundary.BROWSER, "playwright.TimeoutError", "Page.wait_for_url: Timeout 5000ms exceeded."),
        (
            Boundary.DATABASE,
            "psycopg.errors.UniqueViolation",
            "duplicate key value violates unique constraint",
        ),
        (
            Boundary.DATABASE,
            "django.db.utils.IntegrityError",
            "NOT NULL constraint failed: shop_order.user_id",
        ),
        (Boundary.DATABASE, "org.postgresql.util.PSQLException", "ERROR: deadlock detected"),
        (
            Boundary.DATABASE,
            "sqlalchemy.exc.OperationalError",
            "could not connect to server: Connection refused",
        ),
        (Boundary.DATABASE, "Error", "connect ECONNREFUSED postgres:5432"),
        (Boundary.DATABASE, "redis.exceptions.ConnectionError", "Error 111 connecting to localhost:6379"),
        (Boundary.AUTHENTICATION, "AssertionError", "assert 401 == 200"),
        (Boundary.AUTHENTICATION, "AssertionError", "expected 403 Forbidden to equal 200 OK"),
        (Boundary.AUTHENTICATION, "jwt.exceptions.ExpiredSignatureError", "Signature has expired"),
        (Boundary.AUTHENTICATION, "Error", "access token has expired"),
        (Boundary.QUEUE, "kombu.exceptions.OperationalError", "[Errno 111] Connection refused"),
        (Boundary.QUEUE, "org.apache.kafka.common.errors.TimeoutException", "Topic orders not present"),
        (Boundary.QUEUE, "pika.exceptions.AMQPConnectionError", ""),
        (Boundary.SERIALIZATION, "json.decoder.JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
        (Boundary.SERIALIZATION, "SyntaxError", "Unexpected token < in JSON at position 0"),
        (Boundary.SERIALIZATION, "TypeError", "Object of type Decimal is not JSON serializable"),
        (Boundary.VALIDATION, "pydantic_core._pydantic_core.ValidationError", "1 validation error for Order"),
        (Boundary.VALIDATION, "ZodError", "Required"),
        (Boundary.VALIDATION, "AssertionError", "status code 422: this field is required"),
        (Boundary.EXTERNAL_SERVICE, "nock", "Nock: No match for request POST https://pay.example/v1"),
        (
            Boundary.EXTERNAL_SERVICE,
            "vcr.errors.CannotOverwriteExistingRequestException",
            "No match for the request",
        ),
        (Boundary.EXTERNAL_SERVICE, "HTTPError", "503 Server Error: Service Unavailable"),
        (Boundary.NETWORK, "Error", "connect ECONNREFUSED 10.1.2.3:40123"),
        (Boundary.NETWORK, "java.net.UnknownHostException", "api.acme.test"),
        (Boundary.NETWORK, "requests.exceptions.ConnectionError", "Connection aborted."),
        (Boundary.FILE_SYSTEM, "FileNotFoundError", "[Errno 2] No such file or directory: 'a.txt'"),
        (Boundary.FILE_SYSTEM, "Error", "ENOSPC: no space left on device, write"),
        (Boundary.BROWSER, "org.openqa.selenium.NoSuchElementException", "no such element"),
        (
            Boundary.BROWSER,
            "TimeoutError",
            "page.click: Timeout 30000ms exceeded. waiting for selector '#pay'",
        ),
        (Boundary.BROWSER, "Error", "expect(locator).toBeVisible() failed\nLocator: page.locator('#pay')"),
        (Boundary.NONE_FOUND, "AssertionError", "assert 3 == 4"),
        (Boundary.NONE_FOUND, "ZeroDivisionError", "division by zero"),
        (Boundary.NONE_FOUND, "", ""),
    ],
)
def test_a_failure_breaks_at_the_seam_its_words_name(seam: Boundary, kind: str, message: str) -> None:
    assert boundary(kind=kind, message=message, text="").boundary == seam


def test_the_matched_text_and_the_rule_are_kept() -> None:
    found = boundary(kind="AssertionError", message="login: invalid credentials for anna", text="")

    assert found.matched == "invalid credentials"
    assert found.rule == "credentials, a token or a right that was refused, in the message"


def test_the_stack_of_an_assertion_is_not_asked() -> None:
    trace = "sqlalchemy.exc.IntegrityError"

    assert (
        boundary(kind="AssertionError", message="assert 1 == 2", text=trace).boundary == Boundary.NONE_FOUND
    )
    assert boundary(kind="RuntimeError", message="boom", text=trace).boundary == Boundary.DATABASE


def test_a_reporter_without_messages_is_read_from_its_trace() -> None:
    assert boundary(kind="", message="", text="Error: socket hang up\n at x").boundary == Boundary.NETWORK


def test_infrastructure_is_told_by_its_words() -> None:
    assert is_infrastructure(kind="Error", message="ENOSPC: no space left on device", text="") == "ENOSPC"
    assert is_infrastructure(kind="AssertionError", message="assert 1 == 2", text="") is None
