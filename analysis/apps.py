"""Register analysis with Django."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """The app analysis."""

    name = "analysis"
    default_auto_field = "django.db.models.BigAutoField"
