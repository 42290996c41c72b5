"""The end of spans whose days are not what they were: rebuilt, or partly deleted."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from projects.models import Span, TestSpan


@transaction.atomic
def forget(project_id: int, *, before: date = date.max) -> None:
    """Drop the project's spans that begin before the day, so that pages add up the days until they are made again."""
    over = Span.objects.filter(project_id=project_id, since__lt=before)
    numbers = list(over.values_list("number", flat=True))
    over.delete()
    TestSpan.objects.filter(project_id=project_id, span_number__in=numbers).delete()
