"""Register ingest with Django."""

from django.apps import AppConfig


class IngestConfig(AppConfig):
    """The app ingest."""

    name = "ingest"
    default_auto_field = "django.db.models.BigAutoField"
