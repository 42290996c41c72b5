"""The servers beside a checkout: started once, found again, stopped alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config import embedded


@pytest.fixture
def home() -> Iterator[Path]:
    """Return an empty data folder, whose servers are stopped after the test."""
    folder = Path(tempfile.mkdtemp(prefix="trophycase-home-"))
    yield folder
    embedded.stop(folder)
    shutil.rmtree(folder)


def note(url: str, word: str) -> None:
    """Write a word down in a table."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (word text)")
        connection.execute("INSERT INTO note VALUES (%s)", [word])


def notes(url: str) -> list[str]:
    """Read the words."""
    with psycopg.connect(url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM note ORDER BY word")]


def test_servers_that_were_stopped_continue_with_their_data(home: Path) -> None:
    first = embedded.ensure(home, environ={})
    note(first.database_url, "kept")
    embedded.stop(home)

    second = embedded.ensure(home, environ={})

    assert second == first
    assert notes(second.database_url) == ["kept"]


def test_two_homes_do_not_meet(home: Path, tmp_path: Path) -> None:
    mine = embedded.ensure(home, environ={}, is_durable=False)
    other = embedded.ensure(tmp_path, environ={}, is_durable=False)
    note(mine.database_url, "mine")
    note(other.database_url, "other")

    embedded.stop(tmp_path)

    assert notes(mine.database_url) == ["mine"]
    assert not embedded.is_postgres_up(tmp_path)
    assert embedded.is_redis_up(home)


def test_servers_of_the_environment_are_taken_as_they_are(home: Path) -> None:
    environ = {
        "DATABASE_URL": "postgresql://db.example.com/suite",
        "REDIS_URL": "redis://redis.example.com/0",
    }

    found = embedded.ensure(home, environ=environ)

    assert found == embedded.Services(environ["DATABASE_URL"], environ["REDIS_URL"])
    assert not (home / "postgres").exists()


def test_a_long_path_is_no_hindrance(home: Path) -> None:
    deep = home / ("d" * 60) / ("e" * 60) / "with a space"

    found = embedded.ensure(deep, environ={}, is_durable=False)

    note(found.database_url, "reached")
    assert notes(found.database_url) == ["reached"]
    with redis.Redis.from_url(found.redis_url) as client:
        assert client.ping()
    embedded.stop(deep)


def test_a_setup_that_was_interrupted_is_made_anew(home: Path) -> None:
    (home / "postgres.new" / "base").mkdir(parents=True)

    embedded.ensure(home, environ={}, is_durable=False)

    assert embedded.is_postgres_up(home)
    assert not (home / "postgres.new").exists()


def test_only_the_owner_reaches_the_sockets(home: Path) -> None:
    embedded.ensure(home, environ={}, is_durable=False)

    assert (home / "postgres").stat().st_mode & 0o077 == 0
    assert (home / "redis").stat().st_mode & 0o077 == 0


def test_a_machine_without_redis_is_told_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    environ = {"DATABASE_URL": "postgresql://db.example.com/suite"}

    with pytest.raises(embedded.ServiceProblem, match="redis-server"):
        embedded.ensure(home, environ=environ)
