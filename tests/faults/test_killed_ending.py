"""A worker may die while it deletes a project: what is left of it stays hidden, and goes with the next try."""

from __future__ import annotations

import pytest
from django.utils import timezone

from projects import ending
from projects.models import Project
from projects.tasks import end_project
from tests.faults.nursery import Nursery
from tests.faults.wreck import held, wait_for_silence, wait_for_waiters
from tests.rows.test_ending import a_full_shop, rows_of


@pytest.mark.parametrize("table", ["projects_upload", "projects_failure", "projects_token"])
def test_a_worker_killed_while_it_deletes_leaves_the_rest_to_the_next(
    table: str, environ: dict[str, str], nursery: Nursery
) -> None:
    shop, other = a_full_shop("Shop"), a_full_shop("Other")
    before = dict(rows_of(other.project.pk))
    ending.mark(shop.project, now=timezone.now())

    with held(f"LOCK TABLE {table} IN SHARE MODE", environ=environ):
        worker = nursery.end_project(shop.project.pk)
        wait_for_waiters(1, environ=environ)
        worker.kill()
    wait_for_silence(environ=environ)
    left = dict(rows_of(shop.project.pk))
    waiting = ending.waiting()
    end_project(project_id=shop.project.pk)

    assert left
    assert waiting == [shop.project.pk]
    assert dict(rows_of(shop.project.pk)) == {}
    assert dict(rows_of(other.project.pk)) == before
    assert Project.every.get() == other.project
