"""The environment is read by type, and what cannot be read is refused with a sentence."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env
from tests import addresses


def test_a_database_url_is_taken_apart() -> None:
    found = env.database("postgresql://me:p%40ss@db.example.com:5433/suite?sslmode=require")

    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == (
        "me",
        "p@ss",
        "db.example.com",
        "5433",
    )
    assert found["NAME"] == "suite"
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_a_socket_is_the_host_of_a_database() -> None:
    found = env.database("postgresql://postgres@/trophycase?host=%2Fsome%20where")

    assert found["HOST"] == "/some where"
    assert found["OPTIONS"] == {}


@pytest.mark.parametrize(
    ("value", "found"), [("", {}), ("{}", {}), ('{"API_KEY": "secret"}', {"API_KEY": "secret"})]
)
def test_a_mapping_is_a_json_object(
    monkeypatch: pytest.MonkeyPatch, value: str, found: dict[str, str]
) -> None:
    monkeypatch.setenv("SERVICE", value)

    assert env.mapping("SERVICE") == found


@pytest.mark.parametrize("value", ["[]", "3", "{", "key=value"])
def test_what_is_no_json_object_is_refused_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SERVICE", value)

    with pytest.raises(ImproperlyConfigured, match="SERVICE is no JSON object"):
        env.mapping("SERVICE")


@pytest.mark.parametrize("url", ["sqlite:///db.sqlite3", "mysql://host/db", "nothing"])
def test_postgresql_is_the_only_database(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PostgreSQL"):
        env.database(url)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://host:6379/3", "redis://host:6379/3"),
        ("rediss://:key@host/0", "rediss://:key@host/0"),
        ("unix:///run/redis.sock?db=7", "redis+socket:///run/redis.sock?virtual_host=7"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
    ],
)
def test_celery_gets_the_same_redis(url: str, broker: str) -> None:
    assert env.broker(url) == broker


@pytest.mark.parametrize(
    ("url", "numbered"),
    [
        ("redis://host:6379/0", "redis://host:6379/5"),
        ("redis://host", "redis://host/5"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=5"),
    ],
)
def test_another_database_of_the_same_redis(url: str, numbered: str) -> None:
    assert addresses.redis_numbered(url, number=5) == numbered


@pytest.mark.parametrize(
    ("url", "port", "is_tls", "is_ssl"),
    [
        ("smtp://mail.example.com", 25, False, False),
        ("submission://me:secret@mail.example.com", 587, True, False),
        ("smtps://me:secret@mail.example.com", 465, False, True),
        ("submission://mail.example.com:2525", 2525, True, False),
    ],
)
def test_a_mail_scheme_decides_port_and_encryption(url: str, port: int, is_tls: bool, is_ssl: bool) -> None:
    mailer = env.mailer(url)

    assert (mailer.host, mailer.port, mailer.is_tls, mailer.is_ssl) == (
        "mail.example.com",
        port,
        is_tls,
        is_ssl,
    )


@pytest.mark.parametrize("url", ["mail.example.com", "smtp://", "http://mail.example.com"])
def test_an_unknown_mail_scheme_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        env.mailer(url)


def test_digits_may_be_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMIT", "2_000")

    assert env.number("LIMIT", default=1) == 2000


def test_what_is_no_number_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMIT", "many")

    with pytest.raises(ImproperlyConfigured, match="LIMIT"):
        env.number("LIMIT", default=1)


@pytest.mark.parametrize(("value", "is_on"), [("1", True), ("True", True), ("no", False), ("", False)])
def test_a_flag_reads_as_people_write(monkeypatch: pytest.MonkeyPatch, value: str, is_on: bool) -> None:
    monkeypatch.setenv("FLAG", value)

    assert env.flag("FLAG", default=not is_on) is is_on


def test_blank_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", " ")

    assert env.text("NAME", default="said") == "said"
