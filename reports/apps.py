"""Register reports with Django."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """The app reports."""

    name = "reports"
    default_auto_field = "django.db.models.BigAutoField"
