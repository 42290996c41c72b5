"""The background work on projects themselves: deleting those that are marked for it."""

from __future__ import annotations

from celery import shared_task

from projects import ending, locks


@shared_task
def end_project(*, project_id: int, **_: object) -> None:
    """Delete rows of a marked project, one worker at a time, and ring again while some are left."""
    with locks.alone(locks.Lock.DELETE, project_id) as is_mine:
        if is_mine and project_id in ending.waiting() and not ending.delete_rows(project_id):
            end_project.delay_on_commit(project_id=project_id)


@shared_task
def end_projects(**_: object) -> None:
    """Ring again for projects whose deleting was broken off."""
    for project_id in ending.waiting():
        end_project.delay_on_commit(project_id=project_id)
