"""The uploader's words for answers, addresses and tokens; and the script itself."""

from __future__ import annotations

import ast
import io
import urllib.error
from email.message import Message
from pathlib import Path

import pytest

from uploader import trophycase

SCRIPT = Path(trophycase.__file__)
SHA = "8f14e45fceea167a5a36dedd4bea2543abcdef01"
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_SHA": SHA,
    "GITHUB_RUN_ID": "99",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_JOB": "test",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "o/r",
}


# --- answers and refusals


def refused(status: int, body: bytes = b"", **headers: str) -> trophycase.Trouble:
    """Return what the uploader makes of an HTTP status."""
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    error = urllib.error.HTTPError("https://t.example/x", status, "", message, io.BytesIO(body))
    return trophycase.refusal(error, url="https://t.example")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    trouble = refused(status, Retry_After="17")

    assert (trouble.is_passing, trouble.retry_after_s) == (True, 17.0)


@pytest.mark.parametrize(
    ("status", "words"), [(401, "TROPHYCASE_TOKEN"), (404, "TROPHYCASE_URL"), (413, "limit")]
)
def test_a_refusal_says_what_to_do(status: int, words: str) -> None:
    trouble = refused(status)

    assert words in str(trouble)
    assert not trouble.is_passing


def test_the_servers_own_words_are_passed_on() -> None:
    trouble = refused(422, b'{"error": "bad_layer", "message": "layer is x: send one of unit."}')

    assert (trouble.code, str(trouble)) == ("bad_layer", "layer is x: send one of unit.")


def test_a_redirect_names_the_address_to_set() -> None:
    trouble = refused(301, Location="https://tests.example/api/v1/uploads")

    assert "Set TROPHYCASE_URL to https://tests.example " in str(trouble)


def test_a_redirect_to_a_login_is_told_as_one() -> None:
    assert "login" in str(refused(302, Location="https://sso.example/login?next=x"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("https://t.example/", "https://t.example"),
        (" 'http://t.example:8000' ", "http://t.example:8000"),
        ("https://t.example/api/v1/uploads", "https://t.example"),
    ],
)
def test_an_address_is_read_with_patience(said: str, expected: str) -> None:
    assert trophycase.address(said) == expected


@pytest.mark.parametrize("said", ["", "t.example", "ftp://t.example", "https://ada:pw@t.example"])
def test_what_is_no_address_is_refused_without_repeating_secrets(said: str) -> None:
    with pytest.raises(trophycase.Trouble) as refusal:
        trophycase.address(said)

    assert "pw" not in str(refusal.value)


@pytest.mark.parametrize("said", ["", "  ", "tc_ab cd", "tc_ab\ncd", "tc_ü"])
def test_what_can_be_no_token_is_refused_without_repeating_it(said: str) -> None:
    with pytest.raises(trophycase.Trouble) as refusal:
        trophycase.secret(said, {})

    assert "tc_" not in str(refusal.value)


ID_TOKENS = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://g.example/x?a=1",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s3cret",
}


def ticket_of(said: str, environ: dict[str, str]) -> trophycase.Ticket:
    """Return what lets a job in."""
    voice = trophycase.Voice(environ={})
    return trophycase.ticket(said, environ, url="https://t.example", voice=voice)


def test_a_token_that_is_given_comes_before_what_the_ci_signs() -> None:
    assert ticket_of("tc_mine", {**GITHUB, **ID_TOKENS}).token() == "tc_mine"
    assert ticket_of("", {**GITHUB, "TROPHYCASE_ID_TOKEN": "eyJ.a.b"}).token() == "eyJ.a.b"


def test_reports_of_a_signed_job_wait_for_jobs_of_the_same_run_and_attempt() -> None:
    mine = ticket_of("", {**GITHUB, **ID_TOKENS}).name

    assert ticket_of("", {**GITHUB, **ID_TOKENS, "GITHUB_JOB": "other"}).name == mine
    assert ticket_of("", {**GITHUB, **ID_TOKENS, "GITHUB_RUN_ATTEMPT": "2"}).name != mine
    assert ticket_of("", {**GITHUB, **ID_TOKENS, "GITHUB_RUN_ID": "100"}).name != mine


def test_without_token_and_signature_github_jobs_are_told_of_both() -> None:
    with pytest.raises(trophycase.Trouble) as trouble:
        ticket_of("", GITHUB)

    assert "TROPHYCASE_TOKEN is empty" in str(trouble.value)
    assert "Settings, Trusted jobs" in str(trouble.value)


def test_no_output_holds_the_token_or_commands_for_the_ci() -> None:
    voice = trophycase.Voice(environ={}, secrets=["tc_secret"])

    assert voice.clean("x tc_secret\n::error::\x1b[31m ##vso[task]") == "x *** ::error:: [31m ## vso[task]"


# --- the file itself


def test_the_script_is_python_3_8_and_needs_only_the_standard_library() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))

    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {str(node.module).partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(__import__("sys").stdlib_module_names)


def test_the_script_has_one_line_for_the_servers_address() -> None:
    assert SCRIPT.read_text(encoding="utf-8").count('SERVED_BY = ""') == 1
