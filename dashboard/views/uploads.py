"""Is data arriving? On the first visit: how to send it; later: what came, and what was refused and why."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from analysis import queries
from analysis.answers.of_suite import Seen
from analysis.answers.of_uploads import ProblemGroup, UploadRow
from dashboard import bars, beside, export, filters, listing, orders, page, snippets, stories
from dashboard.export import Column
from dashboard.format import day_words, plural
from dashboard.forms import TokenForm
from dashboard.page import ProjectRequest
from dashboard.views.settings import SHOWN_ONCE
from projects import changes
from projects.vocabulary import Role, UploadState

POLL_S = 5
MOST_POLLS = 120  # ten minutes: who waits longer has gone to look at CI
SHOWN_PROBLEMS = 200  # of one upload; a broken generator repeats itself
HINT = "Commit, branch, job, sender, state or problem"

COLUMNS: list[Column[UploadRow]] = [
    Column("id", lambda row: row.id),
    Column("received_at", lambda row: row.received_at),
    Column("run", lambda row: row.run_number),
    Column("branch", lambda row: row.branch),
    Column("commit", lambda row: row.commit),
    Column("state", lambda row: row.state),
    Column("job", lambda row: row.job),
    Column("shard", lambda row: row.shard),
    Column("token", lambda row: row.token),
    Column("repository", lambda row: row.repository),
    Column("bytes", lambda row: row.n_bytes),
    Column("results", lambda row: row.n_tests),
    Column("took_s", lambda row: row.took_s),
    Column("problems", lambda row: "; ".join(problem.code for problem in row.problems)),
]


@never_cache
@require_safe
@page.project_page()
def uploads(request: ProjectRequest) -> HttpResponseBase:
    """Show the uploads of the window, or how to send the first one."""
    seen = queries.seen(request.project, request.window)
    if not seen.n_uploads or "waited" in request.GET:
        return _first_visit(request, seen)
    if file := export.asked(request, "uploads", COLUMNS, queries.uploads):
        return file
    groups = listing.ordered(
        queries.problem_groups(request.project, request.window),
        request.window.sort_of("problems"),
        orders.GROUPS,
    )
    if file := beside.asked(request, "problems of uploads", beside.GROUPS, groups, part="problems"):
        return file
    arrivals = queries.arrivals(request.project, request.window, now=timezone.now())
    hours = bars.upload_hours(arrivals.hours)
    days = bars.upload_days(arrivals.days) if len(arrivals.days) > 2 else None
    known = {"upload-hours": hours.table, "upload-days": days.table if days else None}
    if file := beside.tables(request, known):
        return file
    rows = queries.uploads(request.project, request.window)
    context = {
        "verdict": stories.uploads_sentence(arrivals, request.window),
        "came": any(day.n_uploads or day.n_at_door for day in arrivals.days),
        "hours": hours,
        "days": days,
        "problems": groups,
        "rows": rows,
        # An upload is listed whatever its branch.
        "bar": filters.only(request.window, "window", hint=HINT),
    }
    return page.render(request, "uploads.html", context, place="uploads")


@never_cache
@require_safe
@page.project_page()
def sending(request: ProjectRequest) -> HttpResponseBase:
    """Show how results are sent, after the first visit too."""
    return page.render(request, "sending.html", _sending(request), place="uploads")


def _first_visit(request: ProjectRequest, seen: Seen) -> HttpResponseBase:
    """Show how to send, and wait: the page asks again by itself and jumps when the first upload is read."""
    n_waited = _number(request.GET.get("waited", ""))
    latest = next(iter(queries.uploads(request.project, request.window).rows), None)
    if latest is not None and latest.state == UploadState.DONE:
        sentence = f"Received: {plural(latest.n_tests, 'result')}"
        messages.success(
            request, f"{sentence} in {latest.took_s:.1f} s." if latest.took_s else f"{sentence}."
        )
        return _jump(request, request.project.get_absolute_url())
    # What is asked again in the background shows no token, so none is taken for it.
    plain = "" if request.htmx else request.session.pop(SHOWN_ONCE, "")  # type: ignore[attr-defined]
    context = _sending(request, with_every=bool(plain)) | {
        "seen": seen,
        "latest": latest,
        "refusal": _last_refusal(queries.problem_groups(request.project, request.window)),
        "poll_s": POLL_S,
        "next_poll": f"{_choice(request)}&waited={n_waited + 1}",
        "gave_up": n_waited >= MOST_POLLS,
        "plain": plain,
        "token_form": TokenForm(),
        "n_tokens": changes.tokens(request.project).filter(revoked_at=None).count(),
    }
    return page.render(request, "first_upload.html", context, place="uploads")


def _last_refusal(groups: tuple[ProblemGroup, ...]) -> ProblemGroup | None:
    """Return the refusals of the kind that came last, of requests that became no upload."""
    at_door = [group for group in groups if group.at_door]
    return max(at_door, key=lambda group: group.examples[0].at, default=None)


def _sending(request: ProjectRequest, *, with_every: bool = False) -> dict[str, object]:
    """Return the snippets for the runner and the CI that the URL names; `with_every` adds those of all, for a page not to leave."""
    producer = snippets.producer(request.GET.get("tool", ""))
    return {
        "producers": snippets.PRODUCERS,
        "senders": snippets.SENDERS,
        "producer": producer,
        "sender": snippets.sender(
            request.GET.get("ci", ""), base_url=settings.BASE_URL, files=producer.files
        ),
        "clients": snippets.CLIENTS,
        "client": snippets.client(request.GET.get("client", ""), base_url=settings.BASE_URL),
        "secret": snippets.SECRET,
        "every": snippets.every(base_url=settings.BASE_URL, files=producer.files) if with_every else None,
    }


def _choice(request: HttpRequest) -> str:
    tool, ci = snippets.producer(request.GET.get("tool", "")), request.GET.get("ci", "")
    return f"?tool={tool.key}&ci={snippets.sender(ci, base_url='').key}"


def _jump(request: HttpRequest, url: str) -> HttpResponse:
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)  # type: ignore[attr-defined]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


@never_cache
@require_safe
@page.project_page()
def upload(request: ProjectRequest, upload_id: UUID) -> HttpResponseBase:
    """Show one upload with all its problems."""
    row = queries.upload(request.project, str(upload_id))
    if row is None:
        raise Http404("No such upload.")
    problems = listing.ordered(row.problems, request.window.sort, orders.PROBLEMS)
    if file := beside.asked(request, f"problems of upload {row.id}", beside.PROBLEMS, problems):
        return file
    context = {
        "row": row,
        "problems": problems[:SHOWN_PROBLEMS],
        "n_more": max(0, len(row.problems) - SHOWN_PROBLEMS),
        "may_retry": request.access.may_edit and row.state in (UploadState.FAILED, UploadState.REJECTED),
        "day": day_words(row.received_at.date()),
    }
    return page.render(request, "upload.html", context, place="uploads")


@require_POST
@page.project_page(needs=Role.EDITOR)
def read_again(request: ProjectRequest, upload_id: UUID) -> HttpResponseBase:
    """Put an upload back in the queue."""
    if changes.read_again(request.project, upload_id):
        messages.success(request, "The upload is in the queue again. It is read within five minutes.")
    return redirect("upload", request.project.slug, upload_id)
