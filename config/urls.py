"""Where each part's addresses begin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from config.health import health

urlpatterns = [
    path("healthz", health, name="health"),
    path("admin/", admin.site.urls),
]
