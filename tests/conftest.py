"""What every test stands on: real servers for the session, a database and a Redis for each test process.

The servers start with the first test that asks for rows, so the pure tests run without any. `DATABASE_URL`
and `REDIS_URL` switch to servers of the user's own.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from django.conf import settings
from django.db import connections, transaction
from pytest_django import DjangoDbBlocker

from config import embedded, env
from config.celery import app as celery_app
from tests import addresses, processes
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOME_VARIABLE = "TROPHYCASE_TEST_HOME"  # how the processes of one pytest-xdist session find the same servers
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_configure(config: pytest.Config) -> None:
    """Leave static files to the running server, hash passwords fast, and name the session's folder."""
    settings.STATIC_ROOT = None
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if not hasattr(config, "workerinput"):
        os.environ[HOME_VARIABLE] = tempfile.mkdtemp(prefix="trophycase-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the session's servers when its last process is done with them."""
    home = os.environ.get(HOME_VARIABLE)
    if home and not hasattr(config, "workerinput"):
        embedded.stop(Path(home))
        shutil.rmtree(home, ignore_errors=True)
        del os.environ[HOME_VARIABLE]


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """Return which test process this is, from 0."""
    return int(getattr(request.config, "workerinput", {}).get("workerid", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def services(worker_number: int) -> embedded.Services:
    """Return the session's PostgreSQL, and the Redis database of this test process."""
    found = embedded.ensure(Path(os.environ[HOME_VARIABLE]), environ=os.environ, is_durable=False)
    redis_url = addresses.redis_numbered(found.redis_url, number=worker_number)
    settings.REDIS_URL = redis_url
    settings.CELERY_BROKER_URL = celery_app.conf.broker_url = env.broker(redis_url)
    return embedded.Services(database_url=found.database_url, redis_url=redis_url)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    services: embedded.Services,
    django_db_modify_db_settings_parallel_suffix: None,
) -> None:
    """Point Django at the session's PostgreSQL before it makes the test database."""
    connections["default"].settings_dict.update(env.database(services.database_url))


@pytest.fixture(scope="module")
def rows_of_the_module(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Keep the rows that fixtures of the module make for all its tests, until its last one has run.

    Each test runs in a transaction inside this one, so that its own changes are taken back as ever.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="session")
def _live_app(
    services: embedded.Services,
    django_db_setup: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[processes.LiveApp]:
    database = str(connections["default"].settings_dict["NAME"])
    folder = tmp_path_factory.mktemp("live")
    environ = {
        "DATABASE_URL": addresses.database_named(services.database_url, name=database),
        "REDIS_URL": services.redis_url,
        "SECRET_KEY": settings.SECRET_KEY,
        "TROPHYCASE_HOME": str(folder),
        "TROPHYCASE_COLLECTED_STATIC": "0",
    }
    with processes.live_app(environ, folder=folder) as app:
        app.pause()
        yield app


@pytest.fixture
def live_app(
    _live_app: processes.LiveApp, services: embedded.Services, transactional_db: None
) -> Iterator[processes.LiveApp]:
    """Return a running server and worker on this process's database, which is emptied after the test.

    Emptying waits for both to fall idle: it locks every table, and would deadlock with a transaction under way. Between tests
    the worker is held still: other tests ring for workers too, and want none to come.
    """
    with redis.Redis.from_url(services.redis_url) as broker:
        broker.delete(settings.CELERY_TASK_DEFAULT_QUEUE)
        _live_app.resume()
        yield _live_app
        wait_until(lambda: not _has_work(broker) and _is_idle(), what="server and worker to fall idle")
        _live_app.pause()


def _has_work(broker: redis.Redis) -> bool:
    """True while a task waits, or is taken and not done: a task is acknowledged when it ends, retries wait for their time."""
    taken = (json.loads(words)[0] for words in broker.hvals("unacked"))
    is_taken = any(not task["headers"].get("eta") for task in taken)
    return is_taken or bool(broker.llen(settings.CELERY_TASK_DEFAULT_QUEUE))


def _is_idle() -> bool:
    """True when no other session of this database is in a transaction, and no upload waits for one."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle')"
            " AND NOT EXISTS (SELECT FROM projects_upload WHERE state IN (1, 2))"
        )
        return bool(cursor.fetchone()[0])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a headless Chromium; skip where the machine has none, unless one is required."""
    executable = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if executable is None:
        reason = "No Chromium on PATH: install the package chromium to run the browser tests."
        if os.environ.get("TROPHYCASE_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Imported here: it is slow, and only these tests want it.
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, in which Django would refuse every query.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, live_app: processes.LiveApp) -> Iterator[Page]:
    """Return a fresh page whose addresses start at the running server."""
    context = browser.new_context(base_url=live_app.url)
    yield context.new_page()
    context.close()
