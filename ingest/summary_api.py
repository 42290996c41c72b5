"""The summary of a run over the API: Markdown that CI can put where people already look.

The words are summaries.py's; what is asked of the rows, analysis.queries'. Nothing to say is an empty 204.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from ninja import Router

from analysis import queries, wishes
from ingest import summaries
from ingest.bearer import project_of
from ingest.refusals import Refusal
from projects.models import Project, Upload
from projects.vocabulary import UploadState

ASK_AGAIN_SECONDS = 5
KIND = "text/markdown; charset=utf-8"
DOCS = {
    "responses": {
        200: {"description": "What happened", "content": {"text/markdown": {"schema": {"type": "string"}}}},
        202: {"description": "Uploads of the run are not read yet: ask again after Retry-After seconds"},
        204: {"description": "Nothing changed"},
    }
}

router = Router(tags=["runs"])


@router.get("/runs/{path:key}/summary.md", summary="What a run changed, as Markdown", openapi_extra=DOCS)
def get_summary(request: HttpRequest, key: str) -> HttpResponse:
    """Answer new failures, known flaky, slower and new tests, balance and budget of a run; 204 when nothing changed."""
    project, _ = project_of(request)
    if _is_read_in_part(project, key):
        return HttpResponse(status=202, headers={"Retry-After": str(ASK_AGAIN_SECONDS)})
    text = _text(project, key)
    return HttpResponse(text, content_type=KIND) if text else HttpResponse(status=204)


def _is_read_in_part(project: Project, key: str) -> bool:
    waiting = [UploadState.RECEIVED, UploadState.PROCESSING]
    return Upload.objects.filter(project=project, run_key=key, state__in=waiting).exists()


def _text(project: Project, key: str) -> str:
    verdicts = queries.verdicts(project, key, today=timezone.now().date())
    answer = queries.run(project, verdicts.number) if verdicts else None
    if verdicts is None or answer is None:
        raise Refusal(
            "unknown_run", 404, "No upload with this run key was recorded yet. Send one, or ask again later."
        )
    return summaries.markdown(
        summaries.Summary(
            answer=answer,
            verdicts=verdicts,
            slower=queries.slower_in_run(project, verdicts.number),
            last_runs=queries.last_runs(project, verdicts.number),
            new_by_layer=queries.new_by_layer(project, verdicts.number),
            budgets=wishes.budgets(project.budgets),
            links=_links(project, verdicts.number),
        )
    )


def _links(project: Project, number: int) -> summaries.Links:
    return summaries.Links(
        run=settings.BASE_URL + reverse("run", args=[project.slug, number]),
        test=settings.BASE_URL + reverse("test", args=[project.slug, 0]).removesuffix("0") + "{id}",
    )
