"""Where letters are seen and stopped, channels tried, and badges and the feed shown."""

from __future__ import annotations

from datetime import date

from django.urls import path, register_converter

from reports import public, views


class DayConverter:
    """A day in an address: 2026-11-16."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        """Read the day; a ValueError makes Django answer 404."""
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        """Write the day."""
        return value.isoformat()


register_converter(DayConverter, "day")

urlpatterns = [
    path("p/<slug:slug>/reports/weekly", views.preview, name="letter-preview"),
    path("p/<slug:slug>/reports/weekly/<day:week_on>", views.sent, name="letter-sent"),
    path("p/<slug:slug>/reports/send-me", views.send_me, name="letter-send-me"),
    path("p/<slug:slug>/channels/<int:channel_id>/trial", views.trial, name="channel-trial"),
    path("p/<slug:slug>/channels/sent/<uuid:delivery_id>/again", views.again, name="delivery-again"),
    path("p/<slug:slug>/badge/<str:name>.svg", public.badge, name="badge"),
    path("p/<slug:slug>/events.atom", public.feed, name="events-atom"),
    path("letters/stop/<str:token>", views.stop, name="letter-stop"),
]
