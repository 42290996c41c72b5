#!/usr/bin/env python
"""Run Django's commands against this project."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import OperationalError

from config import embedded

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if os.environ.get("DATABASE_URL") or embedded.is_postgres_up(settings.HOME):
            raise
        sys.exit(f"{embedded.NOT_RUNNING}\n{error}")
