"""Posts reach the open internet alone, end in time, and follow nobody."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from projects import addresses, outside
from tests.mail import CERTIFICATE
from tests.receiver import http_receiver


def post(url: str, *, allows_private: bool = True, seconds: float = 5) -> outside.Answer:
    """Post a small body."""
    return outside.post(
        url,
        body=b"{}",
        headers={"Content-Type": "application/json"},
        allows_private=allows_private,
        seconds=seconds,
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"])
def test_outer_addresses_are_public(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0177.0.0.1", "2130706433", "127.1"])
def test_no_spelling_of_this_machine_is_posted_to(host: str) -> None:
    with http_receiver() as receiver:
        port = receiver.url.rpartition(":")[2]

        with pytest.raises((addresses.Forbidden, outside.Unreachable)):
            post(f"http://{host}:{port}/", allows_private=False)

        assert receiver.posts == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "example.com",
        "https://me:secret@example.com/",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nHost: other",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(addresses.Forbidden):
        addresses.check(url)


def test_a_post_arrives_with_its_query_and_headers() -> None:
    with http_receiver() as receiver:
        answer = post(receiver.url + "/hook?key=1")

    assert (answer.status, answer.body) == (200, "ok")
    assert (receiver.posts[0].path, receiver.posts[0].body) == ("/hook?key=1", b"{}")
    assert receiver.posts[0].headers["content-type"] == "application/json"


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with http_receiver() as other, http_receiver() as receiver:
        receiver.status, receiver.headers = 307, {"Location": other.url}

        answer = post(receiver.url)

    assert answer.status == 307
    assert other.posts == []


class Resolver:
    """Answers one name with other addresses at each question, and leaves all else to the real one."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.ask = socket.getaddrinfo

    def __call__(self, host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        """Answer as the next turn says."""
        if host != "hooks.example":
            return self.ask(host, port, *rest, **more)
        return [found for place in self.answers.pop(0) for found in self.ask(place, port, *rest, **more)]


def test_the_address_that_was_looked_at_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(("127.0.0.1",), ("203.0.113.1",))
    monkeypatch.setattr(socket, "getaddrinfo", resolver)

    with http_receiver() as receiver:
        answer = post(receiver.url.replace("127.0.0.1", "hooks.example"))

    assert answer.status == 200
    assert receiver.posts[0].headers["host"].startswith("hooks.example:")
    assert resolver.answers == [("203.0.113.1",)]


@pytest.mark.parametrize("places", [("127.0.0.1",), ("203.0.113.1", "127.0.0.1"), ("8.8.8.8", "::1")])
def test_a_name_with_one_inner_address_is_not_posted_to(
    monkeypatch: pytest.MonkeyPatch, places: tuple[str, ...]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(places))

    with http_receiver() as receiver, pytest.raises(addresses.Forbidden, match="private network"):
        post(receiver.url.replace("127.0.0.1", "hooks.example"), allows_private=False)

    assert receiver.posts == []


def test_a_certificate_is_asked_for_the_name_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(certificate=CERTIFICATE) as receiver:
        with pytest.raises(outside.Unreachable, match="certificate verify failed"):
            post(receiver.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        answer = post(receiver.url)
        monkeypatch.setattr(socket, "getaddrinfo", Resolver(("127.0.0.1",)))
        with pytest.raises(outside.Unreachable, match="Hostname mismatch"):
            post(receiver.url.replace("127.0.0.1", "hooks.example"))

    assert answer.status == 200
    assert len(receiver.posts) == 1


def test_an_answer_that_drips_is_cut_off() -> None:
    with http_receiver() as receiver:
        receiver.drips = True

        with pytest.raises(outside.Unreachable, match=r"No answer within 0\.3 seconds"):
            post(receiver.url, seconds=0.3)


def test_a_large_answer_is_read_in_part() -> None:
    with http_receiver() as receiver:
        receiver.body = b"x" * 1_000_000

        answer = post(receiver.url)

    assert len(answer.body) == outside.ANSWER_BYTES


def test_a_dropped_connection_is_unreachable() -> None:
    with http_receiver() as receiver:
        receiver.hangs_up = True

        with pytest.raises(outside.Unreachable):
            post(receiver.url)


def test_nobody_at_the_port_is_unreachable() -> None:
    with http_receiver() as receiver:
        url = receiver.url

    with pytest.raises(outside.Unreachable):
        post(url)
