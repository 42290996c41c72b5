"""Bodies that clients of other services sent, and what became of them."""

from __future__ import annotations

from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from ingest.tasks import process_upload
from projects.models import Result, Test, Upload
from projects.vocabulary import Outcome, UploadState
from tests.factories import Shop

BODIES = Path(__file__).resolve().parent / "data" / "clients"
TWIN = (BODIES / "twin.xml").read_bytes()
COMMIT = "abcdefabcdefabcdefabcdefabcdefabcdefabcd"
RESULTS = {"test_ok": Outcome.PASSED, "test_bad": Outcome.FAILED, "test_skip": Outcome.SKIPPED}


def body(name: str) -> bytes:
    """Return a recorded body."""
    return (BODIES / name).read_bytes()


def the_upload(shop: Shop) -> Upload:
    """Record the project's uploads and return the only one."""
    for upload in Upload.objects.filter(project=shop.project, state=UploadState.RECEIVED):
        process_upload(project_id=shop.project.pk, upload_id=str(upload.id))
    return Upload.objects.get(project=shop.project)


def the_results(shop: Shop) -> dict[str, Outcome]:
    """Return the outcomes of the project's only run by the names of the tests."""
    names = dict(Test.objects.filter(project=shop.project).values_list("id", "name"))
    found = Result.objects.filter(project_id=shop.project.pk).values_list("test_id", "outcome")
    return {names[test_id]: Outcome(outcome) for test_id, outcome in found}


def its_build(upload: Upload) -> tuple[str, str, str, int]:
    """Return what joins an upload to a build."""
    return upload.run_key, upload.branch, upload.commit, upload.attempt


def files(*sent: tuple[str, bytes]) -> list[SimpleUploadedFile]:
    """Return parts of a form."""
    return [SimpleUploadedFile(name, content) for name, content in sent]


def fingerprints(shop: Shop) -> set[bytes]:
    """Return what makes the project's tests the same tests elsewhere."""
    found = Test.objects.filter(project=shop.project).values_list("fingerprint", flat=True)
    return {bytes(fingerprint) for fingerprint in found}
