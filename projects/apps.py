"""Register projects with Django."""

from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    """The app projects."""

    name = "projects"
    default_auto_field = "django.db.models.BigAutoField"
