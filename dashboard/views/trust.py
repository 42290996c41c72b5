"""The settings of the repositories whose CI jobs upload without a token. What is kept is projects.trust's affair."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpResponseBase
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import beside, listing, orders, page
from dashboard.page import ProjectRequest
from dashboard.trust_forms import TrustForm, name_of
from dashboard.views.settings import refused, said, show
from projects import trust
from projects.vocabulary import Role

HERE = "settings-trust"
GITLAB = "id_tokens:\n  TROPHYCASE_ID_TOKEN:\n    aud: {url}"


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def trusts(request: ProjectRequest) -> HttpResponseBase:
    """List the repositories that are trusted; trust one more, or change the rules of one."""
    form = TrustForm(request.POST or None, issuers=settings.TROPHYCASE_ID_TOKEN_ISSUERS)
    if request.method == "POST":
        if not request.access.may_own:
            return refused(request, Role.OWNER)
        if form.is_valid():
            row = form.row()
            trust.keep(request.project, row, by=User.objects.get(pk=request.user.pk))
            return said(request, HERE, f"Jobs of {row.repository} may upload without a token.")
    rows = listing.ordered(list(trust.trusts(request.project)), request.window.sort, orders.TRUSTS)
    if file := beside.asked(request, "trusted jobs", beside.TRUSTS, rows):
        return file
    context = {
        "form": form,
        "trusts": [(row, name_of(row.issuer)) for row in rows],
        "gitlab": GITLAB.format(url=settings.BASE_URL),
    }
    return show(request, HERE, context, status=422 if form.errors else 200)


@require_POST
@page.project_page(needs=Role.OWNER)
def end_trust(request: ProjectRequest, trust_id: int) -> HttpResponseBase:
    """Trust a repository no longer."""
    row = trust.end(request.project, trust_id)
    if row is None:
        raise Http404("No such repository.")
    return said(request, HERE, f"Jobs of {row.repository} need a token from now on.")
