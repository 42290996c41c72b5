"""The Celery application: finds the tasks of every app, takes its settings from Django's."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Celery would run Django's checks in each worker, and load every page for it: 25 MB. `make lint` and the web process run them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("trophycase")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
