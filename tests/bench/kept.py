"""A database of a bench's own that stays: what takes minutes to fill is found there the next time.

Knows where it is and how it is entered and left. What is in it, the bench says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from config import embedded, env

OWN_SERVERS = ("DATABASE_URL", "REDIS_URL")  # which would be entered in place of the folder's


@contextmanager
def database(home: Path) -> Iterator[embedded.Services]:
    """Point Django at the PostgreSQL of the folder, migrated, while the block lasts; leave it running if it ran."""
    was_up = embedded.is_postgres_up(home)
    environ = {name: value for name, value in os.environ.items() if name not in OWN_SERVERS}
    services = embedded.ensure(home, environ=environ, is_durable=False)
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(env.database(services.database_url))
    try:
        call_command("migrate", verbosity=0)
        yield services
    finally:
        connection.close()
        connection.settings_dict.update(before)
        if not was_up:
            embedded.stop(home)
