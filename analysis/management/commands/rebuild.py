"""`manage.py rebuild SLUG`: make the sums, paces and shifts of a project again from its results, in small steps."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from analysis import rebuilding, tallies
from projects.models import Project


class Command(BaseCommand):
    """Make every sum, pace and shift again whose results are kept; uploads are recorded in between."""

    help = "Make the sums of a project again from its results, in small steps between which uploads are recorded."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the project's slug."""
        parser.add_argument("slug")

    def handle(self, *args: Any, slug: str, **options: Any) -> None:
        """Rebuild the sums of the project."""
        project = Project.objects.filter(slug=slug).first()
        if project is None:
            raise CommandError(f"There is no project {slug}. The address of a project is /p/<slug>/.")
        rebuilding.rebuild(project.pk)
        tallies.rebuild(project.pk, now=timezone.now())
        self.stdout.write(f"The sums of {project.name} are made again.")
