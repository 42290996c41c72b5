"""The end of spans whose days are not what they were: rebuilt, partly deleted, or given to another test."""

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
    rows = TestSpan.objects.filter(project_id=project_id)
    (rows if before == date.max else rows.filter(span_number__in=numbers)).delete()


def set_aside(project_id: int, *, since: date, until: date) -> None:
    """Let no page use the spans that hold one of these days, until they are made again."""
    held = Span.objects.filter(project_id=project_id, since__lte=until, until__gte=since)
    held.update(n_uploads=0)  # runs have one at least, so the span is out of date
