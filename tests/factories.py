"""Makes what tests need through the product's own doors: people, projects, reports, and uploads that are recorded."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import quoteattr

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ingest.tasks import process_upload
from projects import access
from projects.models import Membership, Project, Run, Test, Upload
from projects.vocabulary import Role

_numbers = itertools.count(1)


def a_person(name: str = "") -> User:
    """Return a new user; the name is made unique."""
    name = name or f"person{next(_numbers)}"
    return User.objects.create_user(name, f"{name}@example.org", "correct horse")


@dataclass(frozen=True)
class Shop:
    """A project with its owner and an upload token."""

    project: Project
    owner: User
    token: str

    def member(self, role: Role) -> User:
        """Return a new member with this role."""
        user = a_person()
        Membership.objects.create(project=self.project, user=user, role=role)
        return user

    def browser(self, user: User | None = None) -> Client:
        """Return a client signed in as the user, or as the owner."""
        client = Client()
        client.force_login(user or self.owner)
        return client

    def again(self) -> Shop:
        """Return the project as its rows are, for a test of a module that keeps them (`rows_of_the_module`)."""
        project = Project.objects.get(pk=self.project.pk)
        return Shop(project, User.objects.get(pk=self.owner.pk), self.token)

    def page(self, place: str = "") -> str:
        """Return a page of the project as its owner sees it, with plain spaces."""
        response = self.browser().get(f"/p/{self.project.slug}/{place}")
        assert response.status_code == 200
        return response.content.decode().replace("\u202f", " ").replace("\u00a0", " ")


def a_shop(name: str = "Shop") -> Shop:
    """Return a new project with owner and token."""
    owner = a_person()
    project = access.create_project(name=name, owner=owner)
    return Shop(project, owner, access.create_token(project, name="ci", by=owner))


def passed(
    name: str = "adds", *, seconds: float | None = 0.01, classname: str = "shop.Cart", **more: str
) -> str:
    """Return a testcase that passed."""
    return _case(name, classname, seconds, "", more)


def failed(
    name: str = "adds",
    *,
    seconds: float | None = 0.01,
    classname: str = "shop.Cart",
    kind: str = "AssertionError",
    message: str = "1 != 2",
    text: str = "",
    **more: str,
) -> str:
    """Return a testcase that failed."""
    inner = f"<failure type={quoteattr(kind)} message={quoteattr(message)}>{text}</failure>"
    return _case(name, classname, seconds, inner, more)


def errored(name: str = "adds", *, classname: str = "shop.Cart", message: str = "boom", **more: str) -> str:
    """Return a testcase that ended in an error."""
    return _case(name, classname, 0.01, f"<error type='RuntimeError' message={quoteattr(message)}/>", more)


def skipped(
    name: str = "adds", *, seconds: float | None = None, classname: str = "shop.Cart", **more: str
) -> str:
    """Return a testcase that was skipped."""
    return _case(name, classname, seconds, "<skipped/>", more)


def retried(name: str = "adds", *, classname: str = "shop.Cart", message: str = "1 != 2", **more: str) -> str:
    """Return a testcase that failed and passed on a retry, as surefire writes it."""
    inner = f"<flakyFailure type='AssertionError' message={quoteattr(message)}/>"
    return _case(name, classname, 0.01, inner, more)


def _case(name: str, classname: str, seconds: float | None, inner: str, more: dict[str, str]) -> str:
    time = "" if seconds is None else f' time="{seconds}"'
    rest = "".join(f" {key}={quoteattr(value)}" for key, value in more.items())
    return f"<testcase classname={quoteattr(classname)} name={quoteattr(name)}{time}{rest}>{inner}</testcase>"


def report(*cases: str, suite: str = "suite") -> bytes:
    """Return a JUnit report of these testcases."""
    return f'<?xml version="1.0"?><testsuite name={quoteattr(suite)}>{"".join(cases)}</testsuite>'.encode()


def send(shop: Shop, *reports: bytes, **fields: str) -> dict[str, object]:
    """Send the reports as CI does, and return the API's answer."""
    files = [SimpleUploadedFile(f"report-{n}.xml", body) for n, body in enumerate(reports, 1)]
    response = Client().post(
        "/api/v1/uploads", {"file": files, **fields}, headers={"authorization": f"Bearer {shop.token}"}
    )
    assert response.status_code in (200, 202), response.content
    answer: dict[str, object] = response.json()
    return answer


def record(shop: Shop, *reports: bytes, **fields: str) -> Upload:
    """Send the reports and let the worker's task record them, in this process; return the upload as it ended."""
    answer = send(shop, *reports, **fields)
    process_upload(project_id=shop.project.pk, upload_id=str(answer["id"]))
    return Upload.objects.get(project=shop.project, id=uuid.UUID(str(answer["id"])))


def run_of(upload: Upload) -> Run:
    """Return the run that the upload became part of."""
    assert upload.run_number is not None
    return Run.objects.get(project_id=upload.project_id, number=upload.run_number)


def a_test_named(shop: Shop, name: str) -> Test:
    """Return the project's test of this name."""
    return Test.objects.get(project=shop.project, name=name)


def a_history(
    shop: Shop, days: Iterable[str], *, name: str = "adds", end: datetime | None = None
) -> list[Upload]:
    """Record a run a day for one test, oldest first, the last of them today: "." passed, "F" failed, "R" retried.

    Each run has a commit of its own; "+" before a letter keeps the commit of the run before.
    """
    words = list(days)
    end = end or timezone.now()
    uploads, commit = [], 0
    n_days = sum(word in CASES for word in words)
    day = 0
    for position, word in enumerate(words):
        if word not in CASES:
            continue
        day += 1
        commit += 0 if position and words[position - 1] == "+" else 1
        started = end - timedelta(days=n_days - day)
        uploads.append(
            record(
                shop,
                report(CASES[word](name)),
                run=f"run-{day}",
                commit=f"c{commit:039d}",
                started_at=started.isoformat(),
            )
        )
    return uploads


CASES: dict[str, Callable[[str], str]] = {".": passed, "F": failed, "R": retried, "S": skipped}
