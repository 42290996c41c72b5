"""What the fault tests stand on: workers that can be killed, and servers of their own that can be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from config import embedded, env
from tests import addresses
from tests.faults.nursery import Nursery, a_nursery
from tests.faults.wreck import Servers, SmallDisk, small_disk


@pytest.fixture
def environ(services: embedded.Services, transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process on this test's database."""
    database = str(connections["default"].settings_dict["NAME"])
    return {
        "DATABASE_URL": addresses.database_named(services.database_url, name=database),
        "REDIS_URL": services.redis_url,
        "SECRET_KEY": settings.SECRET_KEY,
        "TROPHYCASE_HOME": str(tmp_path),
        "TROPHYCASE_COLLECTED_STATIC": "0",
    }


@pytest.fixture(scope="session")
def _nursery(services: embedded.Services, django_db_setup: None) -> Iterator[Nursery]:
    database = str(connections["default"].settings_dict["NAME"])
    environ = {
        "DATABASE_URL": addresses.database_named(services.database_url, name=database),
        "REDIS_URL": services.redis_url,
        "SECRET_KEY": settings.SECRET_KEY,
    }
    with a_nursery(environ) as nursery:
        yield nursery


@pytest.fixture
def nursery(_nursery: Nursery, transactional_db: None) -> Nursery:
    """Return the parent of workers on this test's database."""
    return _nursery


@pytest.fixture
def servers(
    django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """Return a PostgreSQL and a Redis that nobody else uses, with Django's connection pointed at them."""
    home = tmp_path_factory.mktemp("servers")
    found = embedded.ensure(home, environ={}, is_durable=True)
    before = dict(connection.settings_dict)
    with django_db_blocker.unblock():
        connection.close()
        connection.settings_dict.update(env.database(found.database_url))
        call_command("migrate", verbosity=0)
        yield Servers(home, found, secret_key=settings.SECRET_KEY)
        connection.close()
        connection.settings_dict.update(before)
        embedded.stop(home)


@pytest.fixture
def bodies_on_a_small_disk(servers: Servers) -> Iterator[SmallDisk]:
    """Let PostgreSQL keep the bytes of uploads on a disk of their own that is nearly full."""
    with small_disk(servers.home / "small", owner=servers.home / "postgres") as disk:
        if disk is None:
            pytest.skip("A small disk is mounted by root on Linux alone.")
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
            cursor.execute("ALTER TABLE projects_uploadfile SET TABLESPACE small")
        yield disk
