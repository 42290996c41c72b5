"""Which repositories a project trusts: their CI jobs upload without a token.

Knows rows and their patterns. That a job is the one it says was settled by its signature, in ingest.id_tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from projects.models import Project, Trust

# Without events of its own a trust takes these: the ones in which the code of the repository is tested.
USUAL_EVENTS = frozenset(
    [
        *("push", "pull_request", "merge_group", "schedule", "workflow_dispatch", "workflow_run"),
        *("merge_request_event", "web", "api", "trigger", "pipeline", "parent_pipeline"),
    ]
)


@dataclass(frozen=True, slots=True)
class Job:
    """A CI job as its issuer vouches for it; `is_pull` where its code may be a stranger's."""

    issuer: str
    repository: str
    owner_id: str
    branch: str
    event: str
    is_pull: bool


class Untrusted(Exception):
    """No project takes uploads of this job; the sentence says which rule it fails, and who can change that."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def project_for_job(job: Job, *, slug: str, now: datetime) -> Project:
    """Return the project that trusts the job, or the one of that slug where several do; raise Untrusted otherwise."""
    rows = list(
        Trust.objects.select_related("project")
        .filter(
            issuer=job.issuer, repository__iexact=job.repository, **({"project__slug": slug} if slug else {})
        )
        .order_by("project__slug")[:20]
    )
    if not rows:
        who = f"The project {slug} takes no uploads" if slug else "No project here takes uploads"
        raise Untrusted(
            "untrusted_repository",
            f"{who} of {job.repository} without a token. An owner names it under Settings, Trusted jobs.",
        )
    if len(rows) > 1:
        names = ", ".join(row.project.slug for row in rows)
        raise Untrusted(
            "several_projects", f"{job.repository} belongs to {names}: name one in TROPHYCASE_PROJECT."
        )
    _refuse_unwanted(rows[0], job)
    _touch(rows[0], job, now=now)
    return rows[0].project


def _refuse_unwanted(trust: Trust, job: Job) -> None:
    """Raise Untrusted where owner, event, or branch is none that the trust takes."""
    change = f"An owner of {trust.project.name} can change that under Settings, Trusted jobs."
    if trust.owner_id and trust.owner_id != job.owner_id:
        why = (
            f"{job.repository} belongs to the account {job.owner_id or 'unknown'} now, not {trust.owner_id}."
        )
        raise Untrusted("other_owner", f"{why} {change}")
    if job.event not in (words(trust.events) or USUAL_EVENTS):
        raise Untrusted("unwanted_event", f"Jobs of the event {job.event!r} are not taken. {change}")
    if job.is_pull and not trust.takes_pulls:
        raise Untrusted("unwanted_event", f"Pull requests are not taken without a token. {change}")
    patterns = words(trust.branches)
    if not job.is_pull and patterns and not any(fnmatchcase(job.branch, pattern) for pattern in patterns):
        raise Untrusted("unwanted_branch", f"The branch {job.branch!r} is not taken. {change}")


def words(text: str) -> Sequence[str]:
    """Return the words of a list that a person typed."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def _touch(trust: Trust, job: Job, *, now: datetime) -> None:
    """Note the use at most once a minute, and at the first one whose repository it is."""
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - timedelta(minutes=1))
    Trust.objects.filter(stale, pk=trust.pk).update(last_used_at=now)
    if not trust.owner_id and job.owner_id:
        Trust.objects.filter(pk=trust.pk, owner_id="").update(owner_id=job.owner_id)


def trusts(project: Project) -> QuerySet[Trust]:
    """Return the repositories that the project trusts, by name."""
    return Trust.objects.filter(project=project).select_related("created_by").order_by("repository", "id")


@dataclass(frozen=True, slots=True)
class TrustRow:
    """A Trust as it is to be kept."""

    issuer: str
    repository: str
    owner_id: str
    branches: str
    events: str
    takes_pulls: bool


def keep(project: Project, row: TrustRow, *, by: User) -> None:
    """Trust a repository; one that is trusted already gets these rules, and keeps its owner unless another is named."""
    known = {"issuer": row.issuer, "repository": row.repository}
    rules = {
        **({"owner_id": row.owner_id} if row.owner_id else {}),
        "branches": " ".join(words(row.branches)),
        "events": " ".join(words(row.events)),
        "takes_pulls": row.takes_pulls,
    }
    Trust.objects.update_or_create(
        project=project, **known, defaults=rules, create_defaults={**known, **rules, "created_by": by}
    )


def end(project: Project, trust_id: int) -> Trust | None:
    """End one trust of the project; None where it has no such."""
    row = Trust.objects.filter(project=project, pk=trust_id).first()
    if row is not None:
        Trust.objects.filter(pk=row.pk).delete()
    return row
