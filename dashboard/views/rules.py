"""The project's own rules: edited as a draft, its consequences shown, and only then kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_http_methods

from analysis import refresh, rules
from analysis import tasks as queue
from analysis.refresh import Moves
from analysis.rules import BadPattern, BadRules, Rule
from dashboard import drafts, page
from dashboard.drafts import Row
from dashboard.format import size
from dashboard.page import ProjectRequest
from dashboard.views.settings import refused, said, show
from projects import changes
from projects.changes import RuleRow
from projects.vocabulary import Layer, Role, RuleField, RuleSyntax

BLANK_ROWS = 1  # at the end of the form, to write the next rule into
MOST_BYTES = 256 * 1024  # 200 rules of 300 letters are a quarter of it


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row of the form with its place, and how many tests it decides."""

    place: int
    row: Row
    n_matches: int | None
    is_blank: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
@page.project_page()
def settings_rules(request: ProjectRequest) -> HttpResponseBase:
    """Show the rules; on POST show a draft with what it would change, or keep one that was seen."""
    kept = _kept(request)
    if request.method != "POST" and request.GET.get("format") == "toml":
        return _file(request, kept)
    if request.method != "POST":
        return _show(request, drafts.of_rules(kept), kept=kept)
    if not request.access.may_edit:
        return refused(request, Role.EDITOR)
    action = request.POST.get("do", "preview")
    if action == "text":
        return _text(request, kept=kept)
    rows, found = drafts.checked(drafts.done(_sent(request), action))
    if any(row.problem for row in rows):
        return _show(request, rows, kept=kept, status=422)
    if action == "save" and request.POST.get("seen") == drafts.stamp(found):
        return _keep(request, found)
    return _draft(request, found, kept=kept)


def _kept(request: ProjectRequest) -> Sequence[Rule]:
    ruleset = refresh.rules_of(request.project.pk)
    return ruleset.rules if ruleset else ()


def _sent(request: ProjectRequest) -> list[Row]:
    post = request.POST
    return drafts.read(*(post.getlist(name) for name in ("field", "syntax", "pattern", "layer")))


def _file(request: ProjectRequest, kept: Sequence[Rule]) -> HttpResponse:
    """Return the rules as a file, to keep beside the code."""
    response = HttpResponse(rules.to_toml(kept), content_type="application/toml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{request.project.slug}-rules.toml"'
    return response


def _sent_text(request: ProjectRequest) -> str:
    """Return the TOML that was sent, as a file or in the box; raise BadRules for a file that is none."""
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("toml", "")
    if (file.size or 0) > MOST_BYTES:
        raise BadRules(f"The file has {size(file.size or 0)}; rules have at most {size(MOST_BYTES)}.")
    try:
        return str(file.read(), "utf-8-sig")
    except UnicodeDecodeError:
        raise BadRules("The file is not text in UTF-8.") from None


def _text(request: ProjectRequest, *, kept: Sequence[Rule]) -> HttpResponse:
    """Take rules written as TOML for the draft."""
    text = ""
    try:
        text = _sent_text(request)
        found = rules.from_toml(text)
    except (BadRules, BadPattern) as problem:
        return _show(request, drafts.of_rules(kept), kept=kept, toml=text, problem=str(problem), status=422)
    return _draft(request, found, kept=kept)


def _draft(request: ProjectRequest, found: Sequence[Rule], *, kept: Sequence[Rule]) -> HttpResponse:
    """Show a draft with its consequences."""
    try:
        moves = refresh.preview(request.project, found)
    except BadRules as problem:
        return _show(request, drafts.of_rules(found), kept=kept, problem=str(problem), status=422)
    return _show(request, drafts.of_rules(found), kept=kept, moves=moves, found=found)


def _keep(request: ProjectRequest, found: Sequence[Rule]) -> HttpResponse:
    rows = [RuleRow(rule.field, rule.syntax, rule.pattern, rule.layer) for rule in found]
    changes.set_rules(request.project, rows)
    queue.ask_for_reclassification(request.project.pk)
    return said(request, "settings-rules", "The rules are saved. Every test is being weighed by them.")


def _show(
    request: ProjectRequest,
    rows: Sequence[Row],
    *,
    kept: Sequence[Rule],
    moves: Moves | None = None,
    found: Sequence[Rule] | None = None,
    toml: str = "",
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    matches = moves.matches if moves else {}
    numbered = [
        Numbered(place, row, matches.get(place, 0) if moves else None)
        for place, row in enumerate(rows, start=1)
    ]
    blank = [Numbered(len(rows) + 1 + extra, Row(), None, is_blank=True) for extra in range(BLANK_ROWS)]
    context = {
        "rows": numbered + (blank if request.access.may_edit else []),
        "n_rules": len(rows),
        "fields": [field.word for field in RuleField],
        "syntaxes": [syntax.word for syntax in RuleSyntax],
        "layers": [layer.word for layer in Layer if layer is not Layer.UNKNOWN],
        "moves": moves,
        "counts": sorted(moves.counts.items(), key=lambda item: -item[1]) if moves else [],
        "stamp": drafts.stamp(found) if found is not None else "",
        "is_draft": moves is not None,
        "is_changed": found is not None and drafts.stamp(found) != drafts.stamp(kept),
        "toml": toml or rules.to_toml(found if found is not None else kept),
        "problem": problem,
        "is_running": request.project.reclassify_wanted_at is not None,
        "share_done": drafts.progress(request.project.n_reclassified, request.project.n_tests),
    }
    return show(request, "settings-rules", context, status=status)
