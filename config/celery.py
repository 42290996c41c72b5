"""The Celery application: finds the tasks of every app, takes its settings from Django's."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("trophycase")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
