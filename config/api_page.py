"""The page that describes the API, in the frame of every other page.

Lives where the parts are joined: the description is ingest's, the look dashboard's. ninja's own page, which can also
call the API, stays at /api/v1/docs.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dashboard import page, reference
from ingest.api import api


@require_safe
def api_page(request: HttpRequest) -> HttpResponse:
    """Show every call of the API with its fields and answers."""
    described = reference.read(api.get_openapi_schema(), base_url=settings.BASE_URL)
    return page.render(request, "api.html", {"reference": described})
