"""Register dashboard with Django."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The app dashboard."""

    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"
