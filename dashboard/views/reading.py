"""What belongs to no project: the definitions behind every metric, and the reader's theme."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from dashboard import page

YEAR_S = 365 * 24 * 3600


@require_GET
def definitions(request: HttpRequest) -> HttpResponse:
    """Show what every number means."""
    return page.render(request, "definitions.html")


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie and go back to where the reader was."""
    chosen = request.POST.get("theme", "")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    answer = HttpResponseRedirect(back)
    if chosen in page.THEMES:
        answer.set_cookie(
            page.THEME_COOKIE, chosen, max_age=YEAR_S, samesite="Lax", secure=request.is_secure()
        )
    return answer
