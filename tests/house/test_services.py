"""The tests stand on the real servers, each process on its own database."""

from __future__ import annotations

import urllib.request

import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.processes import LiveApp


@pytest.mark.django_db
def test_rows_live_in_postgresql_18() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000, current_database()")

        version, database = cursor.fetchone()

    assert version == 18
    assert database.startswith("test_")


@pytest.mark.django_db
def test_redis_answers() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        assert client.ping()


def test_a_running_server_is_healthy(live_app: LiveApp) -> None:
    with urllib.request.urlopen(f"{live_app.url}/healthz") as response:
        assert response.status == 200
