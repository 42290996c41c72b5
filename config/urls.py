"""Where each part's addresses begin."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.api_page import api_page
from config.health import health
from config.metrics import metrics
from ingest.api import api
from ingest.uploader import gitlab_yml, upload_py

urlpatterns = [
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icon.svg"), name="favicon"),
    path("healthz", health, name="health"),
    path("metrics", metrics, name="metrics"),
    # One door: the admin's own would let passwords be tried without end.
    path("admin/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("admin/", admin.site.urls),
    path("api/docs", api_page, name="api-docs"),
    path("api/v1/", api.urls),
    path("upload.py", upload_py, name="uploader"),
    path("gitlab.yml", gitlab_yml, name="gitlab-include"),
    path("", include("ingest.clients.urls")),
    path("", include("reports.urls")),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.views.refusals.bad_request"
handler403 = "dashboard.views.refusals.forbidden"
handler404 = "dashboard.views.refusals.not_found"
handler500 = "dashboard.views.refusals.server_error"
