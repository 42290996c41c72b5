"""The addresses of the pages: one line a page, the names are those of the navigation."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from dashboard.views import reading, styleguide

urlpatterns = [
    path("theme", reading.set_theme, name="theme"),
    path("definitions", reading.definitions, name="definitions"),
]

if settings.DEBUG:
    urlpatterns.append(path("styleguide", styleguide.styleguide, name="styleguide"))
